//! Our own resources: policies, and the records of what sleeps.

use config::model::{Limit, WorkloadKind};

use serde::Deserialize;

use super::condition::Condition;
use super::meta::{Labels, Meta, Object};
use super::store::Labelled;
use super::workload::Workload;
use crate::kubernetes::crd::{LimitTarget, Mistake, SleepTarget, Sleeping};

/// A policy: what it is for, and what it says; or what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy<Target, Says> {
    /// Its metadata.
    pub meta: Meta,
    /// What it is for.
    pub targets: Vec<Target>,
    /// What it says.
    pub says: Result<Says, Vec<Mistake>>,
    /// What is said of it.
    pub status: PolicyStatus,
}

/// What is said of a policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyStatus {
    /// How many apps, or targets, it says something of.
    pub apps: Option<i32>,
    /// The edge that says it, by its controller's name.
    pub controller: Option<Box<str>>,
    /// Whether it can be used.
    pub conditions: Vec<Condition>,
}

/// When apps sleep, and how they wake.
pub type SleepPolicy = Policy<SleepTarget, Sleeping>;

/// How many of some requests may pass.
pub type LimitPolicy = Policy<LimitTarget, Vec<Limit>>;

impl<Target: PartialEq, Says: PartialEq> Object for Policy<Target, Says> {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn compiles_like(&self, other: &Self) -> bool {
        self.meta == other.meta && self.targets == other.targets && self.says == other.says
    }
}

/// A SleepRecord.
#[derive(Clone, Debug, PartialEq)]
pub struct SleepRecord {
    /// Its metadata.
    pub meta: Meta,
    /// What it is about: its kind and name.
    pub workload: (WorkloadKind, Box<str>),
    /// How many pods it had.
    pub replicas: i32,
    /// Of one that is saved: what it was. Its metadata are those it had.
    pub saved: Option<Box<Workload>>,
    /// How the workload shall be.
    pub rest: Rest,
    /// Whether it only stands for a record that was deleted by mistake.
    pub tombstone: bool,
}

/// How a workload shall be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Rest {
    /// It runs.
    #[default]
    Awake,
    /// It is there, without replicas.
    Light,
    /// It is not there.
    Deep,
}

impl Object for SleepRecord {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn compiles_like(&self, other: &Self) -> bool {
        let said = |record: &Self| (record.meta.leaving, record.tombstone, record.rest, record.replicas);
        said(self) == said(other) && self.workload == other.workload && self.saved == other.saved
    }
}

/// A Service finds a record by the labels of the pods that there were.
impl Labelled for SleepRecord {
    fn labels(&self) -> &Labels {
        static NONE: Labels = Labels::new();
        self.saved.as_ref().map_or(&NONE, |saved| &saved.template.labels)
    }
}
