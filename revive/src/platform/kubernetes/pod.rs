//! What is kept of a pod.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{self as core, ContainerStateTerminated};

/// A pod, as far as it matters whether it takes requests, and why not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Which it is.
    pub uid: String,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// How far it is.
    pub phase: PodPhase,
    /// Why it is no further (`Evicted`), and for people.
    pub reason: (String, String),
    /// Its address.
    pub ip: Option<IpAddr>,
    /// Whether it takes requests, as the kubelet says.
    pub ready: bool,
    /// Whether it has a node; if not, why: in one word, and for people.
    pub scheduled: Scheduled,
    /// Its containers: first those that run first.
    pub containers: Vec<Container>,
    /// Its containers' ports that have a name.
    pub ports: Vec<(String, u16)>,
}

/// `PodPhase`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodPhase {
    /// Not all of it has begun.
    #[default]
    Pending,
    /// It runs, or its node cannot be asked.
    Running,
    /// It has ended, and is not begun again.
    Ended,
}

/// Whether a pod has a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scheduled {
    /// Nobody has looked for one yet, or nobody may.
    #[default]
    NotYet,
    /// It has.
    Yes,
    /// None would take it: why.
    Unschedulable(String),
}

/// How a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// How its last run ended, if it had one before this.
    pub last: Option<End>,
    /// How often it was begun again.
    pub restarts: i32,
}

/// `ContainerState`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits: for what in one word (`ErrImagePull`), and for people.
    Waiting(String, String),
    /// It runs.
    Running,
    /// It has ended.
    Ended(End),
}

/// How a container has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// In one word: `OOMKilled`, `Error`, `Completed`, `StartError`.
    pub reason: String,
    /// For people.
    pub message: String,
    /// With which code.
    pub code: i32,
}

impl Pod {
    /// Whether something of it may still run.
    pub fn lives(&self) -> bool {
        self.phase != PodPhase::Ended
    }

    /// Whether requests may go to it, now or soon.
    pub fn serves(&self) -> bool {
        self.lives() && !self.leaving
    }
}

impl From<&core::Pod> for Pod {
    fn from(pod: &core::Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let condition = |name: &str| conditions.iter().find(|condition| condition.type_ == name);
        let containers =
            status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
        let spec = pod.spec.as_ref();
        let ports = spec.into_iter().flat_map(|spec| &spec.containers).flat_map(|c| c.ports.iter().flatten());
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            leaving: pod.metadata.deletion_timestamp.is_some(),
            phase: phase(status.phase.as_deref()),
            reason: (status.reason.unwrap_or_default(), status.message.unwrap_or_default()),
            ip: status.pod_ip.and_then(|ip| ip.parse().ok()),
            ready: condition("Ready").is_some_and(|ready| ready.status == "True"),
            scheduled: scheduled(condition("PodScheduled")),
            containers: containers.map(container).collect(),
            ports: ports
                .filter_map(|port| Some((port.name.clone()?, u16::try_from(port.container_port).ok()?)))
                .collect(),
        }
    }
}

fn phase(phase: Option<&str>) -> PodPhase {
    match phase {
        Some("Running" | "Unknown") => PodPhase::Running,
        Some("Succeeded" | "Failed") => PodPhase::Ended,
        Some(_) | None => PodPhase::Pending,
    }
}

fn scheduled(condition: Option<&core::PodCondition>) -> Scheduled {
    match condition {
        Some(condition) if condition.status == "True" => Scheduled::Yes,
        Some(condition) if condition.reason.as_deref() == Some("Unschedulable") => {
            Scheduled::Unschedulable(condition.message.clone().unwrap_or_default())
        }
        Some(_) | None => Scheduled::NotYet,
    }
}

fn container(status: &core::ContainerStatus) -> Container {
    let state = status.state.clone().unwrap_or_default();
    let waits = state.waiting.unwrap_or_default();
    Container {
        name: status.name.clone(),
        state: match (state.running, state.terminated) {
            (Some(_), _) => State::Running,
            (None, Some(ended)) => State::Ended(end(ended)),
            (None, None) => {
                State::Waiting(waits.reason.unwrap_or_default(), waits.message.unwrap_or_default())
            }
        },
        last: status.last_state.clone().and_then(|last| last.terminated).map(end),
        restarts: status.restart_count,
    }
}

fn end(ended: ContainerStateTerminated) -> End {
    End {
        reason: ended.reason.unwrap_or_default(),
        message: ended.message.unwrap_or_default(),
        code: ended.exit_code,
    }
}
