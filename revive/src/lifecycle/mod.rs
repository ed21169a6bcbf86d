//! An app's life, decided purely: `(state, event, now) → (state, actions)`.
//!
//! ```text
//!            Sleep                 Quiesced, nothing open             Sleep(deep)
//!   Awake ─────────► Draining ─────────────────► Paused, Down(light) ─────────────► Down(deep)
//!     ▲ ◄───────────────┘ Wanted, busy, too late   │ Wanted       │ Wanted             │ Wanted
//!     │                                            ▼              ▼                    ▼
//!     └── Reachable, Ready, Resumed ─ Waking: Resuming          Waking: (Clearing →) Queued → Creating → Probing
//!                                                                     │ NotCreated, Exited, too late
//!                                 Waking ◄── Wanted after retry_at ── Failed
//!
//!   Awake ── Ending, Exited: the first time Waking: Clearing or Queued, then Failed until retry_at, then Waking by itself
//!   Awake ── Unreachable: Waking: Returning, which leads to Awake again, or as above, or to Failed
//!   any ──── Changed: the old instance is stopped, and Waking: Clearing if it was up or on its way, else Down
//!   any ──── Deleted: Gone, from where nothing leads back
//!            Of an app that is awake, both wait in Draining until what is open has ended, at most for `drain`.
//!
//!   Where light sleep is `Light::Stopped`, others start, stop and delete apps, too:
//!   any without an instance ── Appeared: Waking: Creating, without a slot; PutBack: Down again
//!   any without an instance ── Rests: Down, or Absent, if there is nothing left that could be woken
//!   any with an instance ───── PutDown: the same; Ready: Awake
//!   and Deleted lets go of what runs: it is not ours to end.
//! ```
//!
//! `Clearing`, and `leaving` where there is no wake, are why two instances of an app never run at once: what was told
//! to stop, or is ending by itself, is remembered until the platform says that nothing of it is left, and nothing is
//! started before.
//!
//! Each state has one function that names **every** event: in `up` and `down`, and for the way up in `waking`. What
//! cannot happen, or comes too late, changes nothing: an event about an instance or a round that is not the current one
//! is news of the past. So is one about an app without an instance, if it has one by now that was not told to stop:
//! whatever the platform was told to do about that, it has not read yet, and its answer will say how the app stands.

mod down;
mod event;
mod state;
#[cfg(test)]
mod tests;
mod up;
mod waking;

use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance, Phase};

use crate::platform::{Light, Rest};

pub use event::{Action, Demand, Event, WakeEnded};
pub use state::{Aim, By, Draining, Failed, Remains, Retry, Running, State, WakeStep, Waking};

/// How long gateways may take to quiesce; then the sleep is given up.
pub const QUIESCE_TIMEOUT: Duration = Duration::from_secs(5);
/// A queued wake that nobody has waited for this long is withdrawn.
pub const WITHDRAWN_AFTER: Duration = Duration::from_secs(60);
/// An app that has been up this long is forgiven its earlier failures.
pub const STABLE: Duration = Duration::from_secs(60);
/// How long a paused instance may take to go on; SIGCONT takes microseconds.
pub const RESUME_TIMEOUT: Duration = Duration::from_secs(5);
/// How often in a row an app that crashes is started again by itself; after that by a request only.
pub const RESTARTS: u32 = 5;

/// What an app's policy says to its lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a start may take.
    pub grace: Duration,
    /// How long the first failure is remembered; each further one in a row doubles it.
    pub backoff_first: Duration,
    /// Where that ends.
    pub backoff_max: Duration,
    /// How long what is open may take to end, before an app that runs is changed or ended.
    pub drain: Duration,
    /// What light sleep is.
    pub light: Light,
}

impl Rules {
    fn backoff(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.backoff_first.saturating_mul(factor).min(self.backoff_max)
    }

    /// Whether nothing is left of what could not be started. Elsewhere a workload may be, and what was told to stop says
    /// itself when it has.
    fn ends_uncreated(&self) -> bool {
        match self.light {
            Light::Paused => true,
            Light::Stopped => false,
        }
    }

    /// How deep an app sleeps that was stopped, and not removed.
    fn stopped(&self) -> Depth {
        match self.light {
            Light::Paused => Depth::Deep,
            Light::Stopped => Depth::Light,
        }
    }
}

/// A state and how to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state from now on.
    pub state: State,
    /// What is to be done, in this order.
    pub actions: Vec<Action>,
}

/// Decides what an event does to a state.
pub fn step(state: State, event: Event, rules: &Rules, now: Instant) -> Transition {
    match state {
        State::Awake(running) => up::awake(running, event, rules, now),
        State::Draining(draining) => up::draining(draining, event, rules, now),
        State::Paused(running) => up::paused(running, event, rules, now),
        State::Down { depth, leaving } => down::down(depth, leaving, event, rules, now),
        State::Absent => down::absent(event, rules, now),
        State::Waking(waking) => waking::waking(waking, event, rules, now),
        State::Failed(failed) => down::failed(failed, event, rules, now),
        State::Gone { leaving } => down::gone(leaving, event),
    }
}

/// A new state, that gateways are told of.
fn to(state: State, actions: impl IntoIterator<Item = Action>) -> Transition {
    // Gateways are told first: nothing is done to an app that they might still send requests to.
    Transition { state, actions: std::iter::once(Action::Publish).chain(actions).collect() }
}

/// The same state, as far as gateways are concerned.
fn stay(state: State, actions: impl IntoIterator<Item = Action>) -> Transition {
    Transition { state, actions: actions.into_iter().collect() }
}

/// An app of which nothing runs, by somebody else's doing.
fn rests(rest: Rest) -> State {
    match rest {
        Rest::Asleep(depth) => State::Down { depth, leaving: None },
        Rest::Nothing => State::Absent,
    }
}

/// It is no longer in the table. What we ran is ended; what others run is let go as it is.
fn gone_with(instance: Instance, rules: &Rules) -> Transition {
    match rules.light {
        Light::Paused => {
            let stop = Action::Stop { instance, depth: Depth::Deep };
            to(State::Gone { leaving: Some(instance) }, [stop])
        }
        Light::Stopped => to(State::Gone { leaving: None }, []),
    }
}

/// What was before a wake.
#[derive(Clone, Copy)]
struct Before {
    failures: u32,
    retry: Retry,
    depth: Depth,
}

fn wake(step: WakeStep, before: Before, by: By, phase: Phase, now: Instant) -> State {
    let Before { failures, retry, depth } = before;
    State::Waking(Waking {
        step,
        marks: vec![(phase, now)],
        failures,
        retry,
        unwanted_since: None,
        depth,
        by,
    })
}

/// Begins a wake from nothing, or first waits for the end of an old instance.
fn begin(leaving: Option<Instance>, before: Before, now: Instant) -> Transition {
    let queued = |step| wake(step, before, By::Us, Phase::Queued, now);
    match leaving {
        Some(old) => to(queued(WakeStep::Clearing(old)), []),
        None => to(queued(WakeStep::Queued), [Action::Enqueue]),
    }
}

/// Somebody else makes it run: it comes up as if it were woken, but nobody needs to be asked.
fn appear(instance: Instance, rules: &Rules, now: Instant) -> Transition {
    let before = Before { failures: 0, retry: Retry::OnRequest, depth: rules.stopped() };
    let step = creating(instance, rules, now);
    to(wake(step, before, By::Others, Phase::Creating, now), [Action::Adopt(instance)])
}

/// The platform was told to start it.
fn creating(instance: Instance, rules: &Rules, now: Instant) -> WakeStep {
    let (phase, so_far) = (Phase::Creating, Failure::NotStarted);
    WakeStep::Creating { instance, deadline: now + rules.grace, phase, so_far }
}

/// The app ended while it was awake, after so many failures in a row, and what it left is still `leaving`. The first
/// time it is started again at once, though through admission: a crash of many at once, for want of memory say, must
/// not become a start of many at once.
fn crashed(
    instance: Instance,
    leaving: Option<Instance>,
    failures: u32,
    rules: &Rules,
    now: Instant,
) -> Transition {
    let failures = failures.saturating_add(1);
    let mut transition = if failures == 1 {
        begin(leaving, Before { failures, retry: Retry::ByItself, depth: rules.stopped() }, now)
    } else {
        let retry = if failures <= RESTARTS { Retry::ByItself } else { Retry::OnRequest };
        let retry_at = now + rules.backoff(failures - 1);
        let remains = leaving.map_or(Remains::Nothing, Remains::Leaving);
        to(State::Failed(Failed { failure: Failure::Crashed, failures, retry_at, retry, remains }), [])
    };
    transition.actions.push(Action::Crashed(instance));
    transition
}
