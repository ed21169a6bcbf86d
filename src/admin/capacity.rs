//! Whether a deploy would have room.

use serde_json::Value;

use super::arguments::Capacity;
use super::client::Client;
use super::failure::Failure;
use super::show::Screen;
use super::table::{Cell, Look};
use super::{Shown, escaped};

pub(super) async fn carry_out(client: &Client, asked: &Capacity, screen: Screen) -> Result<Shown, Failure> {
    let answer = client.look(&format!("/v1/capacity{}", query(asked))).await?;
    Ok(Shown { words: words(&answer.json, screen), answer })
}

fn query(asked: &Capacity) -> String {
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let pairs = [
        ("cpu", asked.cpu.clone()),
        ("memory", asked.memory.clone()),
        ("replicas", number(asked.replicas)),
        ("factor", number(asked.factor)),
        ("namespace", asked.namespace.clone()),
        ("selector", asked.selector.clone()),
        ("priority_class", asked.priority_class.clone()),
    ];
    let said = pairs.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped(&value?))));
    let query = said.collect::<Vec<_>>().join("&");
    if query.is_empty() { query } else { format!("?{query}") }
}

fn words(answer: &Value, screen: Screen) -> String {
    let (asked, free) = (&answer["asked"], &answer["free"]);
    let fits = match answer["fits"] == true {
        true => Cell::new("yes", Look::Good),
        false => {
            Cell::new(format!("no: {}", answer["lacks"]["message"].as_str().unwrap_or_default()), Look::Bad)
        }
    };
    let wanted =
        format!("{} × {} pods, each {}", asked["factor"], asked["replicas"], amounts(&asked["each"]));
    let on = if answer["nodes_count"] == true { "" } else { ", and more nodes come on demand" };
    let there = format!(
        "{} and {} pods, on {} nodes{on}",
        amounts(&free["in_all"]),
        free["in_all"]["pods"],
        free["nodes"]
    );
    let most = format!("{} and {} pods", amounts(&free["roomiest"]), free["roomiest"]["pods"]);
    screen.pairs(vec![
        ("fits", fits),
        ("asked", wanted.into()),
        ("free", there.into()),
        ("on the roomiest", most.into()),
    ])
}

/// `0.5 CPU, 256 MiB`.
fn amounts(of: &Value) -> String {
    format!("{} CPU, {} MiB", of["cpu"], of["memory"].as_u64().unwrap_or_default() >> 20)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_said_is_asked() {
        let asked = Capacity {
            cpu: Some("500m".into()),
            memory: None,
            replicas: Some(2),
            factor: None,
            namespace: None,
            selector: Some("disk=fast".into()),
            priority_class: None,
        };
        assert_eq!(query(&asked), "?cpu=500m&replicas=2&selector=disk%3Dfast");
    }

    #[test]
    fn people_read_what_is_missing() {
        let amounts = json!({ "cpu": 0.5, "memory": 268_435_456, "pods": 9 });
        let answer = json!({
            "fits": false,
            "lacks": { "code": "quota", "message": "quota small is used up" },
            "asked": { "each": amounts, "replicas": 3, "factor": 2 },
            "nodes_count": true,
            "free": { "nodes": 1, "in_all": amounts, "roomiest": amounts },
        });
        let shown = words(&answer, Screen { colours: false, now: SystemTime::UNIX_EPOCH });
        for part in ["no: quota small is used up", "2 × 3 pods, each 0.5 CPU, 256 MiB", "on 1 nodes"] {
            assert!(shown.contains(part), "{shown}");
        }
    }
}
