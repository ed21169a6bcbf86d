//! What others may ask of the driver: the admin API, and the program at its start and end.

use config::link::{Depth, ReviveEnd};
use config::model::AppId;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::Driver;
use super::record::{Life, NotAsleep, Record};
use super::view::{AppView, view};
use crate::brakes::{Change, Pause, Scope};
use crate::clock;
use crate::lifecycle::{Demand, Event, State};
use crate::store::AuditEntry;

/// How many asks may wait.
const ASKS: usize = 64;

/// Something to be answered.
#[derive(Debug)]
pub enum Ask {
    /// A gateway attaches.
    Attach(ReviveEnd),
    /// End.
    Stop,
    /// How all apps are, by name.
    List(oneshot::Sender<Vec<AppView>>),
    /// Wake an app, whatever its backoff says; answered with how it is then.
    Wake(AppId, String, oneshot::Sender<Option<AppView>>),
    /// Put an app to sleep; answered when it sleeps, or does not.
    Sleep(AppId, Depth, String, oneshot::Sender<Result<(), NotAsleep>>),
    /// Pause sleep.
    Pause(Scope, String, oneshot::Sender<Change>),
    /// Resume it.
    Resume(Scope, String, oneshot::Sender<Change>),
}

/// How to ask.
#[derive(Clone, Debug)]
pub struct Handle(mpsc::Sender<Ask>);

/// The driver has ended: the program is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the edge is shutting down")]
pub struct Ended;

impl Handle {
    pub(super) fn channel() -> (Self, mpsc::Receiver<Ask>) {
        let (tx, rx) = mpsc::channel(ASKS);
        (Self(tx), rx)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Where the driver has ended.
    pub async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        self.0.send(ask(reply)).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }

    /// Ends the driver, whoever else could still ask it.
    pub async fn stop(&self) {
        // One that has ended need not be told.
        let _ended = self.0.send(Ask::Stop).await;
    }

    /// Attaches a gateway.
    ///
    /// # Errors
    /// Where the driver has ended.
    pub async fn attach(&self, end: ReviveEnd) -> Result<(), Ended> {
        self.0.send(Ask::Attach(end)).await.map_err(|_| Ended)
    }
}

impl Driver {
    /// Answers. Whoever has stopped waiting for an answer is not told.
    pub(super) fn answer(&mut self, ask: Ask) {
        match ask {
            // The loop's own matter.
            Ask::Stop => {}
            Ask::Attach(end) => {
                let table = self.table();
                self.gateways.attach(end, table);
            }
            Ask::List(reply) => {
                let _left = reply.send(self.views());
            }
            Ask::Wake(id, by, reply) => {
                self.audit(by, "app.wake", id.to_string(), Value::Null);
                self.happen(&id, Event::Wanted(Demand::Admin));
                let now = (clock::now(), (self.wall)());
                let _left = reply.send(self.apps.get(&id).map(|record| view(record, now)));
            }
            Ask::Sleep(id, depth, by, reply) => {
                self.audit(by, "app.sleep", id.to_string(), json!({ "depth": depth.as_str() }));
                self.sleep_asked(&id, depth, reply);
            }
            Ask::Pause(scope, by, reply) => {
                let pause = Pause { by: by.clone(), since: (self.wall)().into() };
                let change = self.brakes.pause(scope.clone(), pause);
                if let Change::Paused(pause) = &change {
                    self.audit(by, "sleep.pause", scope.to_string(), Value::Null);
                    self.store.set_brake(scope, pause.clone());
                }
                let _left = reply.send(change);
            }
            Ask::Resume(scope, by, reply) => {
                let _left = reply.send(self.resume(scope, by));
            }
        }
    }

    fn views(&self) -> Vec<AppView> {
        let now = (clock::now(), (self.wall)());
        let mut views: Vec<AppView> = self.apps.values().map(|record| view(record, now)).collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }

    /// An admin asks an app to sleep: only what is open can stop that, not how short it has been idle.
    fn sleep_asked(&mut self, id: &AppId, depth: Depth, reply: oneshot::Sender<Result<(), NotAsleep>>) {
        let round = self.next_round();
        let Some(record) = self.apps.get_mut(id) else { return };
        let verdict = match &record.life {
            Life::Theirs => Some(Err(NotAsleep::NotOurs)),
            Life::Ours(state) => asleep_already(state, depth),
        };
        if let Some(verdict) = verdict {
            let _left = reply.send(verdict);
            return;
        }
        record.sleepers.push((depth, reply));
        record.quiesce.idle_since = None;
        self.happen(id, Event::Sleep { depth, round });
    }

    /// Whoever resumes all has looked at it, so that removals that were stopped go on, too.
    fn resume(&mut self, scope: Scope, by: String) -> Change {
        let removals = scope == Scope::All && self.guard.resume();
        let change = match self.brakes.resume(&scope) {
            Change::Nothing if removals => Change::RemovalsResumed,
            change => change,
        };
        match &change {
            Change::Nothing => return change,
            Change::Paused(_) | Change::Resumed(_) | Change::RemovalsResumed => {}
        }
        self.audit(by, "sleep.resume", scope.to_string(), Value::Null);
        self.store.lift_brake(scope);
        self.reconsider();
        change
    }

    /// A brake is off: what it kept awake may be due.
    fn reconsider(&mut self) {
        let now = clock::now();
        let ids: Vec<AppId> = self.apps.keys().cloned().collect();
        for id in ids {
            if let Some(record) = self.apps.get_mut(&id) {
                record.not_before = None;
            }
            self.schedule(&id, now);
        }
    }

    fn audit(&self, actor: String, action: &str, subject: String, after: Value) {
        let at = (self.wall)().into();
        let (action, before) = (action.to_owned(), Value::Null);
        self.store.append_audit(AuditEntry { at, actor, action, subject, before, after });
    }
}

impl Record {
    /// Tells admins who wait for an app to sleep what came of it; of deep sleep, when nothing of the app is left.
    pub(super) fn answer_sleepers(&mut self) {
        let Some(state) = self.state() else { return };
        let mut reached = Depth::Deep;
        let verdict = match state {
            // Not yet known, or not yet over.
            State::Draining(_) | State::Deep { leaving: Some(_) } => return,
            State::Light(_) => {
                reached = Depth::Light;
                Ok(())
            }
            State::Deep { leaving: None } | State::Gone { .. } => Ok(()),
            State::Awake(_) if self.usage.open > 0 => Err(NotAsleep::Busy { open: self.usage.open }),
            State::Awake(_) => Err(NotAsleep::Wanted),
            State::Waking(_) => Err(NotAsleep::Waking),
            State::Failed(_) => Err(NotAsleep::Failed),
        };
        for (_, sleeper) in self.sleepers.extract_if(.., |(depth, _)| *depth <= reached) {
            let _left = sleeper.send(verdict);
        }
    }

    /// Whether it sleeps lightly, and an admin waits for it to sleep deeper: one who asked while somebody else's
    /// attempt was under way.
    pub(super) fn is_to_sleep_deeper(&self) -> bool {
        matches!(self.state(), Some(State::Light(_))) && !self.sleepers.is_empty()
    }
}

/// The answer, where there is nothing to wait for.
fn asleep_already(state: &State, depth: Depth) -> Option<Result<(), NotAsleep>> {
    match state {
        State::Awake(_) | State::Draining(_) => None,
        State::Light(_) => (depth == Depth::Light).then_some(Ok(())),
        State::Deep { leaving: Some(_) } => None,
        State::Deep { leaving: None } | State::Gone { .. } => Some(Ok(())),
        State::Waking(_) => Some(Err(NotAsleep::Waking)),
        State::Failed(_) => None,
    }
}
