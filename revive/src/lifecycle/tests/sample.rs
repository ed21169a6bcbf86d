//! States and events that stand for all others, each with the name that the table has for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance, Phase, Round};

use super::super::*;

/// The instance that a state is about.
pub(super) const OURS: Instance = Instance(7);
/// One before it: what comes about it, comes too late.
pub(super) const STALE: Instance = Instance(6);
/// What admission names the next run.
pub(super) const NEXT: Instance = Instance(8);
/// The attempt to sleep that is under way.
pub(super) const ROUND: Round = Round(2);

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn endpoint() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 4000).into()
}

/// An app that is up for so many seconds, after so many failures in a row.
pub(super) fn running(up: u32, failures: u32, now: Instant) -> Running {
    Running { instance: OURS, endpoint: endpoint(), since: now - SECOND * up, wake_took: SECOND, failures }
}

fn draining(aim: Aim, deadline: Instant, running: Running) -> State {
    State::Draining(Draining { running, aim, round: ROUND, deadline })
}

fn waking(step: WakeStep, failures: u32, now: Instant) -> State {
    let retry = Retry::OnRequest;
    State::Waking(Waking {
        step,
        marks: vec![(Phase::Queued, now - SECOND)],
        failures,
        retry,
        unwanted_since: None,
    })
}

fn unwanted(state: State, since: Instant) -> State {
    match state {
        State::Waking(waking) => State::Waking(Waking { unwanted_since: Some(since), ..waking }),
        other => other,
    }
}

fn creating(deadline: Instant) -> WakeStep {
    WakeStep::Creating { instance: OURS, deadline }
}

fn probing(deadline: Instant, so_far: Failure) -> WakeStep {
    WakeStep::Probing { instance: OURS, endpoint: endpoint(), deadline, so_far }
}

/// An app that was up, after so many failures in a row, and at which nobody listens.
fn returning(deadline: Instant, failures: u32, now: Instant) -> State {
    let step = WakeStep::Returning { instance: OURS, endpoint: endpoint(), deadline };
    match waking(step, failures, now) {
        State::Waking(waking) => State::Waking(Waking { retry: Retry::ByItself, ..waking }),
        other => other,
    }
}

fn failed(retry_at: Instant, retry: Retry, leaving: Option<Instance>) -> State {
    let failure = if retry == Retry::ByItself { Failure::Crashed } else { Failure::Unhealthy };
    State::Failed(Failed { failure, failures: 3, retry_at, retry, leaving })
}

/// Every kind of state, each with its deadline ahead and, where time matters, just reached.
pub(super) fn states(now: Instant) -> Vec<(&'static str, State)> {
    let ahead = now + SECOND;
    let resuming = |deadline| WakeStep::Resuming { running: running(90, 0, now), deadline };
    let long_ago = now - WITHDRAWN_AFTER;
    let clearing = waking(WakeStep::Clearing(OURS), 2, now);
    let queued = waking(WakeStep::Queued, 2, now);
    vec![
        ("awake", State::Awake(running(59, 0, now))),
        ("awake, came up after 1 failure", State::Awake(running(59, 1, now))),
        ("awake, came up after 5 failures", State::Awake(running(59, 5, now))),
        ("awake, came up after 5 failures, stable", State::Awake(running(60, 5, now))),
        ("draining to light", draining(Aim::Sleep(Depth::Light), ahead, running(59, 1, now))),
        ("draining to light, stable", draining(Aim::Sleep(Depth::Light), ahead, running(60, 1, now))),
        ("draining to light, overdue", draining(Aim::Sleep(Depth::Light), now, running(59, 1, now))),
        ("draining to deep", draining(Aim::Sleep(Depth::Deep), ahead, running(59, 1, now))),
        ("draining to renew", draining(Aim::Renew, ahead, running(59, 1, now))),
        ("draining to renew, overdue", draining(Aim::Renew, now, running(59, 1, now))),
        ("draining to retire", draining(Aim::Retire, ahead, running(59, 1, now))),
        ("draining to retire, overdue", draining(Aim::Retire, now, running(59, 1, now))),
        ("light", State::Light(running(59, 1, now))),
        ("deep", State::Deep { leaving: None }),
        ("deep, leaving", State::Deep { leaving: Some(OURS) }),
        ("clearing", clearing.clone()),
        ("clearing, unwanted", unwanted(clearing.clone(), long_ago + SECOND)),
        ("clearing, unwanted for long", unwanted(clearing, long_ago)),
        ("queued", queued.clone()),
        ("queued, unwanted", unwanted(queued.clone(), long_ago + SECOND)),
        ("queued, unwanted for long", unwanted(queued, long_ago)),
        ("creating", waking(creating(ahead), 0, now)),
        ("creating, unwanted for long", unwanted(waking(creating(ahead), 0, now), long_ago)),
        ("creating, overdue", waking(creating(now), 2, now)),
        ("probing", waking(probing(ahead, Failure::NeverListened), 2, now)),
        ("probing, overdue", waking(probing(now, Failure::Unhealthy), 2, now)),
        ("returning", returning(ahead, 0, now)),
        ("returning, unwanted for long", unwanted(returning(ahead, 0, now), long_ago)),
        ("returning, came up after 1 failure", returning(ahead, 1, now)),
        ("returning, overdue", returning(now, 0, now)),
        ("resuming", waking(resuming(ahead), 1, now)),
        ("resuming, overdue", waking(resuming(now), 1, now)),
        ("failed", failed(ahead, Retry::OnRequest, None)),
        ("failed, leaving", failed(ahead, Retry::OnRequest, Some(OURS))),
        ("failed, retry due", failed(now, Retry::OnRequest, None)),
        ("failed, leaving, retry due", failed(now, Retry::OnRequest, Some(OURS))),
        ("crashed", failed(ahead, Retry::ByItself, None)),
        ("crashed, retry due", failed(now, Retry::ByItself, None)),
        ("gone", State::Gone { leaving: None }),
        ("gone, leaving", State::Gone { leaving: Some(OURS) }),
    ]
}

/// Every kind of event, about our instance and round and about earlier ones.
pub(super) fn events() -> Vec<(String, Event)> {
    let mut all: Vec<(String, Event)> = [
        ("wanted by a request", Event::Wanted(Demand::Request)),
        ("wanted by an admin", Event::Wanted(Demand::Admin)),
        ("unwanted", Event::Unwanted),
        ("sleep light", Event::Sleep { depth: Depth::Light, round: Round(3) }),
        ("sleep deep", Event::Sleep { depth: Depth::Deep, round: Round(3) }),
        ("quiesced", Event::Quiesced { round: ROUND, busy: false }),
        ("busy", Event::Quiesced { round: ROUND, busy: true }),
        ("stale quiesced", Event::Quiesced { round: Round(1), busy: false }),
        ("stale busy", Event::Quiesced { round: Round(1), busy: true }),
        ("granted", Event::Granted { instance: NEXT }),
        ("tick", Event::Tick),
        ("changed", Event::Changed { round: Round(3) }),
        ("deleted", Event::Deleted { round: Round(3) }),
    ]
    .map(|(name, event)| (name.to_owned(), event))
    .into();
    all.extend(about(OURS).map(|(name, event)| (name.to_owned(), event)));
    all.extend(about(STALE).map(|(name, event)| (format!("stale {name}"), event)));
    all
}

fn about(instance: Instance) -> [(&'static str, Event); 9] {
    [
        ("created", Event::Created { instance, endpoint: endpoint() }),
        ("not created", Event::NotCreated { instance, failure: Failure::ProgramNotFound }),
        ("paused", Event::Paused { instance }),
        ("resumed", Event::Resumed { instance }),
        ("ending", Event::Ending { instance }),
        ("exited", Event::Exited { instance }),
        ("reachable", Event::Reachable { instance }),
        ("not reachable", Event::NotReachable { instance, so_far: Failure::Unhealthy }),
        ("unreachable", Event::Unreachable { instance }),
    ]
}
