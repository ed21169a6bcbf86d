//! What a kubelet, a scheduler and a quota have said on a cluster (Kubernetes 1.37), and what it means.
#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use config::link::Failure;
use k8s_openapi::api::core::v1::Pod as CorePod;

use super::{Ail, Outlook, of_conditions, of_event, of_pod};
use crate::platform::kubernetes::pod::Pod;

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str(include_str!(concat!("fixtures/", $name, ".json"))).unwrap()
    };
}

fn pod(pod: &CorePod) -> Pod {
    Pod::from(pod)
}

fn ail(pod: &CorePod) -> Ail {
    of_pod(&Pod::from(pod)).unwrap()
}

#[test]
fn each_failure_of_a_pod_has_its_type_its_words_and_its_outlook() {
    let table: [(CorePod, Failure, Outlook, &str); 10] = [
        (fixture!("image"), Failure::ImagePull, Outlook::MayPass, "failed to resolve reference"),
        (fixture!("invalid"), Failure::ImagePull, Outlook::Stays, "couldn't parse image name"),
        (fixture!("never"), Failure::ImagePull, Outlook::Stays, "pull policy of Never"),
        (fixture!("crash"), Failure::ExitedEarly, Outlook::Stays, "container app ended: Error, code 1"),
        (fixture!("crashloop"), Failure::ExitedEarly, Outlook::Stays, "container app ended: Error, code 1"),
        (fixture!("noprogram"), Failure::ProgramNotFound, Outlook::Stays, "/nope"),
        (fixture!("oom"), Failure::OutOfMemory, Outlook::Stays, "OOMKilled, code 137"),
        (fixture!("unschedulable"), Failure::Unschedulable, Outlook::NeedsRoom, "Insufficient cpu"),
        (fixture!("nosecret"), Failure::NotStarted, Outlook::MayPass, "secret \"nope\" not found"),
        (fixture!("claim"), Failure::Volume, Outlook::NeedsRoom, "persistentvolumeclaim \"nope\" not found"),
    ];
    for (pod, failure, outlook, words) in table {
        let ail = ail(&pod);
        assert_eq!((ail.failure, ail.outlook), (failure, outlook), "{ail:?}");
        assert!(ail.words.contains(words), "{ail:?}");
    }
}

#[test]
fn the_first_end_of_a_container_may_be_a_one_off() {
    let mut once: CorePod = fixture!("crash");
    let status = once.status.as_mut().unwrap().container_statuses.as_mut().unwrap();
    (status[0].restart_count, status[0].last_state) = (0, None);
    assert_eq!(ail(&once).outlook, Outlook::MayPass);
}

#[test]
fn a_pod_that_waits_for_a_volume_says_nothing_but_its_event_does() {
    assert_eq!(of_pod(&pod(&fixture!("mount"))), None);
    let ail = of_event(&fixture!("mount-event")).unwrap();
    assert_eq!(ail.failure, Failure::Volume);
    assert!(ail.words.contains("secret \"nope\" not found"), "{ail:?}");
}

#[test]
fn a_quota_says_so_by_an_event_or_by_the_deployments_condition() {
    for ail in
        [of_event(&fixture!("quota-event")).unwrap(), of_conditions(&fixture!("quota-deployment")).unwrap()]
    {
        assert_eq!(ail.failure, Failure::Quota);
        assert!(ail.words.contains("exceeded quota: q, requested: pods=1"), "{ail:?}");
    }
}
