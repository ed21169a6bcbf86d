//! What happens at once: in each of these tests one thing is stopped half way, and another begins.

use axum::http::Method;
use config::link::{Depth, Instance};
use config::model::WorkloadKind::Deployment;
use revive::platform::{Command, Event, Platform as _, Standing};
use serde_json::json;

use crate::rig::{pod, workload};
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
