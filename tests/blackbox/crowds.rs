//! Many at once: none takes the room of the others, and one wake is for all.

use std::fs;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use tempfile::TempDir;

use crate::harness::{App, Edge, PATIENCE, Request, Wire, cpu_time, eventually, file, let_pass};

#[tokio::test]
async fn listeners_that_nobody_asks_take_no_room_from_others() {
    let names: Vec<_> = (0..10).map(|i| format!("app-{i}")).collect();
    let apps: Vec<_> = names.iter().map(|name| App::named(name)).collect();
    // Each app has a port of its own: far more listeners than connections that there may be.
    let edge = Edge::start(&(file(&apps) + "[gateway]\nmax_connections = 4\n")).await;
    for round in 0..20 {
        assert_eq!(edge.ask(Request::get("app-0", "/")).await.status, 200, "round {round}");
    }
    for name in names {
        let mut wire = Wire::connect(edge.port(&name)).await;
        let answer = wire.ask(&Request::get(&name, "/")).await.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

const BACKOFF: Duration = Duration::from_millis(300);

/// An edge whose app has failed once, and whose next start, which the first request after the backoff is to cause,
/// takes two seconds.
async fn with_backoff_over() -> Edge {
    let directory = TempDir::with_prefix("loco-edge-").expect("a directory");
    let broken = directory.path().join("broken");
    fs::write(&broken, "").expect("a file");
    let script = "echo >>{dir}/tries; test -e {dir}/broken && exit 1; exec {app}";
    let app = App::running("late", &["sh", "-c", script]).env("START_DELAY", "2s");
    let backoff = format!("[revive]\nbackoff_first = \"{}ms\"\n", BACKOFF.as_millis());
    let edge = Edge::start_in(directory, &(file(&[app]) + &backoff)).await;
    let failed = edge.ask(Request::get("late", "/")).await;
    failed.assert_refused(failed.status, "exited-early");
    fs::remove_file(broken).expect("it was there");
    let_pass(BACKOFF * 2, "that nobody has asked since shows in nothing").await;
    assert_eq!(edge.state("late").await, "failed");
    edge
}

/// How often its start was tried.
fn tries(edge: &Edge) -> usize {
    fs::read_to_string(edge.path().join("tries")).expect("it was tried").lines().count()
}

#[tokio::test]
async fn a_hundred_after_a_failure_are_one_try_and_no_haste() {
    let edge = with_backoff_over().await;
    let before = cpu_time(edge.pid());
    for answer in join_all((0..100).map(|_| edge.ask(Request::get("late", "/")))).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let busy = cpu_time(edge.pid()) - before;
    assert_eq!(tries(&edge), 2, "once before, and once for all");
    // Who asks again and again whether it is up keeps a processor busy for two seconds.
    assert!(busy < Duration::from_secs(1), "the edge was busy for {busy:?}");
}

#[tokio::test]
async fn a_crawler_that_comes_first_after_a_failure_is_held_and_answered() {
    let edge = with_backoff_over().await;
    let crawler = Request::get("late", "/").header("User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1)");
    let before = cpu_time(edge.pid());
    assert_eq!(edge.ask(crawler).await.seen().field("served"), 1);
    assert_eq!(tries(&edge), 2);
    let busy = cpu_time(edge.pid()) - before;
    assert!(busy < Duration::from_secs(1), "the edge was busy for {busy:?}");
}

#[tokio::test]
async fn an_app_that_is_slow_in_its_work_gets_all_in_time_and_others_are_not_behind_them() {
    let app = App::named("slow").line(r#"hold_timeout = "6s""#);
    let edge = Edge::start(&file(&[app])).await;
    let ended = async |target| {
        let answer = edge.ask(Request::get("slow", target)).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        Instant::now()
    };
    let slow = join_all((0..60).map(|_| ended("/?delay=5s")));
    let quick = async {
        eventually(PATIENCE, "the app has its first request", async || match edge.requests("slow").len() {
            0 => Err("none yet"),
            _ => Ok(()),
        })
        .await;
        join_all((0..4).map(|_| ended("/quick"))).await
    };
    let (slow, quick) = join(slow, quick).await;
    assert!(quick.iter().max() < slow.iter().min(), "who comes later waits for who works");
    assert_eq!(edge.requests("slow").len(), 64, "each once");
}
