//! What is known of the cluster: plain structs, changed by what watches see, read by what compiles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::model::WorkloadKind;

pub mod application;
pub mod condition;
pub mod gateway;
pub mod meta;
pub mod pod;
pub mod policy;
pub mod room;
pub mod route;
pub mod secret;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod workload;

pub use self::meta::{Key, Labels, Meta, Object, Version};
pub use self::store::{Changed, Labelled, Seen, Selected, Store};

use self::application::{Application, Applications};
use self::gateway::{Gateway, GatewayClass, ReferenceGrant};
use self::pod::Pod;
use self::policy::{LimitPolicy, SleepPolicy, SleepRecord};
use self::room::{Node, PriorityClass, Quota, Range, Usage};
use self::route::{Route, RouteKind};
use self::secret::Secret;
use self::service::{EndpointSlice, Namespace, Service};
use self::workload::Workload;

/// All objects that matter to us. A clone costs nothing and stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// GatewayClasses.
    pub classes: Store<GatewayClass>,
    /// Gateways.
    pub gateways: Store<Gateway>,
    /// HTTPRoutes.
    pub http_routes: Store<Route>,
    /// GRPCRoutes.
    pub grpc_routes: Store<Route>,
    /// ReferenceGrants.
    pub grants: Store<ReferenceGrant>,
    /// Services.
    pub services: Store<Service>,
    /// EndpointSlices.
    slices: Store<EndpointSlice>,
    by_service: Arc<BTreeMap<Key, BTreeSet<Key>>>,
    /// Namespaces.
    pub namespaces: Store<Namespace>,
    /// Deployments.
    pub deployments: Selected<Workload>,
    /// StatefulSets.
    pub stateful_sets: Selected<Workload>,
    /// Pods.
    pub pods: Selected<Pod>,
    /// What they ask their nodes for.
    pub usage: Usage,
    /// Nodes.
    pub nodes: Store<Node>,
    /// ResourceQuotas without scopes.
    pub quotas: Store<Quota>,
    /// LimitRanges.
    pub ranges: Store<Range>,
    /// PriorityClasses.
    pub priority_classes: Store<PriorityClass>,
    /// SleepPolicies.
    pub sleep_policies: Store<SleepPolicy>,
    /// LimitPolicies.
    pub limit_policies: Store<LimitPolicy>,
    /// SleepRecords.
    pub records: Selected<SleepRecord>,
    /// loco's Applications.
    pub applications: Applications,
    /// Secrets that listeners name, as far as they have been asked for: `None`, there is none.
    pub secrets: Arc<BTreeMap<Key, Option<Arc<Secret>>>>,
}

/// What a watch has seen of its kind.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "each is moved once, into the index")]
pub enum Update {
    /// GatewayClasses.
    Class(Seen<GatewayClass>),
    /// Gateways.
    Gateway(Seen<Gateway>),
    /// HTTPRoutes or GRPCRoutes.
    Route(RouteKind, Seen<Route>),
    /// ReferenceGrants.
    Grant(Seen<ReferenceGrant>),
    /// Services.
    Service(Seen<Service>),
    /// EndpointSlices.
    Slice(Seen<EndpointSlice>),
    /// Namespaces.
    Namespace(Seen<Namespace>),
    /// Deployments or StatefulSets.
    Workload(WorkloadKind, Seen<Workload>),
    /// Pods.
    Pod(Seen<Pod>),
    /// Nodes.
    Node(Seen<Node>),
    /// ResourceQuotas.
    Quota(Seen<Quota>),
    /// LimitRanges.
    Range(Seen<Range>),
    /// PriorityClasses.
    PriorityClass(Seen<PriorityClass>),
    /// SleepPolicies.
    SleepPolicy(Seen<SleepPolicy>),
    /// LimitPolicies.
    LimitPolicy(Seen<LimitPolicy>),
    /// SleepRecords.
    Record(Seen<SleepRecord>),
    /// loco's Applications.
    Application(Seen<Application>),
    /// One Secret: it, or that there is none.
    Secret(Key, Option<Secret>),
    /// Nobody asks for this Secret any more.
    SecretUnwatched(Key),
}

/// An object that a platform follows is not what it was.
#[derive(Clone, Debug)]
pub enum Change {
    /// A pod.
    Pod(Changed<Pod>),
    /// An EndpointSlice.
    Slice(Changed<EndpointSlice>),
    /// A Deployment or StatefulSet.
    Workload(WorkloadKind, Changed<Workload>),
    /// A SleepRecord.
    Record(Changed<SleepRecord>),
    /// An Application of loco's.
    Application(Changed<Application>),
}

/// What an update has changed.
#[derive(Debug, Default)]
pub struct Effect {
    /// What must be done again.
    pub due: Due,
    /// What a platform follows.
    pub changes: Vec<Change>,
}

/// What must be done again; the greatest of several counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Nothing.
    #[default]
    Nothing,
    /// Statuses are to be compared with what is to be said.
    Statuses,
    /// All is to be compiled.
    Compile,
}

impl Index {
    /// Takes in what a watch has seen.
    pub fn apply(&mut self, update: Update) -> Effect {
        match update {
            Update::Class(seen) => effect(&self.classes.take(seen)),
            Update::Gateway(seen) => effect(&self.gateways.take(seen)),
            Update::Route(RouteKind::Http, seen) => effect(&self.http_routes.take(seen)),
            Update::Route(RouteKind::Grpc, seen) => effect(&self.grpc_routes.take(seen)),
            Update::Grant(seen) => effect(&self.grants.take(seen)),
            Update::Service(seen) => effect(&self.services.take(seen)),
            Update::Namespace(seen) => self.namespace(seen),
            Update::SleepPolicy(seen) => effect(&self.sleep_policies.take(seen)),
            Update::LimitPolicy(seen) => effect(&self.limit_policies.take(seen)),
            Update::Slice(seen) => self.slices(seen),
            Update::Workload(kind, seen) => {
                let changed = match kind {
                    WorkloadKind::Deployment => self.deployments.take(seen),
                    WorkloadKind::StatefulSet => self.stateful_sets.take(seen),
                };
                told(changed, |changed| Change::Workload(kind, changed))
            }
            Update::Pod(seen) => {
                let changed = self.pods.take(seen);
                self.usage.follow(&changed);
                told(changed, Change::Pod)
            }
            Update::Node(seen) => kept(&self.nodes.take(seen)),
            Update::Quota(seen) => kept(&self.quotas.take(seen)),
            Update::Range(seen) => kept(&self.ranges.take(seen)),
            Update::PriorityClass(seen) => kept(&self.priority_classes.take(seen)),
            Update::Record(seen) => told(self.records.take(seen), Change::Record),
            Update::Application(seen) => {
                let namespaces = &self.namespaces;
                let is_there = |name: &Arc<str>| {
                    namespaces.find(&Key { namespace: "".into(), name: name.clone() }).is_some()
                };
                told(self.applications.take(seen, is_there), Change::Application)
            }
            Update::Secret(key, secret) => self.secret(key, secret),
            Update::SecretUnwatched(key) => {
                Arc::make_mut(&mut self.secrets).remove(&key);
                Effect::default()
            }
        }
    }

    fn namespace(&mut self, seen: Seen<Namespace>) -> Effect {
        let changed = self.namespaces.take(seen);
        let gone =
            changed.iter().filter(|changed| changed.new.is_none()).filter_map(|changed| changed.old.as_ref());
        gone.for_each(|old| self.applications.adopt(&old.meta.key.name));
        effect(&changed)
    }

    fn slices(&mut self, seen: Seen<EndpointSlice>) -> Effect {
        let changed = self.slices.take(seen);
        let by_service = Arc::make_mut(&mut self.by_service);
        for Changed { old, new } in &changed {
            if let Some(old) = old
                && let Some(slices) = by_service.get_mut(&old.service)
            {
                slices.remove(&old.meta.key);
                if slices.is_empty() {
                    by_service.remove(&old.service);
                }
            }
            if let Some(new) = new {
                by_service.entry(new.service.clone()).or_default().insert(new.meta.key.clone());
            }
        }
        told(changed, Change::Slice)
    }

    fn secret(&mut self, key: Key, secret: Option<Secret>) -> Effect {
        let secret = secret.map(Arc::new);
        let old = Arc::make_mut(&mut self.secrets).insert(key, secret.clone());
        let due = if old == Some(secret) { Due::Nothing } else { Due::Compile };
        Effect { due, changes: Vec::new() }
    }

    /// The routes of a kind.
    pub fn routes(&self, kind: RouteKind) -> &Store<Route> {
        match kind {
            RouteKind::Http => &self.http_routes,
            RouteKind::Grpc => &self.grpc_routes,
        }
    }

    /// The workloads of a kind.
    pub fn workloads(&self, kind: WorkloadKind) -> &Selected<Workload> {
        match kind {
            WorkloadKind::Deployment => &self.deployments,
            WorkloadKind::StatefulSet => &self.stateful_sets,
        }
    }

    /// The slices of a Service.
    pub fn slices_of(&self, service: &Key) -> impl Iterator<Item = &Arc<EndpointSlice>> {
        let keys = self.by_service.get(service).into_iter().flatten();
        keys.filter_map(|key| self.slices.find(key))
    }

    /// The Services of a namespace that select pods with these labels.
    pub fn services_of(&self, namespace: &Arc<str>, labels: &Labels) -> impl Iterator<Item = &Arc<Service>> {
        self.services.within(namespace).filter(|service| meta::selects(&service.selector, labels))
    }

    /// The record of a workload, but for tombstones. It is called as the workload, with its kind before it.
    pub fn record_of(&self, kind: WorkloadKind, workload: &Key) -> Option<&Arc<SleepRecord>> {
        let name = format!("{}-{}", kind.as_str().to_ascii_lowercase(), workload.name);
        self.records.find(&workload.beside(&name)).filter(|record| !record.tombstone)
    }
}

fn effect<T: Object>(changed: &[Changed<T>]) -> Effect {
    let due = changed.iter().map(|one| if one.compiles_anew() { Due::Compile } else { Due::Statuses });
    Effect { due: due.max().unwrap_or_default(), changes: Vec::new() }
}

/// The effect of what is only looked at when somebody asks for room.
fn kept<T>(_: &[Changed<T>]) -> Effect {
    Effect::default()
}

/// The effect of what platforms follow; its statuses are theirs to write.
fn told<T: Object>(changed: Vec<Changed<T>>, change: impl Fn(Changed<T>) -> Change) -> Effect {
    let anew = changed.iter().any(Changed::compiles_anew);
    let due = if anew { Due::Compile } else { Due::Nothing };
    Effect { due, changes: changed.into_iter().map(change).collect() }
}
