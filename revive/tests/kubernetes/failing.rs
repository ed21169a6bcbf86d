//! Failures, each as a typed answer with the platform's words.

use std::time::Instant;

use config::link::Failure;
use config::model::WorkloadKind::{self, Deployment, StatefulSet};
use revive::platform::{Event, Note, Report};
use serde_json::{Value, json};

use crate::on_cluster;
use crate::rig::{Rig, pod};

/// The failure of an app that is deployed so, and what is said of it.
async fn fails(rig: &mut Rig, kind: WorkloadKind, name: &str, spec: Value) -> (Failure, String) {
    rig.deploy(kind, name, spec).await;
    let app = rig.app(kind, name);
    let begun = Instant::now();
    let instance = rig.adopt(&app);
    let failure = rig.happens(instance, |event| match event {
        Event::NotCreated(failure) => Some(*failure),
        _ => None,
    });
    let failure = failure.await;
    println!("{name}: {failure:?} after {:?}", begun.elapsed());
    let words = rig.said().iter().rev().find_map(|report| match report {
        Report::Noted { app: of, note: Note::Why(why, words) } if *of == app.id && *why == failure => {
            Some(words.clone())
        }
        _ => None,
    });
    (failure, words.unwrap())
}

fn with(container: Value, more: Value) -> Value {
    let mut spec = pod(container);
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

on_cluster!(a_failure_has_a_type_and_the_platforms_words, rig, {
    let secret =
        json!({ "env": [{ "name": "X", "valueFrom": { "secretKeyRef": { "name": "nope", "key": "x" } } }] });
    let mount = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    let of_secret = json!({ "volumes": [{ "name": "v", "secret": { "secretName": "nope" } }] });
    let of_claim = json!({ "volumes": [{ "name": "v", "persistentVolumeClaim": { "claimName": "nope" } }] });
    let cases = [
        ("image", pod(json!({ "image": "loco.test/none:v9" })), Failure::ImagePull, "loco.test/none:v9"),
        ("invalid", pod(json!({ "image": "loco.test/Bad:::v9" })), Failure::ImagePull, "InvalidImageName"),
        (
            "crash",
            pod(json!({ "env": [{ "name": "FAIL", "value": "exit" }] })),
            Failure::ExitedEarly,
            "code 1",
        ),
        ("program", pod(json!({ "command": ["/nope"] })), Failure::ProgramNotFound, "/nope"),
        (
            "room",
            pod(json!({ "resources": { "requests": { "cpu": "500" } } })),
            Failure::Unschedulable,
            "Insufficient cpu",
        ),
        ("secret", pod(secret), Failure::NotStarted, "secret \"nope\" not found"),
        ("mount", with(mount.clone(), of_secret), Failure::Volume, "secret \"nope\" not found"),
        ("claim", with(mount, of_claim), Failure::Volume, "persistentvolumeclaim \"nope\" not found"),
    ];
    for (name, spec, wanted, words) in cases {
        let (failure, said) = fails(&mut rig, Deployment, name, spec).await;
        assert_eq!(failure, wanted, "{name}: {said}");
        assert!(said.contains(words), "{name}: {said}");
        rig.delete(Deployment, name).await;
    }
});

on_cluster!(a_quota_that_lets_no_pod_be_made_is_told, rig, {
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "none" }, "spec": { "hard": { "pods": "0" } } });
    rig.apply("admin", quota).await;
    for kind in [Deployment, StatefulSet] {
        let name = format!("quota-{}", kind.as_str().to_lowercase());
        let (failure, said) = fails(&mut rig, kind, &name, pod(json!({}))).await;
        assert_eq!(failure, Failure::Quota, "{said}");
        assert!(said.contains("exceeded quota: none"), "{said}");
    }
});
