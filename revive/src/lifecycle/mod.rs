//! An app's life, decided purely: `(state, event, now) → (state, actions)`.
//!
//! ```text
//!            Sleep                 Quiesced, nothing open         Sleep(deep)
//!   Awake ─────────► Draining ─────────────────────────► Light ─────────────► Deep
//!     ▲ ◄───────────────┘ Wanted, busy, too late           │ Wanted             │ Wanted
//!     │                                                    ▼                    ▼
//!     └── Reachable, Resumed ──── Waking: Resuming ◄───────┘      Waking: Clearing → Queued → Creating → Probing
//!                                                                    │ NotCreated, Exited, too late
//!                        Waking ◄── Wanted after retry_at ── Failed ◄┘
//!
//!   Awake ── Ending, Exited: the first time Waking: Clearing or Queued, then Failed until retry_at, then Waking by itself
//!   Awake ── Unreachable: Waking: Returning, which leads to Awake again, or as above, or to Failed
//!   any ──── Changed: the old instance is stopped, and Waking: Clearing if it was up or on its way, else Deep
//!   any ──── Deleted: Gone, from where nothing leads back
//!            Of an app that is awake, both wait in Draining until what is open has ended, at most for `drain`.
//! ```
//!
//! `Clearing`, and `leaving` where there is no wake, are why two instances of an app never run at once: what was told
//! to stop, or is ending by itself, is remembered until the platform says that nothing of it is left, and nothing is
//! started before.
//!
//! Each state has one function that names **every** event: here, and for the way up in `waking`. What cannot happen, or comes too late, changes
//! nothing: an event about an instance or a round that is not the current one is news of the past.

mod event;
mod state;
#[cfg(test)]
mod tests;
mod waking;

use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance, Phase, Round};

pub use event::{Action, Demand, Event, WakeEnded};
pub use state::{Aim, Draining, Failed, Retry, Running, State, WakeStep, Waking};

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
}

impl Rules {
    fn backoff(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.backoff_first.saturating_mul(factor).min(self.backoff_max)
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

/// Decides what an event does to an app.
pub fn step(state: State, event: Event, rules: &Rules, now: Instant) -> Transition {
    match state {
        State::Awake(running) => awake(running, event, rules, now),
        State::Draining(draining) => self::draining(draining, event, rules, now),
        State::Light(running) => light(running, event, now),
        State::Deep { leaving } => deep(leaving, event, now),
        State::Waking(waking) => waking::waking(waking, event, rules, now),
        State::Failed(failed) => self::failed(failed, event, now),
        State::Gone { leaving } => gone(leaving, event),
    }
}

fn awake(running: Running, event: Event, rules: &Rules, now: Instant) -> Transition {
    let instance = running.instance;
    match event {
        Event::Sleep { depth, round } => drain(running, Aim::Sleep(depth), round, now + QUIESCE_TIMEOUT),
        Event::Ending { instance: ended } if ended == instance => {
            crashed(instance, Some(instance), running.unforgiven(now), rules, now)
        }
        Event::Exited { instance: ended } if ended == instance => {
            crashed(instance, None, running.unforgiven(now), rules, now)
        }
        Event::Unreachable { instance: lost } if lost == instance => {
            to(returning(&running, now + rules.grace, now), [])
        }
        Event::Changed { round } => drain(running, Aim::Renew, round, now + rules.drain),
        Event::Deleted { round } => drain(running, Aim::Retire, round, now + rules.drain),
        Event::Granted { .. } => stay(State::Awake(running), [Action::Release]),
        Event::Wanted(_)
        | Event::Unwanted
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Ending { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick => stay(State::Awake(running), []),
    }
}

fn draining(draining: Draining, event: Event, rules: &Rules, now: Instant) -> Transition {
    let Draining { running, aim, round, deadline } = draining;
    let instance = running.instance;
    let sleeps = matches!(aim, Aim::Sleep(_));
    match event {
        Event::Wanted(_) if sleeps => to(State::Awake(running), []),
        Event::Quiesced { round: acked, busy: true } if acked == round && sleeps => {
            to(State::Awake(running), [])
        }
        Event::Quiesced { round: acked, busy: false } if acked == round => drained(running, aim, now),
        Event::Tick if now >= deadline && sleeps => to(State::Awake(running), []),
        // Whatever is still open has had its time.
        Event::Tick if now >= deadline => drained(running, aim, now),
        Event::Ending { instance: ended } if ended == instance => ended_drained(aim, Some(instance), now),
        Event::Exited { instance: ended } if ended == instance => ended_drained(aim, None, now),
        // Gateways hold its requests already.
        Event::Changed { .. } if sleeps => {
            let deadline = now + rules.drain;
            stay(State::Draining(Draining { aim: Aim::Renew, deadline, ..draining }), [])
        }
        Event::Deleted { .. } if aim != Aim::Retire => drain(running, Aim::Retire, round, now + rules.drain),
        Event::Granted { .. } => stay(State::Draining(draining), [Action::Release]),
        Event::Wanted(_)
        | Event::Unwanted
        | Event::Sleep { .. }
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Ending { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick
        | Event::Changed { .. }
        | Event::Deleted { .. } => stay(State::Draining(draining), []),
    }
}

/// Nothing is open any more at an app that was drained.
fn drained(running: Running, aim: Aim, now: Instant) -> Transition {
    let instance = running.instance;
    let (state, action) = match aim {
        Aim::Sleep(Depth::Light) => {
            let running = Running { failures: running.unforgiven(now), ..running };
            (State::Light(running), Action::Pause(instance))
        }
        Aim::Sleep(Depth::Deep) => (State::Deep { leaving: Some(instance) }, Action::Stop(instance)),
        Aim::Renew => (clear(instance, 0, Retry::OnRequest, now), Action::Stop(instance)),
        Aim::Retire => (State::Gone { leaving: Some(instance) }, Action::Stop(instance)),
    };
    to(state, [action])
}

/// An app ended while it was drained; it was about to be ended or paused, so it has not crashed. Something of it may be
/// `leaving`.
fn ended_drained(aim: Aim, leaving: Option<Instance>, now: Instant) -> Transition {
    match aim {
        Aim::Sleep(_) => to(State::Deep { leaving }, []),
        Aim::Renew => begin(leaving, 0, Retry::OnRequest, now),
        Aim::Retire => to(State::Gone { leaving }, []),
    }
}

fn light(running: Running, event: Event, now: Instant) -> Transition {
    let instance = running.instance;
    match event {
        Event::Wanted(_) => {
            let step = WakeStep::Resuming { running, deadline: now + RESUME_TIMEOUT };
            let failures = running.failures;
            to(wake(step, failures, Retry::OnRequest, Phase::Starting, now), [Action::Resume(instance)])
        }
        // Gateways hold the requests of whatever sleeps, so there is nothing to quiesce. And a new version need not run
        // before somebody asks for it.
        Event::Sleep { depth: Depth::Deep, .. } | Event::Changed { .. } => {
            to(State::Deep { leaving: Some(instance) }, [Action::Stop(instance)])
        }
        Event::Ending { instance: ended } if ended == instance => {
            to(State::Deep { leaving: Some(instance) }, [])
        }
        Event::Exited { instance: ended } if ended == instance => to(State::Deep { leaving: None }, []),
        Event::Deleted { .. } => to(State::Gone { leaving: Some(instance) }, [Action::Stop(instance)]),
        Event::Granted { .. } => stay(State::Light(running), [Action::Release]),
        Event::Unwanted
        | Event::Sleep { depth: Depth::Light, .. }
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Ending { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick => stay(State::Light(running), []),
    }
}

fn deep(leaving: Option<Instance>, event: Event, now: Instant) -> Transition {
    match event {
        Event::Wanted(_) => begin(leaving, 0, Retry::OnRequest, now),
        Event::Exited { instance } | Event::NotCreated { instance, .. } if leaving == Some(instance) => {
            stay(State::Deep { leaving: None }, [])
        }
        Event::Deleted { .. } => to(State::Gone { leaving }, []),
        Event::Granted { .. } => stay(State::Deep { leaving }, [Action::Release]),
        Event::Unwanted
        | Event::Sleep { .. }
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Ending { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick
        | Event::Changed { .. } => stay(State::Deep { leaving }, []),
    }
}

fn failed(mut failed: Failed, event: Event, now: Instant) -> Transition {
    match event {
        Event::Wanted(Demand::Admin) => try_again(&failed, now),
        Event::Wanted(Demand::Request) if now >= failed.retry_at => try_again(&failed, now),
        // A gateway's clock ran a little ahead: it is told once more how long to wait.
        Event::Wanted(Demand::Request) => to(State::Failed(failed), []),
        Event::Tick if failed.retry == Retry::ByItself && now >= failed.retry_at => try_again(&failed, now),
        Event::Exited { instance } | Event::NotCreated { instance, .. }
            if failed.leaving == Some(instance) =>
        {
            failed.leaving = None;
            stay(State::Failed(failed), [])
        }
        // Only an admin asks what does not run to sleep: it shall not be started again by itself.
        Event::Changed { .. } | Event::Sleep { .. } => to(State::Deep { leaving: failed.leaving }, []),
        Event::Deleted { .. } => to(State::Gone { leaving: failed.leaving }, []),
        Event::Granted { .. } => stay(State::Failed(failed), [Action::Release]),
        Event::Unwanted
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Ending { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick => stay(State::Failed(failed), []),
    }
}

fn gone(leaving: Option<Instance>, event: Event) -> Transition {
    match event {
        Event::Exited { instance } | Event::NotCreated { instance, .. } if leaving == Some(instance) => {
            stay(State::Gone { leaving: None }, [])
        }
        Event::Granted { .. } => stay(State::Gone { leaving }, [Action::Release]),
        Event::Wanted(_)
        | Event::Unwanted
        | Event::Sleep { .. }
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Ending { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Unreachable { .. }
        | Event::Tick
        | Event::Changed { .. }
        | Event::Deleted { .. } => stay(State::Gone { leaving }, []),
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

fn drain(running: Running, aim: Aim, round: Round, deadline: Instant) -> Transition {
    to(State::Draining(Draining { running, aim, round, deadline }), [])
}

fn wake(step: WakeStep, failures: u32, retry: Retry, phase: Phase, now: Instant) -> State {
    State::Waking(Waking { step, marks: vec![(phase, now)], failures, retry, unwanted_since: None })
}

/// A wake that first waits for the end of an old instance.
fn clear(old: Instance, failures: u32, retry: Retry, now: Instant) -> State {
    wake(WakeStep::Clearing(old), failures, retry, Phase::Queued, now)
}

/// Begins a wake from nothing.
fn begin(leaving: Option<Instance>, failures: u32, retry: Retry, now: Instant) -> Transition {
    match leaving {
        Some(old) => to(clear(old, failures, retry, now), []),
        None => to(wake(WakeStep::Queued, failures, retry, Phase::Queued, now), [Action::Enqueue]),
    }
}

/// The next try after a failure.
fn try_again(failed: &Failed, now: Instant) -> Transition {
    begin(failed.leaving, failed.failures, failed.retry, now)
}

/// Nobody listens any more at an app that is awake. It may be back before long: its requests wait for it as if it were
/// starting.
fn returning(running: &Running, deadline: Instant, now: Instant) -> State {
    let Running { instance, endpoint, .. } = *running;
    let step = WakeStep::Returning { instance, endpoint, deadline };
    wake(step, running.unforgiven(now), Retry::ByItself, Phase::Starting, now)
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
        begin(leaving, failures, Retry::ByItself, now)
    } else {
        let retry = if failures <= RESTARTS { Retry::ByItself } else { Retry::OnRequest };
        let retry_at = now + rules.backoff(failures - 1);
        to(State::Failed(Failed { failure: Failure::Crashed, failures, retry_at, retry, leaving }), [])
    };
    transition.actions.push(Action::Crashed(instance));
    transition
}
