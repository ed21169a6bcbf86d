//! Carries out what the lifecycle decides. One task owns all apps: every event goes through `Driver::happen`, and
//! nothing else changes a state.
//!
//! ```text
//!   gateways ─► messages ─┐                    ┌─► platform commands
//!   platform ─► reports ──┼─► lifecycle::step ─┼─► outboxes of the gateways
//!   admin ────► asks ─────┤    (pure)          ├─► admission: the line of wakes
//!   timers ───────────────┘                    └─► the store, metrics, logs
//! ```

pub mod ask;
pub mod braking;
mod companions;
mod due;
mod hearing;
mod hours;
pub mod leases;
pub mod limiting;
mod quiesce;
mod record;
pub mod reload;
mod standing;
mod telling;
#[cfg(test)]
mod tests;
mod timers;
mod typical;
pub mod view;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use config::link::{Depth, Failure, Round, Status};
use config::model::{AppId, Label, Limit, Rule};
use config::settings;
use tokio::sync::{mpsc, watch};

pub use ask::{Ask, Handle};
use companions::Companions;
use due::sleep_until;
use hours::Timetable;
use leases::Leases;
pub use record::NotAsleep;
use record::{Life, Record};
use reload::Model;
use timers::Timers;
use typical::Typical;

use crate::admission::Admission;
use crate::brakes::{Brakes, RemovalGuard};
use crate::clock::{self, WallClock};
use crate::lifecycle::{self, Action, Event, Rules, State, Transition, WakeEnded};
use crate::limits::{Limits, Said, Spread};
use crate::metrics::Metrics;
use crate::platform::{Command, Light, Platform, Report};
use crate::publish::{self, Gateways, News};
use crate::store::{Keep, LoadedApps};
use crate::tell::tell;

/// How long an app is left alone that a brake, or an attempt that came to nothing, has kept awake.
const KEPT_AWAKE: Duration = Duration::from_secs(10);
/// What gateways say of the past comes with a delay, so the same moment looks a little later each time.
const SLACK: Duration = Duration::from_millis(100);
/// How often it is written down which apps were used; a kill -9 loses no more.
const USED_INTERVAL: Duration = Duration::from_secs(60);
/// How often gateways hear anew how long the line of wakes is, while there is one.
const ESTIMATE_INTERVAL: Duration = Duration::from_secs(1);

/// What the driver is made of.
pub struct Parts {
    /// The apps.
    pub model: Model,
    /// What is remembered of them.
    pub stored: LoadedApps,
    /// What runs them.
    pub platform: Box<dyn Platform>,
    /// What it reports.
    pub reports: mpsc::UnboundedReceiver<Report>,
    /// Numbers for instances, never used before.
    pub instances: Range<u64>,
    /// Who may sleep.
    pub brakes: Brakes,
    /// Who may be removed.
    pub guard: RemovalGuard,
    /// The limits of the file.
    pub limits: Vec<Arc<Limit>>,
    /// What admins have said of limits.
    pub limits_said: Vec<(Label, Said)>,
    /// Where things are written down.
    pub store: Arc<dyn Keep>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What people call the time.
    pub wall: WallClock,
    /// For how long nothing is put to sleep: so long may gateways rely on what somebody before us told them. Zero where
    /// nobody was before us.
    pub sleepless: Duration,
}

/// See the module.
pub struct Driver {
    apps: HashMap<AppId, Record>,
    timers: Timers,
    admission: Admission,
    typical: Typical,
    /// When gateways hear anew how long the line of wakes is.
    estimates_at: Option<Instant>,
    /// Apps that were used since they were last written down, and when that is done.
    used: HashSet<AppId>,
    used_at: Option<Instant>,
    gateways: Gateways,
    leases: Leases,
    /// Nothing is put to sleep before.
    sleeps_from: Instant,
    /// Which requests go where.
    rules: Vec<Arc<Rule>>,
    companions: Companions,
    timetable: Timetable,
    generation: u64,
    rounds: u64,
    settings: settings::Revive,
    /// How long what is open may take to end, before an app that runs is changed or ended.
    drain: Duration,
    platform: Box<dyn Platform>,
    light: Light,
    reports: mpsc::UnboundedReceiver<Report>,
    instances: Range<u64>,
    brakes: Brakes,
    guard: RemovalGuard,
    limits: Limits,
    /// Grows with each change of limits.
    limits_generation: u64,
    spread: watch::Sender<Spread>,
    store: Arc<dyn Keep>,
    metrics: Arc<Metrics>,
    wall: WallClock,
    asks: mpsc::Receiver<Ask>,
}

impl Driver {
    /// A driver, and how to ask it.
    pub fn new(parts: Parts) -> (Self, Handle) {
        let now = (clock::now(), (parts.wall)());
        let stored: HashMap<_, _> = parts.stored.apps.into_iter().map(|row| (row.id.clone(), row)).collect();
        let Model { apps, ports, urls, standings, rules, companions, hours, settings, drain } = parts.model;
        let records = apps.into_iter().map(|app| {
            let mut record = Record::new(app.clone(), stored.get(&app.id), now);
            record.port = ports.get(&app.id).copied();
            record.url = urls.get(&app.id).cloned();
            (app.id.clone(), record)
        });
        let (limits, forgotten) = Limits::new(parts.limits, parts.limits_said);
        let (spread, spreading) = watch::channel(Spread::default());
        let (handle, asks) = Handle::channel(spreading);
        let mut driver = Self {
            apps: records.collect(),
            timers: Timers::default(),
            admission: Admission::new(settings.wake_slots()),
            typical: Typical::Unknown,
            estimates_at: None,
            used: HashSet::new(),
            used_at: None,
            gateways: Gateways::new(),
            leases: Leases::default(),
            sleeps_from: now.0 + parts.sleepless,
            rules,
            companions: Companions::new(companions),
            timetable: Timetable::new(hours, now.0),
            generation: 1,
            rounds: 0,
            settings,
            drain,
            light: parts.platform.light(),
            platform: parts.platform,
            reports: parts.reports,
            instances: parts.instances,
            brakes: parts.brakes,
            guard: parts.guard,
            limits,
            limits_generation: 1,
            spread,
            store: parts.store,
            metrics: parts.metrics,
            wall: parts.wall,
            asks,
        };
        driver.forget_limits(forgotten);
        for (id, standing) in standings {
            driver.begins(&id, standing);
        }
        driver.write_down_apps(stored.into_keys(), now);
        (driver, handle)
    }

    /// Writes down which apps there are, and forgets those that were and are not.
    fn write_down_apps(&self, stored: impl Iterator<Item = AppId>, now: (Instant, SystemTime)) {
        for id in stored.filter(|id| !self.apps.contains_key(id)) {
            self.store.forget_app(id);
        }
        for record in self.apps.values() {
            self.store.save_app(record.row(now));
        }
    }

    /// Runs until it is told to stop, or all handles are gone.
    pub async fn run(mut self) {
        self.announce_brakes();
        loop {
            let (timer, full) = (self.next_timer(), self.gateways.full());
            tokio::select! {
                ask = self.asks.recv() => match ask {
                    Some(Ask::Stop) | None => return self.write_down_used(),
                    Some(ask) => self.answer(ask),
                },
                Some(report) = self.reports.recv() => self.report(report),
                Some((gateway, news)) = self.gateways.news.recv() => match news {
                    News::Said(message) => self.hear(gateway, message),
                    News::Left => self.left(gateway),
                },
                () = publish::room(full) => {}
                () = sleep_until(timer) => self.tick(),
            }
            self.wake_companions();
            self.grant();
            self.flush();
        }
    }

    /// Something happens to an app. The one place where a state changes.
    fn happen(&mut self, id: &AppId, event: Event) {
        let now = clock::now();
        let Some(record) = self.apps.get_mut(id) else { return };
        let Life::Ours(state) = &mut record.life else { return };
        let rules = Rules {
            grace: record.app.health.grace,
            backoff_first: self.settings.backoff_first,
            backoff_max: self.settings.backoff_max,
            drain: self.drain,
            light: self.light,
        };
        let before = state.clone();
        let Transition { state: after, actions } = lifecycle::step(before.clone(), event, &rules, now);
        *state = after;
        for action in actions {
            self.act(id, action, now);
        }
        self.changed(id, &before, now);
        let Some(record) = self.apps.get_mut(id) else { return };
        self.admission.waiters(id, record.waiters());
        for (sleeper, verdict) in record.settled_sleepers() {
            self.tell_sleeper(id, sleeper, verdict);
        }
        if self.apps.get(id).is_some_and(Record::is_to_sleep_deeper) {
            let round = self.next_round();
            return self.happen(id, Event::Sleep { depth: Depth::Deep, round });
        }
        if self.apps.get(id).is_some_and(Record::is_gone) {
            return self.bury(id);
        }
        self.schedule(id, now);
    }

    /// Does what a transition asks for.
    fn act(&mut self, id: &AppId, action: Action, now: Instant) {
        let Some(record) = self.apps.get_mut(id) else { return };
        match action {
            Action::Publish => self.gateways.publish(id),
            Action::Enqueue => self.admission.enqueue(id.clone(), record.app.tenant.workspace.clone(), now),
            Action::Withdraw => self.admission.withdraw(id),
            Action::Release => self.admission.release(id),
            Action::Start(instance) => {
                self.platform.submit(Command::Start { app: record.app.clone(), instance });
            }
            Action::Pause(instance) => self.platform.submit(Command::Pause(instance)),
            Action::Resume(instance) => self.platform.submit(Command::Resume(instance)),
            // Who takes it over once more hears all of it once more.
            Action::Adopt(instance) | Action::AskAgain(instance) => {
                self.platform.submit(Command::Adopt { app: record.app.clone(), instance });
            }
            Action::Stop { instance, depth } => self.platform.submit(Command::Stop { instance, depth }),
            Action::Remove => self.platform.submit(Command::Remove(record.app.clone())),
            Action::WakeEnded(ended) => self.wake_ended(id, ended, now),
            Action::Crashed(instance) => {
                let exit = record.exit_of(Some(instance));
                record.fails(Failure::Crashed, exit, (self.wall)());
                self.metrics.crashed(&record.app);
                let exit = exit.map(tracing::field::display);
                tell!(warn, &record.app, instance = instance.0, exit, "the app ended while it was awake");
            }
        }
    }

    fn wake_ended(&mut self, id: &AppId, ended: WakeEnded, now: Instant) {
        let Some(record) = self.apps.get_mut(id) else { return };
        self.metrics.wake_ended(&record.app, &ended, now);
        let took_ms = view::millis(ended.took(now));
        match ended.result {
            Ok(()) => tell!(info, &record.app, took_ms, "awake"),
            Err(failure) => {
                let exit = record.exit_of(ended.instance);
                record.fails(failure, exit, (self.wall)());
                let exit = exit.map(tracing::field::display);
                tell!(warn, &record.app, took_ms, failure = failure.code(), exit, "the wake failed");
            }
        }
        self.typical.learn(&ended, now);
        record.last_wake = Some((ended, now));
    }

    /// Sees to what depends on a state, after it has changed or not.
    fn changed(&mut self, id: &AppId, before: &State, now: Instant) {
        let clocks = (now, (self.wall)());
        let Some(record) = self.apps.get_mut(id) else { return };
        let Some(after) = record.state().cloned() else { return };
        if same(before, &after) {
            return;
        }
        record.since = clocks;
        record.within = record.within.after(&after);
        match &after {
            State::Draining(_) => {}
            State::Down { depth: Depth::Deep, .. } => self.guard.removed(id, now),
            State::Awake(_)
            | State::Paused(_)
            | State::Down { depth: Depth::Light, .. }
            | State::Absent
            | State::Waking(_)
            | State::Failed(_)
            | State::Gone { .. } => self.guard.called_off(id),
        }
        tell!(debug, &record.app, from = view::state_name(before), to = view::state_name(&after), "state");
        if !matches!(after, State::Waking(_)) {
            // Those who still want it ask again.
            record.wanted_by.clear();
        }
        if let (State::Draining(_), State::Awake(_)) = (before, &after) {
            record.not_before = Some(now + record.after_attempt());
        }
        match &after {
            State::Draining(draining) => self.begin_quiesce(id, draining.round),
            State::Paused(_) | State::Down { .. } => self.fell_asleep(id, before, now),
            State::Waking(_) => self.companions.wakes(id),
            State::Awake(_) | State::Absent | State::Failed(_) | State::Gone { .. } => {}
        }
        let Some(record) = self.apps.get(id) else { return };
        match after {
            State::Draining(_) | State::Waking(_) => {}
            State::Awake(_) | State::Paused(_) | State::Down { .. } | State::Absent | State::Failed(_) => {
                self.store.save_app(record.row(clocks));
            }
            State::Gone { .. } => return self.store.forget_app(id.clone()),
        }
        self.store.show_app(view::view(record, clocks));
    }

    fn fell_asleep(&mut self, id: &AppId, before: &State, now: Instant) {
        let Some(record) = self.apps.get_mut(id) else { return };
        let slept = matches!(before, State::Draining(_) | State::Paused(_) | State::Down { .. });
        if let (true, Some(Status::Asleep { depth })) = (slept, record.status(now)) {
            tell!(info, &record.app, depth = depth.as_str(), "asleep");
            self.metrics.slept(&record.app, depth);
            record.undone.slept(now);
        }
    }

    fn next_round(&mut self) -> Round {
        self.rounds += 1;
        Round(self.rounds)
    }

    /// Lets those wakes begin whose turn it is.
    fn grant(&mut self) {
        for id in self.admission.grant(clock::now()) {
            match self.next_instance(&id) {
                Some(instance) => self.happen(&id, Event::Granted { instance }),
                None => self.admission.release(&id),
            }
        }
        if self.admission.queued() > 0 {
            self.estimates_at.get_or_insert_with(|| clock::now() + ESTIMATE_INTERVAL);
        }
    }
}

/// Whether an app is still in the state it was in, as people would call it.
fn same(before: &State, after: &State) -> bool {
    match (before, after) {
        (State::Down { depth: before, .. }, State::Down { depth: after, .. }) => before == after,
        (before, after) => std::mem::discriminant(before) == std::mem::discriminant(after),
    }
}
