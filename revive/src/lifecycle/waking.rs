//! The way up: from the first who wants an app until it is awake, or has failed.

use std::net::SocketAddr;
use std::time::Instant;

use config::link::{Failure, Instance, Phase};

use super::event::{Action, Event, WakeEnded};
use super::state::{By, Failed, Remains, Retry, Running, State, WakeStep, Waking};
use super::{RESTARTS, Rules, Transition, WITHDRAWN_AFTER, crashed, creating, gone_with, rests, stay, to};
use crate::platform::{Light, Rest};

/// How many phases of a wake that goes to and fro are on record.
const MARKS: usize = 32;

/// Everything that can happen to an app on its way up.
pub(super) fn waking(mut waking: Waking, event: Event, rules: &Rules, now: Instant) -> Transition {
    match (event, waking.step) {
        (Event::Wanted(_), _) => {
            waking.unwanted_since = None;
            stay(State::Waking(waking), [])
        }
        (Event::Unwanted, _) => {
            waking.unwanted_since.get_or_insert(now);
            stay(State::Waking(waking), [])
        }
        (Event::Granted { instance }, WakeStep::Queued) => {
            waking.by = By::Us;
            onward(waking, creating(instance, rules, now), now, [Action::Start(instance)])
        }
        // A grant that crossed a withdrawal: one wake needs one slot.
        (Event::Granted { .. }, _) => stay(State::Waking(waking), [Action::Release]),
        // Nobody who deploys, or scales by hand, stands in line.
        (
            Event::Appeared { instance } | Event::PutBack { instance, .. },
            step @ (WakeStep::Queued | WakeStep::Clearing(_)),
        ) => {
            (waking.by, waking.failures) = (By::Others, 0);
            let actions = withdraw(step).into_iter().chain([Action::Adopt(instance)]);
            onward(waking, creating(instance, rules, now), now, actions)
        }
        (Event::Rests(Rest::Asleep(depth)), WakeStep::Queued) => {
            waking.depth = depth;
            stay(State::Waking(waking), [])
        }
        (Event::Rests(Rest::Nothing), step @ (WakeStep::Queued | WakeStep::Clearing(_))) => {
            to(State::Absent, withdraw(step))
        }
        (
            Event::Phase { instance, .. }
            | Event::Ails { instance, .. }
            | Event::Created { instance, .. }
            | Event::Ready { instance, .. }
            | Event::NotCreated { instance, .. }
            | Event::Resumed { instance }
            | Event::Reachable { instance }
            | Event::NotReachable { instance, .. },
            step,
        ) if step.instance() == Some(instance) => comes_up(waking, event, rules, now),
        (Event::PutDown { instance, .. } | Event::Ending { instance } | Event::Exited { instance }, step)
            if step.instance() == Some(instance) =>
        {
            ends(waking, event, rules, now)
        }
        (Event::Tick, _) => overdue(waking, rules, now),
        (Event::Changed { .. }, step) => renew(waking, step, rules, now),
        (Event::Deleted { .. }, step) => deleted(&waking, step, rules),
        (
            Event::Sleep { .. }
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
            | Event::Unreachable { .. },
            _,
        ) => stay(State::Waking(waking), []),
    }
}

/// What is told of the instance on its way up. `waking` names every event: what does not fit the step comes too late.
fn comes_up(waking: Waking, event: Event, rules: &Rules, now: Instant) -> Transition {
    match (event, waking.step) {
        (Event::Phase { phase, .. }, WakeStep::Creating { instance, deadline, phase: before, .. })
            if phase > before && phase < Phase::Probing =>
        {
            // What ailed it before was overcome.
            let so_far = Failure::NotStarted;
            onward(waking, WakeStep::Creating { instance, deadline, phase, so_far }, now, [])
        }
        (
            Event::Ails { failure, .. },
            step @ (WakeStep::Creating { .. } | WakeStep::Probing { .. } | WakeStep::Returning { .. }),
        ) => onward(waking, step.ails(failure), now, []),
        (Event::Created { endpoint, .. }, step) => listens_at(waking, step, endpoint, now),
        (Event::NotCreated { .. }, WakeStep::Clearing(_)) if rules.ends_uncreated() => {
            onward(waking, WakeStep::Queued, now, [Action::Enqueue])
        }
        (
            Event::NotCreated { instance, failure },
            WakeStep::Creating { .. } | WakeStep::Probing { .. } | WakeStep::Returning { .. },
        ) => match rules.light {
            Light::Paused => give_up(waking, failure, Left::Nothing, rules, now),
            Light::Stopped => give_up(waking, failure, Left::Running(instance), rules, now),
        },
        (
            Event::Ready { instance, endpoint },
            WakeStep::Creating { .. } | WakeStep::Probing { .. } | WakeStep::Returning { .. },
        ) => up(waking, instance, endpoint, now),
        (
            Event::Reachable { instance },
            WakeStep::Probing { endpoint, .. } | WakeStep::Returning { endpoint, .. },
        ) => up(waking, instance, endpoint, now),
        (Event::NotReachable { so_far, .. }, step) if step.learns(so_far) => {
            onward(waking, step.ails(so_far), now, [])
        }
        (Event::Resumed { instance }, WakeStep::Resuming { running, .. }) => {
            up(waking, instance, running.endpoint, now)
        }
        _ => stay(State::Waking(waking), []),
    }
}

/// What is told of the instance's end. `waking` names every event: what does not fit the step comes too late.
fn ends(waking: Waking, event: Event, rules: &Rules, now: Instant) -> Transition {
    match (event, waking.step) {
        (Event::PutDown { rest, .. }, _) => put_down(waking, rest, now),
        // Resuming: somebody ended it while it was paused. The wake goes on, from nothing: whoever asked does not care.
        (Event::Exited { .. }, WakeStep::Clearing(_) | WakeStep::Resuming { .. }) => {
            onward(waking, WakeStep::Queued, now, [Action::Enqueue])
        }
        (Event::Ending { instance }, WakeStep::Resuming { .. }) => {
            onward(waking, WakeStep::Clearing(instance), now, [])
        }
        (Event::Ending { instance }, WakeStep::Creating { .. } | WakeStep::Probing { .. }) => {
            give_up(waking, Failure::ExitedEarly, Left::Ending(instance), rules, now)
        }
        (Event::Exited { .. }, WakeStep::Creating { .. } | WakeStep::Probing { .. }) => {
            give_up(waking, Failure::ExitedEarly, Left::Nothing, rules, now)
        }
        (Event::Ending { instance }, WakeStep::Returning { .. }) => {
            ended_after_all(waking, instance, Some(instance), rules, now)
        }
        (Event::Exited { instance }, WakeStep::Returning { .. }) => {
            ended_after_all(waking, instance, None, rules, now)
        }
        _ => stay(State::Waking(waking), []),
    }
}

/// The next step of a wake.
fn onward(
    mut waking: Waking,
    step: WakeStep,
    now: Instant,
    actions: impl IntoIterator<Item = Action>,
) -> Transition {
    waking.step = step;
    let phase = waking.phase();
    if waking.marks.len() < MARKS && waking.marks.last().is_none_or(|(last, _)| *last != phase) {
        waking.marks.push((phase, now));
    }
    to(State::Waking(waking), actions)
}

/// An instance has an address, or has got another one: a pod was replaced while it was starting.
fn listens_at(waking: Waking, step: WakeStep, endpoint: SocketAddr, now: Instant) -> Transition {
    match step {
        WakeStep::Creating { instance, deadline, .. } => {
            let so_far = Failure::NeverListened;
            onward(waking, WakeStep::Probing { instance, endpoint, deadline, so_far }, now, [])
        }
        WakeStep::Probing { instance, endpoint: before, deadline, .. } if before != endpoint => {
            let so_far = Failure::NeverListened;
            onward(waking, WakeStep::Probing { instance, endpoint, deadline, so_far }, now, [])
        }
        WakeStep::Returning { instance, endpoint: before, deadline, so_far } if before != endpoint => {
            onward(waking, WakeStep::Returning { instance, endpoint, deadline, so_far }, now, [])
        }
        WakeStep::Clearing(_)
        | WakeStep::Queued
        | WakeStep::Probing { .. }
        | WakeStep::Returning { .. }
        | WakeStep::Resuming { .. } => stay(State::Waking(waking), []),
    }
}

/// Leaves the line, where it stands in it.
fn withdraw(step: WakeStep) -> Option<Action> {
    match step {
        WakeStep::Queued => Some(Action::Withdraw),
        WakeStep::Clearing(_)
        | WakeStep::Creating { .. }
        | WakeStep::Probing { .. }
        | WakeStep::Returning { .. }
        | WakeStep::Resuming { .. } => None,
    }
}

/// Somebody has put the app down while it was on its way up. Whoever still waits asks again, but what was to end anyway
/// is waited for no more.
fn put_down(mut waking: Waking, rest: Rest, now: Instant) -> Transition {
    match (waking.step, rest) {
        (WakeStep::Clearing(_), Rest::Asleep(depth)) => {
            waking.depth = depth;
            onward(waking, WakeStep::Queued, now, [Action::Enqueue])
        }
        (
            WakeStep::Clearing(_)
            | WakeStep::Queued
            | WakeStep::Creating { .. }
            | WakeStep::Probing { .. }
            | WakeStep::Returning { .. }
            | WakeStep::Resuming { .. },
            Rest::Asleep(_) | Rest::Nothing,
        ) => to(rests(rest), release(&waking)),
    }
}

/// The end of a wake: the app is up.
fn up(waking: Waking, instance: Instance, endpoint: SocketAddr, now: Instant) -> Transition {
    let wake_took = now.saturating_duration_since(waking.since(now));
    let running = Running { instance, endpoint, since: now, wake_took, failures: waking.failures };
    let ended = WakeEnded { result: Ok(()), instance: Some(instance), marks: waking.marks.clone() };
    let actions = release(&waking).into_iter().chain([Action::WakeEnded(ended)]);
    to(State::Awake(running), actions)
}

/// What a failed wake leaves.
enum Left {
    /// Nothing.
    Nothing,
    /// The rest of an instance, which is being ended.
    Ending(Instance),
    /// An instance that runs, or may, and is to be stopped if we started it.
    Running(Instance),
}

/// The end of a wake: the app is not up, and what there is of it is stopped.
fn give_up(waking: Waking, failure: Failure, left: Left, rules: &Rules, now: Instant) -> Transition {
    let stop = |instance| Action::Stop { instance, depth: rules.stopped() };
    let (remains, stop) = match left {
        Left::Nothing => (Remains::Nothing, None),
        Left::Ending(instance) => (Remains::Leaving(instance), None),
        Left::Running(instance) if waking.by == By::Others => {
            (Remains::Running { instance, endpoint: waking.step.endpoint() }, None)
        }
        Left::Running(instance) => (Remains::Leaving(instance), Some(stop(instance))),
    };
    let failures = waking.failures.saturating_add(1);
    let retry_at = now + rules.backoff(failures);
    let retry = if failures <= RESTARTS { waking.retry } else { Retry::OnRequest };
    let failed = Failed { failure, failures, retry_at, retry, remains };
    let slot = release(&waking);
    let ended = WakeEnded { result: Err(failure), instance: waking.step.instance(), marks: waking.marks };
    to(State::Failed(failed), stop.into_iter().chain(slot).chain([Action::WakeEnded(ended)]))
}

/// Nobody listened because it was about to end: a crash like any other.
fn ended_after_all(
    waking: Waking,
    instance: Instance,
    leaving: Option<Instance>,
    rules: &Rules,
    now: Instant,
) -> Transition {
    let mut transition = crashed(instance, leaving, waking.failures, rules, now);
    if let State::Failed(Failed { failure, .. }) = transition.state {
        let ended = WakeEnded { result: Err(failure), instance: Some(instance), marks: waking.marks };
        transition.actions.push(Action::WakeEnded(ended));
    }
    transition
}

/// A deadline of a wake may have passed. Only what waits is withdrawn: a start that has its slot is seen through, or
/// clients that come and go could keep an app from ever coming up.
fn overdue(waking: Waking, rules: &Rules, now: Instant) -> Transition {
    let unwanted = waking.unwanted_since.is_some_and(|since| now >= since + WITHDRAWN_AFTER);
    match waking.step {
        WakeStep::Clearing(old) if unwanted => {
            to(State::Down { depth: waking.depth, leaving: Some(old) }, [])
        }
        WakeStep::Queued if unwanted => {
            to(State::Down { depth: waking.depth, leaving: None }, [Action::Withdraw])
        }
        WakeStep::Creating { instance, deadline, so_far, .. }
        | WakeStep::Probing { instance, deadline, so_far, .. }
        | WakeStep::Returning { instance, deadline, so_far, .. }
            if now >= deadline =>
        {
            give_up(waking, so_far, Left::Running(instance), rules, now)
        }
        WakeStep::Resuming { running, deadline } if now >= deadline => {
            give_up(waking, Failure::NotStarted, Left::Running(running.instance), rules, now)
        }
        WakeStep::Clearing(_)
        | WakeStep::Queued
        | WakeStep::Creating { .. }
        | WakeStep::Probing { .. }
        | WakeStep::Returning { .. }
        | WakeStep::Resuming { .. } => stay(State::Waking(waking), []),
    }
}

/// What it runs was changed while it was on its way up: once more, with the new version.
fn renew(mut waking: Waking, step: WakeStep, rules: &Rules, now: Instant) -> Transition {
    waking.failures = 0;
    let Some(instance) = abandoned(step) else { return stay(State::Waking(waking), []) };
    let depth = rules.stopped();
    let actions: Vec<Action> =
        [Action::Stop { instance, depth }].into_iter().chain(release(&waking)).collect();
    (waking.by, waking.depth) = (By::Us, depth);
    onward(waking, WakeStep::Clearing(instance), now, actions)
}

/// It was taken out of the table while it was on its way up.
fn deleted(waking: &Waking, step: WakeStep, rules: &Rules) -> Transition {
    let mut gone = match (step, rules.light, abandoned(step)) {
        // Told to stop already.
        (WakeStep::Clearing(old), Light::Paused, _) => to(State::Gone { leaving: Some(old) }, []),
        (WakeStep::Queued, _, _) => to(State::Gone { leaving: None }, [Action::Withdraw]),
        (_, _, Some(instance)) => gone_with(instance, rules),
        (_, _, None) => to(State::Gone { leaving: None }, []),
    };
    gone.actions.extend(release(waking));
    gone
}

/// The instance that is to be stopped when a wake is dropped at this step.
fn abandoned(step: WakeStep) -> Option<Instance> {
    match step {
        WakeStep::Clearing(_) | WakeStep::Queued => None,
        WakeStep::Creating { instance, .. }
        | WakeStep::Probing { instance, .. }
        | WakeStep::Returning { instance, .. }
        | WakeStep::Resuming { running: Running { instance, .. }, .. } => Some(instance),
    }
}

/// Gives back the slot, of a wake that has one: a start was granted it. What was up before needs none, and neither does
/// what others start.
fn release(waking: &Waking) -> Option<Action> {
    match (waking.step, waking.by) {
        (WakeStep::Creating { .. } | WakeStep::Probing { .. }, By::Us) => Some(Action::Release),
        (WakeStep::Creating { .. } | WakeStep::Probing { .. }, By::Others)
        | (
            WakeStep::Clearing(_) | WakeStep::Queued | WakeStep::Returning { .. } | WakeStep::Resuming { .. },
            _,
        ) => None,
    }
}
