//! What an admin who asks an app to sleep or to wake is told, and when.

use config::link::{Depth, Failure, Instance, Status};
use config::model::Source;
use serde_json::{Value, json};

use super::fakes::{self, Edge, Gateway, SOON, app, asleep, endpoint, failed, id, seconds, settle, soon};
use crate::driver::{Ask, NotAsleep};
use crate::platform::{Event, Exit};

async fn awake() -> (Edge, Gateway, u64) {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    (edge, gateway, instance)
}

#[tokio::test(start_paused = true)]
async fn an_app_that_was_just_used_sleeps_if_nothing_is_open() {
    let (mut edge, mut gateway, instance) = awake().await;
    gateway.uses("a", 0);
    let asked = edge.sleep("a", Depth::Light);
    let round = gateway.drains("a", SOON).await;
    gateway.uses("a", 0);
    settle().await;
    assert!(!asked.is_finished());
    gateway.quiesced("a", round, 0);
    assert_eq!(edge.command().await, format!("pause {instance}"));
    assert_eq!(soon(asked).await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_app_in_use_does_not_and_all_who_asked_are_told() {
    let (mut edge, mut gateway, _) = awake().await;
    let asked = [edge.sleep("a", Depth::Light), edge.sleep("a", Depth::Deep)];
    let round = gateway.drains("a", SOON).await;
    settle().await;
    gateway.quiesced("a", round, 2);
    for asked in asked {
        assert_eq!(soon(asked).await.unwrap(), Err(NotAsleep::Busy { open: 2 }));
    }
    edge.idles(seconds(60)).await;
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_wanted_meanwhile_or_whose_gateway_is_silent_does_not() {
    let (edge, mut gateway, _) = awake().await;
    let asked = edge.sleep("a", Depth::Light);
    gateway.drains("a", SOON).await;
    gateway.wants("a");
    assert_eq!(soon(asked).await.unwrap(), Err(NotAsleep::Wanted));
    let asked = edge.sleep("a", Depth::Light);
    let given_up = tokio::time::timeout(seconds(5) + SOON, asked).await.unwrap();
    assert_eq!(given_up.unwrap(), Err(NotAsleep::Wanted));
}

#[tokio::test(start_paused = true)]
async fn deep_sleep_is_when_nothing_is_left() {
    let (mut edge, mut gateway, instance) = awake().await;
    let asked = edge.sleep("a", Depth::Deep);
    let round = gateway.drains("a", SOON).await;
    gateway.quiesced("a", round, 0);
    assert_eq!(edge.command().await, format!("stop {instance}"));
    let again = edge.sleep("a", Depth::Light);
    settle().await;
    assert!(!asked.is_finished() && !again.is_finished());
    edge.report("a", instance, Event::Exited(Exit::Signal(15)));
    assert_eq!(soon(asked).await.unwrap(), Ok(()));
    assert_eq!(soon(again).await.unwrap(), Ok(()));
    assert_eq!(soon(edge.sleep("a", Depth::Deep)).await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn light_sleep_is_deepened_for_who_asked_for_deep_sleep() {
    let (mut edge, mut gateway, instance) = awake().await;
    let light = edge.sleep("a", Depth::Light);
    let round = gateway.drains("a", SOON).await;
    let deep = edge.sleep("a", Depth::Deep);
    settle().await;
    gateway.quiesced("a", round, 0);
    assert_eq!(edge.command().await, format!("pause {instance}"));
    assert_eq!(soon(light).await.unwrap(), Ok(()));
    assert_eq!(edge.command().await, format!("stop {instance}"));
    settle().await;
    assert!(!deep.is_finished());
    edge.report("a", instance, Event::Exited(Exit::Signal(9)));
    assert_eq!(soon(deep).await.unwrap(), Ok(()));
    gateway.sees("a", asleep(Depth::Deep)).await;
}

#[tokio::test(start_paused = true)]
async fn what_sleeps_already_or_cannot_is_answered_at_once() {
    let mut theirs = app("theirs");
    theirs.source = Source::Upstreams(vec![endpoint(1).into()]);
    let mut edge = Edge::start([app("a"), theirs]);
    let mut gateway = edge.gateway().await;
    assert_eq!(soon(edge.sleep("theirs", Depth::Light)).await.unwrap(), Err(NotAsleep::NotOurs));
    assert_eq!(soon(edge.sleep("a", Depth::Light)).await.unwrap(), Ok(()));
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 1");
    assert_eq!(soon(edge.sleep("a", Depth::Light)).await.unwrap(), Err(NotAsleep::Waking));
    edge.created("a", 1);
    gateway.reaches("a", 1);
    gateway.sees("a", Status::Awake { instance: Instance(1), endpoints: [endpoint(1).into()].into() }).await;
    edge.fall_asleep(&mut gateway, "a", 1).await;
    assert_eq!(soon(edge.sleep("a", Depth::Light)).await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_admin_wakes_an_app_whatever_its_backoff_says() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let wake = |reply| Ask::Wake(id("a"), "ann".into(), reply);
    let view = edge.handle.ask(wake).await.unwrap().unwrap();
    assert_eq!((view.state, view.phase), ("waking", Some("queued")));
    assert_eq!(edge.command().await, "start a 1");
    edge.report("a", 1, Event::NotCreated(Failure::NotStarted));
    gateway.sees("a", failed(Failure::NotStarted, seconds(1))).await;
    assert_eq!(edge.handle.ask(wake).await.unwrap().unwrap().state, "waking");
    assert_eq!(edge.command().await, "start a 2");
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_not_there_is_said_to_be_unknown() {
    let edge = Edge::start([app("a")]);
    assert_eq!(soon(edge.sleep("b", Depth::Light)).await.unwrap(), Err(NotAsleep::Unknown));
    assert_eq!(edge.handle.ask(|reply| Ask::Show(id("b"), reply)).await.unwrap(), None);
    assert_eq!(edge.handle.ask(|reply| Ask::Wake(id("b"), "ann".into(), reply)).await.unwrap(), None);
    assert_eq!(edge.audited().await, Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn the_audit_says_what_came_of_it() {
    let mut theirs = app("theirs");
    theirs.source = Source::Upstreams(vec![endpoint(1).into()]);
    let mut edge = Edge::start([app("a"), theirs]);
    let mut gateway = edge.gateway().await;
    let wake = |name| edge.handle.ask(move |reply| Ask::Wake(id(name), "ann".into(), reply));
    assert_eq!(wake("theirs").await.unwrap().unwrap().state, "awake");
    wake("a").await.unwrap();
    assert_eq!(soon(edge.sleep("theirs", Depth::Light)).await.unwrap(), Err(NotAsleep::NotOurs));
    assert_eq!(edge.command().await, "start a 1");
    edge.created("a", 1);
    gateway.reaches("a", 1);
    gateway.sees("a", fakes::awake(1)).await;
    let busy = edge.sleep("a", Depth::Deep);
    let round = gateway.drains("a", SOON).await;
    gateway.quiesced("a", round, 1);
    soon(busy).await.unwrap().unwrap_err();
    gateway.sees("a", fakes::awake(1)).await;
    gateway.uses("a", 0);
    let done = edge.sleep("a", Depth::Light);
    let round = gateway.drains("a", SOON).await;
    gateway.quiesced("a", round, 0);
    soon(done).await.unwrap().unwrap();
    let state = |state: &str, depth: Option<&str>| json!({ "state": state, "depth": depth });
    let slept = |result: &str, asked: &str, state: &str, depth: Option<&str>| json!({ "result": result, "asked": asked, "state": state, "depth": depth });
    let waked = |result: &str, state: &str| json!({ "result": result, "state": state, "depth": null });
    let awake = state("awake", None);
    assert_eq!(
        edge.audited().await,
        [
            json!([
                "ann",
                "app.sleep",
                id("a").as_str(),
                awake,
                slept("ok", "light", "asleep", Some("light"))
            ]),
            json!(["ann", "app.sleep", id("a").as_str(), awake, slept("busy", "deep", "awake", None)]),
            json!([
                "ann",
                "app.sleep",
                id("theirs").as_str(),
                awake,
                slept("not-ours", "light", "awake", None)
            ]),
            json!([
                "ann",
                "app.wake",
                id("a").as_str(),
                state("asleep", Some("deep")),
                waked("ok", "waking")
            ]),
            json!(["ann", "app.wake", id("theirs").as_str(), awake, waked("not-ours", "awake")]),
        ]
    );
}
