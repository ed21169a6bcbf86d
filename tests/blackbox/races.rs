//! Requests that race sleep: none is lost, none is stuck, none is sent twice.

use std::time::Duration;

use crate::harness::{App, Edge, Request, file, let_pass, scaled};

/// Rounds of targets.md, over both depths.
const ROUNDS: usize = 10_000;

/// One round: sleep and two requests at about the same time. Says whether the app slept.
async fn round(edge: &Edge, number: usize, depth: &str) -> bool {
    // From the sleep well before to the sleep well after the request, in steps that share no factor.
    let shift = |step: usize| Duration::from_micros(((number * step) % 40 * 100) as u64);
    let ask = async |request: Request, later: Duration| {
        let_pass(later, "racers start apart").await;
        edge.ask(request).await.seen()
    };
    let sleep = async {
        let_pass(shift(7), "racers start apart").await;
        edge.sleep("hello", depth).await
    };
    let (slept, get, post) = tokio::join!(
        sleep,
        ask(Request::get("hello", &format!("/get/{number}")), shift(11)),
        ask(Request::post("hello", &format!("/post/{number}"), "body"), shift(13)),
    );
    assert_eq!(get.field("path"), &format!("/get/{number}"));
    assert_eq!((post.field("path"), post.field("length")), (&format!("/post/{number}").into(), &4.into()));
    assert!(matches!(slept.status, 200 | 409), "round {number}: {slept:?}");
    slept.status == 200
}

async fn race(depth: &str, rounds: usize) {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.wake("hello").await;
    let mut slept = 0;
    for number in 0..rounds {
        slept += usize::from(round(&edge, number, depth).await);
    }
    let asked = edge.requests("hello");
    for number in 0..rounds {
        let post = format!("POST /post/{number}");
        let times = asked.iter().filter(|line| **line == post).count();
        assert_eq!(times, 1, "{post}");
    }
    // Else nothing was raced.
    assert!(slept * 20 >= rounds, "only {slept} of {rounds} rounds slept");
    if depth == "deep" {
        assert!(edge.starts("hello") > slept / 2, "{slept} sleeps, {} starts", edge.starts("hello"));
    } else {
        assert_eq!(edge.starts("hello"), 1);
    }
    edge.until_held(Duration::from_secs(3), "hello", 0).await;
}

#[tokio::test]
async fn light_sleep() {
    race("light", scaled(ROUNDS / 2)).await;
}

#[tokio::test]
async fn deep_sleep() {
    race("deep", scaled(ROUNDS / 2)).await;
}

#[tokio::test]
async fn sleep_for_idleness() {
    // Asked about when it falls asleep of itself, on a connection that is kept.
    let edge = Edge::start(&file(&[App::named("hello").line(r#"idle_after = "20ms""#)])).await;
    let mut wire = edge.wire().await;
    let mut slept = 0;
    for number in 0..scaled(1_000) {
        slept += usize::from(edge.state("hello").await.starts_with("asleep"));
        let request = Request::post("hello", &format!("/{number}"), "body");
        let seen =
            wire.ask(&request).await.unwrap_or_else(|broken| panic!("round {number}: {broken:?}")).seen();
        assert_eq!(seen.field("path"), &format!("/{number}"));
        let_pass(Duration::from_micros((number * 17 % 60 * 1_000) as u64), "it is to fall asleep").await;
    }
    assert!(slept > 0, "it never slept: nothing was raced");
    assert_eq!(edge.requests("hello").len(), scaled(1_000));
    assert_eq!(edge.starts("hello"), 1);
}
