//! Limits, over real sockets and threads.

use crate::harness::{App, Edge, Request, file};

#[tokio::test]
async fn one_client_does_not_wake_everything() {
    let settings = "\n[gateway]\nmax_wakes_per_client = \"1/h\"\n";
    let edge = Edge::start(&(file(&[App::named("a"), App::named("b")]) + settings)).await;
    assert_eq!(edge.ask(Request::get("a", "/")).await.status, 200);
    let refused = edge.ask(Request::get("b", "/")).await;
    refused.assert_refused(429, "too-many-wakes");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 3_000);
    assert_eq!(edge.ask(Request::get("a", "/")).await.status, 200);
    assert_eq!(edge.state("b").await, "asleep deep");
    assert_eq!(edge.app("b").await["last_failure"], serde_json::Value::Null);
}
