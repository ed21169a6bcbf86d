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
//!   Awake ── Exited: the first time Waking: Queued, then Failed until retry_at, then Waking by itself
//!   any ──── Changed: the old instance is stopped, and Waking: Clearing if it was up or on its way, else Deep
//!   any ──── Deleted: Gone, from where nothing leads back
//! ```
//!
//! `Clearing`, and `leaving` where there is no wake, are why two instances of an app never run at once: what was told
//! to stop is remembered until the platform says that it has ended, and nothing is started before.
//!
//! Each state has one function below that names **every** event. What cannot happen, or comes too late, changes
//! nothing: an event about an instance or a round that is not the current one is news of the past.

mod state;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance, Phase};

pub use state::{
    Action, Demand, Draining, Event, Failed, Retry, Running, State, WakeEnded, WakeStep, Waking,
};

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
        State::Draining(draining) => self::draining(draining, event, now),
        State::Light(running) => light(running, event, now),
        State::Deep { leaving } => deep(leaving, event, now),
        State::Waking(waking) => self::waking(waking, event, rules, now),
        State::Failed(failed) => self::failed(failed, event, now),
        State::Gone { leaving } => gone(leaving, event),
    }
}

fn awake(running: Running, event: Event, rules: &Rules, now: Instant) -> Transition {
    let instance = running.instance;
    match event {
        Event::Sleep { depth, round } => {
            let deadline = now + QUIESCE_TIMEOUT;
            to(State::Draining(Draining { running, depth, round, deadline }), [])
        }
        Event::Exited { instance: ended } if ended == instance => crashed(&running, rules, now),
        Event::Changed => to(clear(instance, 0, now), [Action::Stop(instance)]),
        Event::Deleted => to(State::Gone { leaving: Some(instance) }, [Action::Stop(instance)]),
        Event::Granted { .. } => stay(State::Awake(running), [Action::Release]),
        Event::Wanted(_)
        | Event::Unwanted
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Tick => stay(State::Awake(running), []),
    }
}

fn draining(draining: Draining, event: Event, now: Instant) -> Transition {
    let Draining { running, depth, round, deadline } = draining;
    let instance = running.instance;
    match event {
        Event::Wanted(_) => to(State::Awake(running), []),
        Event::Quiesced { round: acked, busy: true } if acked == round => to(State::Awake(running), []),
        Event::Quiesced { round: acked, busy: false } if acked == round => match depth {
            Depth::Light => {
                let running = Running { failures: running.unforgiven(now), ..running };
                to(State::Light(running), [Action::Pause(instance)])
            }
            Depth::Deep => to(State::Deep { leaving: Some(instance) }, [Action::Stop(instance)]),
        },
        Event::Tick if now >= deadline => to(State::Awake(running), []),
        // It was about to be ended or paused: nobody misses it.
        Event::Exited { instance: ended } if ended == instance => to(State::Deep { leaving: None }, []),
        Event::Changed => to(clear(instance, 0, now), [Action::Stop(instance)]),
        Event::Deleted => to(State::Gone { leaving: Some(instance) }, [Action::Stop(instance)]),
        Event::Granted { .. } => stay(State::Draining(draining), [Action::Release]),
        Event::Unwanted
        | Event::Sleep { .. }
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Tick => stay(State::Draining(draining), []),
    }
}

fn light(running: Running, event: Event, now: Instant) -> Transition {
    let instance = running.instance;
    match event {
        Event::Wanted(_) => {
            let step = WakeStep::Resuming { running, deadline: now + RESUME_TIMEOUT };
            to(wake(step, running.failures, Phase::Starting, now), [Action::Resume(instance)])
        }
        // Gateways hold the requests of whatever sleeps, so there is nothing to quiesce. And a new version need not run
        // before somebody asks for it.
        Event::Sleep { depth: Depth::Deep, .. } | Event::Changed => {
            to(State::Deep { leaving: Some(instance) }, [Action::Stop(instance)])
        }
        Event::Exited { instance: ended } if ended == instance => to(State::Deep { leaving: None }, []),
        Event::Deleted => to(State::Gone { leaving: Some(instance) }, [Action::Stop(instance)]),
        Event::Granted { .. } => stay(State::Light(running), [Action::Release]),
        Event::Unwanted
        | Event::Sleep { depth: Depth::Light, .. }
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Tick => stay(State::Light(running), []),
    }
}

fn deep(leaving: Option<Instance>, event: Event, now: Instant) -> Transition {
    match event {
        Event::Wanted(_) => begin(leaving, 0, now),
        Event::Exited { instance } | Event::NotCreated { instance, .. } if leaving == Some(instance) => {
            stay(State::Deep { leaving: None }, [])
        }
        Event::Deleted => to(State::Gone { leaving }, []),
        Event::Granted { .. } => stay(State::Deep { leaving }, [Action::Release]),
        Event::Unwanted
        | Event::Sleep { .. }
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Tick
        | Event::Changed => stay(State::Deep { leaving }, []),
    }
}

fn waking(mut waking: Waking, event: Event, rules: &Rules, now: Instant) -> Transition {
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
            waking.step = WakeStep::Probing { instance, endpoint, deadline, so_far };
            stay(State::Waking(waking), [])
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

fn failed(mut failed: Failed, event: Event, now: Instant) -> Transition {
    match event {
        Event::Wanted(Demand::Admin) => begin(failed.leaving, failed.failures, now),
        Event::Wanted(Demand::Request) if now >= failed.retry_at => {
            begin(failed.leaving, failed.failures, now)
        }
        // A gateway's clock ran a little ahead: it is told once more how long to wait.
        Event::Wanted(Demand::Request) => to(State::Failed(failed), []),
        Event::Tick if failed.retry == Retry::ByItself && now >= failed.retry_at => {
            begin(failed.leaving, failed.failures, now)
        }
        Event::Exited { instance } | Event::NotCreated { instance, .. }
            if failed.leaving == Some(instance) =>
        {
            failed.leaving = None;
            stay(State::Failed(failed), [])
        }
        Event::Changed => to(State::Deep { leaving: failed.leaving }, []),
        Event::Deleted => to(State::Gone { leaving: failed.leaving }, []),
        Event::Granted { .. } => stay(State::Failed(failed), [Action::Release]),
        Event::Unwanted
        | Event::Sleep { .. }
        | Event::Quiesced { .. }
        | Event::Created { .. }
        | Event::NotCreated { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
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
        | Event::Exited { .. }
        | Event::Reachable { .. }
        | Event::NotReachable { .. }
        | Event::Tick
        | Event::Changed
        | Event::Deleted => stay(State::Gone { leaving }, []),
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

fn wake(step: WakeStep, failures: u32, phase: Phase, now: Instant) -> State {
    State::Waking(Waking { step, marks: vec![(phase, now)], failures, unwanted_since: None })
}

/// A wake that first waits for the end of an old instance.
fn clear(old: Instance, failures: u32, now: Instant) -> State {
    wake(WakeStep::Clearing(old), failures, Phase::Queued, now)
}

/// Begins a wake from nothing.
fn begin(leaving: Option<Instance>, failures: u32, now: Instant) -> Transition {
    match leaving {
        Some(old) => to(clear(old, failures, now), []),
        None => to(wake(WakeStep::Queued, failures, Phase::Queued, now), [Action::Enqueue]),
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
    let failed = Failed { failure, failures, retry_at, retry: Retry::OnRequest, leaving };
    let ended = WakeEnded { result: Err(failure), marks: waking.marks };
    let stop = leaving.map(Action::Stop).into_iter();
    to(State::Failed(failed), stop.chain(release(waking.step)).chain([Action::WakeEnded(ended)]))
}

/// The app ended while it was awake. The first time it is started again at once, though through admission: a crash of
/// many at once, for want of memory say, must not become a start of many at once.
fn crashed(running: &Running, rules: &Rules, now: Instant) -> Transition {
    let failures = running.unforgiven(now).saturating_add(1);
    let crash = Action::Crashed(running.instance);
    if failures == 1 {
        let actions = [Action::Enqueue, crash];
        return to(wake(WakeStep::Queued, failures, Phase::Queued, now), actions);
    }
    let retry = if failures <= RESTARTS { Retry::ByItself } else { Retry::OnRequest };
    let retry_at = now + rules.backoff(failures - 1);
    let failure = Failure::Crashed;
    to(State::Failed(Failed { failure, failures, retry_at, retry, leaving: None }), [crash])
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
