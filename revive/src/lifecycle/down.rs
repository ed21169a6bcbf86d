//! Apps of which nothing is up: asleep, failed, or gone for good.

use std::time::Instant;

use config::link::{Depth, Failure, Instance, Phase};

use super::event::{Action, Demand, Event};
use super::state::{By, Failed, Remains, Retry, Running, State, WakeStep};
use super::{Before, Rules, Transition, appear, begin, creating, rests, stay, to, wake};
use crate::platform::{Light, Rest};

/// Everything that can happen to an app that sleeps, and of which nothing runs, or only the last instance just ends.
pub(super) fn down(
    depth: Depth,
    leaving: Option<Instance>,
    event: Event,
    rules: &Rules,
    now: Instant,
) -> Transition {
    match event {
        Event::Wanted(_) => begin(leaving, Before { failures: 0, retry: Retry::OnRequest, depth }, now),
        Event::Sleep { depth: Depth::Deep, .. } if depth == Depth::Light && leaving.is_none() => {
            to(State::Down { depth: Depth::Deep, leaving }, [Action::Remove])
        }
        Event::Exited { instance } if leaving == Some(instance) => {
            stay(State::Down { depth, leaving: None }, [])
        }
        Event::NotCreated { instance, .. } if leaving == Some(instance) && rules.ends_uncreated() => {
            stay(State::Down { depth, leaving: None }, [])
        }
        Event::PutDown { instance, rest } if leaving == Some(instance) => to(rests(rest), []),
        // Here and below: what was told to stop is over, or others could not have made it run.
        Event::Appeared { instance } => appear(instance, rules, now),
        Event::PutBack { instance, depth } => {
            let actions = [Action::Adopt(instance), Action::Stop { instance, depth }];
            to(State::Down { depth, leaving: Some(instance) }, actions)
        }
        Event::Rests(Rest::Nothing) => to(State::Absent, []),
        Event::Rests(rest) if leaving.is_none() && rest != Rest::Asleep(depth) => to(rests(rest), []),
        Event::Deleted { .. } => to(State::Gone { leaving: still_ours(leaving, rules) }, []),
        Event::Granted { .. } => stay(State::Down { depth, leaving }, [Action::Release]),
        Event::Unwanted
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
        | Event::Rests(Rest::Asleep(_))
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick
        | Event::Changed { .. } => stay(State::Down { depth, leaving }, []),
    }
}

/// Whose end is waited for when an app is gone: what is let go is nobody's we know.
fn still_ours(leaving: Option<Instance>, rules: &Rules) -> Option<Instance> {
    match rules.light {
        Light::Paused => leaving,
        Light::Stopped => None,
    }
}

/// Everything that can happen to an app that there is nothing to run of.
pub(super) fn absent(event: Event, rules: &Rules, now: Instant) -> Transition {
    match event {
        Event::Appeared { instance } | Event::PutBack { instance, .. } => appear(instance, rules, now),
        Event::Rests(rest @ Rest::Asleep(_)) => to(rests(rest), []),
        Event::Deleted { .. } => to(State::Gone { leaving: None }, []),
        Event::Granted { .. } => stay(State::Absent, [Action::Release]),
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
        | Event::Rests(Rest::Nothing)
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick
        | Event::Changed { .. } => stay(State::Absent, []),
    }
}

/// Everything that can happen to an app that did not come up, or did not stay up.
pub(super) fn failed(mut failed: Failed, event: Event, rules: &Rules, now: Instant) -> Transition {
    let there = failed.remains.instance();
    let runs = matches!(failed.remains, Remains::Running { .. });
    match event {
        Event::Wanted(Demand::Admin) => try_again(&failed, rules, now),
        Event::Wanted(Demand::Request) if now >= failed.retry_at => try_again(&failed, rules, now),
        // A gateway's clock ran a little ahead: it is told once more how long to wait.
        Event::Wanted(Demand::Request) => to(State::Failed(failed), []),
        Event::Tick if failed.retry == Retry::ByItself && now >= failed.retry_at => {
            try_again(&failed, rules, now)
        }
        Event::NotCreated { instance, .. }
            if failed.remains == Remains::Leaving(instance) && rules.ends_uncreated() =>
        {
            failed.remains = Remains::Nothing;
            stay(State::Failed(failed), [])
        }
        Event::Exited { instance } if there == Some(instance) => {
            failed.remains = Remains::Nothing;
            stay(State::Failed(failed), [])
        }
        Event::PutDown { instance, rest } if there == Some(instance) => to(rests(rest), []),
        Event::Created { instance, endpoint } => {
            failed.remains = failed.remains.at(instance, endpoint);
            stay(State::Failed(failed), [])
        }
        Event::Ready { instance, endpoint } if failed.remains.runs(instance) => {
            let wake_took = std::time::Duration::ZERO;
            let running = Running { instance, endpoint, since: now, wake_took, failures: failed.failures };
            to(State::Awake(running), [])
        }
        Event::Appeared { instance } if !runs => appear(instance, rules, now),
        Event::PutBack { instance, depth } if !runs => {
            failed.remains = Remains::Leaving(instance);
            to(State::Failed(failed), [Action::Adopt(instance), Action::Stop { instance, depth }])
        }
        Event::Rests(Rest::Nothing) if !runs => to(State::Absent, []),
        Event::Sleep { depth, .. } => given_up(failed.remains, depth, rules),
        Event::Changed { .. } => changed(failed, rules, now),
        Event::Deleted { .. } => to(State::Gone { leaving: still_ours(there, rules) }, []),
        Event::Granted { .. } => stay(State::Failed(failed), [Action::Release]),
        Event::Unwanted
        | Event::Quiesced { .. }
        | Event::Phase { .. }
        | Event::Ails { .. }
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
        | Event::Tick => stay(State::Failed(failed), []),
    }
}

/// What has failed is put to sleep, because an admin says so or it has been idle for long enough: it shall not be
/// started again by itself. Gateways send it nothing, so there is nothing to quiesce.
fn given_up(remains: Remains, depth: Depth, rules: &Rules) -> Transition {
    let down = |depth, leaving| State::Down { depth, leaving };
    match (remains, rules.light, depth) {
        (Remains::Running { instance, .. }, _, depth) => {
            to(down(depth, Some(instance)), [Action::Stop { instance, depth }])
        }
        (Remains::Nothing, Light::Stopped, Depth::Deep) => to(down(Depth::Deep, None), [Action::Remove]),
        (Remains::Nothing | Remains::Leaving(_), _, _) => to(down(rules.stopped(), remains.instance()), []),
    }
}

/// What failed it is no longer what was said of it.
fn changed(failed: Failed, rules: &Rules, now: Instant) -> Transition {
    match failed.remains {
        Remains::Running { .. } => try_again(&Failed { failures: 0, ..failed }, rules, now),
        Remains::Nothing | Remains::Leaving(_) => {
            to(State::Down { depth: rules.stopped(), leaving: failed.remains.instance() }, [])
        }
    }
}

/// The next try after a failure. What others made run is looked at once more: who waits for it shall hear what is wrong
/// with it, not that it took too long.
fn try_again(failed: &Failed, rules: &Rules, now: Instant) -> Transition {
    let before = Before { failures: failed.failures, retry: failed.retry, depth: rules.stopped() };
    let deadline = now + rules.grace;
    let (step, phase) = match failed.remains {
        Remains::Nothing => return begin(None, before, now),
        Remains::Leaving(old) => return begin(Some(old), before, now),
        Remains::Running { instance, endpoint: Some(endpoint) } => {
            let so_far = Failure::NeverListened;
            (WakeStep::Probing { instance, endpoint, deadline, so_far }, Phase::Starting)
        }
        Remains::Running { instance, endpoint: None } => (creating(instance, rules, now), Phase::Creating),
    };
    let actions = failed.remains.instance().map(Action::AskAgain);
    to(wake(step, before, By::Others, phase, now), actions)
}

/// Everything that can happen to an app that is no longer in the table.
pub(super) fn gone(leaving: Option<Instance>, event: Event) -> Transition {
    match event {
        Event::Exited { instance } | Event::NotCreated { instance, .. } | Event::PutDown { instance, .. }
            if leaving == Some(instance) =>
        {
            stay(State::Gone { leaving: None }, [])
        }
        Event::Granted { .. } => stay(State::Gone { leaving }, [Action::Release]),
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
        | Event::Deleted { .. } => stay(State::Gone { leaving }, []),
    }
}
