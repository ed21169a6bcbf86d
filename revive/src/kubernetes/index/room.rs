//! What room for pods depends on: nodes, quotas, defaults, priorities, what pods ask for, and what those ask for that run.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::meta::{Meta, Object};
use super::pod::{Pod, PodPhase};
use super::store::Changed;
use crate::capacity::{self, Placement, Resources};

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its metadata, but for its labels.
    pub meta: Meta,
    /// What it has, and whom it takes.
    pub node: capacity::Node,
}

/// A ResourceQuota without scopes: those with some are left to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Its metadata.
    pub meta: Meta,
    /// What it bounds of what is known here.
    pub bounds: Vec<Bound>,
}

/// What a quota bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The resource, as the quota calls it: `requests.cpu`.
    pub resource: Box<str>,
    /// What is counted.
    pub counts: Counts,
    /// At most.
    pub hard: u64,
    /// In use.
    pub used: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Thousandths of a core.
    Cpu,
    /// Bytes.
    Memory,
    /// Pods.
    Pods,
}

impl Counts {
    /// How much of it there is.
    pub fn of(self, resources: Resources) -> u64 {
        match self {
            Self::Cpu => resources.cpu,
            Self::Memory => resources.memory,
            Self::Pods => resources.pods,
        }
    }
}

/// A LimitRange: what containers ask for that do not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its metadata.
    pub meta: Meta,
    /// See there.
    pub defaults: Amounts,
}

/// A PriorityClass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorityClass {
    /// Its metadata.
    pub meta: Meta,
    /// Who has the greater goes first.
    pub value: i32,
    /// Whether it holds for pods that name none.
    pub is_default: bool,
    /// Whether its pods throw lesser ones out.
    pub preempts: bool,
}

/// What was said of CPU and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Thousandths of a core.
    pub cpu: Option<u64>,
    /// Bytes.
    pub memory: Option<u64>,
}

/// What pods of a template ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Its containers, in the order in which they begin.
    pub containers: Vec<(Role, Amounts)>,
    /// What is said for the pod as a whole: that counts instead (`spec.resources`, KEP-2837).
    pub whole: Amounts,
    /// What it needs beside its containers.
    pub overhead: Resources,
    /// Where it may run.
    pub placement: Placement,
    /// The class of its priority; empty: none is named.
    pub priority_class: Box<str>,
    /// Who finds a node for it.
    pub scheduled_by: Scheduler,
}

/// When a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Before the others, and ends.
    First,
    /// Begins before the others, and stays.
    Beside,
    /// It is one of the others.
    Main,
}

/// Who finds a node for a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheduler {
    /// Kubernetes' own.
    #[default]
    Default,
    /// Another one, or nobody (`nodeName`): by rules that are not known here.
    Other,
}

impl Needs {
    /// What each pod asks for in all (KEP-753): its containers and those beside them, or more where one that runs first
    /// needs more; and its overhead. `defaults` are the namespace's.
    pub fn each(&self, defaults: Amounts) -> Resources {
        let of = |said: &Amounts| Resources {
            cpu: said.cpu.or(defaults.cpu).unwrap_or_default(),
            memory: said.memory.or(defaults.memory).unwrap_or_default(),
            pods: 0,
        };
        let (mut stay, mut most) = (Resources::default(), Resources::default());
        for (role, said) in &self.containers {
            let with = stay.plus(of(said));
            most = most.most(with);
            match role {
                Role::First => {}
                Role::Beside | Role::Main => stay = with,
            }
        }
        let whole = Resources {
            cpu: self.whole.cpu.unwrap_or(most.cpu),
            memory: self.whole.memory.unwrap_or(most.memory),
            pods: 1,
        };
        whole.plus(self.overhead)
    }
}

/// What pods on each node ask for, by their priority. Those that are about to end do not count: their room is as good as
/// free.
#[derive(Clone, Debug, Default)]
pub struct Usage(Arc<HashMap<Arc<str>, BTreeMap<i32, Resources>>>);

impl Usage {
    /// Takes in what has changed of pods.
    pub fn follow(&mut self, changed: &[Changed<Pod>]) {
        for Changed { old, new } in changed {
            let (old, new) = (old.as_deref().and_then(place), new.as_deref().and_then(place));
            if old == new {
                continue;
            }
            let nodes = Arc::make_mut(&mut self.0);
            if let Some((node, priority, asked)) = old {
                take(nodes, node, priority, asked);
            }
            if let Some((node, priority, asked)) = new {
                let used = nodes.entry(Arc::clone(node)).or_default().entry(priority).or_default();
                *used = used.plus(asked);
            }
        }
    }

    /// What pods of at least this priority ask for on a node.
    pub fn on(&self, node: &str, least: i32) -> Resources {
        let by_priority = self.0.get(node).into_iter().flat_map(|all| all.range(least..));
        by_priority.fold(Resources::default(), |sum, (_, used)| sum.plus(*used))
    }
}

fn take(
    nodes: &mut HashMap<Arc<str>, BTreeMap<i32, Resources>>,
    node: &str,
    priority: i32,
    asked: Resources,
) {
    let Some(by_priority) = nodes.get_mut(node) else { return };
    if let Some(used) = by_priority.get_mut(&priority) {
        *used = used.minus(asked);
        if used.pods == 0 {
            by_priority.remove(&priority);
        }
    }
    if by_priority.is_empty() {
        nodes.remove(node);
    }
}

/// Where a pod takes room, and how much.
fn place(pod: &Pod) -> Option<(&Arc<str>, i32, Resources)> {
    let ended = match pod.phase {
        PodPhase::Succeeded | PodPhase::Failed => true,
        PodPhase::Pending | PodPhase::Running | PodPhase::Unknown => false,
    };
    let node = pod.node.as_ref().filter(|_| !ended && !pod.meta.leaving)?;
    Some((node, pod.priority, pod.requests))
}

macro_rules! objects {
    ($($kind:ty),+) => {$(
        impl Object for $kind {
            fn meta(&self) -> &Meta {
                &self.meta
            }

            /// Nothing is compiled of it.
            fn compiles_like(&self, _: &Self) -> bool {
                true
            }
        }
    )+};
}

objects!(Node, Quota, Range, PriorityClass);
