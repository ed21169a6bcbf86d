//! Apps that need others, which are woken with them.

use config::link::Failure;
use config::model::App;

use super::fakes::{Edge, SOON, app, failed, id, model, seconds};
use crate::brakes::RemovalLimits;
use crate::driver::Ask;
use crate::driver::reload::Model;
use crate::platform::Event;

fn needing(apps: impl IntoIterator<Item = App>, slots: usize, needs: &[(&str, &[&str])]) -> Model {
    let companions =
        needs.iter().map(|(app, needed)| (id(app), needed.iter().map(|name| id(name)).collect()));
    Model { companions: companions.collect(), ..model(apps, slots) }
}

fn edge(names: &[&str], slots: usize, needs: &[(&str, &[&str])]) -> Edge {
    Edge::of(needing(names.iter().map(|name| app(name)), slots, needs), RemovalLimits::default())
}

#[tokio::test(start_paused = true)]
async fn who_wakes_an_app_wakes_those_that_it_needs_and_those_that_these_need() {
    let mut edge = edge(&["web", "api", "db", "other"], 10, &[("web", &["api"]), ("api", &["db"])]);
    let gateway = edge.gateway().await;
    gateway.wants("web");
    assert_eq!(edge.command().await, "start web 1");
    assert_eq!(edge.command().await, "start api 2");
    assert_eq!(edge.command().await, "start db 3");
    edge.idles(SOON).await;
    assert_eq!(edge.view("other").await.state, "asleep");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_needed_wakes_nobody_who_needs_it() {
    let mut edge = edge(&["web", "api"], 10, &[("web", &["api"])]);
    let gateway = edge.gateway().await;
    gateway.wants("api");
    assert_eq!(edge.command().await, "start api 1");
    edge.idles(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn a_cycle_ends_and_each_waits_for_its_own_turn() {
    let needs: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["c", "a"]), ("c", &["a"])];
    let mut edge = edge(&["a", "b", "c"], 1, needs);
    let mut gateway = edge.gateway().await;
    gateway.wants("a");
    for (name, instance) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(edge.command().await, format!("start {name} {instance}"));
        edge.idles(SOON).await;
        edge.created(name, instance);
        gateway.reaches(name, instance);
    }
    gateway.sees("c", super::fakes::awake(3)).await;
    edge.idles(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_awake_is_left_alone() {
    let mut edge = edge(&["web", "api"], 10, &[("web", &["api"])]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "api").await;
    let before = edge.view("api").await;
    gateway.wants("web");
    assert_eq!(edge.command().await, "start web 2");
    edge.idles(SOON).await;
    assert_eq!(edge.view("api").await, before);
    assert_eq!(before.instance, Some(instance));
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_does_not_fail_the_other_and_its_backoff_holds() {
    let mut edge = edge(&["web", "api"], 10, &[("web", &["api"])]);
    let mut gateway = edge.gateway().await;
    gateway.wants("web");
    assert_eq!(edge.command().await, "start web 1");
    assert_eq!(edge.command().await, "start api 2");
    edge.report("api", 2, Event::NotCreated(Failure::NotStarted));
    gateway.sees("api", failed(Failure::NotStarted, seconds(1))).await;
    edge.report("web", 1, Event::NotCreated(Failure::NotStarted));
    gateway.sees("web", failed(Failure::NotStarted, seconds(1))).await;
    // An admin's word is about the app that is named.
    edge.handle.ask(|reply| Ask::Wake(id("web"), "ann".into(), reply)).await.unwrap();
    assert_eq!(edge.command().await, "start web 3");
    edge.created("web", 3);
    gateway.reaches("web", 3);
    gateway.sees("web", super::fakes::awake(3)).await;
    assert_eq!(edge.view("api").await.state, "failed");
}

#[tokio::test(start_paused = true)]
async fn what_is_needed_is_as_was_said_last() {
    let mut edge = edge(&["web", "api", "db"], 10, &[("web", &["api"])]);
    let gateway = edge.gateway().await;
    let names = ["web", "api", "db"].map(app);
    let model = Box::new(needing(names, 10, &[("web", &["db"])]));
    edge.handle.ask(|reply| Ask::Reload(model, reply)).await.unwrap();
    gateway.wants("web");
    assert_eq!(edge.command().await, "start web 1");
    assert_eq!(edge.command().await, "start db 2");
    edge.idles(SOON).await;
}

/// Each needs the next: a chain deeper than any stack.
#[tokio::test(start_paused = true)]
async fn a_long_chain_is_no_deep_one() {
    const LENGTH: usize = 20_000;
    let names: Vec<String> = (0..LENGTH).map(|n| format!("n{n}")).collect();
    let needs = names.windows(2).map(|pair| (id(&pair[0]), vec![id(&pair[1])])).collect();
    let apps = names.iter().map(|name| app(name));
    let model = Model { companions: needs, ..model(apps, 1) };
    let edge = Edge::of(model, RemovalLimits::default());
    edge.handle.ask(|reply| Ask::Wake(id("n0"), "ann".into(), reply)).await.unwrap();
    assert_eq!(edge.view(&names[LENGTH - 1]).await.state, "waking");
}
