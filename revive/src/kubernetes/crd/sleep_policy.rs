//! `SleepPolicy`: when apps sleep, how they wake, and when they are up.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HealthSpec, HoursSpec, SPAN_OR_NEVER, SleepTarget, WakeSpec};

/// When apps sleep, how they wake, and when they are up. What no policy says of an app holds as the edge's settings
/// have it; where nothing says `idleAfter` or `removeAfter`, it never sleeps.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "edge.loco.io",
    version = "v1alpha1",
    kind = "SleepPolicy",
    plural = "sleeppolicies",
    shortname = "slp",
    category = "loco-edge",
    namespaced,
    status = "PolicyStatus",
    derive = "PartialEq",
    doc = "When apps sleep, how they wake, and when they are up.",
    label("gateway.networking.k8s.io/policy", "Inherited"),
    printcolumn = r#"{"name": "Target", "type": "string", "jsonPath": ".spec.targetRefs[*].kind", "description": "What it is for"}"#,
    printcolumn = r#"{"name": "Name", "type": "string", "jsonPath": ".spec.targetRefs[*].name", "description": "Its names", "priority": 1}"#,
    printcolumn = r#"{"name": "Idle-After", "type": "string", "jsonPath": ".spec.idleAfter", "description": "Idle so long: no replicas"}"#,
    printcolumn = r#"{"name": "Remove-After", "type": "string", "jsonPath": ".spec.removeAfter", "description": "Idle so long: no workload"}"#,
    printcolumn = r#"{"name": "Accepted", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Accepted\")].status", "description": "Whether it can be used"}"#,
    printcolumn = r#"{"name": "Apps", "type": "integer", "jsonPath": ".status.apps", "description": "How many apps it says something of"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.depth) || self.depth != 'light' || !has(self.removeAfter) || self.removeAfter == 'never'")
        .message("removeAfter is deep sleep, which depth: light rules out: leave out one of the two"),
    validation = Rule::new("!has(self.idleAfter) || self.idleAfter != 'never' || !has(self.removeAfter) || self.removeAfter == 'never'")
        .message("what is never idle is never removed: leave out idleAfter, or write removeAfter: never")
)]
pub struct SleepPolicySpec {
    /// What it is for, in its own namespace.
    #[schemars(length(min = 1, max = 16))]
    pub target_refs: Vec<SleepTarget>,
    /// Idle for so long, such as `15m`: light sleep (no replicas); or `never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = SPAN_OR_NEVER))]
    pub idle_after: Option<String>,
    /// Idle for so long, such as `7d`: deep sleep (the workload is kept in its SleepRecord, and gone); or `never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = SPAN_OR_NEVER))]
    pub remove_after: Option<String>,
    /// The deepest sleep, whatever `removeAfter` says here or farther away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<DepthSpec>,
    /// What a request meets while its app sleeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake: Option<WakeSpec>,
    /// When an app is up; what is not said is taken from its readiness probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthSpec>,
    /// Apps that this one needs: whoever wakes it wakes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub wake_with: Option<Vec<AppRef>>,
    /// Hours in which apps are awake, asked for or not; outside of them they sleep as the rest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub schedule: Option<Vec<HoursSpec>>,
}

/// How deep a sleep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = super::undescribed)]
pub enum DepthSpec {
    /// No replicas.
    Light,
    /// No workload.
    Deep,
}

/// An app, by what runs it or what stands before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppRef {
    /// What it is.
    pub kind: AppKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace, which must be one of the same workspace; the policy's own unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// What an app is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AppKind {
    /// A Service.
    Service,
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
}

/// What the edge makes of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// How many apps (of a LimitPolicy: targets) it says something of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apps: Option<i32>,
    /// Whose word this is, by the `controllerName` of its GatewayClasses: of several edges in one cluster, the one that
    /// has more apps of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// `Accepted`: `Accepted`, `Invalid` (the message names the fields), `TargetNotFound` or `Conflicted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
