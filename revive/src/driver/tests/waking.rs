//! From the first who wants an app until it is up, or is not.

use config::link::{Depth, Failure, Instance, Phase, Probe, Status, ToRevive};

use super::fakes::{Edge, Gateway, SOON, app, asleep, awake, endpoint, failed, id, seconds, settle};
use crate::brakes::RemovalLimits;
use crate::platform::{Event, Exit};

/// An edge with one slot, which goes from one start that hangs to the next every 20 s; `late` is the last in line.
async fn a_long_line() -> (Edge, Gateway) {
    let names: Vec<String> = (0..6).map(|n| format!("slow-{n}")).collect();
    let apps = names.iter().map(String::as_str).chain(["late"]).map(|name| {
        let mut app = app(name);
        app.health.grace = seconds(3_600);
        app
    });
    let edge = Edge::with(apps, 1, RemovalLimits::default());
    let mut gateway = edge.gateway().await;
    for name in &names {
        gateway.wants(name);
    }
    gateway.wants("late");
    assert!(matches!(gateway.hears("late", SOON).await, Status::Waking { phase: Phase::Queued, .. }));
    (edge, gateway)
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_it_is_started_once() {
    let mut edge = Edge::start([app("a")]);
    let mut gateways = [edge.gateway().await, edge.gateway().await];
    for _ in 0..1_000 {
        gateways.iter().for_each(|gateway| gateway.wants("a"));
    }
    assert_eq!(edge.command().await, "start a 1");
    edge.created("a", 1);
    let probe = Probe { instance: Instance(1), endpoint: endpoint(1) };
    for gateway in &mut gateways {
        while !matches!(gateway.hears("a", SOON).await, Status::Waking { probe: Some(seen), .. } if seen == probe)
        {
        }
        gateway.reaches("a", 1);
        gateway.wants("a");
    }
    for gateway in &mut gateways {
        assert_eq!(gateway.hears("a", SOON).await, awake(1));
        gateway.hears_nothing("a", seconds(1)).await;
    }
    edge.idles(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_queued_wake_that_nobody_waits_for_is_withdrawn_after_a_minute() {
    let (mut edge, mut gateway) = a_long_line().await;
    gateway.wants_no_more("late");
    gateway.hears_nothing("late", seconds(59)).await;
    assert_eq!(gateway.hears("late", seconds(1) + SOON).await, asleep(Depth::Deep));
    for n in 0..6 {
        assert_eq!(edge.command_within(seconds(21)).await, format!("start slow-{n} {}", n + 1));
    }
    edge.idles(seconds(60)).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_within_the_minute_keeps_the_place_in_line() {
    let (_edge, mut gateway) = a_long_line().await;
    gateway.wants_no_more("late");
    gateway.hears_nothing("late", seconds(59)).await;
    gateway.wants("late");
    gateway.hears_nothing("late", seconds(60)).await;
    let turn = gateway.hears("late", seconds(2)).await;
    assert!(matches!(turn, Status::Waking { phase: Phase::Creating, .. }), "{turn:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wake_goes_on_while_it_is_wanted_at_another_gateway() {
    let (edge, mut gateway) = a_long_line().await;
    let other = edge.gateway().await;
    other.wants("late");
    settle().await;
    gateway.wants_no_more("late");
    gateway.hears_nothing("late", seconds(61)).await;
    other.wants_no_more("late");
    gateway.hears_nothing("late", seconds(50)).await;
}

#[tokio::test(start_paused = true)]
async fn those_who_waited_at_a_gateway_that_has_left_wait_no_more() {
    let (edge, mut gateway) = a_long_line().await;
    let other = edge.gateway().await;
    other.wants("late");
    settle().await;
    gateway.wants_no_more("late");
    drop(other);
    gateway.hears_nothing("late", seconds(59)).await;
    assert_eq!(gateway.hears("late", seconds(2)).await, asleep(Depth::Deep));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_the_answer_until_its_time_is_over_and_then_one_start_is_tried() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    for (instance, backoff) in [(1, 1), (2, 2), (3, 4)] {
        (0..10).for_each(|_| gateway.wants("a"));
        assert_eq!(edge.command().await, format!("start a {instance}"));
        edge.report("a", instance, Event::NotCreated(Failure::ProgramNotFound));
        gateway.sees("a", failed(Failure::ProgramNotFound, seconds(backoff))).await;
        edge.idles(seconds(backoff) / 2).await;
        gateway.wants("a");
        gateway.sees("a", failed(Failure::ProgramNotFound, seconds(backoff) / 2)).await;
        edge.idles(seconds(backoff) / 2).await;
    }
    assert_eq!(edge.view("a").await.last_failure.map(|failure| failure.code), Some("program-not-found"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_up_when_its_grace_is_over_has_failed_by_what_was_found_and_is_ended() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 1");
    edge.created("a", 1);
    let so_far = Failure::Unhealthy;
    gateway.say(ToRevive::NotReachable { app: id("a"), instance: Instance(1), so_far });
    edge.idles(seconds(29)).await;
    edge.idles(seconds(1) - SOON).await;
    assert_eq!(edge.command_within(SOON * 2).await, "stop 1");
    gateway.sees("a", failed(Failure::Unhealthy, seconds(1))).await;

    // The next try waits for the end of the one before.
    edge.idles(seconds(1)).await;
    gateway.wants("a");
    edge.idles(seconds(1)).await;
    edge.report("a", 1, Event::Exited(Exit::Signal(15)));
    assert_eq!(edge.command().await, "start a 2");
}
