//! Pods.

use k8s_openapi::api::core::v1;

use super::workload::{owners, ports};
use super::{Keeps, Watched, boxed, meta, room};
use crate::kubernetes::index::pod::{
    ContainerState, ContainerStatus, Pod, PodCondition, PodPhase, Terminated,
};
use crate::kubernetes::index::room::Amounts;
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
            // The namespace's defaults are written into each pod.
            requests: room::needs(&spec).each(Amounts::default()),
            priority: spec.priority.unwrap_or_default(),
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
