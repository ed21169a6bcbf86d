//! Limits, changed by admins while the edge runs.

use serde_json::{Value, json};

use crate::harness::{Answer, App, Edge, PATIENCE, Request, eventually, file, scaled};

const DEPLOYS: &str = "
[[limit]]
name = \"deploys\"
match = { hosts = [\"hello.localhost\"], paths = [\"/deploy\"], methods = [\"POST\"] }
key = \"credential\"
rate = \"5/min\"
burst = 2
";

async fn edge() -> Edge {
    Edge::start(&(file(&[App::named("hello")]) + DEPLOYS)).await
}

impl Edge {
    async fn limit(&self, method: &str, name: &str, body: &Value) -> Answer {
        self.limit_if(method, name, body, &[]).await
    }

    async fn limit_if(&self, method: &str, name: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let request = self.to_admin(method, &format!("/v1/limits/{name}")).body(body.to_string());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        self.tell_this(&request).await
    }

    /// Each limit: what it says, from where, and whether it holds.
    async fn limits(&self) -> Vec<String> {
        let list = self.tell("GET", "/v1/limits").await.json();
        let shown = |limit: &Value| {
            let text = |name: &str| limit[name].as_str().unwrap_or("-").to_owned();
            let on = if limit["enabled"] == true { "on" } else { "off" };
            format!("{} {} {} {on} {}", text("name"), text("rate"), text("source"), text("by"))
        };
        list["limits"].as_array().expect("limits").iter().map(shown).collect()
    }
}

#[tokio::test]
async fn an_admins_word_holds_before_the_files_and_across_a_restart() {
    let mut edge = edge().await;
    let set = edge.limit("PUT", "deploys", &json!({ "key": "client", "rate": "9/min" })).await;
    assert_eq!(set.status, 200, "{set:?}");
    let changed = set.json();
    assert_eq!((&changed["changed"], &changed["in_use"]), (&json!(true), &json!({ "gateways": 1, "of": 1 })));
    let file = &changed["limit"]["file"];
    assert_eq!(
        (&file["rate"], &file["burst"], &file["key"]),
        (&json!("5/min"), &json!(2), &json!("credential"))
    );
    let new = edge.limit("PUT", "mine", &json!({ "key": "app", "rate": "1/s", "concurrency": 3 })).await;
    assert_eq!(new.status, 201, "{new:?}");
    let both = ["deploys 9/min admin on local", "mine 1/s admin on local"];
    assert_eq!(edge.limits().await, both);
    edge.kill();
    edge.restart().await;
    assert_eq!(edge.limits().await, both);
    let restored = edge.tell("POST", "/v1/limits/deploys/restore").await;
    assert_eq!(restored.status, 200, "{restored:?}");
    assert_eq!(edge.limits().await, ["deploys 5/min file on -", "mine 1/s admin on local"]);
    let gone = edge.limit("DELETE", "mine", &json!({})).await;
    assert_eq!((gone.status, &gone.json()["limit"]), (200, &Value::Null));
    assert_eq!(edge.tell("GET", "/v1/limits/mine").await.status, 404);
}

#[tokio::test]
async fn a_limit_of_the_file_that_is_switched_off_stays_so_and_is_shown() {
    let mut edge = edge().await;
    for changed in [true, false] {
        let off = edge.limit("DELETE", "deploys", &json!({})).await;
        assert_eq!((off.status, &off.json()["changed"]), (200, &json!(changed)), "{off:?}");
        assert_eq!(off.json()["limit"]["enabled"], false);
    }
    edge.kill();
    edge.restart().await;
    assert_eq!(edge.limits().await, ["deploys 5/min file off local"]);
    assert_eq!(edge.tell("POST", "/v1/limits/deploys/restore").await.status, 200);
    assert_eq!(edge.limits().await, ["deploys 5/min file on -"]);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_limit_is_said_at_once() {
    let edge = edge().await;
    let words = json!({ "key": "ip", "rate": "5/m", "matches": {}, "match": { "methods": ["post"] } });
    let answer = edge.limit("PUT", "deploys", &words).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (422, Some("invalid-limit")), "{answer:?}");
    let json = answer.json();
    let errors = json["errors"].as_array().expect("errors");
    let mut fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().expect("a field")).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["key", "match.methods[0]", "matches", "rate"]);
    assert_eq!(edge.limits().await, ["deploys 5/min file on -"]);
    let no_json = edge.tell_this(&edge.to_admin("PUT", "/v1/limits/deploys").body("rate = 5")).await;
    assert_eq!((no_json.status, no_json.json()["code"].as_str()), (400, Some("bad-request")));
    let twice = r#"{"key": "client", "rate": "5/min", "rate": "5000/min"}"#;
    let twice = edge.tell_this(&edge.to_admin("PUT", "/v1/limits/deploys").body(twice)).await;
    assert_eq!((twice.status, twice.json()["code"].as_str()), (400, Some("bad-request")));
    assert_eq!(edge.limits().await, ["deploys 5/min file on -"]);
    let unknown = edge.tell("GET", "/v1/limits/none").await.json();
    assert_eq!(unknown["detail"], "there is no limit \"none\"; GET /v1/limits lists all");
}

#[tokio::test]
async fn of_two_admins_the_second_is_told() {
    let edge = edge().await;
    let seen = edge.tell("GET", "/v1/limits/deploys").await;
    let tag = seen.header("etag").expect("a tag").to_owned();
    let set = async |rate: &str, header: (&str, &str)| {
        edge.limit_if("PUT", "deploys", &json!({ "key": "client", "rate": rate }), &[header]).await
    };
    let first = set("6/min", ("If-Match", &tag)).await;
    assert_eq!(first.status, 200, "{first:?}");
    let second = set("7/min", ("If-Match", &tag)).await;
    assert_eq!((second.status, second.json()["code"].as_str()), (412, Some("changed")), "{second:?}");
    assert_eq!(set("7/min", ("If-None-Match", "*")).await.status, 412);
    let now = first.header("etag").expect("a tag").to_owned();
    assert_eq!(set("8/min", ("If-Match", &format!("\"other\", {now}"))).await.status, 200);
    assert_eq!(edge.limits().await, ["deploys 8/min admin on local"]);
}

#[tokio::test]
async fn each_change_is_audited_with_what_was_before() {
    let edge = edge().await;
    edge.limit("PUT", "deploys", &json!({ "key": "client", "rate": "9/min" })).await;
    edge.limit("DELETE", "deploys", &json!({})).await;
    edge.limit("DELETE", "deploys", &json!({})).await;
    edge.tell("POST", "/v1/limits/deploys/restore").await;
    let audit = edge.tell("GET", "/v1/audit").await.json();
    let entries = audit["entries"].as_array().expect("entries").iter().map(|entry| {
        let (before, after) = (&entry["before"], &entry["after"]["limit"]);
        let brief = |limit: &Value| format!("{} {}", limit["rate"], limit["enabled"]);
        format!("{} {}: {} -> {}", entry["actor"], entry["action"], brief(before), brief(after))
            .replace('"', "")
    });
    assert_eq!(
        entries.collect::<Vec<_>>(),
        [
            "local limit.restore: 5/min false -> 5/min true",
            "local limit.delete: 9/min true -> 5/min false",
            "local limit.set: 5/min true -> 9/min true",
        ]
    );
    let metrics = edge.tell("GET", "/metrics").await.text();
    let line = r#"loco_edge_admin_requests_total{route="/v1/limits/{name}",method="DELETE",status="200"} 2"#;
    assert!(metrics.contains(line), "{line} in:\n{metrics}");
}

/// The answer to a change comes when every gateway counts by it, so there is no request to which it is too late.
#[tokio::test]
async fn a_change_holds_for_the_very_next_request() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.wake("hello").await;
    let ask = async || edge.ask(Request::get("hello", "/limited")).await.status;
    for round in 0..scaled(200) {
        let name = format!("round-{round}");
        let words = json!({ "key": "client", "rate": "1/h", "match": { "paths": ["/limited"] } });
        assert_eq!(edge.limit("PUT", &name, &words).await.status, 201);
        assert_eq!((ask().await, ask().await), (200, 429), "round {round}");
        assert_eq!(edge.ask(Request::get("hello", "/")).await.status, 200, "another path");
        let more = json!({ "key": "client", "rate": "1000/s", "match": { "paths": ["/limited"] } });
        assert_eq!(edge.limit("PUT", &name, &more).await.status, 200);
        // What has been counted stays counted: of 1000 a second, one is soon over.
        eventually(PATIENCE, "the higher limit lets through", async || match ask().await {
            200 => Ok(()),
            other => Err(other),
        })
        .await;
        assert_eq!(edge.limit("PUT", &name, &words).await.status, 200);
        assert_eq!(edge.limit("DELETE", &name, &json!({})).await.status, 200);
        assert_eq!(ask().await, 200, "round {round}: nothing limits it any more");
    }
}
