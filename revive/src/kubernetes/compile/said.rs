//! What is to be said of each object: the words of its status, without the times.

use std::collections::BTreeMap;

use crate::kubernetes::index::Key;
use crate::kubernetes::index::gateway::Address;
use crate::kubernetes::index::route::{ParentRef, RouteKind};

/// A condition to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it is about.
    pub r#type: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Why, in one word.
    pub reason: &'static str,
    /// Why, for people.
    pub message: String,
}

impl Said {
    /// That it holds.
    pub fn yes(r#type: &'static str, reason: &'static str) -> Self {
        Self { r#type, holds: true, reason, message: String::new() }
    }

    /// That it does not hold, and why.
    pub fn no(r#type: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { r#type, holds: false, reason, message: message.into() }
    }

    /// The same, with a word for people.
    #[must_use]
    pub fn because(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }
}

/// What is to be said of all objects that we speak of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statuses {
    /// Of our GatewayClasses.
    pub classes: BTreeMap<Key, ClassSaid>,
    /// Of our Gateways.
    pub gateways: BTreeMap<Key, GatewaySaid>,
    /// Of routes that name a Gateway of ours. Of others nothing is to be said, and what we said once is taken back.
    pub routes: BTreeMap<(RouteKind, Key), RouteSaid>,
    /// Of SleepPolicies.
    pub sleep_policies: BTreeMap<Key, PolicySaid>,
    /// Of LimitPolicies.
    pub limit_policies: BTreeMap<Key, PolicySaid>,
    /// Gateways of which nothing is to be said yet, because a Secret is still being asked for.
    pub pending: Vec<Key>,
}

/// What is to be said of a GatewayClass.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSaid {
    /// The generation that was looked at.
    pub generation: i64,
    /// Its conditions.
    pub conditions: Vec<Said>,
}

/// What is to be said of a Gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewaySaid {
    /// The generation that was looked at.
    pub generation: i64,
    /// Where it is reached.
    pub addresses: Vec<Address>,
    /// Its conditions.
    pub conditions: Vec<Said>,
    /// Its listeners, in its order.
    pub listeners: Vec<ListenerSaid>,
}

/// What is to be said of a listener.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerSaid {
    /// Its name.
    pub name: String,
    /// The kinds of routes that it takes.
    pub kinds: Vec<RouteKind>,
    /// How many routes it has.
    pub attached: i32,
    /// Its conditions.
    pub conditions: Vec<Said>,
}

/// What is to be said of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteSaid {
    /// The generation that was looked at.
    pub generation: i64,
    /// For each of its parents that is ours, in its order.
    pub parents: Vec<ParentSaid>,
}

/// What is to be said of a route to one of its parents.
#[derive(Clone, Debug, PartialEq)]
pub struct ParentSaid {
    /// Which, as the route names it.
    pub parent: ParentRef,
    /// The conditions.
    pub conditions: Vec<Said>,
}

/// What is to be said of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySaid {
    /// The generation that was looked at.
    pub generation: i64,
    /// How many apps, or targets, it says something of.
    pub apps: i32,
    /// Its conditions.
    pub conditions: Vec<Said>,
}

/// A message for people that names each of `what` once; empty if there are none.
pub(super) fn listed<'w>(what: impl IntoIterator<Item = &'w str>) -> String {
    let mut words: Vec<&str> = what.into_iter().collect();
    words.sort_unstable();
    words.dedup();
    words.join("; ")
}
