//! `loco-edge admin limits`.

use hyper::Method;
use serde_json::{Value, json};

use super::arguments::{Count, Limits, SetLimit};
use super::client::{Answer, Belief, Client, Question};
use super::failure::Failure;
use super::show::Screen;
use super::{Shown, escaped, unknown};

/// What a limit is made of.
const WORDS: [&str; 5] = ["match", "key", "rate", "burst", "concurrency"];

pub(super) async fn carry_out(
    client: &Client,
    command: Option<&Limits>,
    screen: Screen,
) -> Result<Shown, Failure> {
    match command {
        None | Some(Limits::List) => {
            let answer = client.look("/v1/limits").await?;
            Ok(Shown { words: screen.limits(&answer.json), answer })
        }
        Some(Limits::Show { name }) => {
            let answer = about(client, name, client.look(&of_limit(name, "")).await).await?;
            Ok(Shown { words: screen.limit(&answer.json), answer })
        }
        Some(Limits::Set(set)) => {
            let answer = put(client, set).await?;
            Ok(Shown { words: screen.limit_changed(&set.name, &answer.json, answer.status), answer })
        }
        Some(Limits::Delete { name }) => change(client, Method::DELETE, name, "", screen).await,
        Some(Limits::Restore { name }) => change(client, Method::POST, name, "/restore", screen).await,
    }
}

fn of_limit(name: &str, rest: &str) -> String {
    format!("/v1/limits/{}{rest}", escaped(name))
}

async fn change(
    client: &Client,
    method: Method,
    name: &str,
    rest: &str,
    screen: Screen,
) -> Result<Shown, Failure> {
    let target = of_limit(name, rest);
    let question = Question { method, target: &target, body: None, belief: Belief::None };
    let answer = about(client, name, client.ask(question).await).await?;
    Ok(Shown { words: screen.limit_changed(name, &answer.json, answer.status), answer })
}

/// Changes what is said and leaves the rest, if nobody else has changed it meanwhile.
async fn put(client: &Client, set: &SetLimit) -> Result<Answer, Failure> {
    let target = of_limit(&set.name, "");
    let (there, belief) = match client.look(&target).await {
        Ok(Answer { json, tag, .. }) => (json, tag.map_or(Belief::None, Belief::Tag)),
        Err(failure) if failure.code() == Some("unknown-limit") => (json!({}), Belief::Nothing),
        Err(failure) => return Err(failure),
    };
    let body = Some(changed(&there, set));
    client.ask(Question { method: Method::PUT, target: &target, body, belief }).await
}

/// What is there, with what is said in its place.
fn changed(there: &Value, set: &SetLimit) -> Value {
    let mut words = json!({});
    for word in WORDS {
        words[word] = there[word].clone();
    }
    match set.rate.as_deref() {
        Some("none") => (words["rate"], words["burst"]) = (Value::Null, Value::Null),
        Some(rate) => words["rate"] = rate.into(),
        None => {}
    }
    if let Some(burst) = set.burst {
        words["burst"] = burst.into();
    }
    match set.concurrency {
        Some(Count::None) => words["concurrency"] = Value::Null,
        Some(Count::Some(most)) => words["concurrency"] = most.into(),
        None => {}
    }
    if let Some(key) = &set.key {
        words["key"] = key.as_str().into();
    }
    for (condition, values) in [("hosts", &set.hosts), ("paths", &set.paths), ("methods", &set.methods)] {
        match values.as_slice() {
            [] => {}
            [any] if any == "any" => words["match"][condition] = json!([]),
            values => words["match"][condition] = json!(values),
        }
    }
    words
}

/// Of a limit that is unknown, says which may be meant.
async fn about(client: &Client, name: &str, answer: Result<Answer, Failure>) -> Result<Answer, Failure> {
    match answer {
        Err(failure) if failure.code() == Some("unknown-limit") => {
            let limits = client.look("/v1/limits").await.map(|answer| answer.json["limits"].clone());
            let words = unknown("limit", name, &limits.unwrap_or_default(), "loco-edge admin limits");
            Err(failure.instead(words))
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> SetLimit {
        SetLimit {
            name: "deploys".into(),
            rate: None,
            burst: None,
            concurrency: None,
            key: None,
            hosts: Vec::new(),
            paths: Vec::new(),
            methods: Vec::new(),
        }
    }

    #[test]
    fn what_is_not_said_stays_as_it_is() {
        let there = json!({
            "name": "deploys", "match": { "hosts": ["a"], "paths": ["/b"], "methods": [] }, "key": "client",
            "rate": "5/min", "burst": 2, "concurrency": 3, "source": "file", "enabled": true,
        });
        let said = SetLimit {
            rate: Some("9/min".into()),
            concurrency: Some(Count::None),
            hosts: vec!["any".into()],
            methods: vec!["POST".into(), "PUT".into()],
            ..set()
        };
        assert_eq!(
            changed(&there, &said),
            json!({
                "match": { "hosts": [], "paths": ["/b"], "methods": ["POST", "PUT"] }, "key": "client",
                "rate": "9/min", "burst": 2, "concurrency": null,
            })
        );
        let none = changed(&there, &SetLimit { rate: Some("none".into()), ..set() });
        assert_eq!((&none["rate"], &none["burst"]), (&Value::Null, &Value::Null));
        let new =
            changed(&json!({}), &SetLimit { key: Some("app".into()), paths: vec!["/x".into()], ..set() });
        assert_eq!((&new["key"], &new["match"]), (&json!("app"), &json!({ "paths": ["/x"] })));
    }
}
