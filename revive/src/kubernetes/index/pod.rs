//! Pods.

use std::net::IpAddr;
use std::sync::Arc;

use config::model::WorkloadKind;

use super::meta::{Labels, Meta, Object};
use super::store::Labelled;
use super::workload::Owner;
use crate::capacity::Resources;

/// A pod. Its name, namespace, uid, labels, version and whether it is being deleted are in [`Meta`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its metadata.
    pub meta: Meta,
    /// Who made it: a ReplicaSet, a StatefulSet.
    pub owner: Option<Owner>,
    /// Where it runs.
    pub node: Option<Arc<str>>,
    /// Its addresses.
    pub ips: Vec<IpAddr>,
    /// How far it is.
    pub phase: PodPhase,
    /// Why it is no further, as its status says (`Evicted`).
    pub reason: Option<Box<str>>,
    /// The same, for people.
    pub message: Box<str>,
    /// `PodScheduled`, `Ready` and their like.
    pub conditions: Vec<PodCondition>,
    /// Its containers' states: first those that run first.
    pub containers: Vec<ContainerStatus>,
    /// Its containers' ports, by name; empty if they have none.
    pub ports: Vec<(Box<str>, u16)>,
    /// What it asks its node for.
    pub requests: Resources,
    /// Who has the greater goes first, and may throw others out.
    pub priority: i32,
}

/// `PodPhase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Not all of it has begun.
    Pending,
    /// It runs.
    Running,
    /// It has ended well.
    Succeeded,
    /// It has ended otherwise.
    Failed,
    /// Its node cannot be asked.
    Unknown,
}

/// A condition of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodCondition {
    /// What it is about.
    pub r#type: Box<str>,
    /// Whether it holds.
    pub holds: bool,
    /// Why, in one word.
    pub reason: Box<str>,
    /// Why, for people.
    pub message: Box<str>,
}

/// How a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Its name.
    pub name: Box<str>,
    /// Whether it runs before the others.
    pub first: bool,
    /// How it is.
    pub state: ContainerState,
    /// How its last run ended, if it had one before this.
    pub last: Option<Terminated>,
    /// Whether it has begun, as far as its startup probe says.
    pub started: bool,
    /// Whether it takes requests.
    pub ready: bool,
    /// How often it was begun again.
    pub restarts: i32,
}

/// `ContainerState`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// It waits.
    Waiting {
        /// For what, in one word: `ErrImagePull`, `CrashLoopBackOff`.
        reason: Box<str>,
        /// For people.
        message: Box<str>,
    },
    /// It runs.
    Running,
    /// It has ended.
    Terminated(Terminated),
}

/// How a container has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminated {
    /// In one word: `OOMKilled`, `Error`, `Completed`.
    pub reason: Box<str>,
    /// For people.
    pub message: Box<str>,
    /// With which code.
    pub exit_code: i32,
    /// By which signal, if that is known.
    pub signal: Option<i32>,
}

impl Pod {
    /// What it is of, as far as its owner's name says: a ReplicaSet is called as its Deployment, with a hash.
    pub fn workload(&self) -> Option<(WorkloadKind, &str)> {
        let owner = self.owner.as_ref()?;
        match &*owner.kind {
            "ReplicaSet" => Some((WorkloadKind::Deployment, owner.name.rsplit_once('-')?.0)),
            "StatefulSet" => Some((WorkloadKind::StatefulSet, &owner.name)),
            _ => None,
        }
    }

    /// Whether the condition of this type holds.
    pub fn holds(&self, r#type: &str) -> bool {
        self.conditions.iter().any(|condition| &*condition.r#type == r#type && condition.holds)
    }
}

impl Object for Pod {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Nothing of the table is compiled of pods: their endpoints are told as their app's state.
    fn compiles_like(&self, _: &Self) -> bool {
        true
    }
}

impl Labelled for Pod {
    fn labels(&self) -> &Labels {
        &self.meta.labels
    }
}
