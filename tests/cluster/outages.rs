//! What is away, or wrong, for a while (targets.md, "Faults to survive"), on the cluster. Each counts who was not answered.
#![allow(clippy::print_stdout, reason = "what was seen is shown with the test")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::apps::App;
use crate::client::{Answer, PATIENCE, Request, Wire, eventually};
use crate::cluster::{Namespace, is_there};
use crate::edge::Edge;
use crate::faults::{Crowd, PATIENT, ask, scaled, until_figure, until_held, until_ready, writes};
use crate::host::Half;
use crate::road::Road;
use crate::sleeping::{app, deployed, until_light};

/// From when the API server is there again to when who is held is answered.
const BACK: Duration = Duration::from_secs(5);

/// How often each answer came; what is no whole answer counts as that.
#[derive(Default)]
struct Counts(BTreeMap<String, usize>);

impl Counts {
    fn add(&mut self, answer: &Option<Answer>) {
        let said = match answer {
            Some(answer) if answer.status == 200 => "200".to_owned(),
            Some(answer) => format!("{} {}", answer.status, answer.text()),
            None => "no answer".to_owned(),
        };
        *self.0.entry(said).or_default() += 1;
    }

    /// How many there were; fails unless each was 200.
    fn all_answered(&self) -> usize {
        assert!(self.0.keys().eq(["200"]), "{:?}", self.0);
        self.0.values().sum()
    }
}

/// Asks an app again and again, each time on a new connection, until `over`.
async fn ask_until(edge: &Edge, app: &App, over: impl Future<Output = ()>) -> Counts {
    let (request, mut counts) = (Request::new("GET", &app.host(), "/"), Counts::default());
    let asking = async {
        loop {
            counts.add(&edge.try_ask(&request).await.ok());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = asking => {}
        () = over => {}
    }
    counts
}

/// Waits until the gateway has a routing lease, or none.
async fn until_lease(edge: &Edge, lease: f64) {
    eventually(PATIENCE, "the routing lease", async || {
        let now = edge.halves_seen().figure(Half::Gateway, "loco_edge_link_lease").await;
        if now == Some(lease) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
}

/// Fails unless it is an honest no: it has a code, and says when to ask again.
fn assert_honest(answer: &Answer) {
    let code = answer.json()["code"].as_str().expect("a code").to_owned();
    let again = answer.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
    println!("{} {code}, again in {again:?} s", answer.status);
    let status = match code.as_str() {
        "platform-down" => 503,
        "hold-timeout" => 504,
        _ => panic!("{answer:?}"),
    };
    answer.assert_refused(status, &code);
    assert!(again.is_some(), "{answer:?}");
}

#[tokio::test]
async fn an_api_server_that_is_away_is_no_matter_to_who_is_awake_and_those_who_are_held_are_woken_after_it() {
    if !is_there() {
        return;
    }
    let road = Road::open().await;
    let (mut edge, here) = (Edge::on_host_by(&road).await, Namespace::new("away").await);
    let awake = App::new("awake", edge.gateway()).probed_each_second();
    let brief = app(&edge, "brief", "idleAfter: 1s, wake: {holdTimeout: 2s}");
    let patient = app(&edge, "patient", PATIENT);
    for app in [&awake, &brief, &patient] {
        here.must_apply(&app.yaml()).await;
    }
    for app in [&awake, &brief, &patient] {
        edge.until_served(&app.host()).await;
    }
    until_ready(&here, &awake).await;
    until_light(&here, &brief).await;
    until_light(&here, &patient).await;
    let before = writes(&here, &patient).await;

    road.cut().await;
    let cut = Instant::now();
    let early = Crowd::ask(&edge, &patient.host(), 10).await;
    // Who cannot renew its Lease leads no more, and grants no routing lease.
    let (counts, refused) =
        tokio::join!(ask_until(&edge, &awake, until_lease(&edge, 0.0)), ask(&edge, &brief));
    println!("it leads no more after {:?}", cut.elapsed());
    assert_honest(&refused);
    let (more, refused) = tokio::join!(
        ask_until(&edge, &awake, tokio::time::sleep(Duration::from_secs(2))),
        ask(&edge, &brief)
    );
    assert_honest(&refused);
    println!("{} asked of who is awake, 0 lost", counts.all_answered() + more.all_answered());
    let late = Crowd::ask(&edge, &patient.host(), 10).await;
    until_held(&mut edge, 20).await;
    let away = cut.elapsed();

    road.mend().await;
    let mended = Instant::now();
    early.all_answered().await;
    late.all_answered().await;
    let took = mended.elapsed();
    println!("away for {away:?}: 20 held, 0 lost, answered {took:?} after its return");
    until_figure(&mut edge, Half::Gateway, "loco_edge_link_lease", 1.0).await;
    assert_eq!(writes(&here, &patient).await, before + 1, "one wake");
    assert!(took < BACK, "{took:?}");
    // All that is watched is seen again.
    let new = app(&edge, "new", PATIENT);
    deployed(&edge, &here, &new).await;
    until_light(&here, &new).await;
}

#[tokio::test]
async fn who_is_held_when_a_gateway_ends_is_answered_or_told_when_to_ask_again() {
    if !is_there() {
        return;
    }
    let many = scaled(10_000) / 2;
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("term").await);
    // The gateway waits for 5 s.
    let soon = app(&edge, "soon", PATIENT).variable("START_DELAY", "3");
    let never = app(&edge, "never", PATIENT);
    for app in [&soon, &never] {
        here.must_apply(&app.yaml()).await;
    }
    for app in [&soon, &never] {
        edge.until_served(&app.host()).await;
    }
    until_light(&here, &never).await;
    let late = ["set", "env", "deployment/never", "START_DELAY=600"];
    here.kubectl(&late).await.unwrap_or_else(|error| panic!("{error}"));
    until_light(&here, &soon).await;

    let refused = Crowd::ask(&edge, &never.host(), many).await;
    let request = Request::new("GET", &never.host(), "/");
    let mut wires = Vec::new();
    for _ in 0..scaled(100) {
        let mut wire = Wire::connect(edge.halves().address(Half::Gateway)).await;
        wire.send(&request.bytes()).await;
        wires.push(wire);
    }
    let answered = Crowd::ask(&edge, &soon.host(), many).await;
    until_held(&mut edge, 2 * many + wires.len()).await;
    let told = Instant::now();
    let (status, (), answers, lines) =
        tokio::join!(edge.halves().end(Half::Gateway), answered.all_answered(), refused.answers(), async {
            let mut answers = Vec::new();
            for wire in &mut wires {
                answers.push(wire.read(&request).await);
            }
            answers
        });
    println!("{many} answered; ended {:?} after it was told, {status}", told.elapsed());
    assert!(status.success(), "{status}");
    let honest = |answer: &&Option<(u16, String)>| matches!(answer, Some((503, said)) if said.contains("shutting-down"));
    let lost: Vec<_> = answers.iter().filter(|answer| !honest(answer)).take(5).collect();
    println!("{} told 503, {} lost", answers.iter().filter(honest).count() + lines.len(), lost.len());
    assert!(lost.is_empty(), "{lost:?}");
    for answer in lines {
        let answer = answer.unwrap_or_else(|broken| panic!("{broken}"));
        answer.assert_refused(503, "shutting-down");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_killed_takes_only_its_own_connections_with_it() {
    if !is_there() {
        return;
    }
    let many = scaled(1_000);
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("one-of-two").await);
    edge.halves().begin(Half::Second).await;
    let second = edge.by_second();
    let awake = app(&edge, "awake", "idleAfter: 1h");
    let asleep = app(&edge, "asleep", PATIENT).variable("START_DELAY", "2");
    for app in [&awake, &asleep] {
        here.must_apply(&app.yaml()).await;
    }
    for app in [&awake, &asleep] {
        edge.until_served(&app.host()).await;
        second.until_served(&app.host()).await;
    }
    until_light(&here, &asleep).await;
    let before = writes(&here, &asleep).await;

    let theirs = Crowd::ask(&edge, &asleep.host(), 10).await;
    let ours = Crowd::ask(&second, &asleep.host(), many).await;
    until_held(&mut edge, 10).await;
    until_figure(&mut edge, Half::Second, "loco_edge_held", many as f64).await;
    edge.halves().kill(Half::Gateway);
    let killed = Instant::now();
    let counts = ask_until(&second, &awake, ours.all_answered()).await;
    println!("{many} held, 0 lost, answered after {:?}", killed.elapsed());
    println!("{} asked of who is awake, 0 lost", counts.all_answered());
    let lost = theirs.answers().await.iter().filter(|answer| answer.is_none()).count();
    println!("{lost} of 10 lost that were held by the one that was killed");
    assert_eq!(writes(&here, &asleep).await, before + 1, "one wake");
    edge.halves().begin(Half::Gateway).await;
    for app in [&awake, &asleep] {
        assert_eq!(ask(&edge, app).await.status, 200);
    }
}

/// The condition of a route at its first parent.
async fn condition(here: &Namespace, route: &str, kind: &str) -> Option<Value> {
    let route = here.object("httproute", route).await.expect("the route");
    let conditions = route["status"]["parents"][0]["conditions"].as_array()?.clone();
    conditions.into_iter().find(|condition| condition["type"] == kind)
}

/// A route of an app at `big.test`, with as many rules as one may have.
fn many_rules(edge: &Edge, app: &str, number: usize) -> Value {
    let (namespace, gateway) = edge.gateway();
    let path = move |rule: usize, of: usize| format!("/{number}/{rule}/{of}");
    let matches =
        |rule| (0..8).map(move |of| json!({ "path": { "type": "Exact", "value": path(rule, of) } }));
    let rule = |rule| {
        json!({
            "matches": matches(rule).collect::<Vec<_>>(),
            "backendRefs": [{ "name": app, "port": 80 }],
        })
    };
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": { "name": format!("big-{number}") },
        "spec": {
            "parentRefs": [{ "name": gateway, "namespace": namespace }],
            "hostnames": ["big.test"],
            "rules": (0..16).map(rule).collect::<Vec<_>>(),
        },
    })
}

#[tokio::test]
async fn a_route_that_is_wrong_or_very_large_is_no_matter_to_the_others() {
    if !is_there() {
        return;
    }
    let routes = scaled(300);
    let (edge, here) = (Edge::on_host().await, Namespace::new("wrong").await);
    let good = app(&edge, "good", "idleAfter: 1h");
    let bad = app(&edge, "bad", "idleAfter: 1h");
    deployed(&edge, &here, &good).await;
    deployed(&edge, &here, &bad).await;
    let put = |matches: &str| {
        let patch =
            format!(r#"{{"spec":{{"rules":[{{{matches}"backendRefs":[{{"name":"bad","port":80}}]}}]}}}}"#);
        let here = &here;
        async move {
            let words = ["patch", "httproute", "bad", "--type=merge", "-p", &patch];
            here.kubectl(&words).await.unwrap_or_else(|error| panic!("{error}"));
        }
    };
    let said = async {
        put(r#""matches":[{"path":{"type":"RegularExpression","value":"/a("}}],"#).await;
        eventually(PATIENCE, "its status says that it is wrong", async || {
            let accepted = condition(&here, "bad", "Accepted").await;
            let is_no = |condition: &Value| condition["status"] == "False";
            accepted.clone().filter(is_no).ok_or_else(|| format!("{accepted:?}"))
        })
        .await
    };
    let (words_tx, words) = tokio::sync::oneshot::channel();
    let counts = ask_until(&edge, &good, async { words_tx.send(said.await).expect("somebody waits") }).await;
    let words = words.await.expect("what was said");
    println!("{} asked of the good one, 0 lost; the wrong one: {words}", counts.all_answered());
    assert_eq!(words["reason"], "UnsupportedValue", "{words}");
    assert!(words["message"].as_str().is_some_and(|text| text.contains("/a(")), "{words}");
    println!("the wrong one's visitors get {}", ask(&edge, &bad).await.status);
    put("").await;
    edge.until_served(&bad.host()).await;

    let items: Vec<_> = (0..routes).map(|number| many_rules(&edge, "good", number)).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
    let file = format!("{}/big-{}.json", env!("CARGO_TARGET_TMPDIR"), here.name());
    std::fs::write(&file, list).expect("a file");
    let begun = Instant::now();
    let last = Request::new("GET", "big.test", &format!("/{}/15/7", routes - 1));
    let counts = ask_until(&edge, &good, async {
        here.kubectl(&["create", "-f", &file]).await.unwrap_or_else(|error| panic!("{error}"));
        println!("{routes} routes with {} matches are there after {:?}", routes * 16 * 8, begun.elapsed());
        eventually(PATIENCE * 2, "the last of the rules is served", async || {
            let answer = edge.try_ask(&last).await.map_err(|broken| broken.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
        })
        .await;
    })
    .await;
    std::fs::remove_file(&file).expect("the file");
    println!("served after {:?}; {} asked of the good one, 0 lost", begun.elapsed(), counts.all_answered());
    assert_eq!(edge.halves_seen().figure(Half::Gateway, "loco_edge_link_refused").await, Some(0.0));
    assert_eq!(ask(&edge, &bad).await.status, 200);
}

#[tokio::test]
async fn settings_with_a_mistake_are_refused_and_what_runs_goes_on() {
    if !is_there() {
        return;
    }
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("mistake").await);
    let app = App::new("mistake", edge.gateway()).probed_each_second();
    deployed(&edge, &here, &app).await;
    until_ready(&here, &app).await;
    edge.halves().settings("drain_timout = \"1s\"\n");
    for half in [Half::Gateway, Half::Revive] {
        edge.halves().hang_up(half);
        assert_eq!(ask(&edge, &app).await.status, 200);
        assert_eq!(edge.halves().tell(half, "GET", "/readyz").await.status, 200, "{half:?}");
    }
    edge.halves().kill(Half::Revive);
    for half in [Half::Revive, Half::Second, Half::Standby] {
        let status = edge.halves().begin_in_vain(half).await;
        let log = edge.halves().log(half);
        assert_eq!(status.code(), Some(1), "{half:?}: {status}");
        assert!(log.contains("loco-edge.toml:4") && log.contains("drain_timout"), "{half:?}: {log}");
        assert_eq!(ask(&edge, &app).await.status, 200);
    }
    edge.halves().settings("");
    edge.halves().begin(Half::Revive).await;
    until_figure(&mut edge, Half::Gateway, "loco_edge_link_lease", 1.0).await;
    assert_eq!(ask(&edge, &app).await.status, 200);
}

/// What the Lease says but for its times.
async fn leads(edge: &Edge) -> (String, u64) {
    let lease =
        crate::cluster::object(edge.gateway().0, "lease", "loco-edge-revive").await.expect("the Lease");
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
    (holder, lease["spec"]["leaseTransitions"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn clocks_that_are_an_hour_off_change_no_leader() {
    if !is_there() {
        return;
    }
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("clocks").await);
    edge.halves().begin(Half::Standby).await;
    let awake = app(&edge, "awake", "idleAfter: 30m, removeAfter: 50m");
    let asleep = app(&edge, "asleep", "idleAfter: 1s, removeAfter: 50m");
    for app in [&awake, &asleep] {
        here.must_apply(&app.yaml()).await;
    }
    for app in [&awake, &asleep] {
        edge.until_served(&app.host()).await;
    }
    until_light(&here, &asleep).await;
    let before = (leads(&edge).await, writes(&here, &awake).await, writes(&here, &asleep).await);
    let (begun, mut written) = (Instant::now(), 0);
    // Longer than the Lease holds, and renewed meanwhile.
    while begun.elapsed() < Duration::from_secs(12) {
        let (now, hour) = (SystemTime::now(), Duration::from_secs(3_600));
        for then in [now + hour, now - hour] {
            let then = humantime::format_rfc3339_micros(then);
            let patch = format!(r#"{{"spec":{{"renewTime":"{then}","acquireTime":"{then}"}}}}"#);
            let namespace = edge.gateway().0.to_owned();
            let words = [
                "patch",
                "lease",
                "loco-edge-revive",
                "--namespace",
                &namespace,
                "--type=merge",
                "-p",
                &patch,
            ];
            crate::cluster::kubectl(&words).await.unwrap_or_else(|error| panic!("{error}"));
            written += 1;
            let lease = edge.halves().figure(Half::Gateway, "loco_edge_link_lease").await;
            assert_eq!(lease, Some(1.0), "its leader leads on");
        }
    }
    let after = (leads(&edge).await, writes(&here, &awake).await, writes(&here, &asleep).await);
    println!("the Lease's times were written {written} times: {after:?}");
    assert_eq!(before, after, "the leader, and who sleeps and who does not");
    for app in [&awake, &asleep] {
        assert_eq!(ask(&edge, app).await.status, 200);
    }
}
