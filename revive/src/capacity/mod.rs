//! Whether there is room for another pod, before one is asked for: a start that the scheduler would leave pending is
//! refused at once, and told why.
//!
//! What counts is what the scheduler counts (`NodeResourcesFit`, `NodeAffinity`, `TaintToleration`,
//! `NodeUnschedulable`): requests against what is allocatable, node by node. Spreading, ports and volumes are left to
//! it: what is refused here has no room for certain, what is let through may still wait.

mod placement;
mod quantity;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub use placement::{Effect, Expression, Operator, Placement, Taint, Term, Toleration};
pub use quantity::{Quantity, QuantityError};

/// CPU, memory and pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu: u64,
    /// Bytes.
    pub memory: u64,
    /// How many.
    pub pods: u64,
}

impl Resources {
    /// One pod that asks for this much.
    pub fn pod(cpu: u64, memory: u64) -> Self {
        Self { cpu, memory, pods: 1 }
    }

    /// So many times as much; a multiple that cannot be counted is as much as can be.
    #[must_use]
    pub fn times(self, factor: u64) -> Self {
        Self {
            cpu: self.cpu.saturating_mul(factor),
            memory: self.memory.saturating_mul(factor),
            pods: self.pods.saturating_mul(factor),
        }
    }

    #[must_use]
    fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            memory: self.memory.saturating_add(other.memory),
            pods: self.pods.saturating_add(other.pods),
        }
    }

    #[must_use]
    fn minus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(other.cpu),
            memory: self.memory.saturating_sub(other.memory),
            pods: self.pods.saturating_sub(other.pods),
        }
    }

    fn holds(self, other: Self) -> bool {
        self.cpu >= other.cpu && self.memory >= other.memory && self.pods >= other.pods
    }

    /// How often the other goes into it.
    fn fit(self, other: Self) -> u64 {
        let times = |have: u64, want: u64| have.checked_div(want).unwrap_or(u64::MAX);
        let cpu_and_memory = times(self.cpu, other.cpu).min(times(self.memory, other.memory));
        cpu_and_memory.min(times(self.pods, other.pods))
    }
}

/// A node, as far as room is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// What keeps pods away that do not tolerate it; a node that is cordoned or not ready has one for that.
    pub taints: Vec<Taint>,
    /// What pods may ask for in all.
    pub allocatable: Resources,
}

/// Pods that are to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How many.
    pub replicas: u64,
    /// What each asks for.
    pub each: Resources,
    /// Where they may run.
    pub placement: Placement,
}

/// Why there is no room.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// No node is as the pod wants it to be.
    #[error("none of {nodes} nodes matches: {why}")]
    NoMatch {
        /// How many there are.
        nodes: usize,
        /// What most of them lack.
        why: &'static str,
    },
    /// Nodes match, and are too full.
    #[error(
        "{matching} nodes match, and have room for {fits} of {wanted} pods that each ask for {cpu}m CPU and {memory} bytes"
    )]
    Full {
        /// How many nodes match.
        matching: usize,
        /// How many of the pods fit.
        fits: u64,
        /// How many there are to be.
        wanted: u64,
        /// Thousandths of a core that each asks for.
        cpu: u64,
        /// Bytes that each asks for.
        memory: u64,
    },
}

/// Nodes and what pods on them ask for.
#[derive(Clone, Debug, Default)]
pub struct Capacity {
    nodes: HashMap<String, Node>,
    used: HashMap<String, Resources>,
    /// What pods ask for that have no node yet, and starts whose pods are not seen yet.
    pending: Vec<Wanted>,
}

impl Capacity {
    /// A node is there, as described.
    pub fn apply_node(&mut self, name: String, node: Node) {
        self.nodes.insert(name, node);
    }

    /// A node is gone.
    pub fn delete_node(&mut self, name: &str) {
        self.nodes.remove(name);
    }

    /// A pod came to a node.
    pub fn occupy(&mut self, node: &str, pod: Resources) {
        let used = self.used.entry(node.to_owned()).or_default();
        *used = used.plus(pod);
    }

    /// A pod left a node.
    pub fn vacate(&mut self, node: &str, pod: Resources) {
        if let Some(used) = self.used.get_mut(node) {
            *used = used.minus(pod);
        }
    }

    /// What is to run and is on no node yet: it comes before what is asked about now.
    pub fn set_pending(&mut self, pending: Vec<Wanted>) {
        self.pending = pending;
    }

    /// Whether there is room for pods, and `factor` times as many as there are to be.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn fits(&self, wanted: &Wanted, factor: u64) -> Result<(), NoRoom> {
        let mut free = self.free();
        for earlier in &self.pending {
            // What does not fit takes nothing away: the scheduler leaves it pending.
            let _fitted = place(&self.nodes, &mut free, earlier, earlier.replicas);
        }
        let matching = self.nodes.values().filter(|node| wanted.placement.admits(node).is_ok()).count();
        if matching == 0 {
            return Err(NoRoom::NoMatch { nodes: self.nodes.len(), why: self.lacking(&wanted.placement) });
        }
        let number = wanted.replicas.saturating_mul(factor);
        let fits = place(&self.nodes, &mut free, wanted, number);
        let Resources { cpu, memory, .. } = wanted.each;
        if fits < number {
            return Err(NoRoom::Full { matching, fits, wanted: number, cpu, memory });
        }
        Ok(())
    }

    fn free(&self) -> HashMap<&str, Resources> {
        let free = |name: &str, node: &Node| {
            node.allocatable.minus(self.used.get(name).copied().unwrap_or_default())
        };
        self.nodes.iter().map(|(name, node)| (name.as_str(), free(name, node))).collect()
    }

    /// What the first node that does not match lacks; of many it is mostly the same.
    fn lacking(&self, placement: &Placement) -> &'static str {
        self.nodes.values().find_map(|node| placement.admits(node).err()).unwrap_or("there are no nodes")
    }
}

/// Puts pods where there is room; how many found some.
fn place(
    nodes: &HashMap<String, Node>,
    free: &mut HashMap<&str, Resources>,
    wanted: &Wanted,
    number: u64,
) -> u64 {
    let mut left = number;
    for (name, room) in free.iter_mut() {
        let admitted = nodes.get(*name).is_some_and(|node| wanted.placement.admits(node).is_ok());
        if left == 0 || !admitted || !room.holds(wanted.each) {
            continue;
        }
        let here = room.fit(wanted.each).min(left);
        *room = room.minus(wanted.each.times(here));
        left -= here;
    }
    number - left
}
