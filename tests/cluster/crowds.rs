//! Many sleeping apps asked for at once (targets.md, fault 13): their starts take turns, each tenant has its share, and who
//! is awake notices nothing.
#![allow(clippy::print_stdout, reason = "what was seen is shown with the test")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::apps::App;
use crate::client::{PATIENCE, Request, eventually};
use crate::cluster::{Namespace, is_there};
use crate::edge::Edge;
use crate::faults::{ask, scaled};
use crate::host::Half;
use crate::sleeping::{app, deployed};

/// Starts under way at once.
const TURNS: usize = 4;
/// What a node takes at most is 110 pods (kubelet's `maxPods`), and other tests have theirs.
const PODS: usize = 60;
/// They sleep from the beginning, and not again.
const ASLEEP: &str = "{ idleAfter: 1h, wake: {holdTimeout: 100s} }";

/// Asks as a client does that heeds `Retry-After`, until it is answered: after how long, and how often it was told to wait.
async fn answered(edge: &Edge, app: &App, begun: Instant) -> (Duration, usize) {
    let request = Request::new("GET", &app.host(), "/");
    for refused in 0.. {
        let answer = edge.ask(&request).await;
        if answer.status == 200 {
            return (begun.elapsed(), refused);
        }
        assert_eq!(answer.status, 503, "{}", answer.text());
        let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
        let wait = Duration::from_secs(seconds.expect("who is refused is told when to ask again"));
        assert!(begun.elapsed() + wait < PATIENCE * 6, "refused {} times: {}", refused + 1, answer.text());
        tokio::time::sleep(wait).await;
    }
    unreachable!("it returns")
}

#[tokio::test]
async fn many_sleeping_apps_take_turns_and_no_tenant_waits_for_all_of_anothers() {
    if !is_there() {
        return;
    }
    let settings = format!("[revive]\nmax_concurrent_wakes = {TURNS}\n");
    let edge = Edge::on_host_with(&settings).await;
    let (many, few) = (Namespace::new("many").await, Namespace::new("few").await);
    let crowd: Vec<_> =
        (0..scaled(1_000).min(PODS)).map(|n| app(&edge, &format!("crowd-{n}"), ASLEEP)).collect();
    let (alone, awake) = (app(&edge, "alone", ASLEEP), app(&edge, "awake", "idleAfter: 1h"));
    let without_replicas = |app: &App| app.yaml().replace("replicas: 1", "replicas: 0");
    many.must_apply(&crowd.iter().map(without_replicas).collect::<Vec<_>>().join("\n---\n")).await;
    few.must_apply(&without_replicas(&alone)).await;
    deployed(&edge, &few, &awake).await;
    eventually(PATIENCE, "all are known, and asleep", async || {
        let apps = edge.halves_seen().tell(Half::Revive, "GET", "/v1/apps").await.json();
        let states = apps["apps"].as_array().into_iter().flatten().filter_map(|app| app["state"].as_str());
        let mut counts = BTreeMap::<_, usize>::new();
        states.for_each(|state| *counts.entry(state.to_owned()).or_default() += 1);
        if counts.get("asleep") == Some(&(crowd.len() + 1)) { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await;

    let begun = Instant::now();
    let over = AtomicBool::new(false);
    let most = Mutex::new(0.0_f64);
    let all = async {
        let crowd = join_all(crowd.iter().map(|app| answered(&edge, app, begun)));
        let alone = async {
            // After all the others.
            let halves = edge.halves_seen();
            eventually(PATIENCE, "the others wait", async || {
                halves.figure(Half::Revive, "loco_edge_wakes_queued").await.filter(|&n| n > 0.0).ok_or("none")
            })
            .await;
            answered(&edge, &alone, begun).await
        };
        let answers = tokio::join!(crowd, alone);
        over.store(true, Ordering::Relaxed);
        answers
    };
    let beside = async {
        let mut took = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let answer = ask(&edge, &awake).await;
            assert_eq!(answer.status, 200, "who is awake notices: {}", answer.text());
            took.push(asked.elapsed());
            let starts = edge.halves_seen().figure(Half::Revive, "loco_edge_starts_under_way").await;
            let mut most = most.lock().expect("no panic");
            *most = most.max(starts.unwrap_or_default());
        }
        took.sort_unstable();
        took
    };
    let ((crowd, (alone, _)), took) = tokio::join!(all, beside);

    let refused: usize = crowd.iter().map(|(_, refused)| refused).sum();
    let before = crowd.iter().filter(|(at, _)| *at < alone).count();
    let last = crowd.iter().map(|(at, _)| *at).max().expect("a crowd");
    println!(
        "{} apps of one tenant: all answered after {last:?}, {refused} told to ask again; the other tenant's after {alone:?}, \
         {before} before it; {} requests to who is awake, half within {:?}, all within {:?}",
        crowd.len(),
        took.len(),
        took[took.len() / 2],
        took[took.len() - 1]
    );
    let most = *most.lock().expect("no panic");
    assert!((1.0..=TURNS as f64).contains(&most), "{most} starts at once");
    // Those that were under way when it came, and one for each turn after them.
    assert!(before <= 3 * TURNS, "{before} of the other tenant's came before it");
}
