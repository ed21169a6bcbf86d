//! States and actions in the words of the table.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance};

use super::super::*;
use super::sample;

/// All of a state that decides what comes next.
pub(super) fn state(state: &State, now: Instant) -> String {
    match state {
        State::Awake(up) => format!(
            "awake {}{}{}{}",
            up.instance,
            at_port(up.endpoint),
            fresh(up.since, now),
            after(up.failures)
        ),
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
        State::Paused(up) => format!("paused {}{}", up.instance, after(up.failures)),
        State::Down { depth, leaving } => format!("{}{}", depth.as_str(), gone(*leaving)),
        State::Absent => "absent".to_owned(),
        State::Waking(waking) => format!(
            "{}{}{}{}{}{}",
            step(&waking.step, now),
            after(waking.failures),
            if waking.retry == Retry::ByItself { " by itself" } else { "" },
            if waking.by == By::Others { " by others" } else { "" },
            if waking.depth == Depth::Light { " from light" } else { "" },
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
            match failed.remains {
                Remains::Nothing => String::new(),
                Remains::Leaving(instance) => gone(Some(instance)),
                Remains::Running { instance, endpoint } =>
                    format!(" running {instance}{}", endpoint.map_or(String::new(), at_port)),
            }
        ),
        State::Gone { leaving } => format!("gone{}", gone(*leaving)),
    }
}

fn step(step: &WakeStep, now: Instant) -> String {
    match step {
        WakeStep::Clearing(old) => format!("clearing {old}"),
        WakeStep::Queued => "queued".to_owned(),
        WakeStep::Creating { instance, deadline, phase, so_far } => {
            format!("{} {instance} until {}{}", phase.as_str(), at(*deadline, now), or(*so_far))
        }
        WakeStep::Probing { instance, endpoint, deadline, so_far } => {
            let (port, so_far) = (at_port(*endpoint), so_far.code());
            format!("probing {instance}{port} until {} or {so_far}", at(*deadline, now))
        }
        WakeStep::Returning { instance, endpoint, deadline, so_far } => {
            let (port, so_far) = (at_port(*endpoint), or(*so_far));
            format!("returning {instance}{port} until {}{so_far}", at(*deadline, now))
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
        Action::Adopt(instance) => format!("adopt {instance}"),
        Action::AskAgain(instance) => format!("ask {instance}"),
        Action::Stop { instance, depth } => format!("stop {instance} to {}", depth.as_str()),
        Action::Remove => "remove".to_owned(),
        Action::WakeEnded(WakeEnded { result: Ok(()), .. }) => "wake succeeded".to_owned(),
        Action::WakeEnded(WakeEnded { result: Err(failure), .. }) => {
            format!("wake failed {}", failure.code())
        }
        Action::Crashed(instance) => format!("crashed {instance}"),
    }
}

/// Where it listens, if that is not where the samples do.
fn at_port(endpoint: SocketAddr) -> String {
    if endpoint == sample::endpoint() { String::new() } else { format!(" at {}", endpoint.port()) }
}

/// What its failure would be, if that is not what nobody knows anything of.
fn or(so_far: Failure) -> String {
    match so_far {
        Failure::NotStarted | Failure::Crashed => String::new(),
        other => format!(" or {}", other.code()),
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
