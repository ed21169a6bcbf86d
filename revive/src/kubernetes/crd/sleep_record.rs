//! `SleepRecord`: how an app sleeps, and what it is made of again. Written by revive, read by people, and the one thing
//! that must not be lost while a workload is not there.

use config::model::WorkloadKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Says of a record that it only stands for one that was deleted by mistake.
pub const TOMBSTONE: &str = "edge.loco.io/tombstone";
/// Keeps a record from going while what it saves is nowhere else.
pub const SAVED: &str = "edge.loco.io/saved";

/// How a workload sleeps, and what it is made of again.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "edge.loco.io",
    version = "v1alpha1",
    kind = "SleepRecord",
    plural = "sleeprecords",
    shortname = "slr",
    category = "loco-edge",
    namespaced,
    status = "SleepRecordStatus",
    derive = "PartialEq",
    doc = "How a workload sleeps, and what it is made of again. Written by revive. While spec.saved is there and the workload is not, this is its only copy.",
    printcolumn = r#"{"name": "Workload", "type": "string", "jsonPath": ".spec.workload.name", "description": "What sleeps"}"#,
    printcolumn = r#"{"name": "State", "type": "string", "jsonPath": ".status.state", "description": "Awake, Draining, Asleep, Waking or Failed"}"#,
    printcolumn = r#"{"name": "Depth", "type": "string", "jsonPath": ".status.depth", "description": "Light: no replicas. Deep: no workload"}"#,
    printcolumn = r#"{"name": "Since", "type": "date", "jsonPath": ".status.since", "description": "Since when it is so"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.reason", "description": "Why, in one word"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.message", "description": "Why", "priority": 1}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.rest != 'Deep' || has(self.saved) || has(self.application)")
        .message("what sleeps deep is made again of spec.saved, or of an Application: keep it")
)]
pub struct SleepRecordSpec {
    /// What sleeps.
    pub workload: WorkloadRef,
    /// How it shall be. What it is may differ for a moment: who finds it so goes on from here.
    #[serde(default)]
    pub rest: RestSpec,
    /// How many replicas it has when it is awake.
    #[schemars(range(min = 0))]
    pub replicas: i32,
    /// Who had said so, for whoever gives it back to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub replicas_by: Vec<FieldManager>,
    /// Its generation when it was put to sleep: one that has it still was not touched since.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// What was asked for when it was put to sleep, as a hash, but for the replicas: another one is another version.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub spec_hash: String,
    /// The workload, whole but for what the API server gives it, with its field managers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "anything")]
    pub saved: Option<Value>,
    /// The Application of loco's whose controller makes the workload again; then nothing is saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationRef>,
    /// The leader's who wrote this. One of an earlier epoch writes nothing.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub epoch: i64,
}

/// How a workload shall be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::undescribed)]
pub enum RestSpec {
    /// It runs.
    #[default]
    Awake,
    /// It is there, without replicas.
    Light,
    /// It is not there.
    Deep,
}

/// A workload, in the namespace of its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRef {
    /// `apps/v1`.
    #[schemars(length(max = 253))]
    pub api_version: String,
    /// Its kind.
    pub kind: RecordedKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Which it was when this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub uid: Option<String>,
}

/// A kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::undescribed)]
pub enum RecordedKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
}

impl From<WorkloadKind> for RecordedKind {
    fn from(kind: WorkloadKind) -> Self {
        match kind {
            WorkloadKind::Deployment => Self::Deployment,
            WorkloadKind::StatefulSet => Self::StatefulSet,
        }
    }
}

impl From<RecordedKind> for WorkloadKind {
    fn from(kind: RecordedKind) -> Self {
        match kind {
            RecordedKind::Deployment => Self::Deployment,
            RecordedKind::StatefulSet => Self::StatefulSet,
        }
    }
}

/// An Application of loco's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationRef {
    /// Its namespace.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Who manages a field (`metadata.managedFields`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldManager {
    /// Its name.
    #[schemars(length(max = 128))]
    pub manager: String,
    /// `Apply` or `Update`.
    #[schemars(length(max = 16))]
    pub operation: String,
    /// The subresource by which it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub subresource: Option<String>,
}

/// How it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SleepRecordStatus {
    /// `Awake`, `Draining`, `Asleep`, `Waking` or `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub state: Option<String>,
    /// `Light` or `Deep`, of what sleeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub depth: Option<String>,
    /// Since when (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
    /// Why, in one word: a failure's code, or what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub reason: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
    /// `WouldLoseData`. What holds only as long as a leader leads, the admin API says (`UndoneBy`, `InHours`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// An object of whatever kind, which the API server keeps as it is.
fn anything(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "The workload, whole but for what the API server gives it, with its field managers.",
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true
    })
}
