//! What others do to an app that sleeps, or runs.

use config::link::Depth;
use config::model::WorkloadKind::Deployment;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use revive::kubernetes::crd::{RestSpec, TOMBSTONE};
use revive::platform::kubernetes::Place;
use revive::platform::{Rest, Standing};
use serde_json::json;

use crate::on_cluster;
use crate::rig::{pod, workload};

on_cluster!(a_deploy_while_asleep_wakes, rig, {
    let (app, instance) = rig.running(Deployment, "app").await;
    rig.put_to_sleep(instance, Depth::Light).await;
    // Without a word about replicas: the template alone is a deploy.
    let version = json!([{ "name": "V", "value": "2" }]);
    let mut next = workload(Deployment, "app", 1, pod(json!({ "env": version })));
    next["spec"].as_object_mut().unwrap().remove("replicas");
    rig.apply("owner", next).await;
    rig.stands_up(&app).await;
    let instance = rig.adopt(&app);
    rig.ready(instance).await;
    let now = rig.workload(Deployment, "app").await.unwrap();
    assert_eq!(now["spec"]["template"]["spec"]["containers"][0]["env"], version);

    rig.put_to_sleep(instance, Depth::Deep).await;
    rig.apply("owner", workload(Deployment, "app", 1, pod(json!({})))).await;
    rig.stands_up(&app).await;
    let instance = rig.adopt(&app);
    rig.ready(instance).await;
});

on_cluster!(what_is_put_back_unchanged_is_no_deploy, rig, {
    let (app, instance) = rig.running(Deployment, "app").await;
    for depth in [Depth::Light, Depth::Deep] {
        let instance = if depth == Depth::Light { instance } else { rig.adopt(&app) };
        rig.put_to_sleep(instance, depth).await;
        rig.apply("owner", workload(Deployment, "app", 1, pod(json!({})))).await;
        rig.stands(&app, &Standing::PutBack).await;
    }
});

on_cluster!(a_scale_by_hand_wakes_and_puts_to_sleep, rig, {
    let (app, instance) = rig.running(Deployment, "app").await;
    rig.put_to_sleep(instance, Depth::Light).await;
    let scale = |to: i32| Patch::Merge(json!({ "spec": { "replicas": to } }));
    let api = rig.workloads(Deployment);
    api.patch_scale("app", &PatchParams::default(), &scale(1)).await.unwrap();
    rig.stands_up(&app).await;
    let instance = rig.adopt(&app);
    rig.ready(instance).await;
    api.patch_scale("app", &PatchParams::default(), &scale(0)).await.unwrap();
    rig.is_put_down(instance, Rest::Asleep(Depth::Light)).await;
});

on_cluster!(what_its_owner_deletes_is_gone, rig, {
    let (app, instance) = rig.running(Deployment, "app").await;
    rig.put_to_sleep(instance, Depth::Light).await;
    rig.delete(Deployment, "app").await;
    rig.stands(&app, &Standing::Nothing).await;
    let instance = rig.start(&app);
    rig.is_put_down(instance, Rest::Nothing).await;
    rig.apply("owner", workload(Deployment, "app", 1, pod(json!({})))).await;
    rig.stands_up(&app).await;
    let instance = rig.adopt(&app);
    rig.ready(instance).await;
    rig.delete(Deployment, "app").await;
    rig.is_put_down(instance, Rest::Nothing).await;
});

on_cluster!(with_its_service_goes_all_that_is_kept_of_a_sleeping_app, rig, {
    let (app, instance) = rig.running(Deployment, "app").await;
    rig.put_to_sleep(instance, Depth::Deep).await;
    let services: kube::Api<k8s_openapi::api::core::v1::Service> =
        kube::Api::namespaced(rig.client.clone(), &rig.namespace);
    services.delete("app", &DeleteParams::background()).await.unwrap();
    rig.stands(&app, &Standing::Nothing).await;
    assert_eq!(rig.records().list(&ListParams::default()).await.unwrap().items, []);
});

on_cluster!(a_record_deleted_by_mistake_leaves_what_it_saved, rig, {
    let (app, instance) = rig.running(Deployment, "app").await;
    rig.put_to_sleep(instance, Depth::Deep).await;
    rig.records().delete("deployment-app", &DeleteParams::default()).await.unwrap();
    rig.stands(&app, &Standing::Nothing).await;
    let tombstones = rig.records().list(&ListParams::default().labels(TOMBSTONE)).await.unwrap();
    let saved = tombstones.items[0].spec.saved.clone().unwrap();
    // By hand: kubectl get … -o jsonpath='{.spec.saved}' | kubectl create -f -
    let object = serde_json::from_value(saved).unwrap();
    rig.workloads(Deployment).create(&PostParams::default(), &object).await.unwrap();
    rig.stands_up(&app).await;
});

on_cluster!(a_record_of_what_is_no_app_any_more_can_be_deleted, rig, {
    let mut places = Vec::new();
    for name in ["early", "late"] {
        let (app, instance) = rig.running(Deployment, name).await;
        rig.put_to_sleep(instance, Depth::Deep).await;
        places.push(Place::of(&app).unwrap());
    }
    // A leader who has not seen these apps: their routes have gone. One is deleted before it sees anything, one after.
    rig.next_leader(2);
    for (place, leads) in places.iter().zip([false, true]) {
        rig.records().delete(&place.record(), &DeleteParams::default()).await.unwrap();
        if !leads {
            rig.until("it is to go", |view| view.sight.record(place).is_some_and(|record| record.leaving))
                .await;
            rig.platform.know(Vec::new());
        }
        rig.until("it is gone", |view| view.sight.record(place).is_none()).await;
    }
    let tombstones = rig.records().list(&ListParams::default().labels(TOMBSTONE)).await.unwrap();
    assert_eq!(tombstones.items.len(), 2);
});

on_cluster!(the_next_leader_finds_what_sleeps_and_what_was_half_done, rig, {
    let (app, instance) = rig.running(Deployment, "app").await;
    rig.put_to_sleep(instance, Depth::Deep).await;
    rig.next_leader(2);
    rig.platform.know(vec![app.clone()]);
    rig.stands(&app, &Standing::Asleep(Depth::Deep)).await;
    let instance = rig.start(&app);
    rig.ready(instance).await;

    // The record of a sleep that was committed, and never came about.
    rig.until("the record is set right", |view| view.sight.workload(&Place::of(&app).unwrap()).is_some())
        .await;
    let object = rig.workload(Deployment, "app").await.unwrap();
    let half = json!({ "spec": {
        "rest": "Deep", "saved": object,
        "workload": { "uid": object["metadata"]["uid"] },
    }});
    rig.records().patch("deployment-app", &PatchParams::default(), &Patch::Merge(half)).await.unwrap();
    rig.next_leader(3);
    rig.platform.know(vec![app.clone()]);
    rig.stands_up(&app).await;
    let record = rig.record(&app).await.unwrap();
    assert_eq!((record.spec.rest, record.spec.saved), (RestSpec::Awake, None));
});
