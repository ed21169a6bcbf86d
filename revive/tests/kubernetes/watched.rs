//! What is seen of one namespace, by watches of its own.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use config::model::{App, Workload, WorkloadKind};
use futures_util::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Pod as CorePod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::Api;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource, ResourceExt};
use revive::kubernetes::crd::SleepRecord;
use revive::platform::kubernetes::Place;
use revive::platform::kubernetes::pod::Pod;
use revive::platform::kubernetes::sight::{Changes, Seen, SeenRecord, Sight};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

/// What is seen of a namespace.
#[derive(Default)]
pub(crate) struct Watched {
    deployments: Mutex<BTreeMap<String, Deployment>>,
    stateful_sets: Mutex<BTreeMap<String, StatefulSet>>,
    pods: Mutex<BTreeMap<String, CorePod>>,
    services: Mutex<BTreeMap<String, Service>>,
    records: Mutex<BTreeMap<String, SleepRecord>>,
}

impl Watched {
    /// Watches, until `tasks` is dropped.
    pub(crate) fn start(
        client: &Client,
        namespace: &str,
        changes: &Arc<Changes>,
        tasks: &mut JoinSet<()>,
    ) -> Arc<Self> {
        let watched = Arc::new(Self::default());
        let mark = |place: Option<Place>, changes: &Arc<Changes>| {
            place.into_iter().for_each(|place| changes.mark(place))
        };
        let c = Arc::clone(changes);
        follow(
            client,
            namespace,
            &watched,
            tasks,
            |w| &w.deployments,
            move |_, d: &Deployment| {
                mark(Some(place(d, WorkloadKind::Deployment, &d.name_any())), &c);
            },
        );
        let c = Arc::clone(changes);
        follow(
            client,
            namespace,
            &watched,
            tasks,
            |w| &w.stateful_sets,
            move |_, s: &StatefulSet| {
                mark(Some(place(s, WorkloadKind::StatefulSet, &s.name_any())), &c);
            },
        );
        let c = Arc::clone(changes);
        follow(
            client,
            namespace,
            &watched,
            tasks,
            |w| &w.pods,
            move |_, pod: &CorePod| {
                let app = pod.labels().get("app").cloned().unwrap_or_default();
                for kind in [WorkloadKind::Deployment, WorkloadKind::StatefulSet] {
                    mark(Some(place(pod, kind, &app)), &c);
                }
            },
        );
        let c = Arc::clone(changes);
        follow(
            client,
            namespace,
            &watched,
            tasks,
            |w| &w.records,
            move |_, record: &SleepRecord| {
                mark(Some(place(record, record.spec.workload.kind.into(), &record.spec.workload.name)), &c);
            },
        );
        follow(client, namespace, &watched, tasks, |w| &w.services, |_, _: &Service| {});
        watched
    }
}

fn place(object: &impl ResourceExt, kind: WorkloadKind, name: &str) -> Place {
    let namespace = object.namespace().unwrap_or_default();
    Place { namespace: namespace.as_str().into(), workload: Workload { kind, name: name.into() } }
}

fn follow<K>(
    client: &Client,
    namespace: &str,
    watched: &Arc<Watched>,
    tasks: &mut JoinSet<()>,
    of: fn(&Watched) -> &Mutex<BTreeMap<String, K>>,
    tell: impl Fn(&Watched, &K) + Send + 'static,
) where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let watched = Arc::clone(watched);
    tasks.spawn(async move {
        let mut events = watcher(api, watcher::Config::default()).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => {
                    of(&watched).lock().unwrap().insert(object.name_any(), object.clone());
                    tell(&watched, &object);
                }
                Ok(Event::Delete(object)) => {
                    of(&watched).lock().unwrap().remove(&object.name_any());
                    tell(&watched, &object);
                }
                Ok(Event::Init | Event::InitDone) => {}
                Err(error) => println!("watch: {error}"),
            }
        }
    });
}

impl Sight for Watched {
    fn workload(&self, place: &Place) -> Option<Seen> {
        let name = place.workload.name.to_string();
        match place.workload.kind {
            WorkloadKind::Deployment => {
                let all = self.deployments.lock().unwrap();
                let found = all.get(&name)?;
                let spec = found.spec.clone()?;
                let template = spec.template.spec;
                Some(seen(found, spec.replicas, template.and_then(|spec| spec.image_pull_secrets)))
            }
            WorkloadKind::StatefulSet => {
                let all = self.stateful_sets.lock().unwrap();
                let found = all.get(&name)?;
                let spec = found.spec.clone()?;
                let template = spec.template.spec;
                Some(seen(found, spec.replicas, template.and_then(|spec| spec.image_pull_secrets)))
            }
        }
    }

    fn pods(&self, place: &Place) -> Vec<Pod> {
        let all = self.pods.lock().unwrap();
        let its = |pod: &&CorePod| pod.labels().get("app").is_some_and(|app| **app == *place.workload.name);
        all.values().filter(its).map(Pod::from).collect()
    }

    fn record(&self, place: &Place) -> Option<SeenRecord> {
        let all = self.records.lock().unwrap();
        let found = all.get(&place.record())?;
        Some(SeenRecord {
            uid: found.uid().unwrap_or_default(),
            leaving: found.metadata.deletion_timestamp.is_some(),
        })
    }

    fn port(&self, _: &App, _: &Pod) -> Option<u16> {
        Some(8080)
    }

    fn owners(&self, place: &Place) -> Vec<OwnerReference> {
        let all = self.services.lock().unwrap();
        let service =
            all.get(&*place.workload.name).filter(|service| service.metadata.deletion_timestamp.is_none());
        service.and_then(|service| service.owner_ref(&())).into_iter().collect()
    }
}

fn seen(
    object: &impl ResourceExt,
    replicas: Option<i32>,
    secrets: Option<Vec<k8s_openapi::api::core::v1::LocalObjectReference>>,
) -> Seen {
    Seen {
        uid: object.uid().unwrap_or_default(),
        generation: object.meta().generation.unwrap_or_default(),
        replicas: replicas.unwrap_or(1),
        leaving: object.meta().deletion_timestamp.is_some(),
        pull_secrets: secrets.into_iter().flatten().map(|one| one.name).collect(),
    }
}
