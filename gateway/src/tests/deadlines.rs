//! Calls that say how long they wait.

use std::time::Duration;

use config::link::{Status, ToRevive};
use config::settings::Gateway;

use super::fakes::{Arrived, CREATING, Client, Edge, Upstream, app, id, run, settle};

const SECOND: Duration = Duration::from_secs(1);

async fn call(edge: &Edge, lines: &str) -> Client {
    edge.say(0, &format!("POST /a.A/B HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\n{lines}")).await
}

/// gRPC-Web, which goes to an app that speaks HTTP/1.1.
async fn web(edge: &Edge, timeout: &str) -> Client {
    call(edge, &format!("Content-Type: application/grpc-web\r\ngrpc-timeout: {timeout}")).await
}

async fn grpc(edge: &Edge, timeout: &str) -> Client {
    call(edge, &format!("Content-Type: application/grpc\r\ngrpc-timeout: {timeout}")).await
}

/// What the app is told in this header.
fn told(arrived: &Arrived, name: &str) -> String {
    let line = arrived.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name}: {}", arrived.head)).to_owned()
}

#[test]
fn a_call_is_held_until_its_deadline_and_told_so_then() {
    run(async {
        let mut edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let client = grpc(&edge, "5S").await;
        edge.change("a", CREATING).await;
        tokio::time::sleep(SECOND * 5 - Duration::from_millis(100)).await;
        assert!(!client.is_answered());
        assert_eq!(edge.app("a").held(), 1);
        let answer = client.whole().await;
        for line in ["HTTP/1.1 200 OK\r\n", "content-type: application/grpc\r\n", "grpc-status: 4\r\n"] {
            assert!(answer.contains(line), "no {line:?} in {answer}");
        }
        assert!(answer.contains("details=\"deadline-exceeded\""), "{answer}");
        assert!(answer.contains("grpc-retry-pushback-ms: 5000\r\n"), "{answer}");
        assert_eq!(edge.app("a").held(), 0);
        let (wake, unwanted) = (ToRevive::Wake { app: id("a") }, ToRevive::Unwanted { app: id("a") });
        assert_eq!(edge.said(), [wake, unwanted], "the app is woken for the next call");
    });
}

#[test]
fn a_connect_call_is_told_in_its_own_way() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let client = call(&edge, "Content-Type: application/json\r\nConnect-Timeout-Ms: 200").await;
        let answer = client.whole().await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert!(answer.contains("\"code\":\"deadline_exceeded\""), "{answer}");
    });
}

#[test]
fn a_deadline_makes_no_hold_longer() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let client = grpc(&edge, "1H").await;
        tokio::time::sleep(app("a").wake.hold_timeout - Duration::from_millis(100)).await;
        assert!(!client.is_answered());
        assert!(client.whole().await.contains("details=\"hold-timeout\""));
    });
}

#[test]
fn a_wake_whose_turn_comes_after_the_deadline_is_told_at_once() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let (short, long) = (grpc(&edge, "5S").await, grpc(&edge, "20S").await);
        let Status::Waking { phase, elapsed, position, probe, .. } = CREATING else { panic!("it is waking") };
        edge.change("a", Status::Waking { phase, elapsed, position, probe, estimate: Some(SECOND * 10) })
            .await;
        let answer = short.whole().await;
        assert!(
            answer.contains("details=\"wake-queue-too-long\"") && answer.contains("grpc-status: 14"),
            "{answer}"
        );
        assert!(answer.contains("grpc-retry-pushback-ms: "), "{answer}");
        assert!(!long.is_answered());
    });
}

#[test]
fn an_app_is_told_what_is_left_of_a_deadline() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let mut upstream = Upstream::start().await;
        let _held = [
            web(&edge, "5S").await,
            call(&edge, "Content-Type: application/proto\r\nConnect-Timeout-Ms: 5000").await,
            call(&edge, "Content-Type: text/plain\r\ngrpc-timeout: 5x").await,
        ];
        tokio::time::sleep(SECOND).await;
        edge.change("a", upstream.awake()).await;
        let mut arrived = upstream.arrived().await;
        // They come over connections of their own, in any order.
        let kinds = ["application/grpc", "application/proto", "text/plain"];
        arrived.sort_by_key(|request| kinds.iter().position(|kind| request.head.contains(kind)));
        let left: u64 = told(&arrived[0], "grpc-timeout").strip_suffix('u').unwrap().parse().unwrap();
        assert!((3_900_000..=4_000_000).contains(&left), "{left}");
        let left: u64 = told(&arrived[1], "connect-timeout-ms").parse().unwrap();
        assert!((3_900..=4_000).contains(&left), "{left}");
        assert_eq!(told(&arrived[2], "grpc-timeout"), "5x", "what is not understood is passed on");
    });
}

#[test]
fn who_is_not_held_is_passed_on_as_it_came() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let mut upstream = Upstream::start().await;
        edge.change("a", upstream.awake()).await;
        let client = web(&edge, "05S").await;
        settle().await;
        let arrived = upstream.arrived().await.pop().unwrap();
        assert_eq!(told(&arrived, "grpc-timeout"), "05S");
        arrived.answer().await;
        assert_eq!(client.answer().await, "200");
    });
}
