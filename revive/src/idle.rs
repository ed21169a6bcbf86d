//! When an app has been idle for long enough, decided purely.

use std::time::{Duration, Instant};

use config::link::Depth;
use config::model::{After, SleepPolicy};

use crate::lifecycle::{Failed, Remains, Running, State};
use crate::platform::Light;

/// An app stays awake for at least this many times as long as its last wake took: one that is slow to wake must not
/// spend its life waking.
const AWAKE_PER_WAKE: u32 = 3;

/// What is known of how much an app is used, by all gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Requests that are open.
    pub open: u32,
    /// When the last that keeps awake began or ended.
    pub last_active: Instant,
}

/// When an app is due to sleep, and how deep, if nothing happens until then.
pub fn due(state: &State, usage: Usage, policy: &SleepPolicy, light: Light) -> Option<(Instant, Depth)> {
    match state {
        State::Awake(running) if usage.open == 0 => {
            let light = after(policy.idle_after, usage, running).map(|at| (at, Depth::Light));
            let deep = after(policy.remove_after, usage, running).map(|at| (at, Depth::Deep));
            // Where both are due at once, the deeper one saves a step.
            match (light, deep) {
                (Some(light), Some(deep)) => Some(if deep.0 <= light.0 { deep } else { light }),
                (light, deep) => light.or(deep),
            }
        }
        State::Paused(_) | State::Down { depth: Depth::Light, leaving: None } => {
            elapsed(policy.remove_after, usage.last_active).map(|at| (at, Depth::Deep))
        }
        State::Failed(failed) => due_failed(failed, usage, policy, light),
        State::Awake(_)
        | State::Draining(_)
        | State::Down { .. }
        | State::Absent
        | State::Waking(_)
        | State::Gone { .. } => None,
    }
}

/// What others made run goes on although it does not come up, until it has been idle for long enough; and of what we
/// stopped, the workload is there until then.
fn due_failed(failed: &Failed, usage: Usage, policy: &SleepPolicy, light: Light) -> Option<(Instant, Depth)> {
    let limit = match (failed.remains, light) {
        (Remains::Running { .. }, _) => {
            let light = elapsed(policy.idle_after, usage.last_active).map(|at| (at, Depth::Light));
            light.or_else(|| elapsed(policy.remove_after, usage.last_active).map(|at| (at, Depth::Deep)))
        }
        (Remains::Nothing, Light::Stopped) => {
            elapsed(policy.remove_after, usage.last_active).map(|at| (at, Depth::Deep))
        }
        (Remains::Nothing | Remains::Leaving(_), _) => None,
    };
    limit.map(|(at, depth)| (at.max(failed.retry_at), depth))
}

fn elapsed(limit: After, since: Instant) -> Option<Instant> {
    match limit {
        After::Elapsed(idle) => Some(since + idle),
        After::Never => None,
    }
}

fn after(limit: After, usage: Usage, running: &Running) -> Option<Instant> {
    let After::Elapsed(idle) = limit else { return None };
    let idle_since = usage.last_active.max(running.since);
    Some((idle_since + idle).max(running.since + at_least(running.wake_took)))
}

fn at_least(wake_took: Duration) -> Duration {
    wake_took.saturating_mul(AWAKE_PER_WAKE)
}

#[cfg(test)]
mod tests {
    use config::link::Instance;

    use super::*;
    use crate::lifecycle::Retry;

    const SECOND: Duration = Duration::from_secs(1);

    fn running(since: Instant, wake_took: Duration) -> Running {
        let endpoint = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        Running { instance: Instance(1), endpoint, since, wake_took, failures: 0 }
    }

    fn policy(idle: Option<u32>, remove: Option<u32>) -> SleepPolicy {
        let limit = |seconds: Option<u32>| seconds.map_or(After::Never, |s| After::Elapsed(SECOND * s));
        SleepPolicy { idle_after: limit(idle), remove_after: limit(remove) }
    }

    #[test]
    fn an_idle_app_is_due_by_its_policy() {
        let up = Instant::now();
        let awake = State::Awake(running(up, Duration::ZERO));
        let usage = Usage { open: 0, last_active: up + SECOND };
        let due = |idle, remove| due(&awake, usage, &policy(idle, remove), Light::Paused);
        assert_eq!(due(Some(10), Some(60)), Some((up + SECOND * 11, Depth::Light)));
        assert_eq!(due(None, Some(60)), Some((up + SECOND * 61, Depth::Deep)));
        assert_eq!(due(Some(10), Some(10)), Some((up + SECOND * 11, Depth::Deep)));
        assert_eq!(due(None, None), None);
    }

    #[test]
    fn what_is_open_keeps_awake() {
        let up = Instant::now();
        let usage = Usage { open: 1, last_active: up };
        let awake = State::Awake(running(up, Duration::ZERO));
        assert_eq!(due(&awake, usage, &policy(Some(1), Some(2)), Light::Paused), None);
    }

    #[test]
    fn a_slow_wake_earns_a_longer_stay() {
        let up = Instant::now();
        let usage = Usage { open: 0, last_active: up };
        let awake = State::Awake(running(up, SECOND * 20));
        assert_eq!(
            due(&awake, usage, &policy(Some(10), None), Light::Paused),
            Some((up + SECOND * 60, Depth::Light))
        );
    }

    #[test]
    fn light_sleep_ends_in_deep_sleep() {
        let up = Instant::now();
        let usage = Usage { open: 0, last_active: up + SECOND };
        let down = State::Down { depth: Depth::Light, leaving: None };
        for (state, light) in [(State::Paused(running(up, SECOND)), Light::Paused), (down, Light::Stopped)] {
            let due = |remove| due(&state, usage, &policy(Some(10), remove), light);
            assert_eq!(due(Some(60)), Some((up + SECOND * 61, Depth::Deep)));
            assert_eq!(due(None), None);
        }
    }

    #[test]
    fn what_has_failed_is_removed_and_what_still_runs_of_it_is_put_to_sleep() {
        let up = Instant::now();
        let usage = Usage { open: 0, last_active: up };
        let due = |remains, light, retry: u32| {
            let (failure, retry_at) = (config::link::Failure::Crashed, up + SECOND * retry);
            let failed = Failed { failure, failures: 1, retry_at, retry: Retry::OnRequest, remains };
            due(&State::Failed(failed), usage, &policy(Some(10), Some(60)), light)
        };
        let there = Remains::Running { instance: Instance(1), endpoint: None };
        assert_eq!(due(Remains::Nothing, Light::Stopped, 1), Some((up + SECOND * 60, Depth::Deep)));
        assert_eq!(due(Remains::Nothing, Light::Stopped, 70), Some((up + SECOND * 70, Depth::Deep)));
        assert_eq!(due(there, Light::Stopped, 1), Some((up + SECOND * 10, Depth::Light)));
        assert_eq!(due(Remains::Leaving(Instance(1)), Light::Stopped, 1), None);
        assert_eq!(due(Remains::Nothing, Light::Paused, 1), None, "nothing is left of a process");
    }
}
