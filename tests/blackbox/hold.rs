//! Requests that wait for an app.

use std::time::Duration;

use futures_util::future::join_all;

use crate::checksum::Checksum;
use crate::harness::{App, Edge, PATIENCE, Request, file, peak_rss, rss};

/// An app that is not up while a test goes on.
fn endless(name: &str) -> App {
    App::named(name).env("START_DELAY", "600s").line(r#"health = { tcp = true, grace = "500s" }"#)
}

#[tokio::test]
async fn a_thousand_at_once_are_one_start_and_a_thousand_answers() {
    const MANY: usize = 1_000;
    let edge = Edge::start(&file(&[App::named("hello").env("START_DELAY", "1s")])).await;
    for (depth, starts) in [("deep", 1), ("light", 1), ("deep", 2)] {
        if edge.state("hello").await == "awake" {
            edge.put_to_sleep("hello", depth).await;
        }
        let before = edge.requests("hello").len();
        let answers = join_all((0..MANY).map(|i| edge.ask(Request::get("hello", &format!("/{i}"))))).await;
        for (i, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.seen().field("path"), &format!("/{i}"), "somebody else's answer");
        }
        assert_eq!(edge.starts("hello"), starts, "starts, after waking from {depth} sleep");
        assert_eq!(edge.requests("hello").len() - before, MANY, "a request was sent twice, or not at all");
    }
    edge.until_held(Duration::from_secs(3), "hello", 0).await;
}

#[tokio::test]
async fn an_upload_to_a_sleeping_app_arrives_whole_and_is_not_kept() {
    const SIZE: usize = 100 << 20;
    const PIECE: usize = 1 << 20;
    let edge = Edge::start(&file(&[App::named("hello").env("START_DELAY", "1s")])).await;
    // What the first request costs is not the upload's.
    edge.ask(Request::post("hello", "/upload", vec![1; 100_000])).await;
    edge.put_to_sleep("hello", "deep").await;
    let before = rss(edge.pid());
    let head = format!("POST /upload HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: {SIZE}\r\n\r\n");
    let mut wire = edge.wire().await;
    wire.send(head.as_bytes()).await;
    let mut checksum = Checksum::EMPTY;
    for i in 0..SIZE / PIECE {
        let piece: Vec<u8> = (0..PIECE).map(|at| ((i * 7 + at) % 253) as u8).collect();
        checksum.add(&piece);
        wire.send(&piece).await;
    }
    let answer = wire.read(&Request::get("hello", "/")).await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["length"], SIZE);
    assert_eq!(answer.json()["checksum"], checksum.hex());
    assert_eq!(checksum.length(), SIZE as u64);
    let grown = peak_rss(edge.pid()).saturating_sub(before);
    assert!(grown < 16 << 20, "the edge grew by {} KiB", grown >> 10);
}

#[tokio::test]
async fn who_hangs_up_frees_its_place() {
    let edge = Edge::start(&file(&[endless("slow")])).await;
    let mut wires = Vec::new();
    for i in 0..200 {
        let mut wire = edge.wire().await;
        // Half of them with a body that nobody reads while they are held.
        let request =
            if i % 2 == 0 { Request::get("slow", "/") } else { Request::post("slow", "/", vec![0; 10_000]) };
        wire.send(&request.bytes()).await;
        wires.push(wire);
    }
    edge.until_held(PATIENCE, "slow", 200).await;
    drop(wires);
    // One second is the promise; the rest is this machine's.
    edge.until_held(Duration::from_secs(3), "slow", 0).await;
    assert_eq!(edge.app("slow").await["open"], 0);
}

#[tokio::test]
async fn a_full_queue_says_so() {
    let edge = Edge::start(&file(&[endless("slow").line("max_held = 3")])).await;
    let mut wires = Vec::new();
    for _ in 0..3 {
        let mut wire = edge.wire().await;
        wire.send(&Request::get("slow", "/").bytes()).await;
        wires.push(wire);
    }
    edge.until_held(PATIENCE, "slow", 3).await;
    let refused = edge.ask(Request::get("slow", "/")).await;
    refused.assert_refused(503, "too-many-held");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    // A place that gets free is taken again.
    wires.pop();
    edge.until_held(PATIENCE, "slow", 2).await;
    let mut wire = edge.wire().await;
    wire.send(&Request::get("slow", "/").bytes()).await;
    edge.until_held(PATIENCE, "slow", 3).await;
}

#[tokio::test]
async fn a_hold_has_a_deadline() {
    let edge = Edge::start(&file(&[endless("slow").line(r#"hold_timeout = "500ms""#)])).await;
    for _ in 0..2 {
        edge.ask(Request::get("slow", "/")).await.assert_refused(504, "hold-timeout");
    }
    edge.until_held(PATIENCE, "slow", 0).await;
    // The connection lives on, if the request had no body to be got rid of.
    let mut wire = edge.wire().await;
    for _ in 0..2 {
        wire.ask(&Request::get("slow", "/")).await.expect("an answer").assert_refused(504, "hold-timeout");
    }
    assert_eq!(edge.starts("slow"), 1, "one wake goes on, whoever gives up");
}

#[tokio::test]
async fn a_hold_on_one_app_holds_no_other() {
    let edge = Edge::start(&file(&[endless("slow"), App::named("quick")])).await;
    let mut wires = Vec::new();
    for _ in 0..50 {
        let mut wire = edge.wire().await;
        wire.send(&Request::get("slow", "/").bytes()).await;
        wires.push(wire);
    }
    edge.until_held(PATIENCE, "slow", 50).await;
    assert_eq!(edge.ask(Request::get("quick", "/")).await.status, 200);
}

#[tokio::test]
async fn held_requests_are_sent_once_and_their_bodies_whole() {
    let edge = Edge::start(&file(&[App::named("hello").env("START_DELAY", "500ms")])).await;
    let chunked = "POST /upload?chunked HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nfoo\r\n3\r\nbar\r\n0\r\n\r\n";
    let (first, second) = tokio::join!(
        edge.ask_raw(chunked),
        join_all((0..20).map(|i| edge.ask(Request::post(
            "hello",
            &format!("/upload?{i}"),
            vec![b'x'; 70_000]
        )))),
    );
    assert_eq!(first.expect("an answer").json()["length"], 6);
    for answer in second {
        assert_eq!(answer.json()["length"], 70_000, "{answer:?}");
    }
    assert_eq!(edge.requests("hello").len(), 21);
}

#[tokio::test]
async fn many_sleeping_apps_asked_for_at_once_all_come_up() {
    let names: Vec<_> = (0..20).map(|i| format!("app-{i}")).collect();
    let apps: Vec<_> = names.iter().map(|name| App::named(name).env("START_DELAY", "50ms")).collect();
    let edge = Edge::start(&(file(&apps) + "[revive]\nmax_concurrent_wakes = 2\n")).await;
    for answer in join_all(names.iter().map(|name| edge.ask(Request::get(name, "/")))).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for name in names {
        assert_eq!(edge.starts(&name), 1, "{name}");
    }
}
