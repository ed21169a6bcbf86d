//! Whether there is room for pods: asked as the scheduler and the quotas will be, of what the cluster says.
//!
//! Refused is only what cannot be: what is left to the scheduler (spreading, affinity to pods, volumes, ports, devices) and to
//! admission may still keep a pod waiting, and says so itself. Whoever doubts this reads it as: no "no" without a proof.

use std::fmt;
use std::sync::Arc;

use config::link::Failure;

use super::index::room::{Amounts, Bound, Counts, Needs, Scheduler};
use super::index::{Index, Key};
use crate::capacity::{Bytes, Capacity, Cores, NoRoom, Resources, Room, Wanted};

/// Pods that are to run.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Their namespace; empty: it is not known yet, so that no quota counts.
    pub namespace: Arc<str>,
    /// What they ask for.
    pub wanted: Wanted,
    /// Pods of at least this priority keep their room; `None`: nobody knows who does.
    pub yields_to: Option<i32>,
    /// Who finds nodes for them.
    pub scheduled_by: Scheduler,
}

/// Pods for which there was room, and which are not there yet.
#[derive(Clone, Debug)]
pub struct Promised {
    /// Their namespace.
    pub namespace: Arc<str>,
    /// Those that are on no node.
    pub wanted: Wanted,
    /// Those that are not even made, so that no quota counts them.
    pub unmade: u64,
}

/// Whether the nodes that there are decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nodes {
    /// They do.
    #[default]
    Count,
    /// More come when pods wait for them.
    Grow,
}

/// What there is too little of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lacks {
    /// Room on nodes.
    #[error(transparent)]
    Nodes(#[from] NoRoom),
    /// Of a quota.
    #[error(transparent)]
    Quota(#[from] Exceeded),
}

impl Lacks {
    /// What it means for an app that was to be woken.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Nodes(_) => Failure::Unschedulable,
            Self::Quota(_) => Failure::Quota,
        }
    }
}

/// What a namespace's quota does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("quota {quota} of namespace {namespace}: {} of {} {resource} are in use, and {} more are asked for",
    amount(*counts, *used), amount(*counts, *hard), amount(*counts, *asked))]
pub struct Exceeded {
    /// Where.
    pub namespace: Arc<str>,
    /// The ResourceQuota.
    pub quota: Arc<str>,
    /// Its resource, such as `requests.cpu`.
    pub resource: Box<str>,
    /// What that counts.
    pub counts: Counts,
    /// How much is in use, or promised.
    pub used: u64,
    /// At most.
    pub hard: u64,
    /// How much more is asked for.
    pub asked: u64,
}

fn amount(counts: Counts, of: u64) -> String {
    let said: &dyn fmt::Display = match counts {
        Counts::Cpu => &Cores(of),
        Counts::Memory => &Bytes(of),
        Counts::Pods => &of,
    };
    said.to_string()
}

impl Asked {
    /// So many pods of a template.
    pub fn of(index: &Index, namespace: &Arc<str>, needs: &Needs, replicas: u64) -> Self {
        let each = needs.each(defaults(index, namespace));
        Self {
            namespace: Arc::clone(namespace),
            wanted: Wanted { replicas, each, placement: needs.placement.clone() },
            yields_to: yields_to(index, &needs.priority_class),
            scheduled_by: needs.scheduled_by,
        }
    }
}

/// What containers of a namespace ask for that do not say it. Of several LimitRanges any may be taken: the least.
fn defaults(index: &Index, namespace: &Arc<str>) -> Amounts {
    let least = |of: fn(&Amounts) -> Option<u64>| {
        index.ranges.within(namespace).filter_map(|range| of(&range.defaults)).min()
    };
    Amounts { cpu: least(|one| one.cpu), memory: least(|one| one.memory) }
}

fn yields_to(index: &Index, class: &str) -> Option<i32> {
    let found = match class {
        "" => index.priority_classes.iter().find(|one| one.is_default),
        name => Some(index.priority_classes.find(&Key::new("", name))?),
    };
    Some(match found {
        Some(class) if !class.preempts => i32::MIN,
        Some(class) => class.value,
        None => 0,
    })
}

/// Whether there is room for all of the pods, beside what is promised.
///
/// # Errors
/// Says what is missing.
pub fn fits(index: &Index, asked: &Asked, promised: &[Promised], nodes: Nodes) -> Result<(), Lacks> {
    within_quotas(index, asked, promised)?;
    match (nodes, asked.scheduled_by) {
        (Nodes::Count, Scheduler::Default) if !index.nodes.is_empty() => {
            Ok(capacity(index, asked, promised).fits(&asked.wanted)?)
        }
        // Where no node is known, they may not be read, or come when a pod waits for them.
        (Nodes::Count, Scheduler::Default | Scheduler::Other) | (Nodes::Grow, _) => Ok(()),
    }
}

/// What is free for such pods.
pub fn free(index: &Index, asked: &Asked, promised: &[Promised]) -> Room {
    capacity(index, asked, promised).room(&asked.wanted.placement)
}

fn capacity<'i>(index: &'i Index, asked: &Asked, promised: &[Promised]) -> Capacity<'i> {
    let used =
        |name: &str| asked.yields_to.map_or_else(Resources::default, |least| index.usage.on(name, least));
    let mut capacity = Capacity::of(index.nodes.iter().map(|one| (&one.node, used(&one.meta.key.name))));
    if asked.yields_to.is_some() {
        promised.iter().for_each(|one| capacity.promise(&one.wanted));
    }
    capacity
}

fn within_quotas(index: &Index, asked: &Asked, promised: &[Promised]) -> Result<(), Exceeded> {
    let namespace = &asked.namespace;
    let mut quotas = index.quotas.within(namespace).peekable();
    if quotas.peek().is_none() {
        return Ok(());
    }
    let more = asked.wanted.each.times(asked.wanted.replicas);
    let here = promised.iter().filter(|one| one.namespace == *namespace);
    let promised = here.fold(Resources::default(), |sum, one| sum.plus(one.wanted.each.times(one.unmade)));
    let leaving = index.pods.within(namespace).filter(|pod| pod.meta.leaving);
    let leaving = leaving.fold(Resources::default(), |sum, pod| sum.plus(pod.requests));
    for quota in quotas {
        for Bound { resource, counts, hard, used } in &quota.bounds {
            let used = used.saturating_sub(counts.of(leaving)).saturating_add(counts.of(promised));
            // What asks for nothing of it is refused by none, however much is in use.
            if counts.of(more) > 0 && used.saturating_add(counts.of(more)) > *hard {
                return Err(Exceeded {
                    namespace: Arc::clone(namespace),
                    quota: Arc::clone(&quota.meta.key.name),
                    resource: resource.clone(),
                    counts: *counts,
                    used,
                    hard: *hard,
                    asked: counts.of(more),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
