//! What happens at once: in each of these tests one thing is stopped half way, and another begins.

use axum::http::Method;
use config::link::{Depth, Instance};
use config::model::Source;
use config::model::WorkloadKind::Deployment;
use revive::platform::{Command, Event, Note, Platform as _, Report, Rest, Standing};
use serde_json::{Value, json};

use crate::rig::{an_app, pod, workload};
use crate::toy::Toy;

fn created(event: &Event) -> Option<()> {
    matches!(event, Event::Created { .. }).then_some(())
}

#[tokio::test]
async fn a_wake_is_followed_that_was_asked_for_during_a_removal() {
    let mut toy = Toy::with(0).await;
    let remove = Command::Remove(toy.app.clone());
    let deletion = toy.stopped(remove, Method::DELETE, "/deployments/app").await;
    toy.start(1);
    deletion.send(()).unwrap();
    // It is made again, and its pod comes up.
    toy.happens(1, |event| matches!(event, Event::Phase(_)).then_some(())).await;
    toy.made_again().await;
    toy.see();
    toy.pods(&[(1, false)]);
    toy.happens(1, created).await;
}

#[tokio::test]
async fn a_wake_makes_again_what_only_seems_to_be_there_still() {
    let mut toy = Toy::with(1).await;
    toy.adopt(1);
    toy.pods(&[(1, true)]);
    toy.happens(1, created).await;
    toy.platform.submit(Command::Stop { instance: Instance(1), depth: Depth::Deep });
    toy.until(|toy| toy.workload().is_none()).await;
    // The pods are gone, and the deletion of the workload has not been seen yet.
    toy.pods(&[]);
    toy.happens(1, |event| matches!(event, Event::Exited(_)).then_some(())).await;
    toy.start(2);
    toy.made_again().await;
}

#[tokio::test]
async fn what_somebody_has_just_deployed_is_not_removed() {
    let mut toy = Toy::with(0).await;
    toy.deploy(workload(Deployment, "app", 2, pod(json!({}))));
    toy.platform.submit(Command::Remove(toy.app.clone()));
    assert_eq!(toy.stands().await, Standing::Up { endpoints: [].into() });
    assert_eq!(toy.workload().unwrap()["spec"]["replicas"], 2);
}

fn endpoints(event: &Event) -> Option<usize> {
    match event {
        Event::Endpoints(endpoints) => Some(endpoints.len()),
        Event::Exited(_) | Event::PutDown(_) => panic!("{event:?}: it has neither crashed nor been put down"),
        _ => None,
    }
}

#[tokio::test]
async fn an_app_whose_pods_are_replaced_has_none_for_a_while_and_is_followed_on() {
    let mut toy = Toy::with(1).await;
    toy.adopt(1);
    toy.pods(&[(1, true)]);
    assert_eq!(toy.happens(1, endpoints).await, 1);
    toy.pods(&[]);
    assert_eq!(toy.happens(1, endpoints).await, 0);
    toy.pods(&[(2, false)]);
    toy.pods(&[(2, true)]);
    assert_eq!(toy.happens(1, endpoints).await, 1);
    // Put down after all: that is said, too.
    toy.pods(&[]);
    assert_eq!(toy.happens(1, endpoints).await, 0);
    toy.deploy(workload(Deployment, "app", 0, pod(json!({}))));
    toy.see();
    let rest = Rest::Asleep(Depth::Light);
    toy.happens(1, |event| (*event == Event::PutDown(rest)).then_some(())).await;
}

/// As `kubectl apply` does it once more, after its replicas were taken away, or all of it.
fn applied(version: &str) -> Value {
    let env = json!([{ "name": "V", "value": version }]);
    let mut object = workload(Deployment, "app", 1, pod(json!({ "env": env })));
    let fields = json!({ "f:spec": { "f:replicas": {}, "f:template": {} } });
    object["metadata"]["managedFields"] =
        json!([{ "manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": fields }]);
    object
}

/// One that sleeps so, and had this version.
async fn asleep(depth: Depth, version: &str) -> Toy {
    let mut toy = Toy::with(1).await;
    toy.deploy(applied(version));
    toy.see();
    toy.adopt(1);
    toy.pods(&[(1, true)]);
    toy.happens(1, created).await;
    toy.platform.submit(Command::Stop { instance: Instance(1), depth });
    let runs = |object: Value| object["spec"]["replicas"] == 1;
    toy.until(|toy| !toy.workload().is_some_and(runs)).await;
    toy.pods(&[]);
    toy.happens(1, |event| matches!(event, Event::Exited(_)).then_some(())).await;
    toy.see();
    toy
}

#[tokio::test]
async fn a_wake_tells_that_what_it_was_to_wake_had_been_put_back() {
    for depth in [Depth::Light, Depth::Deep] {
        let mut toy = asleep(depth, "1").await;
        // Both are seen at once.
        toy.deploy(applied("1"));
        toy.see();
        toy.start(2);
        let put_back = |report: &Report| match report {
            Report::Noted { note: Note::PutBack(from), .. } => Some(*from),
            Report::Noted { note: Note::Deployed, .. } => panic!("nobody has deployed anything"),
            Report::Noted { .. } | Report::Happened { .. } | Report::Stands { .. } => None,
        };
        assert_eq!(toy.hears(put_back).await, depth);
    }
}

#[tokio::test]
async fn a_deploy_of_what_sleeps_is_told_whoever_wakes_it() {
    for depth in [Depth::Light, Depth::Deep] {
        let mut toy = asleep(depth, "1").await;
        toy.deploy(applied("2"));
        toy.see();
        toy.start(2);
        let deployed = |report: &Report| match report {
            Report::Noted { note: Note::Deployed, .. } => Some(()),
            Report::Noted { note: Note::PutBack(_), .. } => panic!("it is a deploy"),
            Report::Noted { .. } | Report::Happened { .. } | Report::Stands { .. } => None,
        };
        toy.hears(deployed).await;
    }
}

#[tokio::test]
async fn what_no_workload_runs_is_not_started_and_its_stop_is_answered() {
    let mut app = an_app("n", Deployment, "app");
    if let Source::Service(service) = &mut app.source {
        service.workload = None;
    }
    let mut toy = Toy::of(app).await;
    toy.start(1);
    toy.happens(1, |event| matches!(event, Event::NotCreated(_)).then_some(())).await;
    toy.platform.submit(Command::Stop { instance: Instance(1), depth: Depth::Light });
    toy.happens(1, |event| matches!(event, Event::Exited(_)).then_some(())).await;
}
