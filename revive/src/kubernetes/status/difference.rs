//! What differs between what objects show and what is to be said of them; purely.

use serde_json::{Value, json};

use crate::kubernetes::compile::Statuses;
use crate::kubernetes::compile::said::{GatewaySaid, ListenerSaid, PolicySaid, RouteSaid, Said};
use crate::kubernetes::index::condition::Condition;
use crate::kubernetes::index::gateway::{Gateway, ListenerStatus};
use crate::kubernetes::index::policy::PolicyStatus;
use crate::kubernetes::index::route::{ParentStatus, Route, RouteKind};
use crate::kubernetes::index::{Index, Key, Meta};

/// Bytes of the longest message: what a condition may hold is 32 KiB, what a person reads is less.
const MAX_MESSAGE: usize = 4 << 10;

/// A kind whose status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A GatewayClass.
    Class,
    /// A Gateway.
    Gateway,
    /// A route.
    Route(RouteKind),
    /// A SleepPolicy.
    SleepPolicy,
    /// A LimitPolicy.
    LimitPolicy,
}

/// A status to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Of which kind.
    pub kind: Kind,
    /// Of which object.
    pub key: Key,
    /// The resourceVersion that was looked at: should the object be another by then, it is looked at again first.
    pub version: Box<str>,
    /// The status. Conditions that have become others have no time in it: they get that of the writing.
    pub status: Value,
}

/// What is to be written. Of other controllers' words nothing is changed.
pub fn writes(index: &Index, statuses: &Statuses, controller: &str) -> Vec<Write> {
    let mut writes = Vec::new();
    for (key, said) in &statuses.classes {
        let Some(class) = index.classes.find(key) else { continue };
        let conditions = conditions(&class.conditions, &said.conditions, said.generation);
        if conditions != class.conditions {
            writes.push(write(Kind::Class, &class.meta, json!({ "conditions": conditions })));
        }
    }
    for (key, said) in &statuses.gateways {
        let Some(gateway) = index.gateways.find(key) else { continue };
        writes.extend(of_gateway(gateway, said).map(|status| write(Kind::Gateway, &gateway.meta, status)));
    }
    for kind in [RouteKind::Http, RouteKind::Grpc] {
        for route in index.routes(kind).iter() {
            let said = statuses.routes.get(&(kind, route.meta.key.clone()));
            let status = of_route(route, said, controller);
            writes.extend(status.map(|status| write(Kind::Route(kind), &route.meta, status)));
        }
    }
    for policy in index.sleep_policies.iter() {
        let said = statuses.sleep_policies.get(&policy.meta.key);
        let status = of_policy(&policy.status, said, controller);
        writes.extend(status.map(|status| write(Kind::SleepPolicy, &policy.meta, status)));
    }
    for policy in index.limit_policies.iter() {
        let said = statuses.limit_policies.get(&policy.meta.key);
        let status = of_policy(&policy.status, said, controller);
        writes.extend(status.map(|status| write(Kind::LimitPolicy, &policy.meta, status)));
    }
    writes
}

fn write(kind: Kind, meta: &Meta, status: Value) -> Write {
    Write { kind, key: meta.key.clone(), version: meta.version.0.clone(), status }
}

fn of_gateway(gateway: &Gateway, said: &GatewaySaid) -> Option<Value> {
    let shown = &gateway.status;
    let conditions = conditions(&shown.conditions, &said.conditions, said.generation);
    let listeners: Vec<ListenerStatus> =
        said.listeners.iter().map(|one| of_listener(&shown.listeners, one, said.generation)).collect();
    let same =
        conditions == shown.conditions && listeners == shown.listeners && said.addresses == shown.addresses;
    (!same).then(|| json!({ "addresses": said.addresses, "conditions": conditions, "listeners": listeners }))
}

fn of_listener(shown: &[ListenerStatus], said: &ListenerSaid, generation: i64) -> ListenerStatus {
    let shown = shown.iter().find(|one| one.name == said.name).map_or(&[][..], |one| &one.conditions);
    let kinds = said.kinds.iter().map(|kind| gateway_api::gateways::GatewayStatusListenersSupportedKinds {
        group: Some("gateway.networking.k8s.io".to_owned()),
        kind: kind.as_str().to_owned(),
    });
    ListenerStatus {
        name: said.name.clone(),
        supported_kinds: kinds.collect(),
        attached_routes: said.attached,
        conditions: conditions(shown, &said.conditions, generation),
    }
}

/// Of a route that names no Gateway of ours any more, what we said is taken back.
fn of_route(route: &Route, said: Option<&RouteSaid>, controller: &str) -> Option<Value> {
    let (ours, others): (Vec<&ParentStatus>, Vec<_>) =
        route.parents.iter().partition(|parent| parent.controller_name == controller);
    let said_of = |said: &RouteSaid| -> Vec<ParentStatus> {
        let parents = said.parents.iter().map(|one| {
            let shown = ours.iter().find(|shown| shown.parent_ref == one.parent);
            let shown = shown.map_or(&[][..], |shown| &shown.conditions);
            ParentStatus {
                parent_ref: one.parent.clone(),
                controller_name: controller.to_owned(),
                conditions: conditions(shown, &one.conditions, said.generation),
            }
        });
        parents.collect()
    };
    let wanted = said.map(said_of).unwrap_or_default();
    if wanted.iter().eq(ours.iter().copied()) {
        return None;
    }
    let parents: Vec<&ParentStatus> = others.into_iter().chain(&wanted).collect();
    Some(json!({ "parents": parents }))
}

fn of_policy(shown: &PolicyStatus, said: Option<&PolicySaid>, controller: &str) -> Option<Value> {
    let said = said?;
    if !has_the_word(shown, said, controller) {
        return None;
    }
    let conditions = conditions(&shown.conditions, &said.conditions, said.generation);
    let same = conditions == shown.conditions
        && shown.apps == Some(said.apps)
        && shown.controller.as_deref() == Some(controller);
    (!same).then(|| json!({ "apps": said.apps, "controller": controller, "conditions": conditions }))
}

/// A policy has one status, and every edge of a cluster sees it. Were each to say its own, they would write in turns, as
/// fast as they may: the one with more apps of it speaks, else the one whose name comes first. What another has said of
/// an earlier generation binds nobody.
fn has_the_word(shown: &PolicyStatus, said: &PolicySaid, controller: &str) -> bool {
    let Some(other) = shown.controller.as_deref().filter(|other| *other != controller) else { return true };
    let is_old = shown.conditions.iter().any(|shown| shown.observed_generation < Some(said.generation));
    let (ours, theirs) = (said.apps, shown.apps.unwrap_or_default());
    is_old || ours > theirs || (ours == theirs && controller < other)
}

/// What is said, then what others say. The time of a condition is that of its last change of status: one that has not
/// changed it keeps it; one that has, has none yet.
fn conditions(shown: &[Condition], said: &[Said], generation: i64) -> Vec<Condition> {
    let ours = said.iter().map(|said| {
        let status = if said.holds { "True" } else { "False" };
        let before = shown.iter().find(|shown| shown.r#type == said.r#type && shown.status == status);
        let message = said.message.get(..said.message.floor_char_boundary(MAX_MESSAGE)).unwrap_or_default();
        Condition {
            r#type: said.r#type.to_owned(),
            status: status.to_owned(),
            observed_generation: Some(generation),
            last_transition_time: before.map(|shown| shown.last_transition_time.clone()).unwrap_or_default(),
            reason: said.reason.to_owned(),
            message: message.to_owned(),
        }
    });
    let others = shown.iter().filter(|shown| said.iter().all(|said| said.r#type != shown.r#type));
    ours.chain(others.cloned()).collect()
}

impl Write {
    /// The status, with this time (RFC 3339) for what has changed now.
    pub(super) fn at(&self, now: &str) -> Value {
        let mut status = self.status.clone();
        fill(&mut status, now);
        status
    }
}

fn fill(value: &mut Value, now: &str) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value {
                    Value::String(text) if name == "lastTransitionTime" && text.is_empty() => {
                        now.clone_into(text)
                    }
                    _ => fill(value, now),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| fill(value, now)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
