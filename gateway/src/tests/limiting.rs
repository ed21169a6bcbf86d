//! Limits as requests meet them.

use std::num::NonZeroU32;
use std::time::Duration;

use config::link::{Instance, Status, ToRevive};
use config::model::{Label, Limit, LimitKey, LimitMatch, PathPrefix};
use config::settings::Gateway;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::fakes::{ASLEEP, Edge, Upstream, app, id, run, settle, soon};

fn limit(path: &str) -> Limit {
    Limit {
        name: Label::parse("deploys").unwrap(),
        matches: LimitMatch { paths: vec![PathPrefix::parse(path).unwrap()], ..LimitMatch::default() },
        key: LimitKey::Client,
        rate: None,
        concurrency: None,
    }
}

fn rated(rate: &str) -> Limit {
    Limit { rate: Some(rate.parse().unwrap()), ..limit("/few") }
}

fn at_once(most: u32) -> Limit {
    Limit { concurrency: NonZeroU32::new(most), ..limit("/few") }
}

async fn with_limits(limits: impl IntoIterator<Item = Limit>) -> Edge {
    let mut edge = Edge::with_a(app("a"), &Gateway::default()).await;
    edge.use_limits(7, limits).await;
    assert_eq!(edge.said(), [ToRevive::LimitsInUse { generation: 7 }]);
    edge
}

#[test]
fn what_is_limited_wakes_nothing_and_says_when_to_come_back() {
    run(async {
        let mut edge = with_limits([rated("1/min")]).await;
        let held = edge.ask(0, "a", "/few").await;
        assert!(!held.is_answered());
        assert_eq!(edge.said(), [ToRevive::Wake { app: id("a") }]);
        held.leave().await;
        assert_eq!(edge.said(), [ToRevive::Unwanted { app: id("a") }]);
        assert_eq!(edge.ask(0, "a", "/few").await.answer().await, "429 rate-limited");
        let head = edge.ask(0, "a", "//few/").await.head().await;
        for line in [
            "http/1.1 429 too many requests",
            "retry-after: 60",
            "ratelimit-policy: \"deploys\";q=1;w=60",
            "ratelimit: \"deploys\";r=0;t=60",
        ] {
            assert!(head.iter().any(|is| is == line), "{line}: {head:#?}");
        }
        assert_eq!(edge.said(), []);
        let free = edge.ask(0, "a", "/fewer").await;
        assert!(!free.is_answered());
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(!edge.ask(0, "a", "/few").await.is_answered(), "a minute later");
    });
}

#[test]
fn who_waits_is_counted_once_however_often_it_is_tried() {
    run(async {
        let edge = with_limits([rated("2/h")]).await;
        let mut upstream = Upstream::start().await;
        let held = edge.ask(0, "a", "/few").await;
        let refuses = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let refusing = Status::Awake { instance: Instance(1), endpoints: [refuses.into()].into() };
        edge.change("a", refusing).await;
        edge.change("a", ASLEEP).await;
        edge.change("a", upstream.awake()).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        upstream.arrived().await.pop().unwrap().answer().await;
        assert_eq!(held.answer().await, "200");
        let second = edge.ask(0, "a", "/few").await;
        upstream.arrived().await.pop().unwrap().answer().await;
        assert_eq!(second.answer().await, "200");
        assert_eq!(edge.ask(0, "a", "/few").await.answer().await, "429 rate-limited");
    });
}

#[test]
fn a_slot_is_taken_while_held_and_free_when_the_client_leaves() {
    run(async {
        let edge = with_limits([at_once(1)]).await;
        let held = edge.ask(0, "a", "/few").await;
        assert!(!held.is_answered());
        let head = edge.ask(0, "a", "/few").await.head().await;
        assert!(head.contains(&"retry-after: 1".to_owned()), "{head:#?}");
        assert!(head.contains(&"ratelimit-policy: \"deploys\";q=1;qu=\"concurrent-requests\"".to_owned()));
        held.leave().await;
        assert!(!edge.ask(0, "a", "/few").await.is_answered());
    });
}

#[test]
fn a_slot_is_taken_until_the_end_of_the_body() {
    run(async {
        let edge = with_limits([at_once(1)]).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoints = [listener.local_addr().unwrap().into()].into();
        edge.change("a", Status::Awake { instance: Instance(1), endpoints }).await;
        let first = edge.ask(0, "a", "/few").await;
        let (mut stream, _) = soon(listener.accept()).await.unwrap();
        let mut head = [0; 1_024];
        assert!(soon(stream.read(&mut head)).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst").await.unwrap();
        settle().await;
        assert_eq!(edge.ask(0, "a", "/few").await.answer().await, "429 too-many-at-once");
        stream.write_all(b" last").await.unwrap();
        assert_eq!(first.answer().await, "200");
        let next = edge.ask(0, "a", "/few").await;
        assert!(!next.is_answered(), "it is at its app");
        next.leave().await;
    });
}

#[test]
fn a_change_holds_for_the_very_next_request_and_keeps_what_was_counted() {
    run(async {
        let mut edge = with_limits([rated("2/h")]).await;
        let _held = [edge.ask(0, "a", "/few").await, edge.ask(0, "a", "/few").await];
        assert_eq!(edge.ask(0, "a", "/few").await.answer().await, "429 rate-limited");
        edge.said();
        edge.use_limits(8, [rated("3/h")]).await;
        assert_eq!(edge.says().await, ToRevive::LimitsInUse { generation: 8 });
        assert!(!edge.ask(0, "a", "/few").await.is_answered(), "three but for two");
        assert_eq!(edge.ask(0, "a", "/few").await.answer().await, "429 rate-limited");
        edge.use_limits(9, []).await;
        assert!(!edge.ask(0, "a", "/few").await.is_answered());
    });
}

#[test]
fn a_client_wakes_so_many_apps_a_minute() {
    run(async {
        let rate = Some("1/min".parse().unwrap());
        let settings = Gateway { max_wakes_per_client: rate, ..Gateway::default() };
        let mut edge = Edge::start(1, &settings);
        edge.use_table([(app("a"), ASLEEP), (app("b"), ASLEEP)]).await;
        let held = [edge.ask(0, "a", "/").await, edge.ask(0, "a", "/").await];
        assert_eq!(edge.ask(0, "b", "/").await.answer().await, "429 too-many-wakes");
        assert!(held.iter().all(|held| !held.is_answered()));
        assert_eq!(edge.said(), [ToRevive::Wake { app: id("a") }]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!edge.ask(0, "b", "/").await.is_answered());
        assert!(edge.said().contains(&ToRevive::Wake { app: id("b") }));
    });
}
