//! Deployments and StatefulSets.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use config::model::WorkloadKind;
use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference};
use serde::Serialize;

use super::service::target;
use super::{Keeps, Watched, boxed, labels, meta, port, room};
use crate::kubernetes::MANAGER;
use crate::kubernetes::index::workload::{
    Asks, Claims, Container, Owner, Readiness, Template, VolumeKind, Workload,
};
use crate::kubernetes::index::{Seen, Update};

/// What the API server makes of a Deployment that does not say how long a rollout may take (apps/v1).
const UNSAID_DEADLINE: i32 = 600;

impl Watched for apps::Deployment {
    type Kept = Workload;

    const PAGE: u32 = 200;

    fn trimmed(mut self, keeps: &Keeps) -> Option<Workload> {
        let owners = owners(self.metadata.owner_references.take());
        let by_us = by_us(&self.metadata);
        let mut spec = self.spec.unwrap_or_default();
        let replicas = spec.replicas.take().unwrap_or(1);
        let status = self.status.unwrap_or_default();
        let deadline = spec.progress_deadline_seconds.filter(|seconds| *seconds != UNSAID_DEADLINE);
        Some(Workload {
            meta: meta(self.metadata, keeps)?,
            kind: WorkloadKind::Deployment,
            owners,
            by_us,
            replicas,
            pods: status.replicas.unwrap_or_default(),
            observed_generation: status.observed_generation.unwrap_or_default(),
            spec_hash: hash(&spec),
            selector: labels(spec.selector.match_labels.unwrap_or_default()),
            template: template(spec.template),
            progress_deadline: deadline
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Duration::from_secs),
            claims: Claims::None,
        })
    }

    fn update(seen: Seen<Workload>) -> Update {
        Update::Workload(WorkloadKind::Deployment, seen)
    }
}

impl Watched for apps::StatefulSet {
    type Kept = Workload;

    const PAGE: u32 = 200;

    fn trimmed(mut self, keeps: &Keeps) -> Option<Workload> {
        let owners = owners(self.metadata.owner_references.take());
        let by_us = by_us(&self.metadata);
        let mut spec = self.spec.unwrap_or_default();
        let replicas = spec.replicas.take().unwrap_or(1);
        let status = self.status.unwrap_or_default();
        Some(Workload {
            meta: meta(self.metadata, keeps)?,
            kind: WorkloadKind::StatefulSet,
            owners,
            by_us,
            replicas,
            pods: status.replicas,
            observed_generation: status.observed_generation.unwrap_or_default(),
            spec_hash: hash(&spec),
            claims: claims(&spec),
            selector: labels(spec.selector.match_labels.unwrap_or_default()),
            template: template(spec.template),
            progress_deadline: None,
        })
    }

    fn update(seen: Seen<Workload>) -> Update {
        Update::Workload(WorkloadKind::StatefulSet, seen)
    }
}

/// Those of whom the field managers say that they made it: those who wrote its template.
fn by_us(metadata: &ObjectMeta) -> bool {
    let ours = |one: &ManagedFieldsEntry| {
        one.manager.as_deref() == Some(MANAGER) && one.subresource.as_deref().unwrap_or_default().is_empty()
    };
    metadata.managed_fields.iter().flatten().any(ours)
}

fn claims(spec: &apps::StatefulSetSpec) -> Claims {
    let retention = spec.persistent_volume_claim_retention_policy.as_ref();
    let deletes = |when: Option<&String>| when.is_some_and(|when| when == "Delete");
    match retention {
        _ if spec.volume_claim_templates.as_ref().is_none_or(Vec::is_empty) => Claims::None,
        Some(policy) if deletes(policy.when_deleted.as_ref()) || deletes(policy.when_scaled.as_ref()) => {
            Claims::Deleted
        }
        Some(_) | None => Claims::Kept,
    }
}

/// Of the words it was asked for in. A spec is always JSON; one that were none would be equal to nothing known.
fn hash(spec: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(spec).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

pub(super) fn owners(of: Option<Vec<OwnerReference>>) -> Vec<Owner> {
    let owner = |one: OwnerReference| Owner {
        api_version: one.api_version.into(),
        kind: one.kind.into(),
        name: one.name.into(),
        uid: one.uid.into(),
        controller: one.controller.unwrap_or(false),
    };
    of.unwrap_or_default().into_iter().map(owner).collect()
}

pub(super) fn template(of: v1::PodTemplateSpec) -> Template {
    let spec = of.spec.unwrap_or_default();
    let needs = room::needs(&spec);
    let mut volumes: Vec<VolumeKind> = spec.volumes.unwrap_or_default().iter().map(volume).collect();
    volumes.sort_unstable();
    volumes.dedup();
    let pull_secrets = spec.image_pull_secrets.unwrap_or_default().into_iter();
    Template {
        labels: labels(of.metadata.unwrap_or_default().labels.unwrap_or_default()),
        containers: spec.containers.into_iter().map(container).collect(),
        volumes,
        pull_secrets: pull_secrets.map(|one| one.name.into()).collect(),
        needs,
    }
}

pub(super) fn ports(of: Option<Vec<v1::ContainerPort>>) -> impl Iterator<Item = (Box<str>, u16)> {
    of.unwrap_or_default().into_iter().map(|one| (boxed(one.name), port(one.container_port)))
}

fn container(of: v1::Container) -> Container {
    Container {
        name: of.name.into(),
        ports: ports(of.ports).collect(),
        readiness: of.readiness_probe.map(readiness),
    }
}

fn readiness(of: v1::Probe) -> Readiness {
    let http = |get: v1::HTTPGetAction| match get.scheme.as_deref() {
        Some("HTTPS") => Asks::Else,
        Some(_) | None => {
            let path = get.path.filter(|path| path.starts_with('/')).unwrap_or_else(|| "/".to_owned());
            Asks::Http { path: path.into(), port: target(get.port) }
        }
    };
    let grpc =
        |action: v1::GRPCAction| Asks::Grpc { service: boxed(action.service), port: port(action.port) };
    let seconds = of.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(1);
    Readiness {
        asks: of.http_get.map(http).or(of.grpc.map(grpc)).unwrap_or(Asks::Else),
        timeout: Duration::from_secs(seconds.max(1)),
    }
}

fn volume(of: &v1::Volume) -> VolumeKind {
    let projected = of.config_map.is_some()
        || of.secret.is_some()
        || of.projected.is_some()
        || of.downward_api.is_some()
        || of.image.is_some();
    match of {
        _ if of.empty_dir.is_some() => VolumeKind::EmptyDir,
        _ if of.ephemeral.is_some() => VolumeKind::Ephemeral,
        _ if of.persistent_volume_claim.is_some() => VolumeKind::Claim,
        _ if of.host_path.is_some() => VolumeKind::HostPath,
        _ if projected => VolumeKind::Projected,
        _ => VolumeKind::Other,
    }
}
