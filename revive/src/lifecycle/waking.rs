//! The way up: from the first who wants an app until it is awake, or has failed.

use std::net::SocketAddr;
use std::time::Instant;

use config::link::{Failure, Instance};

use super::event::{Action, Event, WakeEnded};
use super::state::{Failed, Retry, Running, State, WakeStep, Waking};
use super::{RESTARTS, Rules, Transition, WITHDRAWN_AFTER, crashed, stay, to};

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
            give_up(waking, failure, Left::Nothing, rules, now)
        }
        (
            Event::Reachable { instance },
            WakeStep::Probing { instance: ours, endpoint, .. }
            | WakeStep::Returning { instance: ours, endpoint, .. },
        ) if instance == ours => up(waking, instance, endpoint, now),
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
        (Event::Ending { instance }, WakeStep::Resuming { running, .. }) if instance == running.instance => {
            onward(waking, WakeStep::Clearing(instance), now, [])
        }
        (Event::Exited { instance }, WakeStep::Resuming { running, .. }) if instance == running.instance => {
            onward(waking, WakeStep::Queued, now, [Action::Enqueue])
        }
        (
            Event::Ending { instance },
            WakeStep::Creating { instance: ours, .. } | WakeStep::Probing { instance: ours, .. },
        ) if instance == ours => give_up(waking, Failure::ExitedEarly, Left::Ending(instance), rules, now),
        (
            Event::Exited { instance },
            WakeStep::Creating { instance: ours, .. } | WakeStep::Probing { instance: ours, .. },
        ) if instance == ours => give_up(waking, Failure::ExitedEarly, Left::Nothing, rules, now),
        (Event::Ending { instance }, WakeStep::Returning { instance: ours, .. }) if instance == ours => {
            ended_after_all(waking, instance, Some(instance), rules, now)
        }
        (Event::Exited { instance }, WakeStep::Returning { instance: ours, .. }) if instance == ours => {
            ended_after_all(waking, instance, None, rules, now)
        }
        (Event::Tick, _) => overdue(waking, rules, now),
        (Event::Changed { .. }, step) => renew(waking, step, now),
        (Event::Deleted { .. }, step) => to(State::Gone { leaving: step.instance() }, abandon(step)),
        (
            Event::Sleep { .. }
            | Event::Quiesced { .. }
            | Event::Created { .. }
            | Event::NotCreated { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Ending { .. }
            | Event::Exited { .. }
            | Event::Reachable { .. }
            | Event::NotReachable { .. }
            | Event::Unreachable { .. },
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
    let ended = WakeEnded { result: Ok(()), instance: Some(instance), marks: waking.marks };
    to(State::Awake(running), release(waking.step).chain([Action::WakeEnded(ended)]))
}

/// What a failed wake leaves.
enum Left {
    /// Nothing.
    Nothing,
    /// The rest of an instance, which is being ended.
    Ending(Instance),
    /// An instance that runs, and is to be stopped.
    Running(Instance),
}

/// The end of a wake: the app is not up, and what there is of it is stopped.
fn give_up(waking: Waking, failure: Failure, left: Left, rules: &Rules, now: Instant) -> Transition {
    let (leaving, stop) = match left {
        Left::Nothing => (None, None),
        Left::Ending(instance) => (Some(instance), None),
        Left::Running(instance) => (Some(instance), Some(Action::Stop(instance))),
    };
    let failures = waking.failures.saturating_add(1);
    let retry_at = now + rules.backoff(failures);
    let retry = if failures <= RESTARTS { waking.retry } else { Retry::OnRequest };
    let failed = Failed { failure, failures, retry_at, retry, leaving };
    let ended = WakeEnded { result: Err(failure), instance: waking.step.instance(), marks: waking.marks };
    to(State::Failed(failed), stop.into_iter().chain(release(waking.step)).chain([Action::WakeEnded(ended)]))
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
        WakeStep::Clearing(old) if unwanted => to(State::Deep { leaving: Some(old) }, []),
        WakeStep::Queued if unwanted => to(State::Deep { leaving: None }, [Action::Withdraw]),
        WakeStep::Creating { instance, deadline } if now >= deadline => {
            give_up(waking, Failure::NotStarted, Left::Running(instance), rules, now)
        }
        WakeStep::Probing { instance, deadline, so_far, .. } if now >= deadline => {
            give_up(waking, so_far, Left::Running(instance), rules, now)
        }
        WakeStep::Returning { instance, deadline, .. } if now >= deadline => {
            give_up(waking, Failure::Crashed, Left::Running(instance), rules, now)
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
fn renew(mut waking: Waking, step: WakeStep, now: Instant) -> Transition {
    waking.failures = 0;
    match step {
        WakeStep::Clearing(_) | WakeStep::Queued => stay(State::Waking(waking), []),
        WakeStep::Creating { instance, .. }
        | WakeStep::Probing { instance, .. }
        | WakeStep::Returning { instance, .. }
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
        | WakeStep::Returning { instance, .. }
        | WakeStep::Resuming { running: Running { instance, .. }, .. } => {
            [Action::Stop(instance)].into_iter().chain(release(step)).collect()
        }
    }
}

/// Gives back the slot, of a wake that has one: a start was granted it, and what was up before needs none.
fn release(step: WakeStep) -> impl Iterator<Item = Action> {
    let slot = match step {
        WakeStep::Creating { .. } | WakeStep::Probing { .. } => Some(Action::Release),
        WakeStep::Clearing(_) | WakeStep::Queued | WakeStep::Returning { .. } | WakeStep::Resuming { .. } => {
            None
        }
    };
    slot.into_iter()
}
