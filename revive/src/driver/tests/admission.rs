//! How many starts are under way at once, and whose.

use config::link::{Failure, Phase, Status};

use super::fakes::{Edge, Gateway, SOON, app, failed, of_workspace, seconds};
use crate::admission::SLOT_TIME;
use crate::brakes::RemovalLimits;
use crate::platform::Event;

/// An edge with so many slots, and apps `a0`, `a1` … of one workspace and `b0` of another that all are wanted, in
/// this order.
async fn wanted(slots: usize, apps: usize) -> (Edge, Gateway) {
    let own = (0..apps).map(|n| app(&format!("a{n}")));
    let edge = Edge::with(own.chain([of_workspace(app("b0"), "blog")]), slots, RemovalLimits::default());
    let gateway = edge.gateway().await;
    for n in 0..apps {
        gateway.wants(&format!("a{n}"));
    }
    gateway.wants("b0");
    (edge, gateway)
}

#[tokio::test(start_paused = true)]
async fn no_more_are_started_at_once_than_there_are_slots_and_an_app_that_is_up_returns_its_own() {
    let (mut edge, gateway) = wanted(1, 3).await;
    for (start, up) in [("start a0 1", "a0"), ("start a1 2", "a1"), ("start b0 3", "b0")] {
        assert_eq!(edge.command().await, start);
        edge.idles(seconds(1)).await;
        let instance = start.rsplit(' ').next().unwrap().parse().unwrap();
        edge.created(up, instance);
        gateway.reaches(up, instance);
    }
    assert_eq!(edge.command().await, "start a2 4");
}

#[tokio::test(start_paused = true)]
async fn a_failure_returns_its_slot_at_once() {
    let (mut edge, mut gateway) = wanted(1, 1).await;
    assert_eq!(edge.command().await, "start a0 1");
    edge.report("a0", 1, Event::NotCreated(Failure::NotStarted));
    assert_eq!(edge.command().await, "start b0 2");
    gateway.sees("a0", failed(Failure::NotStarted, seconds(1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_hangs_returns_its_slot_in_time() {
    let (mut edge, _gateway) = wanted(1, 1).await;
    assert_eq!(edge.command().await, "start a0 1");
    edge.idles(SLOT_TIME - SOON).await;
    assert_eq!(edge.command_within(SOON * 2).await, "start b0 2");
}

#[tokio::test(start_paused = true)]
async fn a_workspace_that_floods_leaves_a_slot_to_the_others() {
    let (mut edge, _gateway) = wanted(4, 100).await;
    let mut started = Vec::new();
    for _ in 0..4 {
        started.push(edge.command().await);
    }
    assert_eq!(started.iter().filter(|start| start.starts_with("start b0 ")).count(), 1, "{started:?}");
    edge.idles(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_app_needs_no_slot_to_go_on() {
    let mut edge = Edge::with([app("paused"), app("hangs")], 1, RemovalLimits::default());
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "paused").await;
    edge.fall_asleep(&mut gateway, "paused", instance).await;
    gateway.wants("hangs");
    assert_eq!(edge.command().await, "start hangs 2");
    gateway.wants("paused");
    assert_eq!(edge.command().await, format!("resume {instance}"));
}

#[tokio::test(start_paused = true)]
async fn who_stands_in_line_is_told_how_long_also_by_the_table() {
    let (mut edge, mut gateway) = wanted(1, 1).await;
    assert_eq!(edge.command().await, "start a0 1");
    let queued = |status: &Status| matches!(status, Status::Waking { phase: Phase::Queued, estimate: Some(time), position: Some(0), .. } if !time.is_zero());
    let status = gateway.hears("b0", SOON).await;
    assert!(queued(&status), "{status:?}");
    let later = edge.gateway().await;
    let (_, status) = later.table.apps.iter().find(|(app, _)| app.name.as_str() == "b0").unwrap();
    assert!(queued(status), "{status:?}");
}
