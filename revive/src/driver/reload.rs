//! What the platform says has changed: apps come, go and change while others run.
//!
//! ```text
//!   new ──────────────────────► a life of its own, asleep
//!   gone ─────────────────────► Deleted: drained, ended, forgotten
//!   another command, dir, env ► Changed: drained, ended, started again
//!   another health check ─────► Changed, unless it is up or sleeps: then it is asked so next time
//!   anything else ────────────► holds from now on, and what runs is left alone
//!   back before it was gone ──► it waits, as if asleep, until nothing is left of what it was
//! ```

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use config::link::Round;
use config::model::{App, AppId, Rule};
use config::settings;

use super::Driver;
use super::record::{Life, Record, Runner, runner};
use crate::clock;
use crate::lifecycle::{Aim, Draining, Event, State};
use crate::platform::{Command, Standing};
use crate::schedule::Hours;
use crate::tell::tell;

/// All apps, and what goes with them.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The apps.
    pub apps: Vec<Arc<App>>,
    /// Their own ports at the edge.
    pub ports: HashMap<AppId, u16>,
    /// Where visitors find them.
    pub urls: HashMap<AppId, String>,
    /// How those stand that are new here, on a platform that keeps apps while we are away. Of others it says so itself.
    pub standings: HashMap<AppId, Standing>,
    /// Which requests go where; at one host the first that matches decides.
    pub rules: Vec<Arc<Rule>>,
    /// Which apps an app needs: they are woken with it.
    pub companions: HashMap<AppId, Vec<AppId>>,
    /// In which hours an app is awake, asked for or not. Only those for which it is said.
    pub hours: HashMap<AppId, Vec<Hours>>,
    /// Settings.
    pub settings: settings::Revive,
    /// How long what is open at an app may take to end, before it is changed or ended.
    pub drain: Duration,
}

/// What a new model has changed, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Apps that were not there before.
    pub added: BTreeSet<AppId>,
    /// Apps that are no longer there.
    pub removed: BTreeSet<AppId>,
    /// Apps of which something is other than before.
    pub changed: BTreeSet<AppId>,
}

/// What an app will be when nothing is left of what it was.
#[derive(Debug)]
pub(super) struct Successor {
    pub(super) app: Arc<App>,
    pub(super) port: Option<u16>,
    pub(super) url: Option<String>,
    pub(super) standing: Option<Standing>,
}

impl Driver {
    /// From now on there are these apps, and no others.
    pub(super) fn reload(&mut self, model: Model) -> Reloaded {
        let Model { apps, mut ports, mut urls, mut standings, rules, companions, hours, settings, drain } =
            model;
        self.companions.replace(companions);
        self.timetable.replace(hours, clock::now());
        self.admission.resize(settings.wake_slots());
        (self.settings, self.drain) = (settings, drain);
        let rules = std::mem::replace(&mut self.rules, rules);
        let mut gone: BTreeSet<AppId> = self.apps.keys().cloned().collect();
        let mut reloaded = Reloaded::default();
        for app in apps {
            let id = app.id.clone();
            let (port, url, standing) = (ports.remove(&id), urls.remove(&id), standings.remove(&id));
            let next = Successor { app, port, url, standing };
            if !gone.remove(&id) {
                self.add(next, None);
                reloaded.added.insert(id);
            } else if self.change(&id, next) {
                reloaded.changed.insert(id);
            }
        }
        gone.retain(|id| self.remove(id));
        reloaded.removed = gone;
        if reloaded == Reloaded::default() && rules == self.rules {
            return reloaded;
        }
        self.generation += 1;
        let (generation, table) = (self.generation, self.table());
        self.gateways.replace(&table);
        let (added, removed) = (reloaded.added.len(), reloaded.removed.len());
        tracing::info!(generation, added, removed, changed = reloaded.changed.len(), "the apps are as said");
        reloaded
    }

    /// An app begins its life; `before` is what there was of it until now.
    fn add(&mut self, next: Successor, before: Option<Record>) {
        let now = (clock::now(), (self.wall)());
        let Successor { app, port, url, standing } = next;
        let id = app.id.clone();
        let mut record = Record::new(app, None, now);
        (record.port, record.url) = (port, url);
        if let Some(before) = before {
            record.inherit(before);
        }
        tell!(debug, &record.app, "added");
        self.store.save_app(record.row(now));
        self.apps.insert(id.clone(), record);
        self.timetable.begins(&id, now.0);
        self.gateways.publish(&id);
        if let Some(standing) = standing {
            self.begins(&id, standing);
        }
    }

    /// Whether anything is other than before.
    fn change(&mut self, id: &AppId, next: Successor) -> bool {
        let Some(record) = self.apps.get_mut(id) else { return false };
        if record.is_leaving() {
            let before = record.successor.replace(next);
            return before.is_none_or(|before| before.app != *record.told_app());
        }
        match (runner(&record.app), runner(&next.app)) {
            (before, after) if before == after => self.amend(id, next),
            (Runner::Theirs, Runner::Process | Runner::Workload(_) | Runner::Theirs) => {
                let before = self.apps.remove(id);
                self.add(next, before);
                true
            }
            (Runner::Process | Runner::Workload(_), _) => {
                record.successor = Some(next);
                self.delete(id);
                true
            }
        }
    }

    /// The app goes on as what it was, with other words about it.
    fn amend(&mut self, id: &AppId, next: Successor) -> bool {
        let round = self.next_round();
        let Some(record) = self.apps.get_mut(id) else { return false };
        let Successor { app, port, url, standing: _ } = next;
        (record.port, record.url) = (port, url);
        if record.app == app {
            return false;
        }
        let before = std::mem::replace(&mut record.app, app.clone());
        let renews = record.renews(&before);
        if before.labels() != app.labels() {
            self.metrics.forget(&before);
        }
        self.gateways.publish(id);
        if renews {
            tell!(info, &app, "changed: what runs it is no longer what was said");
            self.happen(id, Event::Changed { round });
        } else {
            self.schedule(id, clock::now());
        }
        true
    }

    /// Whether it was still there.
    fn remove(&mut self, id: &AppId) -> bool {
        let Some(record) = self.apps.get_mut(id) else { return false };
        if record.is_leaving() {
            return record.successor.take().is_some();
        }
        match record.life {
            Life::Ours(_) => self.delete(id),
            Life::Theirs => {
                self.store.forget_app(id.clone());
                self.bury(id);
            }
        }
        true
    }

    fn delete(&mut self, id: &AppId) {
        if let Some(record) = self.apps.get(id) {
            tell!(info, &record.app, "removed");
        }
        let round = self.next_round();
        self.happen(id, Event::Deleted { round });
    }

    /// Nothing is left of an app: it is forgotten, and what was to come after it begins.
    pub(super) fn bury(&mut self, id: &AppId) {
        let Some(mut record) = self.apps.remove(id) else { return };
        self.timers.set(id, &mut record.timer, None);
        self.used.remove(id);
        self.metrics.forget(&record.app);
        if matches!(record.life, Life::Ours(_)) {
            self.platform.submit(Command::Forget(id.clone()));
        }
        if let Some(next) = record.successor.take() {
            self.add(next, Some(record));
        }
    }

    /// What gateways are to say has ended, that the table does not have any more.
    pub(super) fn leaving(&self) -> Vec<(AppId, Round)> {
        let leaving = self.apps.iter().filter_map(|(id, record)| match record.state() {
            Some(State::Draining(Draining { aim: Aim::Retire, round, .. })) => Some((id.clone(), *round)),
            _ => None,
        });
        leaving.collect()
    }
}

impl Record {
    /// Whether it was taken out of the table, and something of it may be left.
    pub(super) fn is_leaving(&self) -> bool {
        match self.state() {
            Some(State::Draining(Draining { aim, .. })) => *aim == Aim::Retire,
            Some(State::Gone { .. }) => true,
            Some(
                State::Awake(_)
                | State::Paused(_)
                | State::Down { .. }
                | State::Absent
                | State::Waking(_)
                | State::Failed(_),
            )
            | None => false,
        }
    }

    /// The app as gateways know it.
    pub(super) fn told_app(&self) -> &Arc<App> {
        self.successor.as_ref().map_or(&self.app, |next| &next.app)
    }

    /// Whether what runs of it, or failed, is not what is said of it now.
    fn renews(&self, before: &App) -> bool {
        // What is up was asked already, and the next run is asked anew.
        let was_asked = matches!(self.state(), Some(State::Waking(_) | State::Failed(_)));
        let asks_otherwise = self.app.health != before.health;
        match runner(&self.app) {
            Runner::Process => self.app.source != before.source || (asks_otherwise && was_asked),
            // A new version is the cluster's matter, and what is on its way up is asked otherwise from now on.
            Runner::Workload(_) => asks_otherwise && matches!(self.state(), Some(State::Failed(_))),
            Runner::Theirs => false,
        }
    }

    /// What gateways have of an app goes on when it begins another life.
    fn inherit(&mut self, before: Self) {
        self.by_gateway = before.by_gateway;
        self.usage.open = before.usage.open;
        self.timer = before.timer;
    }
}
