//! Sight of a cluster by the index that all of revive reads.

use std::collections::HashSet;
use std::sync::Arc;

use config::model::{App, Source, Workload, WorkloadKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::place::Place;
use super::pod::{Container, End, Pod, PodPhase, Scheduled, State};
use super::sight::{Changes, Seen, SeenApplication, SeenRecord, Sight};
use crate::kubernetes::compile::TargetPort;
use crate::kubernetes::index::application::Application;
use crate::kubernetes::index::pod::{self, ContainerState, ContainerStatus, Terminated};
use crate::kubernetes::index::service::{self, Service};
use crate::kubernetes::index::{Change, Index, Key, Labels, meta};
use crate::kubernetes::{Compiled, View};

/// Sight by the index, and by what was compiled of it.
pub struct Indexed {
    view: View,
    compiled: watch::Receiver<Option<Arc<Compiled>>>,
}

impl Indexed {
    /// Sees what is known, and what is made of it.
    pub fn new(view: View, compiled: watch::Receiver<Option<Arc<Compiled>>>) -> Self {
        Self { view, compiled }
    }
}

/// Marks what changes, for as long as the watches live.
pub async fn follow(view: View, changes: Arc<Changes>) {
    let mut told = view.changes();
    loop {
        match told.recv().await {
            Ok(change) => place(&change).into_iter().for_each(|place| changes.mark(place)),
            // Some were missed: all that there is may have changed, and all that there was is in a record or selected.
            Err(RecvError::Lagged(_)) => {
                let index = view.snapshot();
                all(&index).into_iter().for_each(|place| changes.mark(place));
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// What a change is about.
fn place(change: &Change) -> Option<Place> {
    match change {
        Change::Pod(changed) => of_pod(changed.new.as_ref().or(changed.old.as_ref())?),
        Change::Workload(kind, changed) => {
            let key = &changed.new.as_ref().or(changed.old.as_ref())?.meta.key;
            Some(at(key, *kind, &key.name))
        }
        Change::Application(changed) => {
            let place = &changed.new.as_ref().or(changed.old.as_ref())?.place;
            Some(at(place, WorkloadKind::Deployment, &place.name))
        }
        Change::Record(changed) => {
            let record = changed.new.as_ref().or(changed.old.as_ref())?;
            Some(at(&record.meta.key, record.workload.0, &record.workload.1))
        }
        // Pods say the same, and sooner.
        Change::Slice(_) => None,
    }
}

fn all(index: &Index) -> HashSet<Place> {
    let kinds = [WorkloadKind::Deployment, WorkloadKind::StatefulSet];
    let workloads = kinds.into_iter().flat_map(|kind| {
        index.workloads(kind).iter().map(move |one| at(&one.meta.key, kind, &one.meta.key.name))
    });
    let records = index.records.iter().map(|one| at(&one.meta.key, one.workload.0, &one.workload.1));
    let applications = index.applications.iter();
    let applications = applications.map(|one| at(&one.place, WorkloadKind::Deployment, &one.place.name));
    workloads.chain(records).chain(applications).collect()
}

fn at(key: &Key, kind: WorkloadKind, name: &str) -> Place {
    Place { namespace: Arc::clone(&key.namespace), workload: Workload { kind, name: name.into() } }
}

/// A Deployment's pods are those of a ReplicaSet that is called after it and after the pods' template.
fn of_pod(pod: &pod::Pod) -> Option<Place> {
    let owner = pod.owner.as_ref()?;
    match &*owner.kind {
        "StatefulSet" => Some(at(&pod.meta.key, WorkloadKind::StatefulSet, &owner.name)),
        "ReplicaSet" => {
            let hash = pod.meta.labels.get("pod-template-hash")?;
            let name = owner.name.strip_suffix(&**hash)?.strip_suffix('-')?;
            Some(at(&pod.meta.key, WorkloadKind::Deployment, name))
        }
        _ => None,
    }
}

pub(super) fn key(place: &Place) -> Key {
    Key { namespace: Arc::clone(&place.namespace), name: place.name().into() }
}

/// The labels of its pods: as it selects them, and as it makes them.
pub(super) fn labels(index: &Index, place: &Place) -> Option<(Labels, Labels)> {
    let kind = place.workload.kind;
    if let Some(there) = index.workloads(kind).find(&key(place)) {
        return Some((there.selector.clone(), there.template.labels.clone()));
    }
    if application(index, place).is_some() {
        // Its controller gives its Service the same name, and the pods what that selects.
        let selector = &index.services.find(&key(place))?.selector;
        return Some((selector.clone(), selector.clone()));
    }
    let saved = index.record_of(kind, &key(place))?.saved.as_ref()?;
    Some((saved.selector.clone(), saved.template.labels.clone()))
}

fn application<'i>(index: &'i Index, place: &Place) -> Option<&'i Arc<Application>> {
    match place.workload.kind {
        WorkloadKind::Deployment => index.applications.of(&key(place)),
        WorkloadKind::StatefulSet => None,
    }
}

impl Sight for Indexed {
    fn workload(&self, place: &Place) -> Option<Seen> {
        let index = self.view.snapshot();
        let found = index.workloads(place.workload.kind).find(&key(place))?;
        Some(Seen {
            uid: found.meta.uid.to_string(),
            generation: application(&index, place).map_or(found.meta.generation, |one| one.meta.generation),
            replicas: found.replicas,
            version: found.spec_hash,
            leaving: found.meta.leaving,
            pull_secrets: found.template.pull_secrets.iter().map(ToString::to_string).collect(),
        })
    }

    fn pods(&self, place: &Place) -> Vec<Pod> {
        let index = self.view.snapshot();
        let Some((selector, _)) = labels(&index, place) else { return Vec::new() };
        index.pods.selected(&place.namespace, &selector).into_iter().map(|pod| Pod::from(&**pod)).collect()
    }

    fn record(&self, place: &Place) -> Option<SeenRecord> {
        let index = self.view.snapshot();
        let found = index.record_of(place.workload.kind, &key(place))?;
        Some(SeenRecord { uid: found.meta.uid.to_string(), leaving: found.meta.leaving })
    }

    fn records_leaving(&self) -> Vec<Place> {
        let index = self.view.snapshot();
        let leaving = index.records.iter().filter(|one| one.meta.leaving);
        leaving.map(|one| at(&one.meta.key, one.workload.0, &one.workload.1)).collect()
    }

    fn port(&self, app: &App, pod: &Pod) -> Option<u16> {
        let compiled = self.compiled.borrow().clone();
        let target = compiled.as_ref().and_then(|compiled| compiled.targets.get(&app.id));
        match target.map(|target| &target.port) {
            Some(TargetPort::Number(port)) => Some(*port),
            Some(TargetPort::Name(name)) => named(pod, name),
            None => first_port(&self.view.snapshot(), app, pod),
        }
    }

    fn owners(&self, place: &Place) -> Vec<OwnerReference> {
        let index = self.view.snapshot();
        let Some((_, labels)) = labels(&index, place) else { return Vec::new() };
        let services = index.services.within(&place.namespace);
        let its = services.filter(|one| !one.meta.leaving && meta::selects(&one.selector, &labels));
        its.map(|one| reference(one)).collect()
    }

    fn application(&self, place: &Place) -> Option<SeenApplication> {
        let index = self.view.snapshot();
        let found = application(&index, place)?;
        Some(SeenApplication {
            key: found.meta.key.clone(),
            uid: found.meta.uid.to_string(),
            generation: found.meta.generation,
            mark: found.mark,
        })
    }
}

fn reference(service: &Service) -> OwnerReference {
    OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        name: service.meta.key.name.to_string(),
        uid: service.meta.uid.to_string(),
        ..OwnerReference::default()
    }
}

/// Of an app that no route has been compiled for: the first port of its Service.
fn first_port(index: &Index, app: &App, pod: &Pod) -> Option<u16> {
    let Source::Service(service) = &app.source else { return None };
    let service = index.services.find(&Key::new(&service.namespace, &service.name))?;
    match &service.ports.first()?.target {
        service::TargetPort::Number(port) => Some(*port),
        service::TargetPort::Name(name) => named(pod, name),
    }
}

fn named(pod: &Pod, name: &str) -> Option<u16> {
    pod.ports.iter().find(|(one, _)| one == name).map(|(_, port)| *port)
}

impl From<&pod::Pod> for Pod {
    fn from(pod: &pod::Pod) -> Self {
        Self {
            name: pod.meta.key.name.to_string(),
            uid: pod.meta.uid.to_string(),
            leaving: pod.meta.leaving,
            phase: match pod.phase {
                pod::PodPhase::Pending => PodPhase::Pending,
                pod::PodPhase::Running | pod::PodPhase::Unknown => PodPhase::Running,
                pod::PodPhase::Succeeded | pod::PodPhase::Failed => PodPhase::Ended,
            },
            reason: (pod.reason.as_deref().unwrap_or_default().to_owned(), pod.message.to_string()),
            ip: pod.ips.first().copied(),
            ready: pod.holds("Ready"),
            scheduled: scheduled(pod),
            containers: pod.containers.iter().map(container).collect(),
            ports: pod.ports.iter().map(|(name, port)| (name.to_string(), *port)).collect(),
        }
    }
}

fn scheduled(pod: &pod::Pod) -> Scheduled {
    match pod.conditions.iter().find(|condition| &*condition.r#type == "PodScheduled") {
        Some(condition) if condition.holds => Scheduled::Yes,
        Some(condition) if &*condition.reason == "Unschedulable" => {
            Scheduled::Unschedulable(condition.message.to_string())
        }
        Some(_) | None => Scheduled::NotYet,
    }
}

fn container(of: &ContainerStatus) -> Container {
    Container {
        name: of.name.to_string(),
        state: match &of.state {
            ContainerState::Waiting { reason, message } => {
                State::Waiting(reason.to_string(), message.to_string())
            }
            ContainerState::Running => State::Running,
            ContainerState::Terminated(ended) => State::Ended(end(ended)),
        },
        last: of.last.as_ref().map(end),
        restarts: of.restarts,
    }
}

fn end(of: &Terminated) -> End {
    End { reason: of.reason.to_string(), message: of.message.to_string(), code: of.exit_code }
}
