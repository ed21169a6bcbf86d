//! Two-phase sleep: nothing is paused or ended before every gateway has said that it holds the app's requests.

use config::link::{Depth, Round, Status};

use super::fakes::{Edge, IDLE, SOON, app, asleep, awake, seconds, settle};
use crate::platform::{Event, Exit};

/// How long gateways may take.
const QUIESCE: std::time::Duration = crate::lifecycle::QUIESCE_TIMEOUT;

#[tokio::test(start_paused = true)]
async fn an_app_sleeps_when_the_last_gateway_holds_its_requests() {
    let mut edge = Edge::start([app("a")]);
    let (mut one, mut other) = (edge.gateway().await, edge.gateway().await);
    let instance = edge.wake(&mut one, "a").await;
    let round = one.drains("a", IDLE + SOON).await;
    one.quiesced("a", round, 0);
    edge.idles(QUIESCE - SOON * 2).await;
    other.sees("a", Status::Draining { round }).await;
    other.quiesced("a", round, 0);
    assert_eq!(edge.command().await, format!("pause {instance}"));
    one.sees("a", asleep(Depth::Light)).await;
    other.sees("a", asleep(Depth::Light)).await;
}

#[tokio::test(start_paused = true)]
async fn one_gateway_that_finds_it_in_use_keeps_it_awake() {
    let mut edge = Edge::start([app("a")]);
    let (mut one, mut other) = (edge.gateway().await, edge.gateway().await);
    let instance = edge.wake(&mut one, "a").await;
    let round = one.drains("a", IDLE + SOON).await;
    other.quiesced("a", round, 1);
    one.sees("a", awake(instance)).await;
    other.sees("a", awake(instance)).await;
    one.quiesced("a", round, 0);
    edge.idles(seconds(600)).await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_never_answers_keeps_it_awake() {
    let mut edge = Edge::start([app("a")]);
    let (mut one, _silent) = (edge.gateway().await, edge.gateway().await);
    let instance = edge.wake(&mut one, "a").await;
    let round = one.drains("a", IDLE + SOON).await;
    one.quiesced("a", round, 0);
    one.hears_nothing("a", QUIESCE - SOON).await;
    assert_eq!(one.hears("a", SOON * 2).await, awake(instance));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_leaves_is_not_waited_for() {
    let mut edge = Edge::start([app("a")]);
    let (mut one, other) = (edge.gateway().await, edge.gateway().await);
    let instance = edge.wake(&mut one, "a").await;
    let round = one.drains("a", IDLE + SOON).await;
    one.quiesced("a", round, 0);
    edge.idles(seconds(1)).await;
    drop(other);
    assert_eq!(edge.command().await, format!("pause {instance}"));
    one.sees("a", asleep(Depth::Light)).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_open_at_a_gateway_that_has_left_keeps_nothing_awake() {
    let mut edge = Edge::start([app("a")]);
    let (mut one, other) = (edge.gateway().await, edge.gateway().await);
    edge.wake(&mut one, "a").await;
    other.uses("a", 3);
    one.hears_nothing("a", IDLE * 4).await;
    // It may still read; who cannot say anything any more has left.
    drop(other.end.tx);
    one.drains("a", SOON).await;
}

#[tokio::test(start_paused = true)]
async fn without_any_gateway_nobody_needs_to_be_asked() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    drop(gateway);
    edge.idles(IDLE - SOON * 2).await;
    assert_eq!(edge.command_within(SOON * 3).await, format!("pause {instance}"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_an_earlier_attempt_is_none_to_this_one() {
    let mut edge = Edge::start([app("a")]);
    let (mut one, other) = (edge.gateway().await, edge.gateway().await);
    let instance = edge.wake(&mut one, "a").await;
    let earlier = one.drains("a", IDLE + SOON).await;
    one.wants("a");
    one.sees("a", awake(instance)).await;
    one.uses("a", 0);
    let round = one.drains("a", IDLE + SOON).await;
    assert_ne!(round, earlier);
    other.quiesced("a", earlier, 0);
    other.quiesced("a", Round(round.0 + 1), 0);
    settle().await;
    one.quiesced("a", round, 0);
    edge.idles(seconds(1)).await;
    other.quiesced("a", round, 0);
    assert_eq!(edge.command().await, format!("pause {instance}"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_came_and_went_since_the_decision_keeps_it_awake() {
    let mut edge = Edge::start([app("a")]);
    let (mut one, other) = (edge.gateway().await, edge.gateway().await);
    let instance = edge.wake(&mut one, "a").await;
    let round = one.drains("a", IDLE + SOON).await;
    edge.idles(seconds(1)).await;
    other.uses("a", 0);
    settle().await;
    other.quiesced("a", round, 0);
    one.quiesced("a", round, 0);
    one.sees("a", awake(instance)).await;
    edge.idles(IDLE - SOON).await;
}

#[tokio::test(start_paused = true)]
async fn who_wants_it_after_it_was_paused_has_it_resumed_and_after_its_end_started() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    edge.fall_asleep(&mut gateway, "a", instance).await;
    gateway.wants("a");
    assert_eq!(edge.command().await, format!("resume {instance}"));
    edge.report("a", instance, Event::Resumed);
    gateway.sees("a", awake(instance)).await;
    edge.fall_asleep(&mut gateway, "a", instance).await;
    edge.report("a", instance, Event::Exited(Exit::Signal(9)));
    gateway.sees("a", asleep(Depth::Deep)).await;
    gateway.wants("a");
    assert_eq!(edge.command().await, format!("start a {}", instance + 1));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cancels_an_attempt_has_time_to_reach_the_app() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    gateway.drains("a", IDLE + SOON).await;
    gateway.wants("a");
    gateway.sees("a", awake(instance)).await;
    gateway.hears_nothing("a", seconds(9)).await;
    gateway.drains("a", seconds(1) + SOON).await;
}
