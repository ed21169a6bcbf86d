//! Brakes: who turns them on and off, and which are on.

use config::link::Depth;
use config::model::AppId;
use serde::Serialize;
use serde_json::{Value, json};

use super::Driver;
use crate::brakes::{Brake, Change, Pause, Scope, UnknownWorkspace};
use crate::clock;

/// Which brakes are on: see the API's description of `GET /v1/sleep`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrakesView {
    /// The pauses of sleep, that of all apps first.
    pub pauses: Vec<PauseView>,
    /// Apps that are in the hours of their schedules, and therefore kept awake.
    pub in_hours: usize,
    /// What is removed by itself.
    pub removals: RemovalsView,
}

/// A pause of sleep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PauseView {
    /// For whom, in words.
    pub scope: String,
    /// The workspace, if it is about one.
    pub workspace: Option<String>,
    /// Who paused it.
    pub by: String,
    /// When (RFC 3339).
    pub since: String,
    /// What it does.
    pub brake: BrakeView,
}

/// What is removed by itself, and what stops that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemovalsView {
    /// Apps removed within the last hour.
    pub within_the_hour: usize,
    /// What stops the next.
    pub brake: Option<BrakeView>,
}

/// A brake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrakeView {
    /// Its code.
    pub code: &'static str,
    /// Why it is on, and what to do.
    pub detail: String,
}

impl From<Brake> for BrakeView {
    fn from(brake: Brake) -> Self {
        Self { code: brake.code(), detail: brake.to_string() }
    }
}

impl Driver {
    pub(super) fn brakes_view(&mut self) -> BrakesView {
        let now = clock::now();
        let pauses = self.brakes.pauses().map(|(scope, pause)| PauseView {
            scope: scope.to_string(),
            workspace: match scope {
                Scope::All => None,
                Scope::Workspace(workspace) => Some(workspace.to_string()),
            },
            by: pause.by.clone(),
            since: pause.since.to_string(),
            brake: pause_of(scope, pause).into(),
        });
        let pauses = pauses.collect();
        let brake = self.guard.brake(now).map(BrakeView::from);
        BrakesView {
            pauses,
            in_hours: self.apps.values().filter_map(|record| record.within.brake()).count(),
            removals: RemovalsView { within_the_hour: self.guard.within_the_hour(now), brake },
        }
    }

    /// The brakes that are on.
    pub(super) fn brakes_on(&mut self) -> Vec<Brake> {
        let pauses = self.brakes.pauses().map(|(scope, pause)| pause_of(scope, pause));
        let hours = self.apps.values().filter_map(|record| record.within.brake());
        pauses.chain(hours).chain(self.guard.brake(clock::now())).collect()
    }

    /// Whoever has forgotten a pause of an earlier run would look long for why nothing sleeps.
    pub(super) fn announce_brakes(&mut self) {
        for (scope, pause) in self.brakes.pauses() {
            let (brake, since) = (pause_of(scope, pause), pause.since.to_string());
            tracing::warn!(brake = brake.code(), by = pause.by, since, "{brake}");
        }
    }

    pub(super) fn pause(&mut self, scope: Scope, by: String) -> Result<Change, UnknownWorkspace> {
        self.known(&scope)?;
        let pause = Pause { by: by.clone(), since: (self.wall)().into() };
        let change = self.brakes.pause(scope.clone(), pause);
        if let Change::Paused(pause) = &change {
            tracing::info!(%scope, by, "sleep is paused");
            let after = json!({ "result": "ok", "pause": audited(pause) });
            self.audit(by, "sleep.pause", scope.to_string(), Value::Null, after);
            self.store.set_brake(scope, pause.clone());
        }
        Ok(change)
    }

    /// Whoever resumes all has looked at it, so that removals that were stopped go on, too.
    pub(super) fn resume(&mut self, scope: Scope, by: String) -> Result<Change, UnknownWorkspace> {
        if !self.brakes.is_paused(&scope) {
            self.known(&scope)?;
        }
        let stopped = self.guard.brake(clock::now()).filter(|_| scope == Scope::All);
        let removals = scope == Scope::All && self.guard.resume();
        let change = match self.brakes.resume(&scope) {
            Change::Nothing if removals => Change::RemovalsResumed,
            change => change,
        };
        let pause = match &change {
            Change::Nothing => return Ok(change),
            Change::RemovalsResumed => Value::Null,
            Change::Paused(pause) | Change::Resumed(pause) => audited(pause),
        };
        tracing::info!(%scope, by, removals, "sleep is resumed");
        let before = json!({ "pause": pause, "removals": stopped.map(|brake| brake.code()) });
        self.audit(by, "sleep.resume", scope.to_string(), before, json!({ "result": "ok" }));
        self.store.lift_brake(scope);
        self.reconsider();
        Ok(change)
    }

    fn known(&self, scope: &Scope) -> Result<(), UnknownWorkspace> {
        let Scope::Workspace(workspace) = scope else { return Ok(()) };
        let known = self.apps.values().any(|record| record.app.tenant.workspace == *workspace);
        if known { Ok(()) } else { Err(UnknownWorkspace(workspace.clone())) }
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

    /// Whether an app may go to sleep of itself; a removal that may has begun.
    pub(super) fn may_sleep(&mut self, id: &AppId, depth: Depth) -> Result<(), Brake> {
        if let Some(record) = self.apps.get(id) {
            self.brakes.allows_sleep(&record.app.tenant)?;
            record.within.brake().map_or(Ok(()), Err)?;
        }
        match depth {
            Depth::Light => Ok(()),
            Depth::Deep => self.may_be_removed(id),
        }
    }

    fn may_be_removed(&mut self, id: &AppId) -> Result<(), Brake> {
        let now = clock::now();
        if let Some(seconds) = self.guard.observe(now, (self.wall)().into()) {
            tracing::warn!(seconds, "the clock of this machine has jumped; nothing is removed for an hour");
        }
        let before = self.guard.brake(now);
        let begun = self.guard.begin(id, now, self.apps.len());
        if let Err(brake @ Brake::RemovalStop { .. }) = &begun
            && before.as_ref() != Some(brake)
        {
            tracing::warn!(brake = brake.code(), "{brake}");
        }
        begun
    }
}

fn pause_of(scope: &Scope, pause: &Pause) -> Brake {
    Brake::SleepPaused { scope: scope.clone(), by: pause.by.clone() }
}

fn audited(pause: &Pause) -> Value {
    json!({ "by": pause.by, "since": pause.since.to_string() })
}
