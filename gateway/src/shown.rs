//! What requests see of an app's state: what revive has told, or what is safe where that can no longer be relied on.
//! The way of a request asks nothing of this: the state that an app shows is another one.

use config::link::{Depth, Instance, Status};
use config::model::{Service, Source};

/// Whatever runs behind a Service's own address, which the node keeps right: no run of the app that revive speaks of.
pub const CLUSTER: Instance = Instance(u64::MAX);

/// How far what was told can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// All of it: there is a lease.
    All,
    /// All but addresses: a link says it, but gives no lease.
    News,
    /// Nothing: there is no link, and nobody knows what has happened since.
    Nothing,
}

/// What is known of a Service's own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// Somebody may answer there.
    Untried,
    /// It refuses, so nothing runs: the app is held as if it slept.
    Refuses,
}

/// What requests see.
pub fn shown(told: &Status, source: &Source, trust: Trust, cluster: Cluster) -> Status {
    match (source, trust) {
        // Their addresses are written somewhere, and nobody else gets them when they sleep.
        (Source::Process(_) | Source::Upstreams(_), _) | (Source::Service(_), Trust::All) => told.clone(),
        (Source::Service(service), Trust::News) => match told {
            // There is none to be relied on, or not.
            Status::Awake { endpoints, .. } if endpoints.is_empty() => told.clone(),
            Status::Awake { .. } => by_cluster(told, service, cluster),
            Status::Draining { .. }
            | Status::Asleep { .. }
            | Status::Waking { .. }
            | Status::Failed { .. } => without_addresses(told),
        },
        (Source::Service(service), Trust::Nothing) => match by_cluster(told, service, cluster) {
            // There is nobody left to end it, or to be told.
            Status::Draining { .. } => Status::Asleep { depth: Depth::Light },
            other => other,
        },
    }
}

fn by_cluster(told: &Status, service: &Service, cluster: Cluster) -> Status {
    match (service.cluster, cluster) {
        (Some(address), Cluster::Untried) => {
            Status::Awake { instance: CLUSTER, endpoints: [address.into()].into() }
        }
        (Some(_), Cluster::Refuses) | (None, _) => without_addresses(told),
    }
}

fn without_addresses(told: &Status) -> Status {
    match told {
        Status::Awake { .. } => Status::Asleep { depth: Depth::Light },
        Status::Waking { phase, elapsed, estimate, position, probe: _ } => Status::Waking {
            phase: *phase,
            elapsed: *elapsed,
            estimate: *estimate,
            position: *position,
            probe: None,
        },
        Status::Draining { .. } | Status::Asleep { .. } | Status::Failed { .. } => told.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use config::link::{Failure, Phase, Probe, Round};

    use super::*;

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 80))
    }

    fn service(cluster: Option<SocketAddr>) -> Source {
        Source::Service(Service { namespace: "n".into(), name: "s".into(), cluster, workload: None })
    }

    fn awake(instance: Instance, address: SocketAddr) -> Status {
        Status::Awake { instance, endpoints: [address.into()].into() }
    }

    fn all() -> [Status; 5] {
        let probe = Some(Probe { instance: Instance(7), endpoint: at(7) });
        [
            awake(Instance(7), at(7)),
            Status::Draining { round: Round(1) },
            Status::Asleep { depth: Depth::Deep },
            Status::Waking {
                phase: Phase::Probing,
                elapsed: Duration::ZERO,
                estimate: None,
                position: None,
                probe,
            },
            Status::Failed { failure: Failure::ImagePull, retry_after: Duration::from_secs(5) },
        ]
    }

    /// The rule that everything here is for.
    #[test]
    fn without_a_lease_no_address_is_dialled_but_the_services_own() {
        for told in all() {
            for trust in [Trust::News, Trust::Nothing] {
                for own in [None, Some(at(1))] {
                    for cluster in [Cluster::Untried, Cluster::Refuses] {
                        match shown(&told, &service(own), trust, cluster) {
                            Status::Awake { instance, endpoints } => {
                                assert_eq!((instance, Some(endpoints[0].address)), (CLUSTER, own));
                                assert_eq!((endpoints.len(), cluster), (1, Cluster::Untried));
                            }
                            Status::Waking { probe, .. } => assert_eq!(probe, None),
                            Status::Draining { .. } | Status::Asleep { .. } | Status::Failed { .. } => {}
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn with_a_lease_all_is_as_told_and_so_are_upstreams_always() {
        for told in all() {
            assert_eq!(shown(&told, &service(Some(at(1))), Trust::All, Cluster::Refuses), told);
            let upstreams = Source::Upstreams(vec![at(3).into()]);
            assert_eq!(shown(&told, &upstreams, Trust::Nothing, Cluster::Refuses), told);
        }
    }

    #[test]
    fn news_of_one_that_does_not_run_is_believed_and_without_news_it_is_tried() {
        let service = service(Some(at(1)));
        let by_cluster = awake(CLUSTER, at(1));
        let [awake, draining, asleep, ..] = all();
        assert_eq!(shown(&asleep, &service, Trust::News, Cluster::Untried), asleep);
        assert_eq!(shown(&draining, &service, Trust::News, Cluster::Untried), draining);
        assert_eq!(shown(&awake, &service, Trust::News, Cluster::Untried), by_cluster);
        for told in all() {
            assert_eq!(shown(&told, &service, Trust::Nothing, Cluster::Untried), by_cluster);
        }
    }
}
