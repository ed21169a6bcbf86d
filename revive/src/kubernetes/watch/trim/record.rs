//! SleepRecords.

use std::borrow::Cow;

use config::model::WorkloadKind;
use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::Deserialize;
use serde_json::Value;

use super::{Keeps, Watched, meta};
use crate::kubernetes::crd::GROUP;
use crate::kubernetes::index::policy::{Rest, SleepRecord};
use crate::kubernetes::index::workload::Workload;
use crate::kubernetes::index::{Seen, Update};

/// The label of a record that only stands for one that was deleted by mistake.
const TOMBSTONE: &str = "edge.loco.io/tombstone";

/// Those words of a SleepRecord that the table depends on.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::kubernetes::watch) struct RecordObject {
    metadata: ObjectMeta,
    spec: Spec,
}

#[derive(Clone, Debug, Deserialize)]
struct Spec {
    workload: Reference,
    #[serde(default)]
    rest: Rest,
    #[serde(default)]
    replicas: Option<i32>,
    #[serde(default)]
    saved: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
struct Reference {
    kind: String,
    name: String,
}

impl Resource for RecordObject {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "SleepRecord".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "sleeprecords".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Watched for RecordObject {
    type Kept = SleepRecord;

    const PAGE: u32 = 100;

    /// A record of a kind that we do not run is not ours.
    fn trimmed(self, keeps: &Keeps) -> Option<SleepRecord> {
        let kinds = [WorkloadKind::Deployment, WorkloadKind::StatefulSet];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == self.spec.workload.kind)?;
        let meta = meta(self.metadata, keeps)?;
        Some(SleepRecord {
            tombstone: meta.labels.get(TOMBSTONE).is_some_and(|value| &**value == "true"),
            meta,
            workload: (kind, self.spec.workload.name.into()),
            replicas: self.spec.replicas.unwrap_or(1),
            saved: self.spec.saved.and_then(|saved| workload(kind, saved, keeps)).map(Box::new),
            rest: self.spec.rest,
        })
    }

    fn update(seen: Seen<SleepRecord>) -> Update {
        Update::Record(seen)
    }
}

/// The workload that was saved; `None` if nothing could be made of it.
fn workload(kind: WorkloadKind, saved: Value, keeps: &Keeps) -> Option<Workload> {
    match kind {
        WorkloadKind::Deployment => serde_json::from_value::<apps::Deployment>(saved).ok()?.trimmed(keeps),
        WorkloadKind::StatefulSet => serde_json::from_value::<apps::StatefulSet>(saved).ok()?.trimmed(keeps),
    }
}
