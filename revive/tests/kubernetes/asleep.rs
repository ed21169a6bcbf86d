//! Sleep and wake, and what is left of both.

use std::time::Instant;

use config::link::Depth;
use config::model::WorkloadKind::{Deployment, StatefulSet};
use revive::kubernetes::crd::{RestSpec, SAVED};
use revive::platform::{Command, Event, Note, Platform as _, Report, Standing};
use serde_json::json;

use crate::on_cluster;
use crate::rig::{pod, service, workload};

fn created(event: &Event) -> Option<std::net::SocketAddr> {
    if let Event::Created { endpoint, .. } = event { Some(*endpoint) } else { None }
}

on_cluster!(light_sleep_takes_the_replicas_and_a_wake_brings_them_back, rig, {
    let (app, instance) = rig.running(Deployment, "light").await;
    rig.put_to_sleep(instance, Depth::Light).await;
    let object = rig.workload(Deployment, "light").await.unwrap();
    assert_eq!(object["spec"]["replicas"], 0);
    let record = rig.record(&app).await.unwrap();
    assert_eq!((record.spec.rest, record.spec.replicas, record.spec.epoch), (RestSpec::Light, 1, 1));
    assert!(record.spec.saved.is_none());
    assert_eq!(record.metadata.owner_references.unwrap()[0].kind, "Service");

    let begun = Instant::now();
    let instance = rig.start(&app);
    let endpoint = rig.happens(instance, created).await;
    println!("light: command to Created {:?}", begun.elapsed());
    assert_eq!(endpoint.port(), 8080);
    rig.ready(instance).await;
    assert_eq!(rig.workload(Deployment, "light").await.unwrap()["spec"]["replicas"], 1);
});

on_cluster!(deep_sleep_takes_the_workload_and_a_wake_makes_it_again, rig, {
    let (app, instance) = rig.running(Deployment, "deep").await;
    let before = rig.workload(Deployment, "deep").await.unwrap();
    rig.put_to_sleep(instance, Depth::Deep).await;
    assert_eq!(rig.workload(Deployment, "deep").await, None);
    let record = rig.record(&app).await.unwrap();
    assert_eq!(record.spec.rest, RestSpec::Deep);
    assert_eq!(record.spec.saved.unwrap()["spec"], before["spec"]);
    assert_eq!(record.metadata.finalizers.unwrap(), [SAVED]);

    let begun = Instant::now();
    let instance = rig.start(&app);
    rig.happens(instance, created).await;
    println!("deep: command to Created {:?}", begun.elapsed());
    rig.ready(instance).await;
    let after = rig.workload(Deployment, "deep").await.unwrap();
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
});

on_cluster!(light_sleep_becomes_deep_and_what_is_made_again_has_its_replicas, rig, {
    rig.apply("owner", service("two")).await;
    let (app, instance) = rig.running(Deployment, "two").await;
    rig.apply("owner", workload(Deployment, "two", 2, pod(json!({})))).await;
    let both = |event: &Event| matches!(event, Event::Endpoints(at) if at.len() == 2).then_some(());
    rig.happens(instance, both).await;
    rig.put_to_sleep(instance, Depth::Light).await;
    rig.platform.submit(Command::Remove(app.clone()));
    rig.stands(&app, &Standing::Asleep(Depth::Deep)).await;
    assert_eq!(rig.workload(Deployment, "two").await, None);
    let instance = rig.start(&app);
    rig.happens(instance, both).await;
});

on_cluster!(a_stateful_set_sleeps_and_wakes_in_both_depths, rig, {
    let (app, instance) = rig.running(StatefulSet, "set").await;
    rig.put_to_sleep(instance, Depth::Light).await;
    let instance = rig.start(&app);
    rig.ready(instance).await;
    rig.put_to_sleep(instance, Depth::Deep).await;
    assert_eq!(rig.workload(StatefulSet, "set").await, None);
    let instance = rig.start(&app);
    rig.ready(instance).await;
});

on_cluster!(what_would_lose_data_is_not_put_to_sleep, rig, {
    rig.apply("owner", service("data")).await;
    let mut set = workload(StatefulSet, "data", 1, pod(json!({})));
    set["spec"]["persistentVolumeClaimRetentionPolicy"] =
        json!({ "whenScaled": "Delete", "whenDeleted": "Delete" });
    set["spec"]["volumeClaimTemplates"] = json!([{
        "metadata": { "name": "v" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Mi" } } },
    }]);
    rig.apply("owner", set).await;
    let app = rig.app(StatefulSet, "data");
    let instance = rig.adopt(&app);
    rig.platform.submit(Command::Stop { instance, depth: Depth::Deep });
    let lost = rig.hears("what would be lost", |report| match report {
        Report::Noted { note: Note::WouldLoseData(Depth::Light, what), .. } => Some(what.clone()),
        Report::Noted { .. } | Report::Happened { .. } | Report::Stands { .. } => None,
    });
    assert!(lost.await.contains("whenScaled"));
    rig.stands_up(&app).await;
    assert_eq!(rig.workload(StatefulSet, "data").await.unwrap()["spec"]["replicas"], 1);
});

on_cluster!(a_leader_of_an_earlier_epoch_puts_nothing_to_sleep, rig, {
    let (app, instance) = rig.running(Deployment, "fenced").await;
    rig.put_to_sleep(instance, Depth::Light).await;
    let instance = rig.start(&app);
    rig.ready(instance).await;
    rig.next_leader(7);
    rig.platform.know(vec![app.clone()]);
    rig.stands_up(&app).await;
    let instance = rig.adopt(&app);
    rig.ready(instance).await;
    rig.put_to_sleep(instance, Depth::Light).await;
    let instance = rig.start(&app);
    rig.ready(instance).await;
    rig.next_leader(2);
    rig.platform.know(vec![app.clone()]);
    rig.stands_up(&app).await;
    let instance = rig.adopt(&app);
    rig.ready(instance).await;
    rig.put_to_sleep(instance, Depth::Deep).await;
    rig.stands_up(&app).await;
    assert_eq!(rig.workload(Deployment, "fenced").await.unwrap()["spec"]["replicas"], 1);
    assert_eq!(rig.record(&app).await.unwrap().spec.epoch, 7);
});
