//! Writes statuses, while this process leads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gateway_api::gatewayclasses::GatewayClass;
use gateway_api::gateways::Gateway;
use gateway_api::grpcroutes::GrpcRoute;
use gateway_api::httproutes::HttpRoute;
use http::StatusCode;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Kind, Write};
use crate::kubernetes::MANAGER;
use crate::kubernetes::crd::{LimitPolicy, SleepPolicy};
use crate::kubernetes::index::Key;
use crate::kubernetes::index::route::RouteKind;

/// Writes at once.
const AT_ONCE: usize = 4;
/// Between two writes: at most 50 a second, so that a cluster's first compile is no storm.
const APART: Duration = Duration::from_millis(20);
/// How long a write may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// After a failure; it doubles up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Writes statuses, while this process leads.
pub struct Writer {
    client: Client,
    writes: watch::Receiver<Arc<Vec<Write>>>,
    leads: watch::Receiver<bool>,
    /// The version that was looked at for the last write of each object: what is to be written is the same until the
    /// watch has shown what was written.
    done: HashMap<(Kind, Key), Box<str>>,
    failures: u32,
}

/// How a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is written; or the object is another by now, or gone: the watch will tell.
    Done,
    /// It is to be tried again.
    Failed,
}

/// Whether there is more to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    No,
    Yes,
}

impl Writer {
    /// A writer of `writes`, while `leads`.
    pub fn new(
        client: Client,
        writes: watch::Receiver<Arc<Vec<Write>>>,
        leads: watch::Receiver<bool>,
    ) -> Self {
        Self { client, writes, leads, done: HashMap::new(), failures: 0 }
    }

    /// Writes until nobody says any more what is to be written, or who leads.
    pub async fn run(mut self) {
        loop {
            let writes = self.writes.borrow_and_update().clone();
            let leads = *self.leads.borrow_and_update();
            let retry = if leads { self.all(&writes).await } else { None };
            if self.wait(retry).await == Over::Yes {
                return;
            }
        }
    }

    async fn wait(&mut self, retry: Option<Instant>) -> Over {
        let at = retry.unwrap_or_else(Instant::now);
        let changed = tokio::select! {
            changed = self.writes.changed() => changed,
            changed = self.leads.changed() => changed,
            () = tokio::time::sleep_until(at), if retry.is_some() => Ok(()),
        };
        if changed.is_ok() { Over::No } else { Over::Yes }
    }

    /// Writes what has not been written yet; begins anew as soon as something else is to be written. Returns when to try
    /// again, if something failed.
    async fn all(&mut self, writes: &[Write]) -> Option<Instant> {
        self.done.retain(|(kind, key), _| writes.iter().any(|one| one.kind == *kind && one.key == *key));
        let new = |write: &&Write| self.done.get(&(write.kind, write.key.clone())) != Some(&write.version);
        let todo: Vec<Write> = writes.iter().filter(new).cloned().collect();
        let mut pace = tokio::time::interval(APART);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut under_way, mut failed) = (JoinSet::new(), false);
        for write in todo {
            pace.tick().await;
            while under_way.len() >= AT_ONCE {
                failed |= self.one_is_over(&mut under_way).await;
            }
            if self.leads.has_changed().unwrap_or(true) || self.writes.has_changed().unwrap_or(true) {
                break;
            }
            let client = self.client.clone();
            under_way.spawn(async move { (one(&client, &write).await, write) });
        }
        while !under_way.is_empty() {
            failed |= self.one_is_over(&mut under_way).await;
        }
        if !failed {
            self.failures = 0;
            return None;
        }
        let delay = RETRY.0.saturating_mul(1 << self.failures.min(10)).min(RETRY.1);
        self.failures += 1;
        Some(Instant::now() + delay)
    }

    async fn one_is_over(&mut self, under_way: &mut JoinSet<(Outcome, Write)>) -> bool {
        match under_way.join_next().await {
            Some(Ok((Outcome::Done, write))) => {
                self.done.insert((write.kind, write.key), write.version);
                false
            }
            Some(Ok((Outcome::Failed, _)) | Err(_)) => true,
            None => false,
        }
    }
}

async fn one(client: &Client, write: &Write) -> Outcome {
    let api = api(client, write);
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let body = json!({ "metadata": { "resourceVersion": &*write.version }, "status": write.at(&now) });
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(body);
    let patched = tokio::time::timeout(TIMEOUT, api.patch_status(&write.key.name, &params, &patch)).await;
    let error = match patched {
        Ok(Ok(_)) => return Outcome::Done,
        Ok(Err(kube::Error::Api(status))) if outdated(status.code) => return Outcome::Done,
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(kind = ?write.kind, object = %write.key, error, "status not written; tried again");
    Outcome::Failed
}

/// Whether what was looked at is no longer what is there.
fn outdated(code: u16) -> bool {
    [StatusCode::CONFLICT, StatusCode::NOT_FOUND].iter().any(|one| one.as_u16() == code)
}

fn api(client: &Client, write: &Write) -> Api<DynamicObject> {
    let resource = match write.kind {
        Kind::Class => ApiResource::erase::<GatewayClass>(&()),
        Kind::Gateway => ApiResource::erase::<Gateway>(&()),
        Kind::Route(RouteKind::Http) => ApiResource::erase::<HttpRoute>(&()),
        Kind::Route(RouteKind::Grpc) => ApiResource::erase::<GrpcRoute>(&()),
        Kind::SleepPolicy => ApiResource::erase::<SleepPolicy>(&()),
        Kind::LimitPolicy => ApiResource::erase::<LimitPolicy>(&()),
    };
    if write.key.namespace.is_empty() {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), &write.key.namespace, &resource)
    }
}
