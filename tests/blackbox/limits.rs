//! Limits, over real sockets and threads.

use crate::harness::{Answer, App, Edge, Request, file};

const DEPLOY: &str = "/deployment.v1.DeploymentService/CreateDeployment";

fn deploy(path: &str, token: &str) -> Request {
    Request::post("api", path, "x").header("Authorization", &format!("Bearer {token}"))
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

#[tokio::test]
async fn deploys_are_limited_as_the_file_says() {
    let limit = r#"
[[limit]]
name = "deploys"
match = { hosts = ["api.localhost"], paths = ["/deployment.v1.DeploymentService/CreateDeployment"], methods = ["POST"] }
key = "credential"
rate = "2/h"
"#;
    let edge = Edge::start(&(file(&[App::named("api"), App::named("other")]) + limit)).await;
    let mut answers = Vec::new();
    for path in [DEPLOY, "/deployment%2Ev1.DeploymentService//CreateDeployment/", DEPLOY, DEPLOY] {
        answers.push(edge.ask(deploy(path, "ann")).await);
    }
    assert_eq!(statuses(&answers), [200, 200, 429, 429]);
    answers[2].assert_refused(429, "rate-limited");
    let header = |name| answers[2].header(name).expect(name);
    assert!((1_700..=1_800).contains(&header("retry-after").parse::<u64>().unwrap()));
    assert_eq!(header("ratelimit-policy"), "\"deploys\";q=2;w=3600");
    assert!(header("ratelimit").starts_with("\"deploys\";r=0;t="));

    assert_eq!(edge.ask(deploy(DEPLOY, "bob")).await.status, 200, "another credential");
    assert_eq!(edge.ask(Request::get("api", DEPLOY)).await.status, 200, "another method");
    assert_eq!(edge.ask(Request::post("other", DEPLOY, "x")).await.status, 200, "another host");
    let reached = edge.requests("api").iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(reached, 3, "what is refused does not reach the app");
    let metrics = edge.tell("GET", "/metrics").await.text();
    for sample in [
        "loco_edge_limited_total{limit=\"deploys\",org=\"local\",workspace=\"local\"} 2",
        "loco_edge_limit_keys{limit=\"deploys\"} 2",
    ] {
        assert!(metrics.lines().any(|line| line == sample), "{sample}: {metrics}");
    }
}

#[tokio::test]
async fn a_burst_over_all_threads_gets_what_it_may_and_not_one_more() {
    let limit = "\n[[limit]]\nname = \"few\"\nkey = \"client\"\nrate = \"25/d\"\n[gateway]\nthreads = 4\n";
    let edge = Edge::start(&(file(&[App::named("api")]) + limit)).await;
    let asks = (0..100).map(|_| edge.ask(Request::get("api", "/")));
    let answers = futures_util::future::join_all(asks).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(429)), (25, 75));
}

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
