//! Hours in which apps are awake, asked for or not. Everything begins on a Monday, 06:00 UTC.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use config::link::{Depth, Failure};

use super::fakes::{Edge, Gateway, IDLE, SOON, app, asleep, awake, id, model, seconds};
use crate::brakes::RemovalLimits;
use crate::driver::Ask;
use crate::driver::reload::Model;
use crate::platform::{Event, Exit, Rest, Standing};
use crate::schedule::Hours;

const HOUR: Duration = Duration::from_hours(1);
/// The clock is looked at so often at least.
const LOOK: Duration = Duration::from_secs(60);

/// Apps of which some are awake between these full hours, each day.
fn between(names: &[&str], slots: usize, from: u16, to: u16, in_hours: &[&str]) -> Model {
    let hours = || vec![Hours::new(&[0, 1, 2, 3, 4, 5, 6], from * 60, to * 60, "UTC").unwrap()];
    let hours = in_hours.iter().map(|name| (id(name), hours())).collect();
    Model { hours, ..model(names.iter().map(|name| app(name)), slots) }
}

fn edge(from: u16, to: u16) -> Edge {
    Edge::of(between(&["a"], 10, from, to, &["a"]), RemovalLimits::default())
}

async fn said(edge: &Edge, model: Model) {
    edge.handle.ask(|reply| Ask::Reload(Box::new(model), reply)).await.unwrap();
}

/// The app comes up, as this instance.
async fn comes_up(edge: &mut Edge, gateway: &mut Gateway, instance: u64) {
    edge.created("a", instance);
    gateway.reaches("a", instance);
    gateway.sees("a", awake(instance)).await;
}

async fn conditions(edge: &Edge) -> Vec<&'static str> {
    edge.view("a").await.conditions.iter().map(|condition| condition.r#type).collect()
}

#[tokio::test(start_paused = true)]
async fn an_app_is_woken_when_its_hours_begin_and_sleeps_when_they_are_over() {
    let mut edge = edge(7, 9);
    let mut gateway = edge.gateway().await;
    edge.idles(HOUR - SOON).await;
    assert_eq!(conditions(&edge).await, [""; 0]);
    assert_eq!(edge.command_within(SOON * 2).await, "start a 1");
    comes_up(&mut edge, &mut gateway, 1).await;
    gateway.hears_nothing("a", HOUR).await;
    let view = edge.view("a").await;
    assert_eq!(view.conditions[0].r#type, "InHours");
    let until = "it is in its hours: its schedule keeps it awake until 2026-11-23T09:00:00.000Z";
    assert_eq!(view.conditions[0].message, until);
    assert_eq!(edge.brakes().await.in_hours, 1);
    gateway.hears_nothing("a", HOUR - SOON * 10).await;
    edge.fall_asleep(&mut gateway, "a", 1).await;
    assert_eq!((conditions(&edge).await, edge.brakes().await.in_hours), (vec![], 0));
    // The day after.
    assert_eq!(edge.command_within(SOON + HOUR * 22).await, "stop 1");
    edge.report("a", 1, Event::Exited(Exit::Code(0)));
    assert_eq!(edge.command_within(SOON + HOUR * 22).await, "start a 2");
}

#[tokio::test(start_paused = true)]
async fn what_is_used_after_its_hours_sleeps_when_it_has_been_idle_for_long_enough() {
    let mut edge = edge(6, 7);
    let mut gateway = edge.gateway().await;
    assert_eq!(edge.command().await, "start a 1");
    comes_up(&mut edge, &mut gateway, 1).await;
    gateway.hears_nothing("a", HOUR - seconds(1)).await;
    gateway.uses("a", 0);
    gateway.hears_nothing("a", IDLE - SOON).await;
    gateway.drains("a", SOON * 2).await;
}

#[tokio::test(start_paused = true)]
async fn hours_that_begin_while_an_app_falls_asleep_keep_it_awake() {
    let mut edge = edge(7, 8);
    let mut gateway = edge.gateway().await;
    edge.idles(HOUR - IDLE - seconds(1)).await;
    let instance = edge.wake(&mut gateway, "a").await;
    gateway.drains("a", IDLE + SOON).await;
    assert_eq!(gateway.hears("a", seconds(2)).await, awake(instance));
    gateway.hears_nothing("a", HOUR - SOON * 10).await;
}

#[tokio::test(start_paused = true)]
async fn hours_hold_as_they_were_said_last() {
    let mut edge = edge(12, 13);
    let mut gateway = edge.gateway().await;
    edge.idles(seconds(10)).await;
    said(&edge, between(&["a"], 10, 5, 7, &["a"])).await;
    assert_eq!(edge.command().await, "start a 1");
    comes_up(&mut edge, &mut gateway, 1).await;
    gateway.hears_nothing("a", IDLE * 10).await;
    // The same again changes nothing; others end later.
    said(&edge, between(&["a"], 10, 5, 7, &["a"])).await;
    said(&edge, between(&["a"], 10, 5, 8, &["a"])).await;
    gateway.hears_nothing("a", HOUR).await;
    said(&edge, between(&["a"], 10, 5, 8, &[])).await;
    edge.fall_asleep(&mut gateway, "a", 1).await;
    assert_eq!(conditions(&edge).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_forward_or_back_is_followed_within_a_minute() {
    let mut edge = edge(12, 13);
    let mut gateway = edge.gateway().await;
    edge.idles(IDLE).await;
    edge.clock_step.store(6 * 3_600, Relaxed);
    assert_eq!(edge.command_within(LOOK + SOON).await, "start a 1");
    comes_up(&mut edge, &mut gateway, 1).await;
    gateway.hears_nothing("a", LOOK * 2).await;
    edge.clock_step.store(0, Relaxed);
    gateway.drains("a", LOOK + SOON).await;
}

#[tokio::test(start_paused = true)]
async fn a_wake_for_hours_gives_way_to_whoever_waits_and_is_not_withdrawn() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut edge = Edge::of(between(&names, 1, 7, 9, &["a"]), RemovalLimits::default());
    let gateway = edge.gateway().await;
    edge.idles(HOUR - seconds(1)).await;
    gateway.wants("b");
    assert_eq!(edge.command().await, "start b 1");
    edge.idles(seconds(2)).await;
    assert_eq!(edge.view("a").await.phase, Some("queued"));
    gateway.wants("a");
    gateway.wants_no_more("a");
    for name in &names[2..] {
        gateway.wants(name);
    }
    // Each start that comes to nothing holds its slot for 20 s.
    for (name, instance) in [("c", 2), ("d", 3), ("e", 4), ("f", 5), ("a", 6)] {
        let mut command = edge.command_within(seconds(20)).await;
        while command.starts_with("stop") {
            command = edge.command_within(seconds(20)).await;
        }
        assert_eq!(command, format!("start {name} {instance}"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_in_its_hours_is_tried_again_in_them_only() {
    let mut edge = edge(6, 7);
    for instance in 1..=3 {
        assert_eq!(edge.command_within(LOOK * 2).await, format!("start a {instance}"));
        edge.report("a", instance, Event::NotCreated(Failure::NotStarted));
    }
    let started = edge.command_within(LOOK * 2).await;
    assert_eq!(started, "start a 4");
    edge.clock_step.store(3_600, Relaxed);
    edge.report("a", 4, Event::NotCreated(Failure::NotStarted));
    edge.idles(LOOK).await;
    edge.idles(HOUR * 22).await;
}

#[tokio::test(start_paused = true)]
async fn an_admin_may_put_an_app_to_sleep_in_its_hours() {
    let mut edge = edge(6, 8);
    let mut gateway = edge.gateway().await;
    assert_eq!(edge.command().await, "start a 1");
    comes_up(&mut edge, &mut gateway, 1).await;
    let asked = edge.sleep("a", Depth::Light);
    let round = gateway.drains("a", SOON).await;
    gateway.quiesced("a", round, 0);
    assert_eq!(edge.command().await, "pause 1");
    edge.report("a", 1, Event::Paused);
    assert_eq!(asked.await.unwrap(), Ok(()));
    gateway.sees("a", asleep(Depth::Light)).await;
    edge.idles(HOUR * 2 - seconds(2)).await;
    // It is not removed either, until they are over.
    assert_eq!(edge.command_within(seconds(4)).await, "stop 1");
}

#[tokio::test(start_paused = true)]
async fn what_is_there_again_comes_up_and_what_somebody_scales_to_0_stays_down() {
    let mut edge = Edge::on_cluster([(app("a"), Standing::Nothing)]);
    let mut gateway = edge.gateway().await;
    said(&edge, between(&["a"], 10, 5, 9, &["a"])).await;
    edge.idles(LOOK).await;
    edge.stands("a", Standing::Asleep(Depth::Light));
    assert_eq!(edge.command_within(LOOK * 2).await, "start a 1");
    comes_up(&mut edge, &mut gateway, 1).await;
    edge.report("a", 1, Event::PutDown(Rest::Asleep(Depth::Light)));
    gateway.sees("a", asleep(Depth::Light)).await;
    edge.idles(HOUR * 2).await;
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 2");
}
