//! Pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::quantity::{thousandths, wholes};
use super::workload::{owners, ports};
use super::{Keeps, Watched, boxed, meta};
use crate::kubernetes::index::pod::{
    ContainerState, ContainerStatus, Pod, PodCondition, PodPhase, Requests, Terminated,
};
use crate::kubernetes::index::{Seen, Update};

/// What is said at most of why something is so: an event's worth.
const MAX_MESSAGE: usize = 1_024;

impl Watched for v1::Pod {
    type Kept = Pod;

    const PAGE: u32 = 200;

    fn trimmed(mut self, keeps: &Keeps) -> Option<Pod> {
        let owner = owners(self.metadata.owner_references.take()).into_iter().find(|owner| owner.controller);
        let mut spec = self.spec.unwrap_or_default();
        let status = self.status.unwrap_or_default();
        let ips = status.pod_ips.unwrap_or_default();
        let first = status.init_container_statuses.unwrap_or_default().into_iter();
        let others = status.container_statuses.unwrap_or_default().into_iter();
        Some(Pod {
            meta: meta(self.metadata, keeps)?,
            owner,
            requests: requests(&spec),
            node: spec.node_name.map(Into::into),
            ips: ips.iter().filter_map(|ip| ip.ip.parse().ok()).collect(),
            phase: phase(status.phase.as_deref()),
            reason: status.reason.map(String::into_boxed_str),
            message: message(status.message),
            conditions: status.conditions.unwrap_or_default().into_iter().map(condition).collect(),
            containers: first
                .map(|one| container(one, true))
                .chain(others.map(|one| container(one, false)))
                .collect(),
            ports: spec.containers.iter_mut().flat_map(|container| ports(container.ports.take())).collect(),
        })
    }

    fn update(seen: Seen<Pod>) -> Update {
        Update::Pod(seen)
    }
}

fn phase(of: Option<&str>) -> PodPhase {
    match of {
        Some("Running") => PodPhase::Running,
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        Some("Pending") | None => PodPhase::Pending,
        Some(_) => PodPhase::Unknown,
    }
}

fn condition(of: v1::PodCondition) -> PodCondition {
    PodCondition {
        r#type: of.type_.into(),
        holds: of.status == "True",
        reason: boxed(of.reason),
        message: message(of.message),
    }
}

fn container(of: v1::ContainerStatus, first: bool) -> ContainerStatus {
    ContainerStatus {
        name: of.name.into(),
        first,
        state: state(of.state.unwrap_or_default()),
        last: of.last_state.and_then(|last| last.terminated).map(terminated),
        started: of.started.unwrap_or(false),
        ready: of.ready,
        restarts: of.restart_count,
    }
}

/// What says nothing is said to wait (core/v1, `ContainerState`).
fn state(of: v1::ContainerState) -> ContainerState {
    match (of.running, of.terminated, of.waiting) {
        (Some(_), _, _) => ContainerState::Running,
        (None, Some(ended), _) => ContainerState::Terminated(terminated(ended)),
        (None, None, waiting) => {
            let waiting = waiting.unwrap_or_default();
            ContainerState::Waiting { reason: boxed(waiting.reason), message: message(waiting.message) }
        }
    }
}

fn terminated(of: v1::ContainerStateTerminated) -> Terminated {
    Terminated {
        reason: boxed(of.reason),
        message: message(of.message),
        exit_code: of.exit_code,
        signal: of.signal,
    }
}

fn message(of: Option<String>) -> Box<str> {
    let mut text = of.unwrap_or_default();
    text.truncate(text.floor_char_boundary(MAX_MESSAGE));
    text.into_boxed_str()
}

/// What the scheduler counts: all containers and those that stay beside them, or the greatest that runs before them; and
/// what its runtime needs (<https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers>).
fn requests(spec: &v1::PodSpec) -> Requests {
    let stays = |container: &&v1::Container| container.restart_policy.as_deref() == Some("Always");
    let first = spec.init_containers.as_deref().unwrap_or_default();
    let all = spec.containers.iter().chain(first.iter().filter(stays)).map(of_container);
    let all = all.fold(Requests::default(), Requests::plus);
    let greatest = first.iter().filter(|one| !stays(one)).map(of_container);
    greatest.fold(all, Requests::most).plus(spec.overhead.as_ref().map(amounts).unwrap_or_default())
}

fn of_container(of: &v1::Container) -> Requests {
    of.resources.as_ref().and_then(|resources| resources.requests.as_ref()).map(amounts).unwrap_or_default()
}

fn amounts(of: &BTreeMap<String, Quantity>) -> Requests {
    Requests {
        cpu: of.get("cpu").map(thousandths).unwrap_or_default(),
        memory: of.get("memory").map(wholes).unwrap_or_default(),
    }
}

impl Requests {
    fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_add(other.cpu), memory: self.memory.saturating_add(other.memory) }
    }

    fn most(self, other: Self) -> Self {
        Self { cpu: self.cpu.max(other.cpu), memory: self.memory.max(other.memory) }
    }
}
