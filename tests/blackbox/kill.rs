//! The end of the edge, wanted or not: nothing it started is left behind or lost.

use std::fs;

use crate::harness::{App, Edge, PATIENCE, Request, Signal, eventually, file, runs};

fn running(edge: &Edge, app: &str) -> Vec<u32> {
    let starts = fs::read_to_string(edge.path().join(format!("{app}.starts"))).unwrap_or_default();
    starts.lines().filter_map(|pid| pid.parse().ok()).filter(|pid| runs(*pid)).collect()
}

#[tokio::test]
async fn after_kill_9_the_next_start_finds_the_truth() {
    let apps = ["awake", "paused", "gone", "waking", "never"].map(App::named);
    let [awake, paused, gone, waking, never] = apps;
    let waking = waking.env("START_DELAY", "3s");
    let mut edge = Edge::start(&file(&[
        awake.env("SPAWN_CHILD", "1"),
        paused.env("SPAWN_CHILD", "1"),
        gone,
        waking,
        never,
    ]))
    .await;
    for name in ["awake", "paused", "gone"] {
        edge.wake(name).await;
    }
    edge.put_to_sleep("paused", "light").await;
    edge.put_to_sleep("gone", "deep").await;
    let mut held = edge.wire().await;
    held.send(&Request::get("waking", "/").bytes()).await;
    eventually(PATIENCE, "the app is being started", async || match edge.starts("waking") {
        1 => Ok(()),
        starts => Err(starts),
    })
    .await;
    edge.kill();
    assert!(!edge.processes().is_empty(), "were nothing left, this test would test nothing");

    edge.restart().await;
    assert_eq!(edge.starts("never"), 0, "a start wakes nobody");
    for name in ["awake", "paused", "gone", "waking", "never"] {
        let seen = edge.ask(Request::get(name, "/")).await.seen();
        assert_eq!(running(&edge, name), [seen.pid()], "{name} has one process, the one that answers");
        edge.put_to_sleep(name, "light").await;
        edge.ask(Request::get(name, "/")).await.seen();
    }
}

#[tokio::test]
async fn kill_9_again_and_again() {
    let mut edge = Edge::start(&file(&[App::named("hello").env("SPAWN_CHILD", "1")])).await;
    for round in 0..5 {
        edge.ask(Request::get("hello", "/")).await.seen();
        if round % 2 == 0 {
            edge.put_to_sleep("hello", "light").await;
        }
        edge.kill();
        edge.restart().await;
        assert!(running(&edge, "hello").len() <= 1, "round {round}: {:?}", running(&edge, "hello"));
    }
    edge.ask(Request::get("hello", "/")).await.seen();
    edge.put_to_sleep("hello", "deep").await;
    edge.until_nothing_runs("of earlier edges, too").await;
}

#[tokio::test]
async fn sigterm_and_ctrl_c_end_children_of_children() {
    for signal in [Signal::TERM, Signal::INT] {
        let apps = ["awake", "paused"].map(|name| App::named(name).env("SPAWN_CHILD", "1"));
        let mut edge = Edge::start(&file(&apps)).await;
        let mut children = Vec::new();
        for name in ["awake", "paused"] {
            let seen = edge.ask(Request::get(name, "/")).await.seen();
            let child = u32::try_from(seen.field("child").as_u64().expect("a child")).expect("a pid");
            children.extend([seen.pid(), child]);
        }
        edge.put_to_sleep("paused", "light").await;
        assert!(children.iter().all(|pid| runs(*pid)), "{children:?}");
        let status = edge.end(signal).await;
        assert!(status.code().is_some(), "it did not end of itself: {status}");
        let left: Vec<_> = children.into_iter().filter(|pid| runs(*pid)).collect();
        assert_eq!(left, Vec::<u32>::new(), "left after {signal:?}");
    }
}

#[tokio::test]
async fn an_app_that_does_not_heed_sigterm_is_killed() {
    let app = App::named("stubborn").env("DRAIN", "600s");
    let mut edge = Edge::start(&(file(&[app]) + "[revive]\nstop_timeout = \"300ms\"\n")).await;
    edge.wake("stubborn").await;
    edge.put_to_sleep("stubborn", "deep").await;
    edge.until_nothing_runs("nothing of it runs").await;
    edge.wake("stubborn").await;
    edge.end(Signal::TERM).await;
    edge.until_nothing_runs("nothing of it runs").await;
}

#[tokio::test]
async fn an_app_may_tidy_up() {
    let app = App::named("tidy").env("DRAIN", "300ms");
    let edge = Edge::start(&file(&[app])).await;
    edge.wake("tidy").await;
    // It goes on until it has ended; were it killed at once, a request in its drain would be too.
    edge.put_to_sleep("tidy", "deep").await;
    edge.until_nothing_runs("nothing of it runs").await;
    assert_eq!(edge.ask(Request::get("tidy", "/")).await.seen().field("served"), 1);
}

#[tokio::test]
async fn sigterm_lets_open_requests_finish_and_tells_held_ones() {
    let held =
        App::named("slow").env("START_DELAY", "600s").line(r#"health = { tcp = true, grace = "500s" }"#);
    let mut edge =
        Edge::start(&(file(&[App::named("hello"), held]) + "[gateway]\ndrain_timeout = \"3s\"\n")).await;
    edge.wake("hello").await;
    let mut open = edge.wire().await;
    open.send(&Request::get("hello", "/slow?n=6&every=200ms").bytes()).await;
    open.head().await.expect("a head");
    let mut waiting = edge.wire().await;
    waiting.send(&Request::get("slow", "/").bytes()).await;
    edge.until_held(PATIENCE, "slow", 1).await;
    let (_, text, told) = tokio::join!(
        edge.end(Signal::TERM),
        async {
            let mut text = String::new();
            while let Some(piece) = open.data().await.expect("a whole body") {
                text += &String::from_utf8_lossy(&piece);
            }
            text
        },
        async { waiting.head().await.expect("an answer") },
    );
    assert!(text.ends_with("chunk 5\n"), "{text}");
    assert_eq!(told.status, 503, "{told:?}");
    assert!(told.header("retry-after").is_some(), "{told:?}");
}

#[tokio::test]
async fn what_was_known_is_known_after_a_restart() {
    let mut edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.ask(Request::get("hello", "/")).await.seen();
    edge.put_to_sleep("hello", "light").await;
    let before = edge.app("hello").await;
    edge.end(Signal::TERM).await;
    edge.restart().await;
    let after = edge.app("hello").await;
    assert_eq!(after["state"], "asleep");
    assert_eq!(after["last_activity"], before["last_activity"], "{after}");
    edge.ask(Request::get("hello", "/")).await.seen();
}
