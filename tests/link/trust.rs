//! Who may attach, and to whom.

use std::time::Duration;

use config::link::tls::REVIVE;
use revive::link::Standing;

use crate::authority::Authority;
use crate::edge::{Certificates, Edge, Pod};
use crate::revive::{ANYWHERE, Revive, leader};
use crate::{app, awake};

const A_WHILE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn who_is_of_another_authority_or_no_gateway_is_refused() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let mut revive = Revive::start(ANYWHERE, &certificates.revive, leader(1)).await;
    let mut edge = Edge::start(&others.gateway, &[revive.address], None).await;
    edge.logs("cannot attach to revive there").await;
    revive.is_left_alone(A_WHILE).await;
    edge.kill().await;
    // Revive's own certificate is of the authority, but not a gateway's.
    let mut edge = Edge::start(&certificates.revive, &[revive.address], None).await;
    edge.logs("cannot attach to revive there").await;
    revive.is_left_alone(A_WHILE).await;
    edge.kill().await;
    // And a gateway's is not revive's.
    let mut revive = Revive::start(ANYWHERE, &certificates.gateway, leader(1)).await;
    let mut edge = Edge::start(&certificates.gateway, &[revive.address], None).await;
    edge.logs("cannot attach to revive there").await;
    revive.is_left_alone(A_WHILE).await;
}

#[tokio::test]
async fn certificates_are_renewed_without_a_restart_and_broken_ones_are_not_taken() {
    let certificates = Certificates::new();
    let mut revive = Revive::start(ANYWHERE, &certificates.revive, leader(1)).await;
    let mut edge = Edge::start(&certificates.gateway, &[revive.address], None).await;
    drop(revive.attached().await);
    let gateway = revive.attached().await;
    // All of another authority, at both ends, which read the files when they next meet.
    certificates.renew();
    drop(gateway);
    let gateway = revive.attached().await;
    // One end only: they do not trust each other any more, until the other follows.
    Authority::new().write(&certificates.revive, REVIVE);
    drop(gateway);
    revive.is_left_alone(A_WHILE).await;
    certificates.renew();
    let gateway = revive.attached().await;
    std::fs::write(&certificates.gateway.key, "no key").unwrap();
    drop(gateway);
    revive.attached().await;
    edge.logs("the link's certificate has changed and cannot be used: the one before stays in use").await;
}

#[tokio::test]
async fn the_leader_is_preferred_wherever_it_is_and_an_older_one_is_refused() {
    let certificates = Certificates::new();
    let mut first = Revive::start(ANYWHERE, &certificates.revive, leader(5)).await;
    let followed = Standing { epoch: 5, leads: false, leader: Some(first.address.to_string()) };
    let mut second = Revive::start(ANYWHERE, &certificates.revive, followed).await;
    // It knows of the second alone, and is told where the leader is.
    let edge = Edge::start(&certificates.gateway, &[second.address], None).await;
    let (pod, with) = (Pod::start("pod").await, app("with", None));
    let mut gateway = first.attached().await;
    gateway.table(1, &[(with.clone(), awake(1, pod.address))]).await;
    gateway.renews().await;
    edge.answers("with", "pod").await;
    second.attached().await.leaves().await;

    // Leadership moves.
    second.standing.send_replace(Standing {
        epoch: 6,
        leads: true,
        leader: Some(second.address.to_string()),
    });
    first.standing.send_replace(Standing {
        epoch: 6,
        leads: false,
        leader: Some(second.address.to_string()),
    });
    gateway.leaves().await;
    let mut gateway = second.attached().await;
    gateway.table(1, &[(with.clone(), awake(1, pod.address))]).await;
    gateway.renews().await;

    // The first believes that it leads still; the second is gone for a while.
    let address = second.address;
    second.kill().await;
    first.standing.send_replace(leader(5));
    while let Ok(attached) = tokio::time::timeout(A_WHILE, first.attached()).await {
        attached.leaves().await;
        if edge.figure("loco_edge_link_attachments_total").await > 2.0 {
            panic!("it follows a leader of the past");
        }
    }
    let mut second = Revive::start(address, &certificates.revive, leader(7)).await;
    second.attached().await;
}
