//! What a pod, or its absence, says of why an app does not come up. Pure.

use config::link::Failure;
use k8s_openapi::api::core::v1::Event;

use super::pod::{Container, End, Pod, PodPhase, Scheduled, State};
use super::trouble::refused;

/// What ails an app on its way up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ail {
    /// Why it is not up.
    pub(super) failure: Failure,
    /// The platform's own words.
    pub(super) words: String,
    /// Whether it may pass.
    pub(super) outlook: Outlook,
}

/// Whether what ails may pass by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outlook {
    /// It is being tried again, and may go well: it fails the app if it stays.
    MayPass,
    /// It may pass, but that takes room that somebody else must make: it fails the app if it stays for longer.
    NeedsRoom,
    /// It has been tried twice, or can only go wrong.
    Stays,
}

/// What ails a pod, if anything does.
pub(super) fn of_pod(pod: &Pod) -> Option<Ail> {
    match &pod.scheduled {
        Scheduled::Unschedulable(message) => return Some(unschedulable(message)),
        Scheduled::NotYet | Scheduled::Yes => {}
    }
    pod.containers.iter().find_map(of_container).or_else(|| refused_by_node(pod))
}

/// The scheduler has one reason for all that it cannot do, and says what it is in words (`volumebinding`).
fn unschedulable(message: &str) -> Ail {
    let volume = ["persistentvolumeclaim", "PersistentVolume", "volume node affinity"];
    let failure = if volume.iter().any(|word| message.contains(word)) {
        Failure::Volume
    } else {
        Failure::Unschedulable
    };
    Ail { failure, words: message.to_owned(), outlook: Outlook::NeedsRoom }
}

/// `OutOfcpu`, `Evicted`, `NodeAffinity`: a node had it, and would not keep it.
fn refused_by_node(pod: &Pod) -> Option<Ail> {
    let (reason, message) = &pod.reason;
    let refused = pod.phase == PodPhase::Ended && !reason.is_empty() && pod.containers.is_empty();
    refused.then(|| Ail {
        failure: Failure::Unschedulable,
        words: format!("{reason}: {message}"),
        outlook: Outlook::MayPass,
    })
}

fn of_container(container: &Container) -> Option<Ail> {
    match &container.state {
        State::Running => None,
        State::Ended(end) => ended(container, end),
        State::Waiting(reason, message) => waits(container, reason, message),
    }
}

/// The words that the kubelet has for what a container waits for (k8s.io/kubernetes, `pkg/kubelet/images`,
/// `pkg/kubelet/container`).
fn waits(container: &Container, reason: &str, message: &str) -> Option<Ail> {
    let (failure, outlook) = match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => (Failure::ImagePull, Outlook::MayPass),
        "InvalidImageName" | "ErrImageNeverPull" => (Failure::ImagePull, Outlook::Stays),
        "CrashLoopBackOff" => return container.last.as_ref().and_then(|end| ended(container, end)),
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "PreCreateHookError"
        | "PostStartHookError" => (Failure::NotStarted, Outlook::MayPass),
        "RunContainerError" => (not_run(message), again(container)),
        _ => return None,
    };
    Some(Ail { failure, words: format!("container {}: {reason}: {message}", container.name), outlook })
}

/// One that ended well before it was up is a program that does not serve, or one that runs first and is done.
fn ended(container: &Container, end: &End) -> Option<Ail> {
    let failure = match (&*end.reason, end.code) {
        ("OOMKilled", _) => Failure::OutOfMemory,
        ("StartError" | "ContainerCannotRun", _) => not_run(&end.message),
        (_, 0) => return None,
        _ => Failure::ExitedEarly,
    };
    let message = if end.message.is_empty() { String::new() } else { format!(": {}", end.message) };
    let words = format!("container {} ended: {}, code {}{message}", container.name, end.reason, end.code);
    Some(Ail { failure, words, outlook: again(container) })
}

/// The first time may be a one-off.
fn again(container: &Container) -> Outlook {
    if container.restarts > 0 { Outlook::Stays } else { Outlook::MayPass }
}

fn not_run(message: &str) -> Failure {
    if message.contains("no such file or directory") || message.contains("executable file not found") {
        Failure::ProgramNotFound
    } else {
        Failure::NotStarted
    }
}

/// What an event about a pod, or about what should have made one, says.
pub(super) fn of_event(event: &Event) -> Option<Ail> {
    let message = event.message.clone().unwrap_or_default();
    let failure = match event.reason.as_deref()? {
        "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" | "FailedBinding" | "ProvisioningFailed" => {
            Failure::Volume
        }
        // One of a claim that is missing or refused comes so, too (StatefulSet).
        "FailedCreate" => refused(&message),
        "FailedCreatePodSandBox" => Failure::NotStarted,
        _ => return None,
    };
    Some(Ail { failure, words: message, outlook: Outlook::MayPass })
}

/// What the conditions of a Deployment say: a quota or an admission policy that lets no pod be made.
pub(super) fn of_conditions(workload: &serde_json::Value) -> Option<Ail> {
    let conditions = workload["status"]["conditions"].as_array()?;
    let failed = conditions.iter().find(|one| one["type"] == "ReplicaFailure" && one["status"] == "True")?;
    let words = failed["message"].as_str().unwrap_or_default().to_owned();
    Some(Ail { failure: refused(&words), words, outlook: Outlook::MayPass })
}

#[cfg(test)]
mod tests;
