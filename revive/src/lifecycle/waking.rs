//! The way up: from the first who wants an app until it is awake, or has failed.

use std::net::SocketAddr;
use std::time::Instant;

use config::link::{Failure, Instance};

use super::state::{Action, Event, Failed, Retry, Running, State, WakeEnded, WakeStep, Waking};
use super::{RESTARTS, Rules, Transition, WITHDRAWN_AFTER, stay, to};

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
            let step = WakeStep::Creating { instance, deadline: now + rules.grace };
            onward(waking, step, now, [Action::Start(instance)])
        }
        // A grant that crossed a withdrawal: one wake needs one slot.
        (Event::Granted { .. }, _) => stay(State::Waking(waking), [Action::Release]),
        (Event::Created { instance, endpoint }, WakeStep::Creating { instance: ours, deadline })
            if instance == ours =>
        {
            let so_far = Failure::NeverListened;
            onward(waking, WakeStep::Probing { instance, endpoint, deadline, so_far }, now, [])
        }
        (Event::NotCreated { instance, failure }, WakeStep::Creating { instance: ours, .. })
            if instance == ours =>
        {
            give_up(waking, failure, None, rules, now)
        }
        (Event::Reachable { instance }, WakeStep::Probing { instance: ours, endpoint, .. })
            if instance == ours =>
        {
            up(waking, instance, endpoint, now)
        }
        (
            Event::NotReachable { instance, so_far },
            WakeStep::Probing { instance: ours, endpoint, deadline, .. },
        ) if instance == ours => {
            onward(waking, WakeStep::Probing { instance, endpoint, deadline, so_far }, now, [])
        }
        (Event::Resumed { instance }, WakeStep::Resuming { running, .. }) if instance == running.instance => {
            up(waking, instance, running.endpoint, now)
        }
        (Event::Exited { instance } | Event::NotCreated { instance, .. }, WakeStep::Clearing(old))
            if instance == old =>
        {
            onward(waking, WakeStep::Queued, now, [Action::Enqueue])
        }
        // Somebody ended it while it was paused. The wake goes on, from nothing: whoever asked does not care.
        (Event::Exited { instance }, WakeStep::Resuming { running, .. }) if instance == running.instance => {
            onward(waking, WakeStep::Queued, now, [Action::Enqueue])
        }
        (
            Event::Exited { instance },
            WakeStep::Creating { instance: ours, .. } | WakeStep::Probing { instance: ours, .. },
        ) if instance == ours => give_up(waking, Failure::ExitedEarly, None, rules, now),
        (Event::Tick, _) => overdue(waking, rules, now),
        (Event::Changed, step) => renew(waking, step, now),
        (Event::Deleted, step) => to(State::Gone { leaving: step.instance() }, abandon(step)),
        (
            Event::Sleep { .. }
            | Event::Quiesced { .. }
            | Event::Created { .. }
            | Event::NotCreated { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Exited { .. }
            | Event::Reachable { .. }
            | Event::NotReachable { .. },
            _,
        ) => stay(State::Waking(waking), []),
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
    if waking.marks.last().is_none_or(|(last, _)| *last != phase) {
        waking.marks.push((phase, now));
    }
    to(State::Waking(waking), actions)
}

/// The end of a wake: the app is up.
fn up(waking: Waking, instance: Instance, endpoint: SocketAddr, now: Instant) -> Transition {
    let wake_took = now.saturating_duration_since(waking.since(now));
    let running = Running { instance, endpoint, since: now, wake_took, failures: waking.failures };
    let ended = WakeEnded { result: Ok(()), marks: waking.marks };
    to(State::Awake(running), release(waking.step).chain([Action::WakeEnded(ended)]))
}

/// The end of a wake: the app is not up, and what there is of it is stopped.
fn give_up(
    waking: Waking,
    failure: Failure,
    leaving: Option<Instance>,
    rules: &Rules,
    now: Instant,
) -> Transition {
    let failures = waking.failures.saturating_add(1);
    let retry_at = now + rules.backoff(failures);
    let retry = if failures <= RESTARTS { waking.retry } else { Retry::OnRequest };
    let failed = Failed { failure, failures, retry_at, retry, leaving };
    let ended = WakeEnded { result: Err(failure), marks: waking.marks };
    let stop = leaving.map(Action::Stop).into_iter();
    to(State::Failed(failed), stop.chain(release(waking.step)).chain([Action::WakeEnded(ended)]))
}

/// A deadline of a wake may have passed. Only what waits is withdrawn: a start that has its slot is seen through, or
/// clients that come and go could keep an app from ever coming up.
fn overdue(waking: Waking, rules: &Rules, now: Instant) -> Transition {
    let unwanted = waking.unwanted_since.is_some_and(|since| now >= since + WITHDRAWN_AFTER);
    match waking.step {
        WakeStep::Clearing(old) if unwanted => to(State::Deep { leaving: Some(old) }, []),
        WakeStep::Queued if unwanted => to(State::Deep { leaving: None }, [Action::Withdraw]),
        WakeStep::Creating { instance, deadline } if now >= deadline => {
            give_up(waking, Failure::NotStarted, Some(instance), rules, now)
        }
        WakeStep::Probing { instance, deadline, so_far, .. } if now >= deadline => {
            give_up(waking, so_far, Some(instance), rules, now)
        }
        WakeStep::Resuming { running, deadline } if now >= deadline => {
            give_up(waking, Failure::NotStarted, Some(running.instance), rules, now)
        }
        WakeStep::Clearing(_)
        | WakeStep::Queued
        | WakeStep::Creating { .. }
        | WakeStep::Probing { .. }
        | WakeStep::Resuming { .. } => stay(State::Waking(waking), []),
    }
}

/// What it runs was changed while it was on its way up: once more, with the new version.
fn renew(mut waking: Waking, step: WakeStep, now: Instant) -> Transition {
    waking.failures = 0;
    match step {
        WakeStep::Clearing(_) | WakeStep::Queued => stay(State::Waking(waking), []),
        WakeStep::Creating { instance, .. }
        | WakeStep::Probing { instance, .. }
        | WakeStep::Resuming { running: Running { instance, .. }, .. } => {
            onward(waking, WakeStep::Clearing(instance), now, abandon(step))
        }
    }
}

/// What is to be undone when a wake is dropped at this step.
fn abandon(step: WakeStep) -> Vec<Action> {
    match step {
        // Already told to stop.
        WakeStep::Clearing(_) => vec![],
        WakeStep::Queued => vec![Action::Withdraw],
        WakeStep::Creating { instance, .. }
        | WakeStep::Probing { instance, .. }
        | WakeStep::Resuming { running: Running { instance, .. }, .. } => {
            [Action::Stop(instance)].into_iter().chain(release(step)).collect()
        }
    }
}

/// Gives back the slot, of a wake that has one: a start was granted it, and a paused app needs none to go on.
fn release(step: WakeStep) -> impl Iterator<Item = Action> {
    let slot = match step {
        WakeStep::Creating { .. } | WakeStep::Probing { .. } => Some(Action::Release),
        WakeStep::Clearing(_) | WakeStep::Queued | WakeStep::Resuming { .. } => None,
    };
    slot.into_iter()
}
