//! The routing lease.

use std::time::Duration;

use crate::edge::{Certificates, Edge, Pod};
use crate::revive::{ANYWHERE, Revive, leader};
use crate::{SOON, app, awake};

#[tokio::test]
async fn without_a_lease_the_services_own_address_is_dialled_and_no_remembered_one() {
    let certificates = Certificates::new();
    let mut revive = Revive::start(ANYWHERE, &certificates.revive, leader(1)).await;
    let edge = Edge::start(&certificates.gateway, &[revive.address], None).await;
    let mut gateway = revive.attached().await;
    let (mut pod, cluster) = (Pod::start("pod").await, Pod::start("cluster").await);
    let (with, headless) = (app("with", Some(cluster.address)), app("headless", None));
    gateway.valid = Duration::from_secs(2);
    let apps = [(with, awake(1, pod.address)), (headless.clone(), awake(2, pod.address))];
    gateway.table(1, &apps).await;
    gateway.renews().await;
    edge.answers("with", "pod").await;
    edge.answers("headless", "pod").await;
    assert!(*pod.open.borrow() > 0, "connections are kept");

    // It is asked for again, and nobody answers.
    gateway.valid = Duration::ZERO;
    edge.answers("with", "cluster").await;
    let closed = tokio::time::timeout(SOON, pod.open.wait_for(|open| *open == 0)).await.is_ok();
    assert!(closed, "connections to a remembered address stay");
    let held = edge.ask("headless");
    gateway.wakes(&headless).await;
    assert_eq!(edge.figure("loco_edge_link_lease").await, 0.0);

    gateway.valid = Duration::from_secs(10);
    gateway.renews().await;
    assert_eq!(held.await.unwrap(), (200, "pod".to_owned()));
    edge.answers("with", "pod").await;
}

#[tokio::test]
async fn a_refusal_of_the_services_own_address_is_no_error_but_an_app_that_sleeps() {
    let certificates = Certificates::new();
    let mut revive = Revive::start(ANYWHERE, &certificates.revive, leader(1)).await;
    let mut edge = Edge::start(&certificates.gateway, &[revive.address], None).await;
    let mut gateway = revive.attached().await;
    let cluster = Pod::start("cluster").await;
    let address = cluster.address;
    let with = app("with", Some(address));
    gateway.valid = Duration::ZERO;
    gateway.table(1, &[(with.clone(), awake(1, address))]).await;
    edge.answers("with", "cluster").await;
    cluster.end().await;
    let held = edge.ask("with");
    gateway.wakes(&with).await;
    assert!(!held.is_finished());
    // Nobody says that it answers again: it is tried.
    revive.kill().await;
    edge.logs("the link to revive is gone; looking for it").await;
    let _cluster = Pod::start_at(address, "again").await;
    assert_eq!(held.await.unwrap(), (200, "again".to_owned()));
}
