//! States and events that stand for all others, each with the name that the table has for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance, Phase, Round};

use super::super::*;
use crate::platform::{Light, Rest};

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

/// Where another pod of the same instance listens.
fn elsewhere() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 4001).into()
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
        depth: Depth::Deep,
        by: By::Us,
    })
}

fn unwanted(state: State, since: Instant) -> State {
    match state {
        State::Waking(waking) => State::Waking(Waking { unwanted_since: Some(since), ..waking }),
        other => other,
    }
}

fn creating(deadline: Instant) -> WakeStep {
    let (phase, so_far) = (Phase::Creating, Failure::NotStarted);
    WakeStep::Creating { instance: OURS, deadline, phase, so_far }
}

fn probing(deadline: Instant, so_far: Failure) -> WakeStep {
    WakeStep::Probing { instance: OURS, endpoint: endpoint(), deadline, so_far }
}

/// An app that was up, after so many failures in a row, and at which nobody listens.
fn returning(deadline: Instant, failures: u32, now: Instant) -> State {
    let so_far = Failure::Crashed;
    let step = WakeStep::Returning { instance: OURS, endpoint: endpoint(), deadline, so_far };
    match waking(step, failures, now) {
        State::Waking(waking) => State::Waking(Waking { retry: Retry::ByItself, ..waking }),
        other => other,
    }
}

/// The same on its way up by somebody else's doing, or of an app that slept lightly.
fn among_others(state: State, by: By) -> State {
    match state {
        State::Waking(waking) => State::Waking(Waking { by, depth: Depth::Light, ..waking }),
        other => other,
    }
}

fn failed(retry_at: Instant, retry: Retry, remains: Remains) -> State {
    let failure = if retry == Retry::ByItself { Failure::Crashed } else { Failure::Unhealthy };
    State::Failed(Failed { failure, failures: 3, retry_at, retry, remains })
}

/// Every kind of state on a platform, each with its deadline ahead and, where time matters, just reached.
pub(super) fn states(light: Light, now: Instant) -> Vec<(&'static str, State)> {
    match light {
        Light::Paused => of_processes(now),
        Light::Stopped => of_workloads(now),
    }
}

/// Every kind of state where others start and stop apps, too.
fn of_workloads(now: Instant) -> Vec<(&'static str, State)> {
    let ahead = now + SECOND;
    let long_ago = now - WITHDRAWN_AFTER;
    let ours = |step| among_others(waking(step, 2, now), By::Us);
    let theirs = |step| among_others(waking(step, 0, now), By::Others);
    let clearing = ours(WakeStep::Clearing(OURS));
    let queued = ours(WakeStep::Queued);
    let returning = |deadline| among_others(returning(deadline, 0, now), By::Others);
    let pulled = WakeStep::Creating {
        instance: OURS,
        deadline: ahead,
        phase: Phase::Pulling,
        so_far: Failure::ImagePull,
    };
    let running = |endpoint| Remains::Running { instance: OURS, endpoint };
    vec![
        ("awake", State::Awake(running_for(59, now))),
        ("draining to light", draining(Aim::Sleep(Depth::Light), ahead, running_for(59, now))),
        ("draining to light, overdue", draining(Aim::Sleep(Depth::Light), now, running_for(59, now))),
        ("draining to deep", draining(Aim::Sleep(Depth::Deep), ahead, running_for(59, now))),
        ("draining to renew", draining(Aim::Renew, ahead, running_for(59, now))),
        ("light", State::Down { depth: Depth::Light, leaving: None }),
        ("light, leaving", State::Down { depth: Depth::Light, leaving: Some(OURS) }),
        ("deep", State::Down { depth: Depth::Deep, leaving: None }),
        ("deep, leaving", State::Down { depth: Depth::Deep, leaving: Some(OURS) }),
        ("absent", State::Absent),
        ("clearing", clearing.clone()),
        ("clearing, unwanted for long", unwanted(clearing, long_ago)),
        ("queued", queued.clone()),
        ("queued, unwanted for long", unwanted(queued, long_ago)),
        ("creating", ours(creating(ahead))),
        ("creating, pulling", ours(pulled)),
        ("creating, overdue", ours(creating(now))),
        ("creating, by others", theirs(creating(ahead))),
        ("creating, by others, overdue", theirs(creating(now))),
        ("probing", ours(probing(ahead, Failure::NeverListened))),
        ("probing, ailing", ours(probing(ahead, Failure::OutOfMemory))),
        ("probing, overdue", ours(probing(now, Failure::Unhealthy))),
        ("probing, by others", theirs(probing(ahead, Failure::NeverListened))),
        ("probing, by others, overdue", theirs(probing(now, Failure::Unhealthy))),
        ("returning", returning(ahead)),
        ("returning, overdue", returning(now)),
        ("failed", failed(ahead, Retry::OnRequest, Remains::Nothing)),
        ("failed, leaving", failed(ahead, Retry::OnRequest, Remains::Leaving(OURS))),
        ("failed, retry due", failed(now, Retry::OnRequest, Remains::Nothing)),
        ("failed, running", failed(ahead, Retry::OnRequest, running(Some(endpoint())))),
        ("failed, running, retry due", failed(now, Retry::OnRequest, running(Some(endpoint())))),
        ("failed, running without address, retry due", failed(now, Retry::ByItself, running(None))),
        ("gone", State::Gone { leaving: None }),
    ]
}

fn running_for(up: u32, now: Instant) -> Running {
    running(up, 0, now)
}

/// Every kind of state of a process.
fn of_processes(now: Instant) -> Vec<(&'static str, State)> {
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
        ("paused", State::Paused(running(59, 1, now))),
        ("deep", State::Down { depth: Depth::Deep, leaving: None }),
        ("deep, leaving", State::Down { depth: Depth::Deep, leaving: Some(OURS) }),
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
        ("failed", failed(ahead, Retry::OnRequest, Remains::Nothing)),
        ("failed, leaving", failed(ahead, Retry::OnRequest, Remains::Leaving(OURS))),
        ("failed, retry due", failed(now, Retry::OnRequest, Remains::Nothing)),
        ("failed, leaving, retry due", failed(now, Retry::OnRequest, Remains::Leaving(OURS))),
        ("crashed", failed(ahead, Retry::ByItself, Remains::Nothing)),
        ("crashed, retry due", failed(now, Retry::ByItself, Remains::Nothing)),
        ("gone", State::Gone { leaving: None }),
        ("gone, leaving", State::Gone { leaving: Some(OURS) }),
    ]
}

/// Every kind of event that there is on a platform, about our instance and round and about earlier ones.
pub(super) fn events(light: Light) -> Vec<(String, Event)> {
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
    if light == Light::Stopped {
        all.extend(of_others().map(|(name, event)| (name.to_owned(), event)));
    }
    for (instance, word) in [(OURS, ""), (STALE, "stale ")] {
        let told = match light {
            Light::Paused => about_a_process(instance).to_vec(),
            Light::Stopped => about_a_workload(instance).to_vec(),
        };
        let told = about(instance).into_iter().chain(told);
        all.extend(told.map(|(name, event)| (format!("{word}{name}"), event)));
    }
    all
}

fn about(instance: Instance) -> [(&'static str, Event); 7] {
    [
        ("created", Event::Created { instance, endpoint: endpoint() }),
        ("not created", Event::NotCreated { instance, failure: Failure::ProgramNotFound }),
        ("ending", Event::Ending { instance }),
        ("exited", Event::Exited { instance }),
        ("reachable", Event::Reachable { instance }),
        ("not reachable", Event::NotReachable { instance, so_far: Failure::Unhealthy }),
        ("unreachable", Event::Unreachable { instance }),
    ]
}

fn about_a_process(instance: Instance) -> [(&'static str, Event); 2] {
    [("paused", Event::Paused { instance }), ("resumed", Event::Resumed { instance })]
}

fn about_a_workload(instance: Instance) -> [(&'static str, Event); 8] {
    [
        ("scheduling", Event::Phase { instance, phase: Phase::Scheduling }),
        ("starting", Event::Phase { instance, phase: Phase::Starting }),
        ("ails", Event::Ails { instance, failure: Failure::ImagePull }),
        ("created elsewhere", Event::Created { instance, endpoint: elsewhere() }),
        ("does not listen", Event::NotReachable { instance, so_far: Failure::NeverListened }),
        ("ready", Event::Ready { instance, endpoint: elsewhere() }),
        ("put down", Event::PutDown { instance, rest: Rest::Asleep(Depth::Light) }),
        ("put down for good", Event::PutDown { instance, rest: Rest::Nothing }),
    ]
}

/// What others do to an app without an instance.
fn of_others() -> [(&'static str, Event); 6] {
    [
        ("appeared", Event::Appeared { instance: NEXT }),
        ("put back, to light", Event::PutBack { instance: NEXT, depth: Depth::Light }),
        ("put back, to deep", Event::PutBack { instance: NEXT, depth: Depth::Deep }),
        ("rests light", Event::Rests(Rest::Asleep(Depth::Light))),
        ("rests deep", Event::Rests(Rest::Asleep(Depth::Deep))),
        ("rests nowhere", Event::Rests(Rest::Nothing)),
    ]
}
