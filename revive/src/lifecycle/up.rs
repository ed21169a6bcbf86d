//! Apps that are up, and what becomes of them when they are put to sleep, renewed or ended.

use std::time::Instant;

use config::link::{Depth, Failure, Instance, Phase, Round};

use super::event::{Action, Event};
use super::state::{Aim, By, Draining, Retry, Running, State, WakeStep};
use super::{
    Before, QUIESCE_TIMEOUT, RESUME_TIMEOUT, Rules, Transition, begin, crashed, gone_with, rests, stay, to,
    wake,
};
use crate::platform::{Light, Rest};

/// Everything that can happen to an app that is awake.
pub(super) fn awake(running: Running, event: Event, rules: &Rules, now: Instant) -> Transition {
    let instance = running.instance;
    match event {
        Event::Sleep { depth, round } => drain(running, Aim::Sleep(depth), round, now + QUIESCE_TIMEOUT),
        Event::Ending { instance: ended } if ended == instance => {
            crashed(instance, Some(instance), running.unforgiven(now), rules, now)
        }
        Event::Exited { instance: ended } if ended == instance => {
            crashed(instance, None, running.unforgiven(now), rules, now)
        }
        Event::PutDown { instance: ended, rest } if ended == instance => to(rests(rest), []),
        Event::Ready { instance: ready, endpoint } if ready == instance => {
            stay(State::Awake(Running { endpoint, ..running }), [])
        }
        Event::Unreachable { instance: lost } if lost == instance => to(returning(&running, rules, now), []),
        Event::Changed { round } => drain(running, Aim::Renew, round, now + rules.drain),
        Event::Deleted { round } => retire(running, round, rules, now),
        Event::Granted { .. } => stay(State::Awake(running), [Action::Release]),
        Event::Wanted(_)
        | Event::Unwanted
        | Event::Quiesced { .. }
        | Event::Phase { .. }
        | Event::Ails { .. }
        | Event::Created { .. }
        | Event::Ready { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::PutDown { .. }
        | Event::Ending { .. }
        | Event::Exited { .. }
        | Event::Appeared { .. }
        | Event::PutBack { .. }
        | Event::Rests(_)
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick => stay(State::Awake(running), []),
    }
}

/// Everything that can happen to an app whose requests are held, so that what is open can end.
pub(super) fn draining(draining: Draining, event: Event, rules: &Rules, now: Instant) -> Transition {
    let Draining { running, aim, round, deadline } = draining;
    let instance = running.instance;
    let sleeps = matches!(aim, Aim::Sleep(_));
    match event {
        Event::Wanted(_) if sleeps => to(State::Awake(running), []),
        Event::Quiesced { round: acked, busy: true } if acked == round && sleeps => {
            to(State::Awake(running), [])
        }
        Event::Quiesced { round: acked, busy: false } if acked == round => drained(running, aim, rules, now),
        Event::Tick if now >= deadline && sleeps => to(State::Awake(running), []),
        // Whatever is still open has had its time.
        Event::Tick if now >= deadline => drained(running, aim, rules, now),
        Event::Ending { instance: ended } if ended == instance => {
            ended_drained(aim, Some(instance), rules, now)
        }
        Event::Exited { instance: ended } if ended == instance => ended_drained(aim, None, rules, now),
        Event::PutDown { instance: ended, rest } if ended == instance => put_down_drained(aim, rest),
        Event::Ready { instance: ready, endpoint } if ready == instance => {
            stay(State::Draining(Draining { running: Running { endpoint, ..running }, ..draining }), [])
        }
        // Gateways hold its requests already.
        Event::Changed { .. } if sleeps => {
            let deadline = now + rules.drain;
            stay(State::Draining(Draining { aim: Aim::Renew, deadline, ..draining }), [])
        }
        Event::Deleted { .. } if aim != Aim::Retire => retire(running, round, rules, now),
        Event::Granted { .. } => stay(State::Draining(draining), [Action::Release]),
        Event::Wanted(_)
        | Event::Unwanted
        | Event::Sleep { .. }
        | Event::Quiesced { .. }
        | Event::Phase { .. }
        | Event::Ails { .. }
        | Event::Created { .. }
        | Event::Ready { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::PutDown { .. }
        | Event::Ending { .. }
        | Event::Exited { .. }
        | Event::Appeared { .. }
        | Event::PutBack { .. }
        | Event::Rests(_)
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick
        | Event::Changed { .. }
        | Event::Deleted { .. } => stay(State::Draining(draining), []),
    }
}

fn drain(running: Running, aim: Aim, round: Round, deadline: Instant) -> Transition {
    to(State::Draining(Draining { running, aim, round, deadline }), [])
}

/// It is no longer in the table. What is let go as it is need not be drained.
fn retire(running: Running, round: Round, rules: &Rules, now: Instant) -> Transition {
    match rules.light {
        Light::Paused => drain(running, Aim::Retire, round, now + rules.drain),
        Light::Stopped => gone_with(running.instance, rules),
    }
}

/// Nothing is open any more at an app that was drained.
fn drained(running: Running, aim: Aim, rules: &Rules, now: Instant) -> Transition {
    let instance = running.instance;
    match (aim, rules.light) {
        (Aim::Sleep(Depth::Light), Light::Paused) => {
            let running = Running { failures: running.unforgiven(now), ..running };
            to(State::Paused(running), [Action::Pause(instance)])
        }
        (Aim::Sleep(depth), _) => put_down(instance, depth),
        (Aim::Renew, _) => {
            let mut renewed = renewed(Some(instance), rules, now);
            renewed.actions.push(Action::Stop { instance, depth: rules.stopped() });
            renewed
        }
        (Aim::Retire, _) => gone_with(instance, rules),
    }
}

/// It is told to end, and sleeps.
fn put_down(instance: Instance, depth: Depth) -> Transition {
    to(State::Down { depth, leaving: Some(instance) }, [Action::Stop { instance, depth }])
}

/// What was awake is to be so again, with its new version.
fn renewed(leaving: Option<Instance>, rules: &Rules, now: Instant) -> Transition {
    begin(leaving, Before { failures: 0, retry: Retry::OnRequest, depth: rules.stopped() }, now)
}

/// An app ended while it was drained; it was about to be ended or paused, so it has not crashed. Something of it may be
/// `leaving`.
fn ended_drained(aim: Aim, leaving: Option<Instance>, rules: &Rules, now: Instant) -> Transition {
    match aim {
        Aim::Sleep(_) => to(State::Down { depth: rules.stopped(), leaving }, []),
        Aim::Renew => renewed(leaving, rules, now),
        Aim::Retire => to(State::Gone { leaving }, []),
    }
}

fn put_down_drained(aim: Aim, rest: Rest) -> Transition {
    match aim {
        Aim::Sleep(_) | Aim::Renew => to(rests(rest), []),
        Aim::Retire => to(State::Gone { leaving: None }, []),
    }
}

/// Nobody listens any more at an app that is awake. It may be back before long: its requests wait for it as if it were
/// starting.
fn returning(running: &Running, rules: &Rules, now: Instant) -> State {
    let Running { instance, endpoint, .. } = *running;
    let (deadline, so_far) = (now + rules.grace, Failure::Crashed);
    let step = WakeStep::Returning { instance, endpoint, deadline, so_far };
    let before = Before { failures: running.unforgiven(now), retry: Retry::ByItself, depth: rules.stopped() };
    let by = match rules.light {
        Light::Paused => By::Us,
        Light::Stopped => By::Others,
    };
    wake(step, before, by, Phase::Starting, now)
}

/// Everything that can happen to an app that is paused.
pub(super) fn paused(running: Running, event: Event, rules: &Rules, now: Instant) -> Transition {
    let instance = running.instance;
    match event {
        Event::Wanted(_) => {
            let step = WakeStep::Resuming { running, deadline: now + RESUME_TIMEOUT };
            let (failures, depth) = (running.failures, rules.stopped());
            let before = Before { failures, retry: Retry::OnRequest, depth };
            to(wake(step, before, By::Us, Phase::Starting, now), [Action::Resume(instance)])
        }
        // Gateways hold the requests of whatever sleeps, so there is nothing to quiesce. And a new version need not run
        // before somebody asks for it.
        Event::Sleep { depth: Depth::Deep, .. } => put_down(instance, Depth::Deep),
        Event::Changed { .. } => put_down(instance, rules.stopped()),
        Event::Ending { instance: ended } if ended == instance => {
            to(State::Down { depth: rules.stopped(), leaving: Some(instance) }, [])
        }
        Event::Exited { instance: ended } if ended == instance => {
            to(State::Down { depth: rules.stopped(), leaving: None }, [])
        }
        Event::PutDown { instance: ended, rest } if ended == instance => to(rests(rest), []),
        Event::Deleted { .. } => gone_with(instance, rules),
        Event::Granted { .. } => stay(State::Paused(running), [Action::Release]),
        Event::Unwanted
        | Event::Sleep { depth: Depth::Light, .. }
        | Event::Quiesced { .. }
        | Event::Phase { .. }
        | Event::Ails { .. }
        | Event::Created { .. }
        | Event::Ready { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::PutDown { .. }
        | Event::Ending { .. }
        | Event::Exited { .. }
        | Event::Appeared { .. }
        | Event::PutBack { .. }
        | Event::Rests(_)
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick => stay(State::Paused(running), []),
    }
}
