//! The SleepRecords: read, compared and swapped, buried and forgotten.
//!
//! A record by hand: `kubectl get sleeprecord NAME -o jsonpath='{.spec.saved}' | kubectl create -f -` makes the workload
//! again, with the field managers that it had; a tombstone's does the same.

use std::time::{Duration, SystemTime};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use super::cluster::{Cluster, Lane};
use super::place::Place;
use super::trouble::Trouble;
use crate::kubernetes::MANAGER;
use crate::kubernetes::crd::{SAVED, SleepRecord, SleepRecordSpec, TOMBSTONE};

/// How long a tombstone stays.
pub const TOMBSTONE_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How often tombstones are looked for.
const SWEEP: Duration = Duration::from_secs(60 * 60);

/// How often a write is tried again because somebody else wrote meanwhile: only people do.
const TRIES: usize = 5;

const RESOURCE: &str = "sleeprecords";

/// Why a record was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotCommitted {
    /// Another leader has written it since: we are none any more.
    #[error("a leader of epoch {0} has written the record")]
    Outdated(i64),
    /// The API server would not.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

/// The record of a workload, if it has one.
pub(super) async fn read(
    cluster: &Cluster,
    lane: Lane,
    place: &Place,
) -> Result<Option<SleepRecord>, Trouble> {
    let api = cluster.api::<SleepRecord>(&place.namespace);
    cluster.ask(lane, "get", RESOURCE, api.get_opt(&place.record())).await
}

/// Writes what `change` makes of the record as it is, whoever has written it, but not over a later leader.
pub(super) async fn commit(
    cluster: &Cluster,
    place: &Place,
    epoch: i64,
    owners: &[OwnerReference],
    change: impl Fn(Option<&SleepRecordSpec>) -> SleepRecordSpec + Send + Sync,
) -> Result<SleepRecord, NotCommitted> {
    let mut last = Trouble::NotFound;
    for _ in 0..TRIES {
        let found = read(cluster, Lane::Beside, place).await?;
        if let Some(found) = &found
            && found.spec.epoch > epoch
        {
            return Err(NotCommitted::Outdated(found.spec.epoch));
        }
        let spec = SleepRecordSpec { epoch, ..change(found.as_ref().map(|found| &found.spec)) };
        match write(cluster, place, found, owners, spec).await {
            Err(conflict @ Trouble::Conflict(_)) => last = conflict,
            written => return written.map_err(NotCommitted::from),
        }
    }
    Err(last.into())
}

async fn write(
    cluster: &Cluster,
    place: &Place,
    found: Option<SleepRecord>,
    owners: &[OwnerReference],
    spec: SleepRecordSpec,
) -> Result<SleepRecord, Trouble> {
    let api = cluster.api::<SleepRecord>(&place.namespace);
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let is_new = found.is_none();
    let mut record = found.unwrap_or_else(|| new(place));
    record.spec = spec;
    own(&mut record.metadata, owners);
    finalize(&mut record);
    if is_new {
        cluster.ask(Lane::Beside, "create", RESOURCE, api.create(&params, &record)).await
    } else {
        let name = record.name_any();
        cluster.ask(Lane::Beside, "update", RESOURCE, api.replace(&name, &params, &record)).await
    }
}

fn new(place: &Place) -> SleepRecord {
    let metadata = ObjectMeta {
        name: Some(place.record()),
        namespace: Some(place.namespace.to_string()),
        ..ObjectMeta::default()
    };
    SleepRecord { metadata, spec: empty(place), status: None }
}

/// What is said of a workload of which nothing is known.
pub(super) fn empty(place: &Place) -> SleepRecordSpec {
    use crate::kubernetes::crd::{RestSpec, WorkloadRef};
    SleepRecordSpec {
        workload: WorkloadRef {
            api_version: "apps/v1".to_owned(),
            kind: place.workload.kind.into(),
            name: place.name().to_owned(),
            uid: None,
        },
        rest: RestSpec::Awake,
        replicas: 1,
        replicas_by: Vec::new(),
        generation: 0,
        spec_hash: String::new(),
        saved: None,
        application: None,
        epoch: 0,
    }
}

/// The Services that select it own it: it goes with the last of them.
fn own(metadata: &mut ObjectMeta, owners: &[OwnerReference]) {
    let owned = metadata.owner_references.get_or_insert_default();
    for owner in owners {
        if !owned.iter().any(|known| known.uid == owner.uid) {
            owned.push(owner.clone());
        }
    }
}

/// What is nowhere else must not go by mistake.
fn finalize(record: &mut SleepRecord) {
    let finalizers = record.metadata.finalizers.get_or_insert_default();
    finalizers.retain(|name| name != SAVED);
    if record.spec.saved.is_some() && record.metadata.deletion_timestamp.is_none() {
        finalizers.push(SAVED.to_owned());
    }
}

/// Somebody deletes a record whose workload is not there: unless its app goes with it, a tombstone keeps what it saves.
pub(super) async fn bury(
    cluster: &Cluster,
    place: &Place,
    record: &SleepRecord,
    app_stays: bool,
) -> Result<(), Trouble> {
    if app_stays && record.spec.saved.is_some() {
        let api = cluster.api::<SleepRecord>(&place.namespace);
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let made =
            cluster.ask(Lane::Beside, "create", RESOURCE, api.create(&params, &tombstone(record))).await;
        match made {
            Ok(_) | Err(Trouble::Conflict(_)) => {}
            // The whole namespace goes, which our finalizer would keep.
            Err(Trouble::Refused { message, .. }) if message.contains("being terminated") => {}
            Err(trouble) => return Err(trouble),
        }
    }
    let_go(cluster, place).await
}

/// A copy of a record that stands for it, by another name, owned by nobody.
fn tombstone(record: &SleepRecord) -> SleepRecord {
    let uid = record.metadata.uid.as_deref().unwrap_or_default();
    let suffix: String = uid.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    let metadata = ObjectMeta {
        name: Some(format!("{}-tombstone-{suffix}", record.name_any())),
        namespace: record.namespace(),
        labels: Some([(TOMBSTONE.to_owned(), "true".to_owned())].into()),
        ..ObjectMeta::default()
    };
    SleepRecord { metadata, spec: record.spec.clone(), status: None }
}

/// Takes the finalizer off.
async fn let_go(cluster: &Cluster, place: &Place) -> Result<(), Trouble> {
    let api = cluster.api::<SleepRecord>(&place.namespace);
    let patch = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    let name = place.record();
    let params = PatchParams::default();
    let request = api.patch(&name, &params, &patch);
    gone(cluster.ask(Lane::Beside, "patch", RESOURCE, request).await.map(|_| ()))
}

/// Deletes the record, with what it saves.
pub(super) async fn forget(cluster: &Cluster, place: &Place) -> Result<(), Trouble> {
    let api = cluster.api::<SleepRecord>(&place.namespace);
    let (name, params) = (place.record(), DeleteParams::default());
    let_go(cluster, place).await?;
    gone(cluster.ask(Lane::Beside, "delete", RESOURCE, api.delete(&name, &params)).await.map(|_| ()))
}

fn gone(result: Result<(), Trouble>) -> Result<(), Trouble> {
    match result {
        Err(Trouble::NotFound) => Ok(()),
        other => other,
    }
}

/// Deletes tombstones whose time is over, now and every hour.
pub(super) async fn keep_swept(cluster: Cluster) {
    loop {
        match sweep(&cluster, SystemTime::now()).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "tombstones of records were deleted: their time is over"),
            Err(trouble) => tracing::warn!(%trouble, "tombstones of records were not looked for"),
        }
        tokio::time::sleep(SWEEP).await;
    }
}

/// Says how many.
async fn sweep(cluster: &Cluster, now: SystemTime) -> Result<usize, Trouble> {
    let api = cluster.everywhere::<SleepRecord>();
    let params = ListParams::default().labels(&format!("{TOMBSTONE}=true"));
    let tombstones = cluster.ask(Lane::Beside, "list", RESOURCE, api.list(&params)).await?;
    let mut swept = 0;
    for tombstone in tombstones.items.iter().filter(|tombstone| is_over(tombstone, now)) {
        let api = cluster.api::<SleepRecord>(&tombstone.namespace().unwrap_or_default());
        let (name, params) = (tombstone.name_any(), DeleteParams::default());
        gone(cluster.ask(Lane::Beside, "delete", RESOURCE, api.delete(&name, &params)).await.map(|_| ()))?;
        swept += 1;
    }
    Ok(swept)
}

fn is_over(tombstone: &SleepRecord, now: SystemTime) -> bool {
    let made =
        tombstone.metadata.creation_timestamp.as_ref().and_then(|time| serde_json::to_value(time).ok());
    let made = made.and_then(|time| humantime::parse_rfc3339(time.as_str()?).ok());
    made.is_some_and(|made| now.duration_since(made).is_ok_and(|age| age >= TOMBSTONE_FOR))
}
