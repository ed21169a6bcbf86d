//! States and actions in the words of the table.

use std::time::{Duration, Instant};

use config::link::{Depth, Instance};

use super::super::*;

/// All of a state that decides what comes next.
pub(super) fn state(state: &State, now: Instant) -> String {
    match state {
        State::Awake(up) => format!("awake {}{}{}", up.instance, fresh(up.since, now), after(up.failures)),
        State::Draining(Draining { running, aim, round, deadline }) => format!(
            "draining {} to {} round {} until {}{}",
            running.instance,
            match aim {
                Aim::Sleep(depth) => depth.as_str(),
                Aim::Renew => "renew",
                Aim::Retire => "retire",
            },
            round.0,
            at(*deadline, now),
            after(running.failures)
        ),
        State::Light(up) => format!("light {}{}", up.instance, after(up.failures)),
        State::Deep { leaving } => format!("{}{}", Depth::Deep.as_str(), gone(*leaving)),
        State::Waking(waking) => format!(
            "{}{}{}{}",
            step(&waking.step, now),
            after(waking.failures),
            if waking.retry == Retry::ByItself { " by itself" } else { "" },
            waking
                .unwanted_since
                .map_or(String::new(), |since| format!(" unwanted since {}", at(since, now)))
        ),
        State::Failed(failed) => format!(
            "failed {} x{} until {} retry {}{}",
            failed.failure.code(),
            failed.failures,
            at(failed.retry_at, now),
            match failed.retry {
                Retry::OnRequest => "on request",
                Retry::ByItself => "by itself",
            },
            gone(failed.leaving)
        ),
        State::Gone { leaving } => format!("gone{}", gone(*leaving)),
    }
}

fn step(step: &WakeStep, now: Instant) -> String {
    match step {
        WakeStep::Clearing(old) => format!("clearing {old}"),
        WakeStep::Queued => "queued".to_owned(),
        WakeStep::Creating { instance, deadline } => {
            format!("creating {instance} until {}", at(*deadline, now))
        }
        WakeStep::Probing { instance, deadline, so_far, .. } => {
            format!("probing {instance} until {} or {}", at(*deadline, now), so_far.code())
        }
        WakeStep::Returning { instance, deadline, .. } => {
            format!("returning {instance} until {}", at(*deadline, now))
        }
        WakeStep::Resuming { running, deadline } => {
            format!("resuming {} until {}", running.instance, at(*deadline, now))
        }
    }
}

/// What is to be done, in order.
pub(super) fn actions(actions: &[Action]) -> String {
    let words: Vec<String> = actions.iter().map(action).collect();
    words.join(", ")
}

fn action(action: &Action) -> String {
    match action {
        Action::Publish => "publish".to_owned(),
        Action::Enqueue => "enqueue".to_owned(),
        Action::Withdraw => "withdraw".to_owned(),
        Action::Release => "release".to_owned(),
        Action::Start(instance) => format!("start {instance}"),
        Action::Pause(instance) => format!("pause {instance}"),
        Action::Resume(instance) => format!("resume {instance}"),
        Action::Stop(instance) => format!("stop {instance}"),
        Action::WakeEnded(WakeEnded { result: Ok(()), .. }) => "wake succeeded".to_owned(),
        Action::WakeEnded(WakeEnded { result: Err(failure), .. }) => {
            format!("wake failed {}", failure.code())
        }
        Action::Crashed(instance) => format!("crashed {instance}"),
    }
}

fn at(then: Instant, now: Instant) -> String {
    match then.checked_duration_since(now) {
        Some(Duration::ZERO) => "now".to_owned(),
        Some(ahead) => format!("+{}s", ahead.as_secs()),
        None => format!("-{}s", now.duration_since(then).as_secs()),
    }
}

fn fresh(since: Instant, now: Instant) -> String {
    if since == now { " from now".to_owned() } else { String::new() }
}

fn after(failures: u32) -> String {
    if failures == 0 { String::new() } else { format!(" after {failures}") }
}

fn gone(leaving: Option<Instance>) -> String {
    leaving.map_or(String::new(), |instance| format!(" leaving {instance}"))
}
