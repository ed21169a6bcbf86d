//! What keeps apps as they are, whatever their policies say.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use config::link::Depth;
use config::model::{After, Label};

use super::fakes::{Edge, Gateway, IDLE, SOON, app, asleep, of_workspace, seconds, with_sleep};
use crate::brakes::{RemovalLimits, Scope};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn a_pause_keeps_all_awake_and_ends_at_once() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    edge.wake(&mut gateway, "a").await;
    edge.pause(Scope::All).await;
    gateway.hears_nothing("a", IDLE * 10).await;
    edge.resume(Scope::All).await;
    gateway.drains("a", SOON).await;
}

#[tokio::test(start_paused = true)]
async fn a_workspace_is_paused_alone_and_not_resumed_with_all() {
    let mut edge = Edge::start([app("a"), of_workspace(app("b"), "blog")]);
    let mut gateway = edge.gateway().await;
    edge.wake(&mut gateway, "a").await;
    edge.wake(&mut gateway, "b").await;
    let shop = Scope::Workspace(Label::parse("shop").unwrap());
    edge.pause(shop.clone()).await;
    gateway.drains("b", IDLE + SOON).await;
    edge.pause(Scope::All).await;
    edge.resume(Scope::All).await;
    gateway.hears_nothing("a", IDLE * 10).await;
    edge.resume(shop).await;
    gateway.drains("a", SOON).await;
}

/// Apps that are awake, and due to be removed `IDLE` after they were.
async fn to_be_removed(count: u64, limits: RemovalLimits) -> (Edge, Gateway) {
    let name = |n: u64| format!("a{n}");
    let apps = (1..=count).map(|n| with_sleep(app(&name(n)), After::Never, After::Elapsed(IDLE)));
    let mut edge = Edge::with(apps, 1_000, limits);
    let mut gateway = edge.gateway().await;
    for n in 1..=count {
        edge.wake(&mut gateway, &name(n)).await;
    }
    // Without a gateway nobody is asked before an app sleeps.
    (edge, gateway)
}

/// How many apps are ended within this time.
async fn removals(edge: &mut Edge, time: Duration) -> usize {
    let mut count = 0;
    let counting = async {
        loop {
            assert!(edge.command_within(time * 2).await.starts_with("stop "));
            count += 1;
        }
    };
    let endless: Result<(), _> = tokio::time::timeout(time, counting).await;
    assert!(endless.is_err());
    count
}

#[tokio::test(start_paused = true)]
async fn so_many_are_removed_in_an_hour_and_the_others_later() {
    let limits = RemovalLimits { per_hour: 3, ..RemovalLimits::default() };
    let (mut edge, gateway) = to_be_removed(5, limits).await;
    drop(gateway);
    assert_eq!(removals(&mut edge, HOUR).await, 3);
    assert_eq!(removals(&mut edge, HOUR).await, 2);
}

#[tokio::test(start_paused = true)]
async fn removals_that_look_like_a_mistake_stop_until_somebody_resumes() {
    let limits = RemovalLimits { stop_floor: 2, ..RemovalLimits::default() };
    let (mut edge, gateway) = to_be_removed(5, limits).await;
    drop(gateway);
    assert_eq!(removals(&mut edge, HOUR * 10).await, 2);
    edge.resume(Scope::All).await;
    assert_eq!(removals(&mut edge, HOUR * 10).await, 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_for_an_hour_after_the_wall_clock_has_jumped() {
    let (mut edge, mut gateway) = to_be_removed(1, RemovalLimits::default()).await;
    edge.clock_step.store(7_200, Relaxed);
    gateway.hears_nothing("a1", HOUR).await;
    let round = gateway.drains("a1", IDLE + seconds(10)).await;
    gateway.quiesced("a1", round, 0);
    assert_eq!(edge.command().await, "stop 1");
    gateway.sees("a1", asleep(Depth::Deep)).await;
}
