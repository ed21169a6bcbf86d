//! When an app sleeps, and when not.

use std::time::Duration;

use crate::harness::{App, Edge, PATIENCE, Request, eventually, file, let_pass, process_state, within};

const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

#[tokio::test]
async fn an_idle_app_is_paused_and_goes_on_where_it_was() {
    let edge = Edge::start(&file(&[App::named("hello").line(r#"idle_after = "300ms""#)])).await;
    assert_eq!(edge.state("hello").await, "asleep deep", "before it is first asked for");
    assert_eq!(edge.starts("hello"), 0);
    let first = edge.ask(Request::get("hello", "/")).await.seen();
    assert_eq!(edge.state("hello").await, "awake");
    edge.until("hello", "asleep light").await;
    // It is said to sleep from when its requests are held; the signal follows.
    eventually(PATIENCE, "it is stopped", async || match process_state(first.pid()) {
        Some('T') => Ok(()),
        state => Err(format!("{state:?}")),
    })
    .await;
    let second = edge.ask(Request::get("hello", "/")).await.seen();
    assert_eq!(second.pid(), first.pid());
    assert_eq!(second.field("served"), 2);
    let app = edge.app("hello").await;
    assert_eq!(app["last_wake"]["result"], "ok", "{app}");
    assert_eq!(edge.starts("hello"), 1);
}

#[tokio::test]
async fn an_app_that_stays_idle_is_ended_and_started_again() {
    let app = App::named("hello").line(r#"idle_after = "200ms""#).line(r#"remove_after = "600ms""#);
    let edge = Edge::start(&file(&[app.env("SPAWN_CHILD", "1")])).await;
    let first = edge.ask(Request::get("hello", "/")).await.seen();
    edge.until("hello", "asleep deep").await;
    edge.until_nothing_runs("deep sleep leaves no process, also none in another session").await;
    let second = edge.ask(Request::get("hello", "/")).await.seen();
    assert_ne!(second.pid(), first.pid());
    assert_eq!(edge.starts("hello"), 2);
}

#[tokio::test]
async fn requests_keep_awake_and_health_checks_and_crawlers_do_not() {
    let idle = |app: App| app.line(r#"idle_after = "400ms""#);
    let edge = Edge::start(&file(&[
        idle(App::named("used")),
        idle(App::named("checked").line(r#"health = { http = "/healthz" }"#)),
        idle(App::named("crawled")),
    ]))
    .await;
    for name in ["used", "checked", "crawled"] {
        edge.wake(name).await;
    }
    // All three are asked all the time; only one of them by somebody.
    for (quiet, request) in [
        ("checked", Request::get("checked", "/healthz")),
        ("crawled", Request::get("crawled", "/").header("User-Agent", CRAWLER)),
    ] {
        eventually(PATIENCE, &format!("{quiet} sleeps though it is asked"), async || {
            edge.ask(Request::get("used", "/")).await;
            let state = edge.state(quiet).await;
            if state == "asleep light" {
                return Ok(());
            }
            edge.ask(request.clone()).await;
            Err(state)
        })
        .await;
        assert_eq!(edge.state("used").await, "awake");
    }
    let pids = edge.requests("used").len();
    assert!(pids > 10, "it was hardly asked: {pids}");
}

#[tokio::test]
async fn sleep_is_paused_for_all_also_across_a_restart() {
    const IDLE: Duration = Duration::from_millis(300);
    let app = |name| App::named(name).line(r#"idle_after = "300ms""#);
    let mut edge = Edge::start(&file(&[app("hello"), app("other")])).await;
    assert_eq!(edge.tell("POST", "/v1/sleep/pause").await.status / 100, 2);
    for name in ["hello", "other"] {
        edge.wake(name).await;
    }
    let_pass(IDLE * 4, "that nothing happens shows only in time").await;
    assert_eq!(edge.state("hello").await, "awake");
    edge.end(rustix::process::Signal::TERM).await;
    edge.restart().await;
    edge.wake("hello").await;
    let_pass(IDLE * 4, "that nothing happens shows only in time").await;
    assert_eq!(edge.state("hello").await, "awake", "the brake was forgotten");
    assert_eq!(edge.tell("POST", "/v1/sleep/resume").await.status / 100, 2);
    edge.until("hello", "asleep").await;
}

#[tokio::test]
async fn a_busy_app_is_not_put_to_sleep() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.wake("hello").await;
    let mut wire = edge.wire().await;
    wire.send(&Request::get("hello", "/?delay=1s").bytes()).await;
    edge.until_open("hello", 1).await;
    for depth in ["light", "deep"] {
        let refused = edge.sleep("hello", depth).await;
        assert_eq!(refused.status, 409, "{refused:?}");
        let problem = refused.json();
        assert_eq!(problem["code"], "busy", "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
    let answer = wire.read(&Request::get("hello", "/")).await.expect("an answer");
    assert_eq!(answer.status, 200);
    edge.put_to_sleep("hello", "light").await;
}

#[tokio::test]
async fn a_sleeper_can_be_put_deeper_but_not_half_woken() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.wake("hello").await;
    edge.put_to_sleep("hello", "light").await;
    edge.put_to_sleep("hello", "deep").await;
    edge.until_nothing_runs("nothing of it runs").await;
    let lighter = edge.sleep("hello", "light").await;
    assert!(matches!(lighter.status, 200 | 409), "{lighter:?}");
    assert_eq!(edge.state("hello").await, "asleep deep");
}

#[tokio::test]
async fn a_connection_kept_across_a_pause_loses_no_post() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let mut wire = edge.wire().await;
    let mut pids = Vec::new();
    for round in 0..20 {
        let request = Request::post("hello", &format!("/{round}"), vec![b'x'; 1_000]);
        let seen =
            wire.ask(&request).await.unwrap_or_else(|broken| panic!("round {round}: {broken:?}")).seen();
        assert_eq!(seen.field("length"), 1_000);
        pids.push(seen.pid());
        edge.put_to_sleep("hello", "light").await;
    }
    assert_eq!(edge.requests("hello").len(), 20, "each once: {:?}", edge.requests("hello"));
    pids.dedup();
    assert_eq!(pids.len(), 1);
}

#[tokio::test]
async fn last_activity_is_of_requests_and_not_of_looking() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    assert!(edge.app("hello").await["last_activity"].is_null());
    edge.ask(Request::get("hello", "/")).await;
    let first = eventually(PATIENCE, "the activity is known", async || {
        edge.app("hello").await["last_activity"].as_str().map(str::to_owned).ok_or("null")
    })
    .await;
    edge.put_to_sleep("hello", "light").await;
    assert_eq!(edge.app("hello").await["last_activity"], first.as_str());
}

#[tokio::test]
async fn waking_an_app_that_is_awake_does_nothing() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    for _ in 0..3 {
        edge.wake("hello").await;
    }
    assert_eq!(edge.starts("hello"), 1);
    within(PATIENCE, "an answer", edge.ask(Request::get("hello", "/"))).await.seen();
}
