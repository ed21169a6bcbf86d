//! What the platform sees of the cluster: the index that watches keep, in the platform's words.

use std::sync::Arc;

use config::model::{App, WorkloadKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use tokio::sync::{broadcast, watch};

use super::compile::{Compiled, TargetPort};
use super::compiler::View;
use super::index::meta::selects;
use super::index::pod::{ContainerState, ContainerStatus, Pod as Known, PodPhase as KnownPhase, Terminated};
use super::index::workload::Workload;
use super::index::{Change, Changed, Index, Key, Labels};
use crate::platform::kubernetes::Place;
use crate::platform::kubernetes::pod::{Container, End, Pod, PodPhase, Scheduled, State};
use crate::platform::kubernetes::sight::{Changes, Seen, SeenRecord, Sight};

const KINDS: [WorkloadKind; 2] = [WorkloadKind::Deployment, WorkloadKind::StatefulSet];

/// What is seen of a cluster.
#[derive(Clone, Debug)]
pub struct Eyes {
    /// Its objects.
    pub view: View,
    /// What is made of them.
    pub compiled: watch::Receiver<Option<Arc<Compiled>>>,
}

impl Sight for Eyes {
    fn workload(&self, place: &Place) -> Option<Seen> {
        let index = self.view.snapshot();
        let workload = find(&index, place)?;
        Some(Seen {
            uid: workload.meta.uid.to_string(),
            generation: workload.meta.generation,
            replicas: workload.replicas,
            leaving: workload.meta.leaving,
            pull_secrets: workload.template.pull_secrets.iter().map(ToString::to_string).collect(),
        })
    }

    fn pods(&self, place: &Place) -> Vec<Pod> {
        let index = self.view.snapshot();
        let Some(selector) = described(&index, place, |workload| workload.selector.clone()) else {
            return Vec::new();
        };
        index.pods.selected(&place.namespace, &selector).into_iter().map(|pod| seen(pod)).collect()
    }

    fn record(&self, place: &Place) -> Option<SeenRecord> {
        let index = self.view.snapshot();
        let record = index.record_of(place.workload.kind, &key(place))?;
        Some(SeenRecord { uid: record.meta.uid.to_string(), leaving: record.meta.leaving })
    }

    fn port(&self, app: &App, pod: &Pod) -> Option<u16> {
        let compiled = self.compiled.borrow();
        match &compiled.as_ref()?.targets.get(&app.id)?.port {
            TargetPort::Number(number) => Some(*number),
            TargetPort::Name(name) => {
                pod.ports.iter().find(|(called, _)| **called == **name).map(|(_, port)| *port)
            }
        }
    }

    fn owners(&self, place: &Place) -> Vec<OwnerReference> {
        let index = self.view.snapshot();
        let Some(labels) = described(&index, place, |workload| workload.template.labels.clone()) else {
            return Vec::new();
        };
        let services = index.services.within(&place.namespace);
        let its = services.filter(|service| !service.meta.leaving && selects(&service.selector, &labels));
        let owners = its.map(|service| OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            name: service.meta.key.name.to_string(),
            uid: service.meta.uid.to_string(),
            ..OwnerReference::default()
        });
        owners.collect()
    }
}

/// Says of which workloads something has changed, until the watches end.
pub async fn follow(view: View, changes: Arc<Changes>) {
    let mut told = view.changes();
    loop {
        match told.recv().await {
            Ok(change) => concerned(&view, &change).into_iter().for_each(|place| changes.mark(place)),
            // So much has changed that it is quicker to look at everything.
            Err(broadcast::error::RecvError::Lagged(_)) => {
                all(&view.snapshot()).into_iter().for_each(|place| changes.mark(place));
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Which workloads a change is about.
fn concerned(view: &View, change: &Change) -> Vec<Place> {
    match change {
        Change::Pod(Changed { old, new }) => {
            let Some(pod) = new.as_ref().or(old.as_ref()) else { return Vec::new() };
            let index = view.snapshot();
            let its = |workload: &Workload| selects(&workload.selector, &pod.meta.labels);
            selecting(&index, &pod.meta.key, its)
        }
        Change::Slice(Changed { old, new }) => {
            let Some(slice) = new.as_ref().or(old.as_ref()) else { return Vec::new() };
            let index = view.snapshot();
            let Some(service) = index.services.find(&slice.service) else { return Vec::new() };
            let its = |workload: &Workload| selects(&service.selector, &workload.template.labels);
            selecting(&index, &slice.service, its)
        }
        Change::Workload(kind, Changed { old, new }) => {
            let workload = new.as_ref().or(old.as_ref());
            workload.map(|workload| at(*kind, &workload.meta.key)).into_iter().collect()
        }
        Change::Record(Changed { old, new }) => {
            let record = new.as_ref().or(old.as_ref());
            let place = record.map(|record| {
                let (kind, name) = &record.workload;
                at(*kind, &record.meta.key.beside(name))
            });
            place.into_iter().collect()
        }
    }
}

/// The workloads of a namespace, also those that only their records know, for which this holds.
fn selecting(index: &Index, beside: &Key, its: impl Fn(&Workload) -> bool) -> Vec<Place> {
    let here = |key: &Key| key.namespace == beside.namespace;
    let there = KINDS.into_iter().flat_map(|kind| index.workloads(kind).iter());
    let saved = index.records.iter().filter_map(|record| record.saved.as_deref());
    let workloads = there.map(|workload| &**workload).chain(saved);
    let workloads = workloads.filter(|workload| here(&workload.meta.key) && its(workload));
    workloads.map(|workload| at(workload.kind, &workload.meta.key)).collect()
}

fn all(index: &Index) -> Vec<Place> {
    let there = KINDS.into_iter().flat_map(|kind| index.workloads(kind).iter());
    let records = index.records.iter().map(|record| {
        let (kind, name) = &record.workload;
        at(*kind, &record.meta.key.beside(name))
    });
    there.map(|workload| at(workload.kind, &workload.meta.key)).chain(records).collect()
}

fn at(kind: WorkloadKind, key: &Key) -> Place {
    let workload = config::model::Workload { kind, name: (&*key.name).into() };
    Place { namespace: key.namespace.clone(), workload }
}

fn key(place: &Place) -> Key {
    Key { namespace: place.namespace.clone(), name: place.name().into() }
}

fn find<'i>(index: &'i Index, place: &Place) -> Option<&'i Arc<Workload>> {
    index.workloads(place.workload.kind).find(&key(place))
}

/// What a workload says, or, while it is not there, what it said.
fn described(index: &Index, place: &Place, what: impl Fn(&Workload) -> Labels) -> Option<Labels> {
    let there = find(index, place).map(|workload| what(workload));
    there.or_else(|| {
        let record = index.record_of(place.workload.kind, &key(place))?;
        record.saved.as_deref().map(&what)
    })
}

fn seen(pod: &Known) -> Pod {
    let condition = |name: &str| pod.conditions.iter().find(|condition| &*condition.r#type == name);
    let scheduled = match condition("PodScheduled") {
        Some(condition) if condition.holds => Scheduled::Yes,
        Some(condition) if &*condition.reason == "Unschedulable" => {
            Scheduled::Unschedulable(condition.message.to_string())
        }
        Some(_) | None => Scheduled::NotYet,
    };
    Pod {
        name: pod.meta.key.name.to_string(),
        uid: pod.meta.uid.to_string(),
        leaving: pod.meta.leaving,
        phase: match pod.phase {
            KnownPhase::Pending => PodPhase::Pending,
            KnownPhase::Running | KnownPhase::Unknown => PodPhase::Running,
            KnownPhase::Succeeded | KnownPhase::Failed => PodPhase::Ended,
        },
        reason: (pod.reason.as_deref().unwrap_or_default().to_owned(), String::new()),
        ip: pod.ips.first().copied(),
        ready: pod.holds("Ready"),
        scheduled,
        containers: pod.containers.iter().map(container).collect(),
        ports: pod.ports.iter().map(|(name, port)| (name.to_string(), *port)).collect(),
    }
}

fn container(status: &ContainerStatus) -> Container {
    Container {
        name: status.name.to_string(),
        state: match &status.state {
            ContainerState::Waiting { reason, message } => {
                State::Waiting(reason.to_string(), message.to_string())
            }
            ContainerState::Running => State::Running,
            ContainerState::Terminated(ended) => State::Ended(end(ended)),
        },
        last: status.last.as_ref().map(end),
        restarts: status.restarts,
    }
}

fn end(ended: &Terminated) -> End {
    End { reason: ended.reason.to_string(), message: ended.message.to_string(), code: ended.exit_code }
}
