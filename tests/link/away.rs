//! Revive goes and comes back.

use config::link::{Phase, Status};

use crate::edge::{Certificates, Edge, Pod};
use crate::revive::{ANYWHERE, Revive, leader};
use crate::{ASLEEP, app, awake};

const WAKING: Status = Status::Waking {
    phase: Phase::Creating,
    elapsed: std::time::Duration::ZERO,
    estimate: None,
    position: None,
    probe: None,
};

#[tokio::test]
async fn requests_go_on_without_revive_and_a_wake_is_asked_for_again_when_it_is_back() {
    let certificates = Certificates::new();
    let mut revive = Revive::start(ANYWHERE, &certificates.revive, leader(1)).await;
    let mut edge = Edge::start(&certificates.gateway, &[revive.address], None).await;
    let mut gateway = revive.attached().await;
    assert_eq!(edge.readiness().await, 503, "there is no table yet");
    let (up, down) = (app("up", None), app("down", None));
    let pod = Pod::start("pod").await;
    gateway.table(1, &[(up.clone(), awake(1, pod.address)), (down.clone(), ASLEEP)]).await;
    gateway.renews().await;
    edge.logs("ready").await;
    assert_eq!(edge.readiness().await, 200);
    edge.answers("up", "pod").await;
    assert_eq!(edge.figure("loco_edge_link_attached").await, 1.0);
    assert_eq!(edge.figure("loco_edge_link_lease").await, 1.0);

    let held = edge.ask("down");
    gateway.wakes(&down).await;
    gateway.state(&down, WAKING).await;
    let address = revive.address;
    revive.kill().await;
    edge.logs("the link to revive is gone; looking for it").await;
    for _ in 0..20 {
        assert_eq!(edge.get("up").await, (200, "pod".to_owned()), "the lease still holds");
    }
    assert_eq!(edge.figure("loco_edge_link_attached").await, 0.0);

    let mut revive = Revive::start(address, &certificates.revive, leader(2)).await;
    let mut gateway = revive.attached().await;
    gateway.table(1, &[(up, awake(1, pod.address)), (down.clone(), WAKING)]).await;
    gateway.wakes(&down).await;
    assert!(!held.is_finished(), "it goes on waiting");
    gateway.state(&down, awake(2, pod.address)).await;
    gateway.renews().await;
    assert_eq!(held.await.unwrap(), (200, "pod".to_owned()));
    assert_eq!(edge.figure("loco_edge_link_attachments_total").await, 2.0);
}
