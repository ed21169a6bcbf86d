//! Apps that cannot come up: what is said of them, how soon, and that it is over once its cause is.
#![allow(clippy::print_stdout, reason = "what was seen is shown with the test")]

use std::time::{Duration, Instant};

use crate::apps::App;
use crate::client::{Answer, PATIENCE, Request, eventually};
use crate::cluster::{Namespace, is_there};
use crate::edge::Edge;
use crate::sleeping::{DEEP, LIGHT, app, deployed, until_deep, until_light};

/// From when the kubelet says it to when the visitor is told.
const TOLD: Duration = Duration::from_secs(10);
/// What needs no other try.
const AT_ONCE: Duration = Duration::from_secs(1);

/// When the kubelet first says that a container here waits, or has ended, for one of these reasons.
async fn until_said(here: &Namespace, reasons: &[&str]) -> Instant {
    let said =
        "jsonpath={range .items[*].status.containerStatuses[*]}{.state.*.reason} {.lastState.*.reason} {end}";
    eventually(PATIENCE, "the kubelet says so", async || {
        let said = here.kubectl(&["get", "pods", "-o", said]).await?;
        if said.split_whitespace().any(|word| reasons.contains(&word)) {
            Ok(Instant::now())
        } else {
            Err(said)
        }
    })
    .await
}

async fn ask(edge: &Edge, app: &App) -> Answer {
    edge.ask(&Request::new("GET", &app.host(), "/")).await
}

async fn must(here: &Namespace, words: &[&str]) {
    here.kubectl(words).await.unwrap_or_else(|error| panic!("{error}"));
}

/// Asks twice: both are told the same, the first soon after the kubelet has said one of these reasons, the second at once.
/// How long to wait before the next try.
async fn told(edge: &Edge, here: &Namespace, app: &App, reasons: &[&str], code: &str) -> Duration {
    let (first, said) = tokio::join!(
        async {
            let answer = ask(edge, app).await;
            (answer, Instant::now())
        },
        until_said(here, reasons)
    );
    let (answer, at) = first;
    answer.assert_refused(503, code);
    let took = at.saturating_duration_since(said);
    let again = Instant::now();
    let second = ask(edge, app).await;
    println!("{code}: told {took:?} after the kubelet said so, the next after {:?}", again.elapsed());
    second.assert_refused(503, code);
    assert!(took < TOLD, "{took:?}");
    assert!(again.elapsed() < AT_ONCE, "{:?}", again.elapsed());
    let seconds = second.header("retry-after").and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.expect("seconds"))
}

/// Its owner finds the reason where he looks.
async fn until_shown(here: &Namespace, app: &App, code: &str) {
    let record = format!("deployment-{}", app.workload().1);
    eventually(PATIENCE, "its record says why", async || {
        let status = here.object("sleeprecord", &record).await.expect("a record")["status"].clone();
        let words = status["message"].as_str().unwrap_or_default();
        if status["state"] == "Failed" && status["reason"] == code && !words.is_empty() {
            Ok(())
        } else {
            Err(status)
        }
    })
    .await;
    eventually(PATIENCE, "an Event says why", async || {
        let words =
            ["get", "events", "-o", "jsonpath={range .items[?(@.reason=='WakeFailed')]}{.message}{end}"];
        let said = here.kubectl(&words).await?;
        if said.contains(code) { Ok(()) } else { Err(said) }
    })
    .await;
}

/// Asks on, as a client does that heeds `Retry-After`, until it is answered.
async fn healed(edge: &Edge, app: &App, backoff: Duration) {
    let corrected = Instant::now();
    let mut refused = 0;
    let answer = eventually(PATIENCE + backoff, "it is healed", async || {
        let answer = ask(edge, app).await;
        if answer.status == 200 {
            return Ok(answer);
        }
        refused += 1;
        tokio::time::sleep(AT_ONCE).await;
        Err(format!("{}: {}", answer.status, answer.text()))
    })
    .await;
    println!(
        "answered {:?} after the correction (back off {backoff:?}), {refused} refused",
        corrected.elapsed()
    );
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn an_image_that_nobody_has_is_said_to_be_missing_until_there_is_another() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::on_host().await, Namespace::new("image").await);
    let app = app(&edge, "image", LIGHT);
    deployed(&edge, &here, &app).await;
    until_light(&here, &app).await;
    must(&here, &["set", "image", "deployment/image", "app=loco.test/nobody-has-it:v1"]).await;
    let backoff = told(&edge, &here, &app, &["ErrImagePull", "ImagePullBackOff"], "image-pull").await;
    until_shown(&here, &app, "image-pull").await;
    let image = crate::cluster::image("LOCO_APP_IMAGE");
    must(&here, &["set", "image", "deployment/image", &format!("app={image}")]).await;
    healed(&edge, &app, backoff).await;
}

/// Nobody touches its workload: what it reads when it begins is wrong, and then right again.
#[tokio::test]
async fn an_app_that_ends_as_it_begins_is_left_alone_until_its_next_try() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::on_host().await, Namespace::new("crash").await);
    let app = app(&edge, "crash", LIGHT);
    must(&here, &["create", "configmap", "settings", "--from-literal=BODY=well"]).await;
    here.must_apply(&app.yaml()).await;
    must(&here, &["set", "env", "deployment/crash", "--from=configmap/settings"]).await;
    let keys = r#"[{"op":"replace","path":"/spec/template/spec/containers/0/env","value":[{"name":"BIND","value":"0.0.0.0"},{"name":"FAIL","valueFrom":
        {"configMapKeyRef":{"name":"settings","key":"FAIL","optional":true}}}]}]"#;
    must(&here, &["patch", "deployment", "crash", "--type=json", "-p", keys]).await;
    edge.until_served(&app.host()).await;
    until_light(&here, &app).await;
    let put = |data: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: settings }}\ndata: {data}\n")
    };
    here.must_apply(&put("{ FAIL: exit }")).await;
    let backoff = told(&edge, &here, &app, &["Error", "CrashLoopBackOff"], "exited-early").await;
    until_shown(&here, &app, "exited-early").await;
    // Those who ask do not keep it crashing.
    until_light(&here, &app).await;
    here.must_apply(&put("{ FAIL: '' }")).await;
    healed(&edge, &app, backoff).await;
}

#[tokio::test]
async fn an_app_that_takes_more_memory_than_it_may_is_said_so_until_it_takes_less() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::on_host().await, Namespace::new("memory").await);
    let app = app(&edge, "memory", LIGHT);
    deployed(&edge, &here, &app).await;
    until_light(&here, &app).await;
    // In one write: each new version is brought up at once.
    let greedy = r#"{"spec":{"template":{"spec":{"containers":[{"name":"app",
        "resources":{"limits":{"memory":"64Mi"}},"env":[{"name":"FAIL","value":"out-of-memory"}]}]}}}}"#;
    must(&here, &["patch", "deployment", "memory", "-p", greedy]).await;
    let backoff = told(&edge, &here, &app, &["OOMKilled"], "out-of-memory").await;
    until_shown(&here, &app, "out-of-memory").await;
    must(&here, &["set", "env", "deployment/memory", "FAIL-"]).await;
    healed(&edge, &app, backoff).await;
}

/// Who deploys what cannot run, and then what can, in place of what sleeps deeply.
#[tokio::test]
async fn a_bad_version_in_place_of_what_sleeps_deeply_is_told_at_each_try_until_there_is_a_good_one() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::on_host().await, Namespace::new("bad").await);
    let app = app(&edge, "bad", DEEP);
    deployed(&edge, &here, &app).await;
    until_deep(&here, &app).await;
    let image = crate::cluster::image("LOCO_APP_IMAGE");
    here.must_apply(&app.workload_yaml().replace(&image, "loco.test/nobody-has-it:v1")).await;
    let backoff = told(&edge, &here, &app, &["ErrImagePull", "ImagePullBackOff"], "image-pull").await;
    // The next try of the same fails for the same reason, and does not wait for what will not come.
    tokio::time::sleep(backoff).await;
    let backoff = told(&edge, &here, &app, &["ErrImagePull", "ImagePullBackOff"], "image-pull").await;
    here.must_apply(&app.workload_yaml()).await;
    healed(&edge, &app, backoff).await;
}
