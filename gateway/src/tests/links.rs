//! Links over a wire come and go, and so does the lease.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::link::{GatewayEnd, Instance, Round, Status, ToRevive};
use config::model::{App, Service, Source};
use config::settings::Gateway;
use tokio::sync::mpsc;

use super::fakes::{ASLEEP, CREATING, Edge, Upstream, app, id, run, settle};
use crate::app::Open;
use crate::shown::CLUSTER;

const SECOND: Duration = Duration::from_secs(1);
const VALID: Duration = Duration::from_secs(10);

/// An app behind a Service of this address.
fn service(name: &str, cluster: Option<SocketAddr>) -> App {
    let service = Service { namespace: "n".into(), name: name.into(), cluster, workload: None };
    App { source: Source::Service(service), ..app(name) }
}

fn pod(instance: u64) -> Status {
    let endpoints = [SocketAddr::from(([127, 0, 0, 1], 9)).into()].into();
    Status::Awake { instance: Instance(instance), endpoints }
}

fn shown(edge: &Edge, name: &str) -> Status {
    edge.app(name).state().status.clone()
}

fn is_by_cluster(edge: &Edge, name: &str) -> bool {
    matches!(shown(edge, name), Status::Awake { instance: CLUSTER, .. })
}

#[test]
fn a_lease_ends_when_it_was_said_counted_from_the_question_and_no_sooner() {
    run(async {
        let (mut edge, links) = Edge::start_beyond(&Gateway::default());
        edge.meet(&links).await;
        let own = SocketAddr::from(([127, 0, 0, 1], 10));
        edge.use_table([(service("a", Some(own)), pod(1)), (service("b", None), pod(2))]).await;
        assert!(is_by_cluster(&edge, "a"), "nobody has granted a lease");
        assert!(!matches!(shown(&edge, "b"), Status::Awake { .. }));
        edge.grants(VALID).await;
        assert_eq!((shown(&edge, "a"), shown(&edge, "b")), (pod(1), pod(2)));
        // It asks again, and gets no answer.
        tokio::time::sleep(VALID - 50 * Duration::from_millis(1)).await;
        assert_eq!(shown(&edge, "a"), pod(1));
        tokio::time::sleep(50 * Duration::from_millis(1)).await;
        assert!(is_by_cluster(&edge, "a"));
        assert!(!matches!(shown(&edge, "b"), Status::Awake { .. }));
        let asked = edge.said();
        assert_eq!(asked.len(), 3, "every three seconds: {asked:?}");
        tokio::time::sleep(3 * SECOND).await;
        edge.grants(VALID).await;
        assert_eq!((shown(&edge, "a"), shown(&edge, "b")), (pod(1), pod(2)));
    });
}

#[test]
fn what_was_told_before_is_not_relied_on_again_before_the_new_link_has_told_its_table() {
    run(async {
        let (mut edge, links) = Edge::start_beyond(&Gateway::default());
        edge.meet(&links).await;
        edge.use_table([(service("a", None), pod(1))]).await;
        edge.grants(VALID).await;
        edge.meet(&links).await;
        assert_eq!(shown(&edge, "a"), pod(1), "the lease of the link before holds");
        tokio::time::sleep(VALID).await;
        assert!(!matches!(shown(&edge, "a"), Status::Awake { .. }));
        assert_eq!(edge.said(), [], "no lease is asked for that could revive what was told long ago");
        edge.use_table([(service("a", None), pod(7))]).await;
        edge.grants(VALID).await;
        assert_eq!(shown(&edge, "a"), pod(7));
    });
}

#[test]
fn a_new_link_hears_of_open_wakes_and_of_all_that_goes_on_and_nothing_of_old_rounds() {
    run(async {
        let (mut edge, links) = Edge::start_beyond(&Gateway::default());
        let upstream = Upstream::start().await;
        edge.meet(&links).await;
        edge.use_table([(app("a"), upstream.awake()), (app("b"), ASLEEP), (app("c"), upstream.awake())])
            .await;
        let _open = Open::enter(&edge.app("a"), true, None);
        let held = edge.ask(0, "b", "/").await;
        edge.change("b", CREATING).await;
        tokio::time::sleep(SECOND).await;
        // A thread that is slow to see that it drains.
        edge.obeys(0, false).await;
        edge.change("a", Status::Draining { round: Round(1) }).await;
        edge.meet(&links).await;
        edge.obeys(0, true).await;
        edge.use_table([(app("a"), upstream.awake()), (app("b"), CREATING), (app("c"), upstream.awake())])
            .await;
        let mut said = Vec::new();
        while let Ok(Some(word)) = tokio::time::timeout(SECOND, edge.hears()).await {
            said.push(word);
        }
        assert!(said.contains(&ToRevive::Wake { app: id("b") }), "{said:?}");
        assert!(!said.iter().any(|word| matches!(word, ToRevive::Quiesced { .. })), "{said:?}");
        let reports = said.iter().filter_map(|word| match word {
            ToRevive::Activity(all) => Some(all.clone()),
            _ => None,
        });
        let reports = reports.flatten().map(|report| (report.app, report.open, report.held));
        let mut reports: Vec<_> = reports.collect();
        reports.sort();
        reports.dedup();
        assert_eq!(reports, [(id("a"), 1, 0), (id("b"), 0, 1)]);
        assert!(!held.is_answered());
    });
}

#[test]
fn a_link_that_takes_nothing_is_given_up_before_it_hides_that_the_lease_is_over() {
    run(async {
        let (mut edge, links) = Edge::start_beyond(&Gateway::default());
        edge.meet(&links).await;
        edge.use_table([(service("a", None), pod(1))]).await;
        edge.grants(VALID).await;
        // One whose first message is never read.
        let (tx, mut stuck) = mpsc::channel(1);
        let (told, rx) = mpsc::channel(4);
        links.send(GatewayEnd { tx, rx }).await.unwrap();
        settle().await;
        let rules = Vec::new();
        let apps = vec![(Arc::new(service("a", None)), pod(1))];
        let table = config::link::Table { generation: 2, apps, rules, leaving: Vec::new() };
        told.send(config::link::ToGateway::Table(table)).await.unwrap();
        tokio::time::sleep(VALID).await;
        assert!(!matches!(shown(&edge, "a"), Status::Awake { .. }));
        assert!(matches!(stuck.recv().await, Some(ToRevive::InUse { .. })));
        assert_eq!(stuck.recv().await, None, "it is let go");
    });
}
