//! Apps that sleep and wake.
#![allow(clippy::print_stdout, reason = "what was seen is shown with the test")]

use std::time::Duration;

use crate::apps::{App, KIT};
use crate::client::{Answer, Request, eventually};
use crate::cluster::{Namespace, is_there, run};
use crate::edge::Edge;

/// How long an app may take to fall asleep whose policy says one or two seconds: it stays awake for three times as long
/// as its wake took, and pods take a while to go.
pub(crate) const TO_SLEEP: Duration = Duration::from_secs(60);

/// Two ages that a test can wait for.
pub(crate) const LIGHT: &str = "idleAfter: 1s";
pub(crate) const DEEP: &str = "{ idleAfter: 1s, removeAfter: 2s }";

/// Without replicas, and without a pod.
pub(crate) async fn until_light(here: &Namespace, app: &App) {
    let (kind, name) = app.workload();
    eventually(TO_SLEEP, "no replicas", async || match here.object(kind, name).await {
        Some(workload)
            if workload["spec"]["replicas"] == 0
                && workload["status"]["replicas"].as_u64().unwrap_or(0) == 0 =>
        {
            Ok(())
        }
        other => Err(format!("{other:?}")),
    })
    .await;
}

/// Without a workload.
pub(crate) async fn until_deep(here: &Namespace, app: &App) {
    let (kind, name) = app.workload();
    eventually(TO_SLEEP, "no workload", async || match here.object(kind, name).await {
        None => Ok(()),
        Some(workload) => Err(workload["spec"]["replicas"].to_string()),
    })
    .await;
}

/// Deployed, and answering.
pub(crate) async fn deployed(edge: &Edge, here: &Namespace, app: &App) {
    here.must_apply(&app.yaml()).await;
    edge.until_served(&app.host()).await;
}

pub(crate) fn app(edge: &Edge, name: &str, policy: &str) -> App {
    let policy = policy.trim_start_matches("{ ").trim_end_matches(" }").replace(", ", "\n  ");
    App::new(name, edge.gateway()).sleeping(&policy)
}

#[tokio::test]
async fn an_app_without_replicas_comes_back_for_a_request() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("light").await);
    let app = app(&edge, "light", LIGHT);
    deployed(&edge, &here, &app).await;
    until_light(&here, &app).await;
    let answer = edge.ask(&Request::new("GET", &app.host(), "/again")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (kind, name) = app.workload();
    let workload = here.object(kind, name).await.expect("the Deployment");
    assert_eq!(workload["spec"]["replicas"], 1);
}

#[tokio::test]
async fn an_app_comes_up_unasked_in_its_hours_and_sleeps_after_them() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("hours").await);
    let app = app(&edge, "hours", DEEP);
    deployed(&edge, &here, &app).await;
    until_deep(&here, &app).await;
    let (kind, name) = app.workload();
    let schedule = async |hours: &str| {
        let patch = format!("{{\"spec\": {{\"schedule\": {hours}}}}}");
        let patched = here.kubectl(&["patch", "sleeppolicy", name, "--type=merge", "-p", &patch]).await;
        patched.unwrap_or_else(|error| panic!("{error}"));
    };
    schedule("[{\"from\": \"00:00\", \"to\": \"24:00\"}]").await;
    eventually(TO_SLEEP, "a pod that is ready", async || match here.object(kind, name).await {
        Some(workload) if workload["status"]["readyReplicas"] == 1 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    schedule("null").await;
    until_deep(&here, &app).await;
}

#[tokio::test]
async fn a_deployment_that_is_gone_comes_back_for_a_request() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("deep").await);
    let app = app(&edge, "deep", DEEP);
    deployed(&edge, &here, &app).await;
    let (kind, name) = app.workload();
    let before = here.object(kind, name).await.expect("the Deployment");
    until_deep(&here, &app).await;
    let table = here.kubectl(&["get", "sleeprecords"]).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(table.contains("deployment-deep"), "{table}");
    let answer = edge.ask(&Request::new("GET", &app.host(), "/again")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let after = here.object(kind, name).await.expect("the Deployment is back");
    assert_ne!(before["metadata"]["uid"], after["metadata"]["uid"], "it was gone in between");
    assert_eq!(before["spec"], after["spec"]);
}

#[tokio::test]
async fn a_stateful_set_without_volumes_sleeps_too() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("stateful").await);
    let app = app(&edge, "stateful", DEEP).stateful();
    deployed(&edge, &here, &app).await;
    until_deep(&here, &app).await;
    let answer = edge.ask(&Request::new("GET", &app.host(), "/again")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn an_upload_to_a_sleeping_app_arrives_whole() {
    if !is_there() {
        return;
    }
    const SIZE: usize = 50 << 20;
    let (edge, here) = (Edge::any().await, Namespace::new("upload").await);
    let app = app(&edge, "upload", DEEP);
    let body: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    let request = Request::new("POST", &app.host(), "/echo").body(body.clone());
    deployed(&edge, &here, &app).await;
    until_deep(&here, &app).await;
    assert_same(&edge.converse(&request).await, &body);
    until_deep(&here, &app).await;
    assert_same(&edge.http2().await.begin(&request).await.converse(&body).await, &body);
}

/// What the app says that it heard, which is much.
fn assert_same(answer: &Answer, body: &[u8]) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body == body, "{} of {} bytes came back, or others", answer.body.len(), body.len());
}

/// An empty message: not compressed, of no bytes (gRPC over HTTP/2, `Length-Prefixed-Message`).
const EMPTY: [u8; 5] = [0; 5];

#[tokio::test]
async fn a_call_of_grpc_to_a_sleeping_app_is_answered() {
    let Some((image, method)) = is_there().then(grpc_server).flatten() else { return };
    let (edge, here) = (Edge::any().await, Namespace::new("grpc").await);
    let app = app(&edge, "grpc", DEEP).grpc(&image);
    let call = Request::new("POST", &app.host(), method)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(EMPTY)
        .without_length();
    here.must_apply(&app.yaml()).await;
    let called = async || {
        let answer = edge.http2().await.ask(&call).await;
        let status = answer.trailers.iter().chain(&answer.headers).find(|(name, _)| name == "grpc-status");
        let status = status.map(|(_, status)| status.clone());
        if status.as_deref() == Some("0") {
            Ok(answer)
        } else {
            Err(format!("{status:?}: {}", answer.status))
        }
    };
    eventually(TO_SLEEP, "the route is served", called).await;
    until_deep(&here, &app).await;
    let answer = called().await.unwrap_or_else(|status| panic!("{status}"));
    assert_eq!(answer.body, EMPTY);
}

/// An image that speaks gRPC, and a method of it that sends an empty message back.
#[allow(clippy::print_stderr)] // A test that silently tests nothing is worse than none.
fn grpc_server() -> Option<(String, &'static str)> {
    if let Ok(image) = std::env::var("LOCO_GRPC_IMAGE") {
        let method = if image == KIT { "/loco.test/Echo" } else { "/grpc.testing.TestService/EmptyCall" };
        return Some((image, method));
    }
    if std::env::var("LOCO_APP_IMAGE").is_ok_and(|image| image == KIT) {
        return Some((KIT.to_owned(), "/loco.test/Echo"));
    }
    eprintln!("skipped: no go, and not the kit's app");
    None
}

#[tokio::test]
async fn a_browser_gets_the_page_and_the_app_after_it() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("page").await);
    let app = app(&edge, "page", DEEP).variable("START_DELAY", "4");
    deployed(&edge, &here, &app).await;
    until_deep(&here, &app).await;
    let page = edge.ask(&Request::new("GET", &app.host(), "/home").navigation()).await;
    assert_eq!(page.status, 503, "{}", page.text());
    assert!(
        page.header("retry-after").is_some()
            && page.header("content-type").is_some_and(|t| t.starts_with("text/html"))
    );
    edge.until_served(&app.host()).await;
}

#[tokio::test]
async fn people_see_the_page_and_the_app_after_it() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("people").await);
    let app = app(&edge, "people", DEEP).variable("START_DELAY", "6");
    deployed(&edge, &here, &app).await;
    until_deep(&here, &app).await;
    let look = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/run");
    let address = format!("ADDRESS={}", edge.address());
    let words = [&*address, &format!("HOST={}", app.host()), look, "cluster.mjs"];
    let said = run("env", &words, "", TO_SLEEP * 2).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{said}");
}

#[tokio::test]
async fn who_deploys_a_sleeping_app_wakes_the_new_version() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("deploy").await);
    let first = app(&edge, "deploy", DEEP).variable("BODY", "first");
    deployed(&edge, &here, &first).await;
    until_deep(&here, &first).await;
    let second = app(&edge, "deploy", DEEP).variable("BODY", "second");
    here.must_apply(&second.workload_yaml()).await;
    let request = Request::new("GET", &first.host(), "/");
    eventually(TO_SLEEP, "the new version", async || match edge.ask(&request).await.text().as_str() {
        "second" => Ok(()),
        other => Err(other.to_owned()),
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_of_an_app_that_is_deleted_while_it_sleeps() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("delete").await);
    let app = app(&edge, "delete", DEEP);
    deployed(&edge, &here, &app).await;
    until_deep(&here, &app).await;
    here.kubectl(&["delete", "service/delete", "httproute/delete", "sleeppolicy/delete"])
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    edge.until_gone(&app.host()).await;
    eventually(TO_SLEEP, "its record goes", async || {
        let left = here.kubectl(&["get", "sleeprecords,deployments,pods", "-o", "name"]).await?;
        if left.trim().is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
}

/// The same with both halves outside: what most tests of faults stand on.
#[tokio::test]
async fn an_edge_on_this_machine_does_the_same() {
    if !is_there() {
        return;
    }
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("outside").await);
    let app = app(&edge, "outside", DEEP);
    deployed(&edge, &here, &app).await;
    until_deep(&here, &app).await;
    edge.halves().kill(crate::host::Half::Revive);
    edge.halves().begin(crate::host::Half::Revive).await;
    let answer = edge.ask(&Request::new("GET", &app.host(), "/again")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
