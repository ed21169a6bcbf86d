//! What the driver knows of one app.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use config::link::{Activity, Depth, Failure, Instance, Status};
use config::model::{After, App, Endpoint, Service, SleepPolicy, Source, Workload};
use serde_json::Value;
use tokio::sync::oneshot;

use super::KEPT_AWAKE;
use super::hours::Within;
use super::reload::Successor;
use crate::brakes::{PutBack, Sticks, Undone};
use crate::idle::Usage;
use crate::lifecycle::{Failed, Remains, Retry, State, WakeEnded};
use crate::platform::Exit;
use crate::publish::GatewayId;
use crate::store::{AppRow, FailureRun, LastKnown, UnixMillis};
use crate::tell::tell;

/// One app.
#[derive(Debug)]
pub(super) struct Record {
    /// What it is.
    pub app: Arc<App>,
    /// Who cares for it.
    pub life: Life,
    /// Since when it is in this state, by both clocks.
    pub since: (Instant, SystemTime),
    /// Its own port at the edge.
    pub port: Option<u16>,
    /// Where visitors find it.
    pub url: Option<String>,
    /// How much it is used.
    pub usage: Usage,
    /// Whether anything has ever kept it awake.
    pub ever_active: bool,
    /// Gateways at which somebody waits for the wake that is under way.
    pub wanted_by: HashSet<GatewayId>,
    /// What each gateway last said of it.
    pub by_gateway: HashMap<GatewayId, Counts>,
    /// Its last wake, and when that ended.
    pub last_wake: Option<(WakeEnded, Instant)>,
    /// Who takes the requests of an instance, by the platform's own word.
    pub endpoints: Option<(Instance, Arc<[Endpoint]>)>,
    /// What the platform last said of why it does not come up.
    pub why: Option<(Failure, String)>,
    /// What a sleep would lose.
    pub loss: Option<Loss>,
    /// Whether somebody undoes its sleeps.
    pub undone: Undone,
    /// Its last failure.
    pub last_failure: Option<LastFailure>,
    /// The run that ended last, and how.
    pub exit: Option<(Instance, Exit)>,
    /// The process of an instance.
    pub pid: Option<(Instance, u32)>,
    /// Gateways that have not yet said that they hold its requests, and what the others said.
    pub quiesce: Quiesce,
    /// How it stands to its hours.
    pub within: Within,
    /// Admins who wait for it to sleep.
    pub sleepers: Vec<Sleeper>,
    /// It was due to sleep, and something kept it awake: not to be tried again before.
    pub not_before: Option<Instant>,
    /// What the timer is set to.
    pub timer: Option<Instant>,
    /// It was taken out of the table, and is back: what it will be.
    pub successor: Option<Successor>,
}

/// Who cares for an app.
#[derive(Debug)]
pub(super) enum Life {
    /// We do.
    Ours(State),
    /// Somebody else does: it is taken to be up, always.
    Theirs,
}

/// A sleep that would lose data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    /// Of this depth, or deeper.
    pub depth: Depth,
    /// What would be lost.
    pub what: String,
}

/// How an app failed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LastFailure {
    /// Why.
    pub failure: Failure,
    /// When.
    pub at: SystemTime,
    /// If its program ended: how.
    pub exit: Option<Exit>,
    /// In the platform's own words, if it has said any.
    pub message: Option<String>,
}

/// What a gateway has of an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Requests that are open.
    pub open: u32,
    /// Requests that wait.
    pub held: u32,
}

/// An admin who waits for an app to sleep.
#[derive(Debug)]
pub(super) struct Sleeper {
    /// How deep it shall sleep.
    pub depth: Depth,
    /// Who asked.
    pub by: String,
    /// How the app was then, for the audit.
    pub before: Value,
    /// To be told what came of it.
    pub reply: oneshot::Sender<Result<(), NotAsleep>>,
}

/// How far an attempt to sleep is.
#[derive(Debug, Default)]
pub(super) struct Quiesce {
    /// Who has not answered yet.
    pub waiting_for: Vec<GatewayId>,
    /// Whether anybody found it in use.
    pub busy: bool,
    /// Anything that keeps awake and is later than this cancels the attempt; `None` if an admin asked, whom only
    /// what is open can stop.
    pub idle_since: Option<Instant>,
}

/// Why an app does not sleep although an admin asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAsleep {
    /// It is in use.
    #[error("it is in use: {open} requests are open; try again when they are done")]
    Busy {
        /// How many.
        open: u32,
    },
    /// Somebody wanted it in the meantime, or a gateway did not answer.
    #[error("somebody asked for it in the meantime")]
    Wanted,
    /// It is being woken.
    #[error("it is being woken; try again when it is awake")]
    Waking,
    /// It has failed, so there is nothing to put to sleep.
    #[error("its last wake failed, so it does not run")]
    Failed,
    /// Its data would be lost.
    #[error("it would lose data: {what}")]
    WouldLoseData {
        /// What.
        what: String,
    },
    /// Who was in charge before us may still be obeyed.
    #[error("this revive has only just begun to lead; try again in a few seconds")]
    JustBegun,
    /// Somebody else runs it.
    #[error("it is an app with `upstreams`: somebody else runs it, and it never sleeps")]
    NotOurs,
    /// There is no such app.
    #[error("there is no such app any more; GET /v1/apps lists all")]
    Unknown,
}

impl NotAsleep {
    /// The code, in the API and in the audit.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::Wanted => "wanted",
            Self::Waking => "waking",
            Self::Failed => "failed",
            Self::WouldLoseData { .. } => "would-lose-data",
            Self::JustBegun => "just-begun",
            Self::NotOurs => "not-ours",
            Self::Unknown => "unknown-app",
        }
    }
}

impl Record {
    /// An app that has not been asked for in this run: asleep, or failed as it was in the run before; what ran then has
    /// been ended.
    pub(super) fn new(app: Arc<App>, stored: Option<&AppRow>, now: (Instant, SystemTime)) -> Self {
        let begun = |otherwise| Life::Ours(stored.and_then(|row| begun(row, now.0)).unwrap_or(otherwise));
        let life = match runner(&app) {
            Runner::Process => begun(State::Down { depth: Depth::Deep, leaving: None }),
            // Until the platform says how it stands.
            Runner::Workload(_) => begun(State::Absent),
            Runner::Theirs => Life::Theirs,
        };
        let kept = stored.filter(|row| row.failures.is_some() || matches!(row.state, LastKnown::Asleep(_)));
        let since = kept.map_or(now, |row| (monotonic(row.since, now), row.since.time()));
        let last_failure = stored.and_then(|row| {
            Some(LastFailure { failure: row.failures?.last, at: row.since.time(), exit: None, message: None })
        });
        let last_active = stored.and_then(|row| row.last_activity).map(|at| monotonic(at, now));
        Self {
            app,
            life,
            since,
            port: stored.and_then(|row| row.port),
            url: None,
            usage: Usage { open: 0, last_active: last_active.unwrap_or(now.0) },
            ever_active: last_active.is_some(),
            wanted_by: HashSet::new(),
            by_gateway: HashMap::new(),
            last_wake: None,
            endpoints: None,
            why: None,
            loss: None,
            undone: Undone::default(),
            last_failure,
            exit: None,
            pid: None,
            quiesce: Quiesce::default(),
            within: Within::default(),
            sleepers: Vec::new(),
            not_before: None,
            timer: None,
            successor: None,
        }
    }

    /// Its lifecycle, if it is ours.
    pub(super) fn state(&self) -> Option<&State> {
        match &self.life {
            Life::Ours(state) => Some(state),
            Life::Theirs => None,
        }
    }

    /// Whether nothing is left of it.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state(), Some(State::Gone { leaving: None }))
    }

    /// What gateways are told of it, as far as it alone can tell.
    pub(super) fn status(&self, now: Instant) -> Option<Status> {
        if self.successor.is_some() {
            return Some(Status::Asleep { depth: Depth::Deep });
        }
        let status = match (&self.life, &self.app.source) {
            (Life::Ours(state), _) => state.status(now)?,
            (Life::Theirs, Source::Upstreams(endpoints)) => {
                Status::Awake { instance: Instance(0), endpoints: endpoints.as_slice().into() }
            }
            (Life::Theirs, Source::Process(_) | Source::Service(_)) => {
                Status::Awake { instance: Instance(0), endpoints: [].into() }
            }
        };
        Some(match status {
            Status::Awake { instance, endpoints } => {
                let told = self.told_endpoints(instance).filter(|told| !told.is_empty()).cloned();
                Status::Awake { instance, endpoints: told.unwrap_or(endpoints) }
            }
            other => other,
        })
    }

    /// What the platform has said of who takes the requests of this instance.
    pub(super) fn told_endpoints(&self, instance: Instance) -> Option<&Arc<[Endpoint]>> {
        self.endpoints.as_ref().filter(|(of, _)| *of == instance).map(|(_, endpoints)| endpoints)
    }

    /// When it sleeps: as its policy says, but for what would lose data and what somebody undoes.
    pub(super) fn sleep(&self) -> SleepPolicy {
        let mut policy = self.app.sleep;
        let lost = self.loss.as_ref().map(|loss| loss.depth);
        if lost == Some(Depth::Light) || self.undone.sticks() == Sticks::Nothing {
            policy.idle_after = After::Never;
        }
        if lost.is_some() || self.undone.sticks() != Sticks::Deep {
            policy.remove_after = After::Never;
        }
        policy
    }

    /// It was put back, from such a sleep.
    pub(super) fn put_back(&mut self, from: Depth, now: Instant) -> PutBack {
        let before = self.undone.sticks();
        let verdict = self.undone.put_back(from, now);
        if self.undone.sticks() != before {
            tell!(warn, &self.app, "put back again: it sleeps no deeper than what sticks");
        }
        verdict
    }

    /// The platform says why it does not come up, or why it did not.
    pub(super) fn because(&mut self, failure: Failure, words: String) {
        if let Some(last) = self.last_failure.as_mut().filter(|last| last.failure == failure) {
            last.message = Some(words.clone());
        }
        self.why = Some((failure, words));
    }

    /// Takes in what a gateway says of it.
    pub(super) fn observe(&mut self, gateway: GatewayId, activity: &Activity, now: Instant) {
        self.by_gateway.insert(gateway, Counts { open: activity.open, held: activity.held });
        self.add_up();
        if let Some(active) = activity.idle_for.and_then(|idle| now.checked_sub(idle)) {
            self.usage.last_active = self.usage.last_active.max(active);
            self.ever_active = true;
        }
    }

    /// What was open at a gateway has gone with it; whether it had said anything of the app.
    pub(super) fn forget(&mut self, gateway: GatewayId) -> bool {
        let known = self.by_gateway.remove(&gateway).is_some();
        self.add_up();
        known
    }

    fn add_up(&mut self) {
        self.usage.open = self.by_gateway.values().map(|counts| counts.open).sum();
    }

    /// A run of it has ended, but for what it left: there is no process any more that one could look at.
    pub(super) fn ended(&mut self, instance: Instance, exit: Exit) {
        self.exit = Some((instance, exit));
        self.pid = self.pid.filter(|(of, _)| *of != instance);
    }

    /// How a run ended, if it did.
    pub(super) fn exit_of(&self, instance: Option<Instance>) -> Option<Exit> {
        self.exit.filter(|(of, _)| Some(*of) == instance).map(|(_, exit)| exit)
    }

    /// It has failed, or crashed.
    pub(super) fn fails(&mut self, failure: Failure, exit: Option<Exit>, at: SystemTime) {
        let message = self.why.take().filter(|(why, _)| *why == failure).map(|(_, words)| words);
        self.last_failure = Some(LastFailure { failure, at, exit, message });
    }

    /// Requests that wait for it, at all gateways.
    pub(super) fn held(&self) -> u32 {
        self.by_gateway.values().map(|counts| counts.held).sum()
    }

    /// How long it stays awake after an attempt to sleep that came to nothing. The request that cancelled one is not
    /// on record yet, and without this the next attempt would begin before it has reached the app.
    pub(super) fn after_attempt(&self) -> Duration {
        match self.app.sleep.idle_after {
            After::Elapsed(idle) => idle.min(KEPT_AWAKE),
            After::Never => KEPT_AWAKE,
        }
    }

    /// How many wait for it, as far as its place in the line of wakes is concerned: also who does not wait here but comes
    /// back, a visitor with the waiting page, an admin. Its hours are nobody, and give way to whoever waits.
    pub(super) fn waiters(&self) -> u32 {
        match self.state() {
            Some(State::Waking(_)) if self.within.is_due() && self.wanted_by.is_empty() => self.held(),
            Some(State::Waking(waking)) if waking.unwanted_since.is_none() => self.held().max(1),
            _ => self.held(),
        }
    }

    /// What is written down.
    pub(super) fn row(&self, now: (Instant, SystemTime)) -> AppRow {
        let asleep = match self.state() {
            Some(State::Paused(_)) => LastKnown::Asleep(Depth::Light),
            Some(State::Down { depth, .. }) => LastKnown::Asleep(*depth),
            Some(State::Awake(_) | State::Draining(_)) | None => LastKnown::Awake,
            Some(State::Absent | State::Waking(_) | State::Failed(_) | State::Gone { .. }) => {
                LastKnown::Asleep(Depth::Deep)
            }
        };
        let failures = match self.state() {
            Some(State::Failed(Failed { failure, failures, .. })) => {
                NonZeroU32::new(*failures).map(|in_a_row| FailureRun { last: *failure, in_a_row })
            }
            _ => None,
        };
        AppRow {
            id: self.app.id.clone(),
            state: asleep,
            since: self.since.1.into(),
            last_activity: self.ever_active.then(|| wall(self.usage.last_active, now).into()),
            port: self.port,
            failures,
        }
    }
}

/// How an app begins a run. A failure is remembered, and how many there were, but not held against the app: whoever
/// starts the edge again may have put it right, so the first request tries.
fn begun(row: &AppRow, now: Instant) -> Option<State> {
    let FailureRun { last, in_a_row } = row.failures?;
    Some(State::Failed(Failed {
        failure: last,
        failures: in_a_row.get(),
        retry_at: now,
        retry: Retry::OnRequest,
        remains: Remains::Nothing,
    }))
}

/// What runs an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runner<'a> {
    /// We do.
    Process,
    /// A workload of a cluster, which we start and stop.
    Workload(&'a Workload),
    /// Somebody else: it is always taken to be up.
    Theirs,
}

/// What runs this app.
pub(super) fn runner(app: &App) -> Runner<'_> {
    match &app.source {
        Source::Process(_) => Runner::Process,
        Source::Service(Service { workload: Some(workload), .. }) => Runner::Workload(workload),
        Source::Service(Service { workload: None, .. }) | Source::Upstreams(_) => Runner::Theirs,
    }
}

/// A moment of this run by the wall clock.
pub(super) fn wall(at: Instant, now: (Instant, SystemTime)) -> SystemTime {
    now.1.checked_sub(now.0.saturating_duration_since(at)).unwrap_or(now.1)
}

/// A moment by the wall clock in this run; at the latest now, and as far back as the clock goes.
fn monotonic(at: UnixMillis, now: (Instant, SystemTime)) -> Instant {
    let ago = UnixMillis::from(now.1).0.saturating_sub(at.0).max(0);
    let ago = std::time::Duration::from_millis(ago.unsigned_abs());
    now.0.checked_sub(ago).unwrap_or(now.0)
}
