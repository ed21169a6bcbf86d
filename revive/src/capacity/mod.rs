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
use std::fmt;

pub use placement::{Against, Effect, Expression, Operator, Placement, Taint, Term, Toleration};
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

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            memory: self.memory.saturating_add(other.memory),
            pods: self.pods.saturating_add(other.pods),
        }
    }

    /// What is left; never less than nothing.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(other.cpu),
            memory: self.memory.saturating_sub(other.memory),
            pods: self.pods.saturating_sub(other.pods),
        }
    }

    /// Of each the greater.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.max(other.cpu),
            memory: self.memory.max(other.memory),
            pods: self.pods.max(other.pods),
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

/// `1.5 CPU and 64 MiB`.
impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} CPU and {}", Cores(self.cpu), Bytes(self.memory))
    }
}

/// Thousandths of a core, as people say them: `0.25`.
#[derive(Clone, Copy, Debug)]
pub struct Cores(pub u64);

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000, self.0 % 1_000);
        match part {
            0 => write!(f, "{whole}"),
            _ => f.write_str(format!("{whole}.{part:03}").trim_end_matches('0')),
        }
    }
}

/// Bytes, as people say them, to a tenth: `1.5 GiB`.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        let Some((name, unit)) = units.into_iter().find(|(_, unit)| self.0 >= *unit) else {
            return write!(f, "{} B", self.0);
        };
        let tenths = u128::from(self.0) * 10 / u128::from(unit);
        match tenths % 10 {
            0 => write!(f, "{} {name}", tenths / 10),
            part => write!(f, "{}.{part} {name}", tenths / 10),
        }
    }
}

/// A node, as far as room is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// What keeps pods away that do not tolerate it; a node that is cordoned has one for that.
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
    /// No node is as the pods want it to be.
    #[error("none of {nodes} nodes may take it, because of {against}")]
    NoMatch {
        /// How many there are.
        nodes: usize,
        /// What is against the first of them; of many it is mostly the same.
        against: Against,
    },
    /// Nodes match, and are too full.
    #[error(
        "no room for {} of {wanted} pods that each ask for {each}: {matching} nodes may take them, and the roomiest has {roomiest} for {} pods",
        wanted - fits, roomiest.pods
    )]
    Full {
        /// How many nodes match.
        matching: usize,
        /// How many of the pods fit.
        fits: u64,
        /// How many there are to be.
        wanted: u64,
        /// What each asks for.
        each: Resources,
        /// What is free where most is.
        roomiest: Resources,
    },
}

/// Nodes, and what is free on them.
#[derive(Clone, Debug)]
pub struct Capacity<'a> {
    nodes: Vec<Free<'a>>,
}

#[derive(Clone, Debug)]
struct Free<'a> {
    node: &'a Node,
    room: Resources,
}

/// What is free on the nodes that pods may run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// How many such nodes there are.
    pub nodes: usize,
    /// In all.
    pub free: Resources,
    /// Where most is: a single pod fits in here.
    pub roomiest: Resources,
}

impl<'a> Capacity<'a> {
    /// These nodes, each with what pods on it ask for.
    pub fn of(nodes: impl IntoIterator<Item = (&'a Node, Resources)>) -> Self {
        let free = |(node, used): (&'a Node, Resources)| Free { node, room: node.allocatable.minus(used) };
        Self { nodes: nodes.into_iter().map(free).collect() }
    }

    /// Takes away the room for pods that are to run and are on no node yet. What does not fit takes none: the scheduler
    /// leaves it pending. Each goes where it leaves least over, so that nothing is refused that could yet fit.
    pub fn promise(&mut self, wanted: &Wanted) {
        for _ in 0..wanted.replicas {
            let fitting = self
                .nodes
                .iter_mut()
                .filter(|free| free.room.holds(wanted.each) && wanted.placement.admits(free.node).is_ok());
            let Some(tightest) = fitting.min_by_key(|free| (free.room.cpu, free.room.memory)) else { return };
            tightest.room = tightest.room.minus(wanted.each);
        }
    }

    /// Whether there is room for all of these pods.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn fits(&self, wanted: &Wanted) -> Result<(), NoRoom> {
        if let Some(against) = self.against(&wanted.placement) {
            return Err(NoRoom::NoMatch { nodes: self.nodes.len(), against });
        }
        let fit = |free: &Free<'_>| if free.room.holds(wanted.each) { free.room.fit(wanted.each) } else { 0 };
        let fits = self.matching(&wanted.placement).map(fit).fold(0, u64::saturating_add);
        if fits >= wanted.replicas {
            return Ok(());
        }
        let Room { nodes: matching, roomiest, .. } = self.room(&wanted.placement);
        Err(NoRoom::Full { matching, fits, wanted: wanted.replicas, each: wanted.each, roomiest })
    }

    /// What is free for pods of such a placement.
    pub fn room(&self, placement: &Placement) -> Room {
        let more = |room: Room, free: &Free<'_>| Room {
            nodes: room.nodes + 1,
            free: room.free.plus(free.room),
            roomiest: [room.roomiest, free.room]
                .into_iter()
                .max_by_key(|room| (room.cpu, room.memory))
                .unwrap_or_default(),
        };
        self.matching(placement).fold(Room::default(), more)
    }

    /// What is against the first node, if something is against each.
    fn against(&self, placement: &Placement) -> Option<Against> {
        let mut first = None;
        for free in &self.nodes {
            first = first.or(Some(placement.admits(free.node).err()?));
        }
        first
    }

    fn matching(&self, placement: &Placement) -> impl Iterator<Item = &Free<'a>> {
        self.nodes.iter().filter(|free| placement.admits(free.node).is_ok())
    }
}
