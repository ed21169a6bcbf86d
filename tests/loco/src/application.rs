//! loco's `Application`, as far as the controller and the edge look at it.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An app of the platform.
#[derive(Clone, CustomResource, Debug, Deserialize, JsonSchema, Serialize)]
#[kube(
    group = "infra.loco.io",
    version = "v1alpha1",
    kind = "Application",
    namespaced,
    status = "ApplicationStatus"
)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationSpec {
    /// `SERVICE` and others.
    #[serde(rename = "type")]
    pub kind: String,
    /// The app's id.
    pub resource_id: i64,
    /// Whose it is.
    pub workspace_id: i64,
    /// Where it runs.
    pub region: String,
    /// How it runs.
    pub service_spec: ServiceSpec,
}

/// How an app runs.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceSpec {
    /// What runs.
    pub deployment: DeploymentSpec,
    /// How much of it.
    pub resources: ResourcesSpec,
    /// Where it is reached.
    pub routing: RoutingSpec,
}

/// What runs.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentSpec {
    /// Its image.
    pub image: String,
    /// Where it listens.
    pub port: i32,
    /// When it is up.
    pub health_check: HealthCheck,
    /// Its variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// When an app is up. Times are seconds.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthCheck {
    /// Asked for.
    pub path: String,
    /// How often.
    #[serde(default = "HealthCheck::interval")]
    pub interval: i32,
    /// How long one takes at most.
    #[serde(default = "HealthCheck::timeout")]
    pub timeout: i32,
    /// How often it may fail.
    #[serde(default = "HealthCheck::fail_threshold")]
    pub fail_threshold: i32,
    /// Before the first.
    #[serde(default = "HealthCheck::startup_grace_period")]
    pub startup_grace_period: i32,
}

impl HealthCheck {
    fn interval() -> i32 {
        30
    }

    fn timeout() -> i32 {
        5
    }

    fn fail_threshold() -> i32 {
        3
    }

    fn startup_grace_period() -> i32 {
        15
    }
}

/// How much of it runs.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(crate) struct ResourcesSpec {
    /// Of each replica.
    pub cpu: String,
    /// Of each replica.
    pub memory: String,
    /// How many.
    pub replicas: Replicas,
}

/// How many.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(crate) struct Replicas {
    /// At least; what the Deployment gets.
    pub min: i32,
    /// At most.
    pub max: i32,
}

/// Where an app is reached.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoutingSpec {
    /// Its host.
    pub host_name: String,
    /// Below.
    pub path_prefix: String,
    /// Seconds.
    #[serde(default = "RoutingSpec::idle_timeout")]
    pub idle_timeout: i32,
}

impl RoutingSpec {
    fn idle_timeout() -> i32 {
        60
    }
}

/// How it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationStatus {
    /// `Idle`, `Deploying`, `Ready` or `Failed`.
    pub phase: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// When it was last looked at: written each time, which is what has it looked at again.
    #[serde(default)]
    pub updated_at: String,
}
