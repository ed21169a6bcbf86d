//! What must be survived (targets.md, "Faults to survive"), on the cluster. Each counts who was not answered.
#![allow(clippy::print_stdout, reason = "what was seen is shown with the test")]

use std::time::{Duration, Instant};

use crate::apps::App;
use crate::client::{Answer, Http2, PATIENCE, Request, Wire, eventually};
use crate::cluster::{Namespace, is_there};
use crate::edge::Edge;
use crate::host::Half;
use crate::sleeping::{DEEP, LIGHT, app, deployed, until_deep, until_light};

/// Asleep after a second; held for as long as any recovery here takes.
pub(crate) const PATIENT: &str = "idleAfter: 1s, wake: {holdTimeout: 100s}";
/// Streams of one connection; a gateway allows so many (RFC 9113, section 6.5.2, SETTINGS_MAX_CONCURRENT_STREAMS).
const STREAMS: usize = 100;

/// `full`, times `LOCO_TEST_SCALE` (0.1 unless set).
pub(crate) fn scaled(full: usize) -> usize {
    let scale = std::env::var("LOCO_TEST_SCALE").ok().and_then(|text| text.parse::<f64>().ok());
    ((full as f64 * scale.unwrap_or(0.1)) as usize).max(1)
}

/// Asked at once, over as few connections as may be; the answers, of which none may be missing.
pub(crate) struct Crowd {
    connections: Vec<Http2>,
    answers: Vec<tokio::task::JoinHandle<Option<(u16, String)>>>,
}

impl Crowd {
    pub(crate) async fn ask(edge: &Edge, host: &str, many: usize) -> Self {
        let mut crowd = Self { connections: Vec::new(), answers: Vec::with_capacity(many) };
        let request = Request::new("GET", host, "/");
        for number in 0..many {
            if number % STREAMS == 0 {
                crowd.connections.push(edge.http2().await);
            }
            let connection = crowd.connections.last_mut().expect("one was opened");
            let asked = connection.send(&request).await;
            crowd.answers.push(tokio::spawn(async move {
                let answer = tokio::time::timeout(PATIENCE * 4, asked.answer).await;
                let (head, mut body) = answer.ok()?.ok()?.into_parts();
                let mut text = String::new();
                while let Some(piece) = body.data().await {
                    text += &String::from_utf8_lossy(&piece.ok()?);
                }
                Some((head.status.as_u16(), text))
            }));
        }
        crowd
    }

    /// What each got: status and text, or nothing where there was no whole answer.
    pub(crate) async fn answers(self) -> Vec<Option<(u16, String)>> {
        let mut answers = Vec::with_capacity(self.answers.len());
        for answer in self.answers {
            answers.push(answer.await.expect("no panic"));
        }
        answers
    }

    /// Fails unless each got 200.
    pub(crate) async fn all_answered(self) {
        let many = self.answers.len();
        let mut others = self.answers().await;
        others.retain(|answer| !matches!(answer, Some((200, _))));
        assert!(others.is_empty(), "{} of {many} lost: {:?}", others.len(), &others[..others.len().min(5)]);
    }
}

/// How often the workload's spec was written: each sleep and each wake is one.
pub(crate) async fn writes(here: &Namespace, app: &App) -> u64 {
    let (kind, name) = app.workload();
    let workload = here.object(kind, name).await.expect("the workload");
    workload["metadata"]["generation"].as_u64().expect("a number")
}

/// Pods that were ever created here, as the workload's controller says.
pub(crate) async fn created(here: &Namespace) -> Vec<String> {
    let words =
        ["get", "events", "--field-selector=reason=SuccessfulCreate", "-o", "jsonpath={.items[*].message}"];
    let said = here.kubectl(&words).await.unwrap_or_else(|error| panic!("{error}"));
    let mut pods: Vec<_> = said.split("Created pod: ").skip(1).map(|name| name.trim().to_owned()).collect();
    pods.sort_unstable();
    pods.dedup();
    pods
}

pub(crate) async fn until_held(edge: &mut Edge, many: usize) {
    let halves = edge.halves();
    eventually(PATIENCE, "all are held", async || {
        let held = halves.figure(Half::Gateway, "loco_edge_held").await;
        if held == Some(many as f64) { Ok(()) } else { Err(format!("{held:?} of {many}")) }
    })
    .await;
}

pub(crate) async fn until_figure(edge: &mut Edge, half: Half, name: &str, value: f64) {
    let halves = edge.halves();
    eventually(PATIENCE, name, async || {
        let now = halves.figure(half, name).await;
        if now == Some(value) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
}

pub(crate) async fn ask(edge: &Edge, app: &App) -> Answer {
    edge.ask(&Request::new("GET", &app.host(), "/")).await
}

#[tokio::test]
async fn held_requests_outlive_revive() {
    if !is_there() {
        return;
    }
    let many = scaled(10_000);
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("held").await);
    let app = app(&edge, "held", PATIENT).variable("START_DELAY", "3");
    deployed(&edge, &here, &app).await;
    until_light(&here, &app).await;
    let (before, pods) = (writes(&here, &app).await, created(&here).await.len());
    let crowd = Crowd::ask(&edge, &app.host(), many).await;
    until_held(&mut edge, many).await;
    edge.halves().kill(Half::Revive);
    let killed = Instant::now();
    edge.halves().begin(Half::Revive).await;
    let back = killed.elapsed();
    crowd.all_answered().await;
    println!("{many} asked, 0 lost; revive back after {back:?}, all answered after {:?}", killed.elapsed());
    assert_eq!(writes(&here, &app).await, before + 1, "one wake");
    assert_eq!(created(&here).await.len(), pods + 1, "one pod");
}

#[tokio::test]
async fn many_to_one_sleeping_app_are_one_wake() {
    if !is_there() {
        return;
    }
    let many = scaled(1_000);
    let (edge, here) = (Edge::on_host().await, Namespace::new("crowd").await);
    let app = app(&edge, "crowd", PATIENT);
    deployed(&edge, &here, &app).await;
    until_light(&here, &app).await;
    let (before, pods) = (writes(&here, &app).await, created(&here).await.len());
    let asked = Instant::now();
    Crowd::ask(&edge, &app.host(), many).await.all_answered().await;
    println!("{many} asked, 0 lost; all answered after {:?}", asked.elapsed());
    assert_eq!(writes(&here, &app).await, before + 1, "one wake");
    assert_eq!(created(&here).await.len(), pods + 1, "one pod");
}

/// By its own word.
async fn until_standby_leads(edge: &mut Edge) {
    eventually(PATIENCE * 2, "the standby leads", async || {
        let log = edge.halves().log(Half::Standby);
        if log.contains("Leads") { Ok(()) } else { Err(log) }
    })
    .await;
}

#[tokio::test]
async fn the_next_leader_finishes_a_wake() {
    if !is_there() {
        return;
    }
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("leader").await);
    let light = app(&edge, "leader-light", PATIENT).variable("START_DELAY", "2");
    let deep = app(&edge, "leader-deep", "idleAfter: 1s, removeAfter: 2s, wake: {holdTimeout: 100s}");
    edge.halves().begin(Half::Standby).await;
    deployed(&edge, &here, &light).await;
    deployed(&edge, &here, &deep).await;
    until_light(&here, &light).await;
    until_deep(&here, &deep).await;
    let (before, pods) = (writes(&here, &light).await, created(&here).await.len());
    let crowds = [Crowd::ask(&edge, &light.host(), 10).await, Crowd::ask(&edge, &deep.host(), 10).await];
    until_held(&mut edge, 20).await;
    edge.halves().kill(Half::Revive);
    let killed = Instant::now();
    until_standby_leads(&mut edge).await;
    println!("the standby leads after {:?}", killed.elapsed());
    for crowd in crowds {
        crowd.all_answered().await;
    }
    println!("20 asked, 0 lost; the next leader had answered all after {:?}", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(30), "15 s for a leader, and a start");
    assert_eq!(writes(&here, &light).await, before + 1, "one wake");
    assert_eq!(created(&here).await.len(), pods + 2, "one pod each");
}

#[tokio::test]
async fn the_next_leader_takes_over_in_the_middle_of_a_sleep() {
    if !is_there() {
        return;
    }
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("falling").await);
    // It takes its time to end.
    let app = app(&edge, "falling", PATIENT).variable("DRAIN", "4");
    edge.halves().begin(Half::Standby).await;
    deployed(&edge, &here, &app).await;
    let (kind, name) = app.workload();
    eventually(PATIENCE * 2, "no replicas are wanted", async || {
        let workload = here.object(kind, name).await.expect("the workload");
        let wanted = workload["spec"]["replicas"].clone();
        if wanted == 0 { Ok(()) } else { Err(wanted) }
    })
    .await;
    let (before, pods) = (writes(&here, &app).await, created(&here).await.len());
    edge.halves().kill(Half::Revive);
    let killed = Instant::now();
    Crowd::ask(&edge, &app.host(), 10).await.all_answered().await;
    println!("10 asked, 0 lost; answered after {:?}", killed.elapsed());
    assert_eq!(writes(&here, &app).await, before + 1, "one wake");
    assert_eq!(created(&here).await.len(), pods + 1, "one pod");
}

#[tokio::test]
async fn a_gateway_that_begins_without_revive_serves_what_it_has_saved() {
    if !is_there() {
        return;
    }
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("saved").await);
    let app = App::new("saved", edge.gateway()).probed_each_second();
    deployed(&edge, &here, &app).await;
    until_ready(&here, &app).await;
    // Tables that follow each other quickly are written once.
    eventually(PATIENCE, "it is written down", async || {
        let (saved, host) = (edge.halves_seen().saved(Half::Gateway), app.host());
        let there = saved.windows(host.len()).any(|bytes| bytes == host.as_bytes());
        if there { Ok(()) } else { Err(saved.len()) }
    })
    .await;
    edge.halves().kill(Half::Revive);
    edge.halves().kill(Half::Gateway);
    // Another pod, at another address, of which the gateway knows nothing.
    here.kubectl(&["delete", "pods", "--all"]).await.unwrap_or_else(|error| panic!("{error}"));
    until_ready(&here, &app).await;
    let begun = Instant::now();
    edge.halves().begin(Half::Gateway).await;
    let answer = ask(&edge, &app).await;
    println!("answered {:?} after the start", begun.elapsed());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Ready by its own probe, so that the cluster's balancing sends it requests.
pub(crate) async fn until_ready(here: &Namespace, app: &App) {
    let (kind, name) = app.workload();
    eventually(PATIENCE * 2, "ready", async || {
        let workload = here.object(kind, name).await.expect("the workload");
        if workload["status"]["readyReplicas"] == 1 { Ok(()) } else { Err(workload["status"].clone()) }
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_is_cut_off_dials_no_address_that_it_remembers() {
    if !is_there() {
        return;
    }
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("cut").await);
    let apps = ["mine", "theirs"].map(|name| {
        let app = App::new(name, edge.gateway()).variable("BODY", name);
        app.probed_each_second()
    });
    for app in &apps {
        deployed(&edge, &here, app).await;
        until_ready(&here, app).await;
    }
    let [mine, _] = &apps;
    assert_eq!(ask(&edge, mine).await.text(), "mine");
    edge.halves().stop(Half::Revive);
    until_figure(&mut edge, Half::Gateway, "loco_edge_link_lease", 0.0).await;
    // What was at the remembered address is no longer this app's: now only its Service knows where it is.
    let patch = r#"{"spec":{"selector":{"app":"theirs"}}}"#;
    here.kubectl(&["patch", "service", "mine", "-p", patch]).await.unwrap_or_else(|error| panic!("{error}"));
    // Asked through the gateway before, it would keep a connection to where the Service was a moment ago.
    let service = here.object("service", "mine").await.expect("the Service");
    let address = format!("{}:80", service["spec"]["clusterIP"].as_str().expect("an address"));
    let address = address.parse().expect("an address");
    let request = Request::new("GET", &mine.host(), "/");
    eventually(PATIENCE, "the Service is the other's", async || {
        let answer = Wire::connect(address).await.ask(&request).await;
        let text = answer.map_err(|broken| broken.to_string())?.text();
        if text == "theirs" { Ok(()) } else { Err(text) }
    })
    .await;
    let mut strays = 0;
    for _ in 0..scaled(1_000) {
        strays += usize::from(ask(&edge, mine).await.text() != "theirs");
    }
    assert_eq!(strays, 0, "of {}", scaled(1_000));
    edge.halves().go_on(Half::Revive);
    until_figure(&mut edge, Half::Gateway, "loco_edge_link_lease", 1.0).await;
}

#[tokio::test]
async fn an_app_that_is_never_up_is_said_so_at_the_deadline() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::on_host().await, Namespace::new("never").await);
    let app = app(&edge, "never", "idleAfter: 1s, wake: {holdTimeout: 3s}");
    deployed(&edge, &here, &app).await;
    until_light(&here, &app).await;
    here.kubectl(&["set", "env", "deployment/never", "START_DELAY=600"])
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let asked = Instant::now();
    let answer = ask(&edge, &app).await;
    println!("answered after {:?}", asked.elapsed());
    answer.assert_refused(504, "hold-timeout");
    assert!(asked.elapsed() >= Duration::from_secs(3), "too early: {:?}", asked.elapsed());
}

#[tokio::test]
async fn requests_that_race_sleep_are_answered() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::on_host().await, Namespace::new("race").await);
    let app = app(&edge, "race", LIGHT);
    deployed(&edge, &here, &app).await;
    let first = writes(&here, &app).await;
    let (kind, name) = app.workload();
    for round in 0..scaled(100) {
        // As the replicas go, and while the pod is still there, by steps.
        eventually(PATIENCE * 2, "it falls asleep", async || {
            let workload = here.object(kind, name).await.expect("the workload");
            if workload["spec"]["replicas"] == 0 { Ok(()) } else { Err(round) }
        })
        .await;
        tokio::time::sleep(Duration::from_millis((round * 37 % 300) as u64)).await;
        let answer = ask(&edge, &app).await;
        assert_eq!(answer.status, 200, "round {round}: {}", answer.text());
    }
    assert!(writes(&here, &app).await >= first + 2 * scaled(100) as u64 - 1, "nothing was raced");
}

#[tokio::test]
async fn requests_that_race_deep_sleep_are_answered() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::on_host().await, Namespace::new("removal").await);
    let app = app(&edge, "removal", DEEP);
    deployed(&edge, &here, &app).await;
    let (kind, name) = app.workload();
    for round in 0..scaled(50) {
        eventually(PATIENCE * 2, "it falls asleep", async || match here.object(kind, name).await {
            Some(workload) if workload["spec"]["replicas"] != 0 => Err(round),
            Some(_) | None => Ok(()),
        })
        .await;
        tokio::time::sleep(Duration::from_millis((round * 370 % 3_000) as u64)).await;
        let answer = ask(&edge, &app).await;
        assert_eq!(answer.status, 200, "round {round}: {}", answer.text());
    }
}
