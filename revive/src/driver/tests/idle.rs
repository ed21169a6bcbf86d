//! When an app is put to sleep, by the clock.

use std::time::Duration;

use config::link::{Depth, ToRevive};
use config::model::After;

use super::fakes::{Edge, IDLE, REMOVE, SOON, activity, app, asleep, awake, seconds, with_sleep};
use crate::platform::{Event, Exit};

#[tokio::test(start_paused = true)]
async fn an_app_sleeps_when_it_has_been_idle_for_long_enough_and_is_removed_later() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    gateway.hears_nothing("a", IDLE - SOON).await;
    edge.fall_asleep(&mut gateway, "a", instance).await;
    edge.idles(REMOVE - IDLE - SOON).await;
    assert_eq!(edge.command_within(SOON * 2).await, format!("stop {instance}"));
    gateway.sees("a", asleep(Depth::Deep)).await;
    edge.report("a", instance, Event::Exited(Exit::Signal(15)));
    edge.idles(REMOVE * 2).await;
}

#[tokio::test(start_paused = true)]
async fn each_word_of_activity_begins_the_idle_time_anew() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    edge.wake(&mut gateway, "a").await;
    for _ in 0..5 {
        gateway.hears_nothing("a", IDLE - seconds(1)).await;
        gateway.uses("a", 0);
    }
    // What gateways say is about the past.
    gateway.say(ToRevive::Activity(vec![activity("a", 0, Some(seconds(3)))]));
    gateway.hears_nothing("a", IDLE - SOON).await;
    gateway.drains("a", SOON * 2).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_open_at_any_gateway_keeps_it_awake() {
    let mut edge = Edge::start([app("a")]);
    let (mut one, other) = (edge.gateway().await, edge.gateway().await);
    edge.wake(&mut one, "a").await;
    other.uses("a", 1);
    one.uses("a", 0);
    one.hears_nothing("a", REMOVE * 10).await;
    other.uses("a", 0);
    one.hears_nothing("a", IDLE - SOON).await;
    one.drains("a", SOON * 2).await;
}

#[tokio::test(start_paused = true)]
async fn an_app_that_was_slow_to_wake_stays_awake_three_times_as_long() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 1");
    edge.idles(seconds(20)).await;
    edge.created("a", 1);
    gateway.reaches("a", 1);
    gateway.sees("a", awake(1)).await;
    gateway.hears_nothing("a", seconds(60) - SOON).await;
    gateway.drains("a", SOON * 2).await;
}

#[tokio::test(start_paused = true)]
async fn never_is_never_and_at_once_is_deep() {
    let never = with_sleep(app("never"), After::Never, After::Never);
    let direct = with_sleep(app("direct"), After::Elapsed(IDLE), After::Elapsed(IDLE));
    let mut edge = Edge::start([never, direct]);
    let mut gateway = edge.gateway().await;
    edge.wake(&mut gateway, "never").await;
    let instance = edge.wake(&mut gateway, "direct").await;
    let round = gateway.drains("direct", IDLE + SOON).await;
    gateway.quiesced("direct", round, 0);
    assert_eq!(edge.command().await, format!("stop {instance}"));
    gateway.hears_nothing("never", Duration::from_hours(24 * 365)).await;
}
