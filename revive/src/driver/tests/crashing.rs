//! Apps that end, or stop listening, while they are awake.

use config::link::{Depth, Failure, Instance, Phase, Probe, Status, ToRevive};
use config::model::Source;

use super::fakes::{Edge, Gateway, SOON, app, asleep, awake, endpoint, failed, id, seconds, settle};
use crate::platform::{Event, Exit};

impl Gateway {
    fn is_refused(&self, app: &str, instance: u64) {
        self.say(ToRevive::Unreachable { app: id(app), instance: Instance(instance) });
    }

    /// The next thing it hears of this app is that it waits for it.
    async fn holds(&mut self, app: &str) -> (Phase, Option<Probe>) {
        match self.hears(app, SOON).await {
            Status::Waking { phase, probe, .. } => (phase, probe),
            other => panic!("{app} should be on its way up, and is {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_that_ends_while_awake_is_started_again_at_once_and_then_with_growing_pauses() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let first = edge.wake(&mut gateway, "a").await;
    edge.report("a", first, Event::Exited(Exit::Code(1)));
    assert_eq!(edge.command().await, "start a 2");
    for (instance, backoff) in [(2, 1), (3, 2)] {
        edge.created("a", instance);
        gateway.reaches("a", instance);
        gateway.sees("a", awake(instance)).await;
        edge.report("a", instance, Event::Exited(Exit::Signal(9)));
        gateway.sees("a", failed(Failure::Crashed, seconds(backoff))).await;
        edge.idles(seconds(backoff) - SOON).await;
        let again = edge.command_within(SOON * 2).await;
        assert_eq!(again, format!("start a {}", instance + 1), "by itself, without a request");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_known_at_once_and_the_next_run_begins_when_nothing_is_left() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let first = edge.wake(&mut gateway, "a").await;
    edge.report("a", first, Event::Ending(Exit::Code(7)));
    assert_eq!(gateway.holds("a").await, (Phase::Queued, None));
    edge.idles(seconds(5)).await;
    edge.report("a", first, Event::Exited(Exit::Code(7)));
    assert_eq!(edge.command().await, "start a 2");
    edge.created("a", 2);
    gateway.reaches("a", 2);
    gateway.sees("a", awake(2)).await;

    edge.report("a", 2, Event::Ending(Exit::Signal(9)));
    gateway.sees("a", failed(Failure::Crashed, seconds(1))).await;
    edge.idles(seconds(5)).await;
    edge.report("a", 2, Event::Exited(Exit::Signal(9)));
    assert_eq!(edge.command().await, "start a 3");
}

#[tokio::test(start_paused = true)]
async fn even_a_first_crash_is_told_and_how_it_ended() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let first = edge.wake(&mut gateway, "a").await;
    edge.report("a", first, Event::Ending(Exit::Code(7)));
    settle().await;
    let failure = edge.view("a").await.last_failure.unwrap();
    assert_eq!((failure.code, failure.exit.as_deref()), ("crashed", Some("code 7")));

    edge.report("a", first, Event::Exited(Exit::Code(7)));
    assert_eq!(edge.command().await, "start a 2");
    edge.created("a", 2);
    edge.report("a", 2, Event::Ending(Exit::Signal(9)));
    gateway.sees("a", failed(Failure::ExitedEarly, seconds(2))).await;
    let failure = edge.view("a").await.last_failure.unwrap();
    assert_eq!((failure.code, failure.exit.as_deref()), ("exited-early", Some("signal 9")));

    edge.report("a", 2, Event::Exited(Exit::Signal(9)));
    assert_eq!(edge.command_within(seconds(3)).await, "start a 3");
    edge.report("a", 3, Event::NotCreated(Failure::NotStarted));
    settle().await;
    let failure = edge.view("a").await.last_failure.unwrap();
    assert_eq!(
        (failure.code, failure.exit),
        ("not-started", None),
        "nothing of an earlier run is told of it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sleeper_that_dies_is_started_when_nothing_is_left_of_it() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let first = edge.wake(&mut gateway, "a").await;
    edge.fall_asleep(&mut gateway, "a", first).await;
    edge.report("a", first, Event::Ending(Exit::Signal(9)));
    gateway.sees("a", asleep(Depth::Deep)).await;
    gateway.wants("a");
    edge.idles(seconds(1)).await;
    edge.report("a", first, Event::Exited(Exit::Signal(9)));
    assert_eq!(edge.command().await, "start a 2");
    assert_eq!(edge.view("a").await.last_failure, None, "nobody missed it");
}

#[tokio::test(start_paused = true)]
async fn an_app_at_which_nobody_listens_is_asked_until_it_is_back() {
    let mut edge = Edge::with([app("a"), app("b")], 1, crate::brakes::RemovalLimits::default());
    let mut gateway = edge.gateway().await;
    let first = edge.wake(&mut gateway, "a").await;
    gateway.is_refused("a", first + 1);
    gateway.is_refused("a", first);
    gateway.is_refused("a", first);
    let probe = Probe { instance: Instance(first), endpoint: endpoint(first) };
    assert_eq!(gateway.holds("a").await, (Phase::Starting, Some(probe)));
    edge.wake(&mut gateway, "b").await;
    gateway.reaches("a", first);
    gateway.sees("a", awake(first)).await;
    edge.idles(seconds(20)).await;
    assert_eq!(edge.view("a").await.last_failure, None, "it came back");
}

#[tokio::test(start_paused = true)]
async fn an_app_that_does_not_come_back_is_ended_and_started_again_by_itself() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let first = edge.wake(&mut gateway, "a").await;
    gateway.is_refused("a", first);
    gateway.holds("a").await;
    edge.idles(seconds(30) - SOON).await;
    assert_eq!(edge.command_within(SOON * 2).await, format!("stop {first}"));
    gateway.sees("a", failed(Failure::Crashed, seconds(1))).await;
    let failure = edge.view("a").await.last_failure.unwrap();
    assert_eq!((failure.code, failure.exit), ("crashed", None), "it did not end by itself");
    edge.report("a", first, Event::Exited(Exit::Signal(15)));
    assert_eq!(edge.command_within(seconds(1) + SOON).await, "start a 2");
}

#[tokio::test(start_paused = true)]
async fn an_app_that_listens_no_more_because_it_ends_has_crashed() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let first = edge.wake(&mut gateway, "a").await;
    gateway.is_refused("a", first);
    gateway.holds("a").await;
    edge.report("a", first, Event::Ending(Exit::Code(1)));
    edge.report("a", first, Event::Exited(Exit::Code(1)));
    assert_eq!(edge.command().await, "start a 2");
    edge.created("a", 2);
    gateway.reaches("a", 2);
    gateway.sees("a", awake(2)).await;
    gateway.is_refused("a", 2);
    gateway.holds("a").await;
    edge.report("a", 2, Event::Ending(Exit::Code(1)));
    gateway.sees("a", failed(Failure::Crashed, seconds(1))).await;
}

#[tokio::test(start_paused = true)]
async fn an_app_that_somebody_else_runs_is_taken_to_be_up_whoever_is_refused() {
    let mut theirs = app("theirs");
    theirs.source = Source::Upstreams(vec![endpoint(1).into()]);
    let edge = Edge::start([theirs]);
    let mut gateway = edge.gateway().await;
    gateway.is_refused("theirs", 0);
    gateway.hears_nothing("theirs", seconds(60)).await;
}
