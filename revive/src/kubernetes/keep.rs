//! What must outlive revive on a cluster: pauses of sleep and what admins have said of limits stand in a ConfigMap, which
//! the next leader reads; how apps are is in their own records; the audit is in the log, and of this replica's time in a
//! file.

mod said;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::model::{AppId, Label};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::said::Said;
use crate::brakes::{Brakes, Pause, Scope};
use crate::driver::view::AppView;
use crate::limits;
use crate::store::{AppRow, AuditEntry, FlushError, Keep, ReadError, Soon, Writer};
use crate::webhook::Webhook;

/// The ConfigMap's name.
pub const NAME: &str = "loco-edge-said";
/// Who we are in its `managedFields`.
const MANAGER: &str = "edge.loco.io";
/// How long one request may take.
const CALL: Duration = Duration::from_secs(5);
/// Between two tries, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Keeps what admins have said where every replica finds it. The task that writes ends with it.
#[derive(Debug)]
pub struct ClusterKeep {
    audit: Writer,
    shared: Arc<Shared>,
    webhook: Option<Webhook>,
    _writing: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    said: Mutex<Said>,
    /// Grows with each change.
    changed: watch::Sender<u64>,
    /// The change that was written last, and how many tries have failed.
    written: watch::Sender<(u64, u64)>,
}

/// What admins have said so far.
#[derive(Debug)]
pub struct Before {
    /// For whom sleep is paused.
    pub brakes: Brakes,
    /// What they have said of limits.
    pub limits: Vec<(Label, limits::Said)>,
    /// What is in the ConfigMap and cannot be understood, and why: it does not hold, and goes with the next change.
    pub rejected: Vec<String>,
}

impl ClusterKeep {
    /// Reads what was said before, and keeps what is said from now on. The audit goes to `audit`. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// Where the API server does not let the ConfigMap be read: what holds is not known then.
    pub async fn open(api: Api<ConfigMap>, audit: Writer) -> kube::Result<(Self, Before)> {
        let map = api.get_opt(NAME).await?.and_then(|map| map.data).unwrap_or_default();
        let (said, rejected) = Said::read(&map);
        let before = Before { brakes: said.brakes(), limits: said.limits(), rejected };
        let shared = Arc::new(Shared {
            said: Mutex::new(said),
            changed: watch::Sender::new(0),
            written: watch::Sender::new((0, 0)),
        });
        let mut writing = JoinSet::new();
        writing.spawn(write(api, shared.clone()));
        Ok((Self { audit, shared, webhook: None, _writing: writing }, before))
    }

    /// The same, and failures are told to somebody.
    #[must_use]
    pub fn telling(self, webhook: Option<Webhook>) -> Self {
        Self { webhook, ..self }
    }

    fn change(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.shared.said());
        self.shared.changed.send_modify(|version| *version += 1);
    }
}

impl Shared {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what has changed, until it is written; of several changes the last.
async fn write(api: Api<ConfigMap>, shared: Arc<Shared>) {
    let mut changes = shared.changed.subscribe();
    let mut pause = RETRY.0;
    loop {
        let version = *changes.borrow_and_update();
        if version == shared.written.borrow().0 {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        }
        let data = shared.said().written();
        let map =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": NAME }, "data": data });
        let parameters = PatchParams::apply(MANAGER).force();
        let map = Patch::Apply(map);
        match timeout(CALL, api.patch(NAME, &parameters, &map)).await {
            Ok(Ok(_)) => {
                shared.written.send_modify(|(written, _)| *written = version);
                pause = RETRY.0;
            }
            failed => {
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    Ok(Ok(_)) | Err(_) => "the API server did not answer in time".to_owned(),
                };
                tracing::warn!(why, "what an admin has said is not kept yet; trying again");
                shared.written.send_modify(|(_, failed)| *failed += 1);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
}

impl Keep for ClusterKeep {
    /// How an app is stands in its own record, which its platform writes.
    fn save_app(&self, _app: AppRow) {}

    /// As [`Self::save_app`]; but its failures are told.
    fn show_app(&self, app: AppView) {
        self.webhook.iter().for_each(|webhook| webhook.see(&app));
    }

    /// As [`Self::save_app`].
    fn forget_app(&self, app: AppId) {
        self.webhook.iter().for_each(|webhook| webhook.forget(app.as_str()));
    }

    fn set_brake(&self, scope: Scope, pause: Pause) {
        self.change(|said| said.pause(scope, pause));
    }

    fn lift_brake(&self, scope: Scope) {
        self.change(|said| said.resume(&scope));
    }

    fn say_limit(&self, name: Label, words: limits::Said) {
        self.change(|said| said.say(name, words));
    }

    fn unsay_limit(&self, name: Label) {
        self.change(|said| said.unsay(&name));
    }

    fn append_audit(&self, entry: AuditEntry) {
        let AuditEntry { actor, action, subject, before, after, .. } = &entry;
        tracing::info!(target: "audit", actor, action, subject, %before, %after, "audit");
        self.audit.append_audit(entry);
    }

    fn audit(&self, limit: u32, within: Duration) -> Soon<'_, Result<Vec<AuditEntry>, ReadError>> {
        self.audit.audit(limit, within)
    }

    fn flush(&self, within: Duration) -> Soon<'_, Result<(), FlushError>> {
        let version = *self.shared.changed.borrow();
        let mut written = self.shared.written.subscribe();
        let audit = self.audit.flush(within);
        Box::pin(async move {
            let failed = written.borrow().1;
            let done = written.wait_for(|(written, failures)| *written >= version || *failures > failed);
            match timeout(within, done).await {
                Ok(Ok(state)) if state.0 >= version => {}
                Ok(Ok(_)) => {
                    return Err(FlushError::Failed { why: "the API server did not take it".to_owned() });
                }
                Ok(Err(_)) | Err(_) => return Err(FlushError::Deadline { waiting: 1 }),
            }
            audit.await
        })
    }

    fn failed_writes(&self) -> u64 {
        self.shared.written.borrow().1 + self.audit.failed_writes()
    }

    fn lost_writes(&self) -> u64 {
        self.audit.lost_writes()
    }
}
