//! Field managers, as they were before a sleep.

use config::link::Depth;
use config::model::WorkloadKind::Deployment;
use revive::kubernetes::MANAGER;
use serde_json::{Value, json};

use crate::on_cluster;
use crate::rig::{Rig, pod, workload};

/// Who manages which fields, but for the status.
fn managers(object: &Value) -> Vec<(String, Value)> {
    let all = object["metadata"]["managedFields"].as_array().unwrap();
    let others = all.iter().filter(|one| one["subresource"] != "status");
    let mut named: Vec<(String, Value)> = others
        .map(|one| {
            (
                format!("{} {} {}", one["manager"], one["operation"], one["subresource"]),
                one["fieldsV1"].clone(),
            )
        })
        .collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named
}

async fn given_back(rig: &Rig, name: &str) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let object = rig.workload(Deployment, name).await.unwrap();
        let ours = managers(&object).iter().any(|(manager, _)| manager.contains(MANAGER));
        let by = object["metadata"]["managedFields"].to_string().contains("f:replicas");
        if !ours && by {
            return object;
        }
        assert!(begun.elapsed().as_secs() < 30, "{object:#}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

on_cluster!(whoever_applies_after_a_wake_meets_no_conflict, rig, {
    let (app, mut instance) = rig.running(Deployment, "fields").await;
    let label = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "fields", "annotations": { "of": "another" } },
    });
    rig.apply("another", label.clone()).await;
    let before = rig.workload(Deployment, "fields").await.unwrap();
    for depth in [Depth::Light, Depth::Deep] {
        rig.put_to_sleep(instance, depth).await;
        instance = rig.start(&app);
        rig.ready(instance).await;
        let after = given_back(&rig, "fields").await;
        assert_eq!(managers(&after), managers(&before), "after {depth:?}");
    }
    // Both may change what is theirs, and the owner may take away what he had set.
    rig.apply("another", label).await;
    let mut next = workload(Deployment, "fields", 2, pod(json!({ "env": [{ "name": "A", "value": "b" }] })));
    next["metadata"]["labels"] = json!({});
    rig.apply("owner", next).await;
    let now = rig.workload(Deployment, "fields").await.unwrap();
    assert_eq!(now["spec"]["replicas"], 2);
    assert_eq!(now["metadata"]["labels"]["by"], Value::Null);
});

on_cluster!(whoever_deploys_a_sleeping_app_meets_no_conflict, rig, {
    let (_, instance) = rig.running(Deployment, "deploy").await;
    rig.put_to_sleep(instance, Depth::Light).await;
    rig.apply("owner", workload(Deployment, "deploy", 3, pod(json!({})))).await;
    assert_eq!(rig.workload(Deployment, "deploy").await.unwrap()["spec"]["replicas"], 3);
});
