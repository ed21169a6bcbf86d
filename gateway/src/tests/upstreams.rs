//! Which endpoint a request goes to, and on which connection.

use std::sync::atomic::Ordering::Relaxed;

use config::link::{Instance, Status};
use config::settings::Gateway;

use super::fakes::{Edge, Upstream, app, run};

fn awake(instance: u64, upstreams: &[Upstream]) -> Status {
    let endpoints = upstreams.iter().map(|upstream| upstream.address.into()).collect();
    Status::Awake { instance: Instance(instance), endpoints }
}

/// Sends requests one after the other; returns how many came to each.
async fn spread(edge: &Edge, upstreams: &mut [Upstream; 3], requests: usize) -> [usize; 3] {
    let mut counts = [0; 3];
    for _ in 0..requests {
        let client = edge.ask(0, "a", "/").await;
        for (count, upstream) in counts.iter_mut().zip(&mut *upstreams) {
            for request in upstream.arrived().await {
                *count += 1;
                request.answer().await;
            }
        }
        assert_eq!(client.answer().await, "200");
    }
    counts
}

async fn three() -> [Upstream; 3] {
    [Upstream::start().await, Upstream::start().await, Upstream::start().await]
}

#[test]
fn all_endpoints_are_used_each_on_its_own_connection_and_none_that_is_gone() {
    run(async {
        let edge = Edge::start(1, &Gateway::default());
        let mut upstreams = three().await;
        edge.use_table([(app("a"), awake(0, &upstreams))]).await;
        let counts = spread(&edge, &mut upstreams, 60).await;
        // Less by chance: one run in 10^10.
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        assert_eq!(upstreams.each_ref().map(|upstream| upstream.connections.get()), [1; 3], "kept alive");

        edge.change("a", awake(0, &upstreams[..2])).await;
        let counts = spread(&edge, &mut upstreams, 30).await;
        assert_eq!((counts[0] + counts[1], counts[2]), (30, 0), "although a connection to it is pooled");
    });
}

#[test]
fn a_new_instance_at_the_same_address_gets_a_new_connection() {
    run(async {
        let edge = Edge::start(1, &Gateway::default());
        let mut upstreams = three().await;
        edge.use_table([(app("a"), awake(1, &upstreams[..1]))]).await;
        spread(&edge, &mut upstreams, 3).await;
        assert_eq!(upstreams[0].connections.get(), 1);
        edge.change("a", awake(2, &upstreams[..1])).await;
        spread(&edge, &mut upstreams, 3).await;
        assert_eq!(upstreams[0].connections.get(), 2);
    });
}

#[test]
fn what_fails_at_one_endpoint_goes_to_another_and_one_that_only_fails_is_left_out() {
    run(async {
        let edge = Edge::start(1, &Gateway::default());
        let mut good = Upstream::start().await;
        // Bound and closed again: nobody listens there.
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let endpoints = [good.address, dead].map(Into::into).into();
        edge.use_table([(app("a"), Status::Awake { instance: Instance(0), endpoints })]).await;
        for _ in 0..40 {
            let client = edge.ask(0, "a", "/").await;
            for request in good.arrived().await {
                request.answer().await;
            }
            assert_eq!(client.answer().await, "200");
        }
        let stats = &edge.app("a").stats;
        let (retries, ejections) = (stats.retries.load(Relaxed), stats.ejections.load(Relaxed));
        assert_eq!((retries, ejections), (5, 1), "five faults, and then it is out");
    });
}
