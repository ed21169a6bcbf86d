//! What the edge writes, and what not.

use serde_json::Value;

use crate::harness::{App, Edge, PATIENCE, Request, Signal, eventually, file};

/// Lines of the log that are JSON; there is no terminal in a test.
fn entries(edge: &Edge) -> Vec<Value> {
    edge.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[tokio::test]
async fn it_says_what_it_serves() {
    let edge = Edge::start(&file(&[App::named("hello"), App::named("other")])).await;
    let log = edge.log();
    for name in ["hello", "other"] {
        let url = format!("http://{name}.localhost:{}", edge.listen().port());
        assert!(log.contains(&url), "{url} is not in:\n{log}");
        assert!(log.contains(&edge.port(name).port().to_string()), "the port of {name} is not in:\n{log}");
    }
    assert!(log.contains(&edge.admin().to_string()), "the admin address is not in:\n{log}");
}

#[tokio::test]
async fn an_apps_own_words_have_its_name_and_its_owner() {
    let app = App::named("hello").line(r#"tenant = { org = "acme-of-logs", workspace = "shop-of-logs" }"#);
    let edge = Edge::start(&file(&[app])).await;
    edge.wake("hello").await;
    let entry = eventually(PATIENCE, "the app's own output", async || {
        entries(&edge)
            .into_iter()
            .find(|entry| entry.to_string().contains("listening on 127.0.0.1"))
            .ok_or("no line")
    })
    .await
    .to_string();
    for word in ["hello", "acme-of-logs", "shop-of-logs"] {
        assert!(entry.contains(word), "{word} is not in {entry}");
    }
}

#[tokio::test]
async fn the_edges_words_about_an_app_have_its_owner_and_numbers_are_numbers() {
    let mut edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.wake("hello").await;
    edge.end(Signal::TERM).await;
    let entries = entries(&edge);
    let said = |words: &str| {
        let found =
            entries.iter().find(|entry| entry["fields"]["message"] == words || entry["message"] == words);
        let entry = found.unwrap_or_else(|| panic!("{words:?} is not in:\n{}", edge.log()));
        let fields = if entry["fields"].is_object() { &entry["fields"] } else { entry };
        for field in ["app", "org", "workspace", "region", "environment"] {
            assert!(fields[field].is_string(), "no {field} in {entry}");
        }
        fields.clone()
    };
    assert!(said("started")["instance"].is_u64() && said("started")["pid"].is_u64(), "{}", said("started"));
    assert!(said("awake")["took_ms"].as_f64().is_some_and(|took| took > 0.0), "{}", said("awake"));
    let exit = said("ended")["exit"].as_str().map(str::to_owned);
    assert!(exit.as_deref().is_some_and(|exit| exit == "signal 15" || exit == "code 0"), "{exit:?}");
}

#[tokio::test]
async fn nothing_secret_is_written() {
    let mut edge = Edge::start(&file(&[App::named("hello").env("API_KEY", "s3cret-of-env")])).await;
    let request = Request::post("hello", "/?token=s3cret-of-query", "s3cret-of-body")
        .header("Authorization", "Bearer s3cret-of-header")
        .header("Cookie", "session=s3cret-of-cookie");
    edge.ask(request).await.seen();
    // Of a failure, too.
    edge.ask(Request::post("hello", "/crash?token=s3cret-of-query", "s3cret-of-body")).await;
    edge.end(Signal::TERM).await;
    let log = edge.log();
    assert!(log.contains("hello"), "nothing was written at all: {log}");
    assert!(!log.contains("s3cret-of"), "{log}");
}
