//! What is kept of objects as an API server sends them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where it is wrong")]

use serde_json::{Value, json};

use super::{Unread, read};
use crate::kubernetes::fixtures::settings;
use crate::kubernetes::index::pod::{ContainerState, Pod};
use crate::kubernetes::index::workload::{Claims, VolumeKind, Workload};
use crate::kubernetes::index::{Seen, Update};

fn pod(object: Value) -> Pod {
    match read(object, &settings()) {
        Ok(Update::Pod(Seen::Applied(pod))) => pod,
        other => unreachable!("{other:?}"),
    }
}

fn workload(object: Value) -> Workload {
    match read(object, &settings()) {
        Ok(Update::Workload(_, Seen::Applied(workload))) => workload,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn of_a_pod_is_kept_why_it_is_not_up_and_what_it_asks_for() {
    let kept = pod(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "web-7d-x", "namespace": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d", "uid": "u", "controller": true }] },
        "spec": {
            "nodeName": "n1", "overhead": { "memory": "1Mi" },
            "initContainers": [
                { "name": "first", "resources": { "requests": { "cpu": "2" } } },
                { "name": "beside", "restartPolicy": "Always", "resources": { "requests": { "cpu": "100m" } } }
            ],
            "containers": [{ "name": "main", "ports": [{ "name": "http", "containerPort": 8080 }],
                "resources": { "requests": { "cpu": "250m", "memory": "64Mi" } } }]
        },
        "status": {
            "phase": "Pending", "podIPs": [{ "ip": "10.0.0.7" }],
            "conditions": [{ "type": "PodScheduled", "status": "True" }],
            "containerStatuses": [{ "name": "main", "ready": false, "restartCount": 3, "image": "", "imageID": "",
                "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } },
                "lastState": { "terminated": { "exitCode": 137, "reason": "OOMKilled" } } }]
        }
    }));
    assert_eq!(
        (kept.meta.leaving, kept.node.as_deref(), kept.holds("PodScheduled")),
        (true, Some("n1"), true)
    );
    assert_eq!(kept.workload().map(|(_, name)| name), Some("web"));
    assert_eq!((kept.requests.cpu, kept.requests.memory), (2_000, 65 << 20), "the greatest that runs before");
    let main = &kept.containers[0];
    assert!(matches!(&main.state, ContainerState::Waiting { reason, .. } if &**reason == "CrashLoopBackOff"));
    assert_eq!(main.last.as_ref().map(|last| (&*last.reason, last.exit_code)), Some(("OOMKilled", 137)));
}

#[test]
fn a_spec_is_the_same_whatever_its_replicas_and_its_status() {
    let deployment = |replicas: i64, image: &str, ready: i64| {
        workload(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
            "spec": { "replicas": replicas, "selector": {}, "template": { "spec": { "containers": [{ "name": "main", "image": image }],
                "volumes": [{ "name": "a", "emptyDir": {} }, { "name": "b", "emptyDir": {} }, { "name": "c", "ephemeral": {} }] } } },
            "status": { "readyReplicas": ready }
        }))
    };
    let one = deployment(1, "a", 0);
    assert_eq!(one.spec_hash, deployment(5, "a", 5).spec_hash);
    assert_ne!(one.spec_hash, deployment(1, "b", 0).spec_hash);
    assert_eq!(one, deployment(1, "a", 1), "how many are ready is nobody's concern");
    assert_eq!(one.template.volumes, [VolumeKind::EmptyDir, VolumeKind::Ephemeral]);
}

#[test]
fn claims_of_a_set_go_with_it_only_if_that_is_said() {
    let set = |retention: Value, claims: Value| {
        workload(json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "db" },
            "spec": { "selector": {}, "serviceName": "db", "template": {}, "volumeClaimTemplates": claims, "persistentVolumeClaimRetentionPolicy": retention }
        }))
        .claims
    };
    let some = json!([{ "metadata": { "name": "data" }, "spec": {} }]);
    assert_eq!(set(json!({ "whenDeleted": "Delete" }), json!([])), Claims::None);
    assert_eq!(set(json!({ "whenDeleted": "Retain", "whenScaled": "Retain" }), some.clone()), Claims::Kept);
    assert_eq!(set(json!({ "whenDeleted": "Retain", "whenScaled": "Delete" }), some), Claims::Deleted);
}

#[test]
fn what_is_nothing_to_us_says_what_it_is() {
    let object = |kind: &str, version: &str| json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "x" } });
    let error = read(object("Ingress", "networking.k8s.io/v1"), &settings()).unwrap_err();
    assert!(matches!(&error, Unread::OtherKind { kind, .. } if kind == "Ingress"), "{error}");
    assert!(matches!(
        read(object("EndpointSlice", "discovery.k8s.io/v1"), &settings()),
        Err(Unread::Malformed(_) | Unread::Useless)
    ));
    assert!(matches!(read(json!({}), &settings()), Err(Unread::Malformed(_))));
}
