//! Deployments and StatefulSets.

use std::time::Duration;

use config::model::WorkloadKind;

use super::meta::{Labels, Meta, Object};
use super::room::Needs;
use super::store::Labelled;

/// A Deployment or StatefulSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its metadata.
    pub meta: Meta,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Who made it.
    pub owners: Vec<Owner>,
    /// Whether we have made it, as its field managers say.
    pub by_us: bool,
    /// How many pods are wanted (`spec.replicas`; 1 if it is not said).
    pub replicas: i32,
    /// How many pods there are, as its controller says.
    pub pods: i32,
    /// The generation that its controller has seen.
    pub observed_generation: i64,
    /// Which pods are its (`matchLabels`).
    pub selector: Labels,
    /// What its pods are like.
    pub template: Template,
    /// How long a rollout may take, if that was said.
    pub progress_deadline: Option<Duration>,
    /// Whether volume claims go with it (`persistentVolumeClaimRetentionPolicy`).
    pub claims: Claims,
    /// Two that were asked for in the same words have the same: but for how many pods they want.
    pub spec_hash: u64,
}

/// What becomes of a StatefulSet's volume claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// It has none.
    None,
    /// They stay.
    Kept,
    /// They go with it, or when it has fewer pods.
    Deleted,
}

/// Somebody who owns an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its API group and version.
    pub api_version: Box<str>,
    /// Its kind.
    pub kind: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Which it is.
    pub uid: Box<str>,
    /// Whether it is the one that manages the object.
    pub controller: bool,
}

/// What pods are made after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Their labels.
    pub labels: Labels,
    /// Their containers, but for those that run first.
    pub containers: Vec<Container>,
    /// The kinds of their volumes, each once.
    pub volumes: Vec<VolumeKind>,
    /// The Secrets with which their images are pulled.
    pub pull_secrets: Vec<Box<str>>,
    /// What they ask their nodes for.
    pub needs: Needs,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: Box<str>,
    /// Its ports, by name; empty if it has none.
    pub ports: Vec<(Box<str>, u16)>,
    /// When it is ready, if that is asked.
    pub readiness: Option<Readiness>,
}

/// A readiness probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// What is asked.
    pub asks: Asks,
    /// How long one such question may take.
    pub timeout: Duration,
}

/// What a readiness probe asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// `httpGet` in the clear.
    Http {
        /// The path, with its query.
        path: Box<str>,
        /// The port.
        port: super::service::TargetPort,
    },
    /// `grpc`.
    Grpc {
        /// The service; empty for the server as a whole.
        service: Box<str>,
        /// The port.
        port: u16,
    },
    /// `tcpSocket`, `exec`, or `httpGet` over TLS: what we would ask is whether it takes connections.
    Else,
}

/// Kinds of volumes, as far as it matters whether something is lost with a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VolumeKind {
    /// `emptyDir`: goes with each pod, as everybody knows.
    EmptyDir,
    /// `ephemeral`: a claim that goes with its pod.
    Ephemeral,
    /// `persistentVolumeClaim`.
    Claim,
    /// `hostPath`.
    HostPath,
    /// Read only, or made anew: `configMap`, `secret`, `projected`, `downwardAPI`, `image`.
    Projected,
    /// Anything else.
    Other,
}

impl Object for Workload {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn compiles_like(&self, other: &Self) -> bool {
        (self.meta.leaving, self.replicas > 0, self.spec_hash)
            == (other.meta.leaving, other.replicas > 0, other.spec_hash)
            && self.meta.labels == other.meta.labels
            && self.meta.annotations == other.meta.annotations
            && self.template == other.template
            && self.progress_deadline == other.progress_deadline
    }
}

/// A Service finds it by its pods' labels.
impl Labelled for Workload {
    fn labels(&self) -> &Labels {
        &self.template.labels
    }
}
