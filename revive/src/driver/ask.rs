//! What others may ask of the driver: the admin API, and the program at its start and end.

use std::sync::Arc;
use std::time::Duration;

use config::link::{Depth, ReviveEnd};
use config::model::{AppId, Label, Limit};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use super::Driver;
use super::braking::BrakesView;
use super::limiting::{LimitChanged, LimitsView};
use super::record::{Life, NotAsleep, Record, Sleeper};
use super::reload::{Model, Reloaded};
use super::view::{AppView, brief, depth_of, state_of, view};
use crate::brakes::{Brake, Change, Scope, UnknownWorkspace};
use crate::clock;
use crate::lifecycle::{Demand, Event, State};
use crate::limits::{self, Belief, InUse, Refused, Spread};
use crate::metrics;
use crate::publish::Attachment;
use crate::store::AuditEntry;

/// How many asks may wait.
const ASKS: usize = 64;

/// Something to be answered.
#[derive(Debug)]
pub enum Ask {
    /// A gateway attaches.
    Attach(ReviveEnd, Attachment),
    /// End.
    Stop,
    /// How all apps are, by name.
    List(oneshot::Sender<Vec<AppView>>),
    /// Which app is meant by a text: its name, or else its id; `None` if there is none.
    Find(String, oneshot::Sender<Option<AppId>>),
    /// How one app is; `None` if it is unknown.
    Show(AppId, oneshot::Sender<Option<AppView>>),
    /// Wake an app, whatever its backoff says; answered with how it is then.
    Wake(AppId, String, oneshot::Sender<Option<AppView>>),
    /// Put an app to sleep; answered when it sleeps, or does not.
    Sleep(AppId, Depth, String, oneshot::Sender<Result<(), NotAsleep>>),
    /// Which brakes are on.
    Brakes(oneshot::Sender<BrakesView>),
    /// Pause sleep.
    Pause(Scope, String, oneshot::Sender<Result<Change, UnknownWorkspace>>),
    /// Resume it.
    Resume(Scope, String, oneshot::Sender<Result<Change, UnknownWorkspace>>),
    /// Which limits there are.
    Limits(oneshot::Sender<LimitsView>),
    /// Change one, if it is what they believe it to be; answered at once, see [`Handle::limits_in_use`].
    ChangeLimit(Label, limits::Change, Belief, String, oneshot::Sender<Result<LimitChanged, Refused>>),
    /// The file has been read again: these are its limits now.
    LimitsOfFile(Vec<Arc<Limit>>, oneshot::Sender<()>),
    /// From now on there are these apps, and no others.
    Reload(Box<Model>, oneshot::Sender<Reloaded>),
    /// Bring those figures up to date that say how things are, not what has happened.
    Measure(oneshot::Sender<()>),
}

/// How to ask.
#[derive(Clone, Debug)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    spread: watch::Receiver<Spread>,
}

/// There is no driver: the program is ending, or this replica does not lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the edge is shutting down, or this replica does not lead: ask again, or the one that leads")]
pub struct Ended;

impl Handle {
    pub(super) fn channel(spread: watch::Receiver<Spread>) -> (Self, mpsc::Receiver<Ask>) {
        let (asks, asked) = mpsc::channel(ASKS);
        (Self { asks, spread }, asked)
    }

    /// Of a replica that does not lead: every ask gets [`Ended`].
    pub fn of_nobody() -> Self {
        let (_spread, spreading) = watch::channel(Spread::default());
        Self::channel(spreading).0
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Where the driver has ended.
    pub async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }

    /// Ends the driver, whoever else could still ask it.
    pub async fn stop(&self) {
        // One that has ended need not be told.
        let _ended = self.asks.send(Ask::Stop).await;
    }

    /// Attaches a gateway.
    ///
    /// # Errors
    /// Where the driver has ended.
    pub async fn attach(&self, end: ReviveEnd, attachment: Attachment) -> Result<(), Ended> {
        self.asks.send(Ask::Attach(end, attachment)).await.map_err(|_| Ended)
    }

    /// Waits until every gateway counts by limits of this generation, at most for so long; how many do.
    pub async fn limits_in_use(&self, generation: u64, within: Duration) -> InUse {
        let mut spread = self.spread.clone();
        let everywhere = spread.wait_for(|spread| spread.of(generation).everywhere());
        // At the deadline, and where the driver has ended, it is as it is.
        let _waited = tokio::time::timeout(within, everywhere).await.is_ok();
        self.spread.borrow().of(generation)
    }
}

impl Driver {
    /// Answers. Whoever has stopped waiting for an answer is not told.
    pub(super) fn answer(&mut self, ask: Ask) {
        match ask {
            // The loop's own matter.
            Ask::Stop => {}
            Ask::Attach(end, attachment) => {
                let (limits, table) = (self.limits_in_force(), self.table());
                let gateway = self.gateways.attach(end, limits, table);
                self.leases.attached(gateway, attachment);
                self.spread.send_modify(|spread| spread.attached(gateway));
            }
            Ask::List(reply) => {
                let _left = reply.send(self.views());
            }
            Ask::Find(text, reply) => {
                let _left = reply.send(self.find(&text));
            }
            Ask::Show(id, reply) => {
                let _left = reply.send(self.view(&id));
            }
            Ask::Wake(id, by, reply) => {
                let _left = reply.send(self.wake_asked(&id, by));
            }
            Ask::Sleep(id, depth, by, reply) => self.sleep_asked(&id, depth, by, reply),
            Ask::Brakes(reply) => {
                let _left = reply.send(self.brakes_view());
            }
            Ask::Pause(scope, by, reply) => {
                let _left = reply.send(self.pause(scope, by));
            }
            Ask::Resume(scope, by, reply) => {
                let _left = reply.send(self.resume(scope, by));
            }
            Ask::Limits(reply) => {
                let _left = reply.send(self.limits_view());
            }
            Ask::ChangeLimit(name, change, belief, by, reply) => {
                let _left = reply.send(self.change_limit(&name, change, &belief, by));
            }
            Ask::LimitsOfFile(file, reply) => {
                self.limits_of_file(file);
                let _left = reply.send(());
            }
            Ask::Reload(model, reply) => {
                let _left = reply.send(self.reload(*model));
            }
            Ask::Measure(reply) => {
                self.measure();
                let _left = reply.send(());
            }
        }
    }

    /// Names before ids: a name is unique, and nobody gives an app another's name by giving it an id.
    fn find(&self, text: &str) -> Option<AppId> {
        let of_id = self.apps.get_key_value(text);
        let named = |(_, record): &(&AppId, &Record)| record.app.name.as_str() == text;
        let found = of_id.filter(named).or_else(|| self.apps.iter().find(named)).or(of_id);
        found.map(|(id, _)| id.clone())
    }

    fn view(&self, id: &AppId) -> Option<AppView> {
        self.apps.get(id).map(|record| view(record, (clock::now(), (self.wall)())))
    }

    fn views(&self) -> Vec<AppView> {
        let now = (clock::now(), (self.wall)());
        let mut views: Vec<AppView> = self.apps.values().map(|record| view(record, now)).collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }

    /// Counts what is true just now.
    fn measure(&mut self) {
        let brakes = self.brakes_on();
        self.metrics.measured(&metrics::Standing {
            apps: self
                .apps
                .values()
                .map(|record| (state_of(record), depth_of(record).unwrap_or("")))
                .collect(),
            brakes: brakes.iter().map(Brake::code).collect(),
            queued: self.admission.queued(),
            starting: self.admission.in_use(),
            failed_writes: self.store.failed_writes(),
            lost_writes: self.store.lost_writes(),
        });
    }

    fn wake_asked(&mut self, id: &AppId, by: String) -> Option<AppView> {
        let before = brief(self.apps.get(id)?);
        self.happen(id, Event::Wanted(Demand::Admin));
        let record = self.apps.get(id)?;
        let result = match record.state() {
            None => NotAsleep::NotOurs.code(),
            Some(_) => "ok",
        };
        let after = outcome(record, result, None);
        self.audit(by, "app.wake", id.to_string(), before, after);
        self.view(id)
    }

    /// An admin asks an app to sleep: only what is open can stop that, not how short it has been idle.
    fn sleep_asked(
        &mut self,
        id: &AppId,
        depth: Depth,
        by: String,
        reply: oneshot::Sender<Result<(), NotAsleep>>,
    ) {
        let round = self.next_round();
        let Some(record) = self.apps.get_mut(id) else {
            let _left = reply.send(Err(NotAsleep::Unknown));
            return;
        };
        let verdict = match &record.life {
            Life::Theirs => Some(Err(NotAsleep::NotOurs)),
            Life::Ours(state) => asleep_already(state, depth).or_else(|| {
                let loss = record.loss.as_ref().filter(|loss| loss.depth <= depth);
                let what = loss.map(|loss| Err(NotAsleep::WouldLoseData { what: loss.what.clone() }));
                what.or_else(|| (clock::now() < self.sleeps_from).then_some(Err(NotAsleep::JustBegun)))
            }),
        };
        let sleeper = Sleeper { depth, by, before: brief(record), reply };
        if let Some(verdict) = verdict {
            return self.tell_sleeper(id, sleeper, verdict);
        }
        record.undone.forget();
        record.within = record.within.put_down();
        record.sleepers.push(sleeper);
        record.quiesce.idle_since = None;
        self.happen(id, Event::Sleep { depth, round });
    }

    /// Tells an admin what came of it, and writes that down.
    pub(super) fn tell_sleeper(&self, id: &AppId, sleeper: Sleeper, verdict: Result<(), NotAsleep>) {
        let Sleeper { depth, by, before, reply } = sleeper;
        if let Some(record) = self.apps.get(id) {
            let result = verdict.as_ref().map_or_else(NotAsleep::code, |()| "ok");
            self.audit(by, "app.sleep", id.to_string(), before, outcome(record, result, Some(depth)));
        }
        let _left = reply.send(verdict);
    }

    pub(super) fn audit(&self, actor: String, action: &str, subject: String, before: Value, after: Value) {
        let at = (self.wall)().into();
        let action = action.to_owned();
        self.store.append_audit(AuditEntry { at, actor, action, subject, before, after });
    }
}

/// What came of an ask, and how the app is then.
fn outcome(record: &Record, result: &str, asked: Option<Depth>) -> Value {
    let mut after = brief(record);
    after["result"] = result.into();
    if let Some(asked) = asked {
        after["asked"] = asked.as_str().into();
    }
    after
}

impl Record {
    /// Takes those admins who wait for the app to sleep and can be told what came of it; of deep sleep, when nothing
    /// of the app is left.
    pub(super) fn settled_sleepers(&mut self) -> Vec<(Sleeper, Result<(), NotAsleep>)> {
        let Some(state) = self.state() else { return Vec::new() };
        let mut reached = Depth::Deep;
        let verdict = match state {
            // Not yet known, or not yet over.
            State::Draining(_) | State::Down { leaving: Some(_), .. } => return Vec::new(),
            State::Paused(_) => {
                reached = Depth::Light;
                Ok(())
            }
            State::Down { leaving: None, depth } => {
                reached = *depth;
                Ok(())
            }
            State::Absent | State::Gone { .. } => Ok(()),
            State::Awake(_) if self.usage.open > 0 => Err(NotAsleep::Busy { open: self.usage.open }),
            State::Awake(_) => Err(NotAsleep::Wanted),
            State::Waking(_) => Err(NotAsleep::Waking),
            State::Failed(_) => Err(NotAsleep::Failed),
        };
        let settled = self.sleepers.extract_if(.., |sleeper| sleeper.depth <= reached);
        settled.map(|sleeper| (sleeper, verdict.clone())).collect()
    }

    /// Whether it sleeps lightly, and an admin waits for it to sleep deeper: one who asked while somebody else's
    /// attempt was under way.
    pub(super) fn is_to_sleep_deeper(&self) -> bool {
        let light = matches!(
            self.state(),
            Some(State::Paused(_) | State::Down { depth: Depth::Light, leaving: None })
        );
        light && !self.sleepers.is_empty()
    }
}

/// The answer, where there is nothing to wait for.
fn asleep_already(state: &State, depth: Depth) -> Option<Result<(), NotAsleep>> {
    match state {
        State::Awake(_) | State::Draining(_) => None,
        State::Paused(_) => (depth == Depth::Light).then_some(Ok(())),
        State::Down { leaving: Some(_), .. } => None,
        State::Down { leaving: None, depth: reached } => (depth <= *reached).then_some(Ok(())),
        State::Absent | State::Gone { .. } => Some(Ok(())),
        State::Waking(_) => Some(Err(NotAsleep::Waking)),
        State::Failed(_) => None,
    }
}
