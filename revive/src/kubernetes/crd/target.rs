//! What a policy is for (Gateway API, policy attachment: <https://gateway-api.sigs.k8s.io/geps/gep-713/>). All in the
//! policy's own namespace, so that who may write there says how what is there sleeps, and nobody else.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a SleepPolicy is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.kind == 'Namespace' || has(self.name)").message("name what it is for"),
    validation = Rule::new("!has(self.group) || self.group == (self.kind in ['HTTPRoute', 'GRPCRoute'] ? 'gateway.networking.k8s.io' : self.kind in ['Deployment', 'StatefulSet'] ? 'apps' : '')")
        .message("group: gateway.networking.k8s.io of routes, apps of workloads, \"\" of Services and Namespaces; it can be left out")
)]
pub struct SleepTarget {
    /// Its API group; it follows from the kind and can be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub group: Option<String>,
    /// What it is. Where several policies say something of an app, the nearest wins, key by key: workload, Service,
    /// Route, Namespace.
    pub kind: SleepTargetKind,
    /// Its name. Of a Namespace it can be left out, or is the policy's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
}

/// A kind that a SleepPolicy can be for; the farthest from an app first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SleepTargetKind {
    /// All apps of the policy's namespace.
    Namespace,
    /// The apps that it sends requests to.
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    /// The same.
    #[serde(rename = "GRPCRoute")]
    GrpcRoute,
    /// The app behind it.
    Service,
    /// The app that it runs.
    Deployment,
    /// The app that it runs.
    StatefulSet,
}

/// What a LimitPolicy is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.kind == 'Namespace' || has(self.name)").message("name what it is for"),
    validation = Rule::new("!has(self.group) || self.group == (self.kind == 'Namespace' ? '' : 'gateway.networking.k8s.io')")
        .message("group: gateway.networking.k8s.io, \"\" of a Namespace; it can be left out")
)]
pub struct LimitTarget {
    /// Its API group; it follows from the kind and can be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub group: Option<String>,
    /// What it is.
    pub kind: LimitTargetKind,
    /// Its name. Of a Namespace it can be left out, or is the policy's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
}

/// A kind that a LimitPolicy can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LimitTargetKind {
    /// Requests for the apps of the policy's namespace.
    Namespace,
    /// Requests at its listeners.
    Gateway,
    /// Requests that it matches.
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    /// The same.
    #[serde(rename = "GRPCRoute")]
    GrpcRoute,
}
