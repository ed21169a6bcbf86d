//! Those who only look, and what an app's policy has for them.

use std::time::Duration;

use config::link::{Failure, Status, ToRevive};
use config::model::{App, Check, Treatment};
use config::settings::Gateway;

use super::fakes::{CREATING, Client, Edge, Upstream, app, id, run};

const MONITOR: &str = "UptimeRobot/2.0";
const CRAWLER: &str = "Googlebot/2.1";

/// An app with a check of its own, for which health checks wake, monitors are told that all is well, and crawlers have a
/// budget.
fn checked(check: Check) -> App {
    let mut app = app("a");
    app.health.check = check;
    let kinds = &mut app.wake.passersby;
    kinds.health_checks = Treatment::Wake;
    kinds.monitors = Treatment::Answer200;
    kinds.crawlers = Treatment::Budget;
    kinds.budget = Duration::from_secs(60);
    app
}

async fn look(edge: &Edge, agent: &str) -> Client {
    edge.say(0, &format!("GET / HTTP/1.1\r\nHost: a.localhost\r\nUser-Agent: {agent}")).await
}

async fn call(edge: &Edge, path: &str) -> Client {
    let lines = "Content-Type: application/grpc\r\nContent-Length: 0\r\nTE: trailers";
    edge.say(0, &format!("POST {path} HTTP/1.1\r\nHost: a.localhost\r\n{lines}")).await
}

fn wake() -> ToRevive {
    ToRevive::Wake { app: id("a") }
}

#[test]
fn each_kind_gets_what_the_policy_has_for_it() {
    run(async {
        let check = Check::Http { path: "/healthz".into() };
        let mut edge = Edge::with_a(checked(check), &Gateway::default()).await;
        let answer = look(&edge, MONITOR).await.whole().await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("asleep\n"), "{answer}");
        assert!(answer.contains("proxy-status: loco-edge; details=\"asleep-ok\"\r\n"), "{answer}");
        assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
        assert_eq!(edge.said(), [], "it sleeps on");

        let first = look(&edge, CRAWLER).await;
        assert_eq!(edge.said(), [wake()]);
        first.leave().await;
        assert_eq!(look(&edge, CRAWLER).await.answer().await, "503 asleep");
        assert_eq!(edge.said(), [ToRevive::Unwanted { app: id("a") }]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!look(&edge, CRAWLER).await.is_answered(), "there is budget again");
        edge.said();

        assert!(!edge.ask(0, "a", "/healthz").await.is_answered());
    });
}

#[test]
fn no_kind_counts_as_use_whatever_it_gets() {
    run(async {
        let check = Check::Http { path: "/healthz".into() };
        let edge = Edge::with_a(checked(check), &Gateway::default()).await;
        let mut upstream = Upstream::start().await;
        let clients = [edge.ask(0, "a", "/healthz").await, look(&edge, CRAWLER).await];
        edge.change("a", upstream.awake()).await;
        let last = look(&edge, MONITOR).await;
        for request in upstream.arrived().await {
            request.answer().await;
        }
        for client in clients.into_iter().chain([last]) {
            assert_eq!(client.answer().await, "200");
        }
        assert_eq!(edge.app("a").activity().idle_for, None, "nobody has used it");
    });
}

#[test]
fn a_failure_is_not_said_to_be_well() {
    run(async {
        let edge = Edge::with_a(checked(Check::Tcp), &Gateway::default()).await;
        edge.change("a", CREATING).await;
        assert!(look(&edge, MONITOR).await.answer().await.starts_with("200"));
        let retry_after = Duration::from_secs(5);
        edge.change("a", Status::Failed { failure: Failure::Unhealthy, retry_after }).await;
        assert_eq!(look(&edge, MONITOR).await.answer().await, "503 unhealthy");
        tokio::time::sleep(retry_after).await;
        assert_eq!(look(&edge, MONITOR).await.answer().await, "503 unhealthy", "nobody has tried it since");
    });
}

#[test]
fn a_sleeping_app_is_said_to_serve_to_grpcs_check_and_no_other_call() {
    run(async {
        let mut app = checked(Check::Grpc { service: String::new() });
        app.wake.passersby.health_checks = Treatment::Answer200;
        let mut edge = Edge::with_a(app, &Gateway::default()).await;
        let answer = call(&edge, "/grpc.health.v1.Health/Check").await.whole().await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("details=\"asleep-ok\""), "{answer}");
        // HealthCheckResponse { status: SERVING } in a chunk.
        assert!(answer.ends_with("7\r\n\0\0\0\0\x02\x08\x01\r\n0\r\ngrpc-status: 0\r\n\r\n"), "{answer:?}");
        let answer = call(&edge, "/grpc.health.v1.Health/Watch").await.whole().await;
        assert!(answer.contains("grpc-status: 14\r\n") && answer.contains("details=\"asleep\""), "{answer}");
        assert_eq!(edge.said(), []);
        assert!(!call(&edge, "/a.A/B").await.is_answered());
        assert_eq!(edge.said(), [wake()]);
    });
}
