//! The saved table.

use std::time::Duration;

use crate::edge::{Certificates, Edge, Pod};
use crate::revive::{ANYWHERE, Revive, leader};
use crate::{SOON, app, awake};

#[tokio::test]
async fn a_start_without_revive_serves_from_the_saved_table_by_the_services_own_address() {
    let certificates = Certificates::new();
    let state = certificates.state();
    let mut revive = Revive::start(ANYWHERE, &certificates.revive, leader(1)).await;
    let edge = Edge::start(&certificates.gateway, &[revive.address], Some(&state)).await;
    let mut gateway = revive.attached().await;
    let (pod, cluster) = (Pod::start("pod").await, Pod::start("cluster").await);
    gateway.table(7, &[(app("with", Some(cluster.address)), awake(1, pod.address))]).await;
    gateway.renews().await;
    edge.answers("with", "pod").await;
    let written = async {
        while !state.join("table").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, written).await.unwrap();
    edge.kill().await;
    let address = revive.address;
    revive.kill().await;

    let mut edge = Edge::start(&certificates.gateway, &[address], Some(&state)).await;
    edge.logs("ready").await;
    assert_eq!(edge.get("with").await, (200, "cluster".to_owned()));
    assert_eq!(edge.figure("loco_edge_table_generation").await, 7.0);
    assert_eq!(edge.figure("loco_edge_link_attached").await, 0.0);

    let mut revive = Revive::start(address, &certificates.revive, leader(2)).await;
    let mut gateway = revive.attached().await;
    gateway.table(1, &[(app("with", Some(cluster.address)), awake(1, pod.address))]).await;
    gateway.renews().await;
    edge.answers("with", "pod").await;
}

#[tokio::test]
async fn a_damaged_table_is_said_and_not_used() {
    let certificates = Certificates::new();
    let state = certificates.state();
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(
        state.join("table"),
        b"loco-edge table 1\nand then something else, longer than a checksum",
    )
    .unwrap();
    // Nobody listens there: it is bound, and let go.
    let nobody = Pod::start("nobody").await;
    let address = nobody.address;
    nobody.end().await;
    let mut edge = Edge::start(&certificates.gateway, &[address], Some(&state)).await;
    let said = edge.logs("the saved table is not used").await;
    assert_eq!(said["error"], "it is damaged");
    assert_eq!(edge.readiness().await, 503);
}
