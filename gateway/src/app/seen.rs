//! An app's state as it was last told, and how its endpoints stand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use config::link::{Instance, Status};
use config::model::Endpoint;
use tokio::time::Instant;

use crate::balance::{Before, Endpoints};

/// A state and when it was heard of.
#[derive(Debug)]
pub struct Seen {
    /// The state.
    pub status: Status,
    /// Durations in the state count from here, by the clock of the timers: a test that pauses one has both.
    pub at: Instant,
    /// Of an app that is awake with several endpoints: how they stand.
    pub endpoints: Option<Arc<Endpoints>>,
    /// The same at the other ports that rules send requests to; as many as rules name.
    pub(crate) at_ports: ArcSwapOption<Vec<AtPort>>,
    /// Of an app that is not awake: when it ceased to be, if it ever was.
    pub up_until: Option<Instant>,
}

/// The endpoints of an app at another of its ports.
#[derive(Clone, Debug)]
pub(crate) struct AtPort {
    port: u16,
    several: Option<Arc<Endpoints>>,
}

impl Seen {
    /// A state that is heard of now; of the endpoints that were there `before` is kept how they stand.
    pub fn now(status: Status, before: Option<&Self>) -> Self {
        let (endpoints, at_ports) = match &status {
            Status::Awake { instance, endpoints } => {
                let same = before.filter(|before| before.is_of(*instance));
                (Endpoints::of(endpoints, known(same)), same.and_then(|same| same.carried(endpoints)))
            }
            Status::Draining { .. }
            | Status::Asleep { .. }
            | Status::Waking { .. }
            | Status::Failed { .. } => (None, None),
        };
        let at = Instant::now();
        let up_until = before.and_then(|before| match before.status {
            Status::Awake { .. } => Some(at),
            Status::Draining { .. }
            | Status::Asleep { .. }
            | Status::Waking { .. }
            | Status::Failed { .. } => before.up_until,
        });
        Self { status, at, endpoints, at_ports: ArcSwapOption::from_pointee(at_ports), up_until }
    }

    /// Its endpoints, while it is awake.
    pub fn listening(&self) -> &[Endpoint] {
        match &self.status {
            Status::Awake { endpoints, .. } => endpoints,
            Status::Draining { .. }
            | Status::Asleep { .. }
            | Status::Waking { .. }
            | Status::Failed { .. } => &[],
        }
    }

    /// Whether it is awake, and this run.
    pub(super) fn is_of(&self, run: Instance) -> bool {
        matches!(&self.status, Status::Awake { instance, .. } if *instance == run)
    }

    /// How its endpoints stand, at their own port or at this one, where there are several.
    pub fn several(&self, port: Option<u16>) -> Option<Arc<Endpoints>> {
        let Some(port) = port else { return self.endpoints.clone() };
        let find = |ports: &[AtPort]| ports.iter().find(|at| at.port == port).cloned();
        let known = self.at_ports.load().as_ref().and_then(|ports| find(ports));
        let at = known.or_else(|| {
            self.at_ports.rcu(|ports| {
                let mut ports = ports.as_deref().cloned().unwrap_or_default();
                if find(&ports).is_none() {
                    let several = Endpoints::of(&moved(self.listening(), port), Before::Nothing);
                    ports.push(AtPort { port, several });
                }
                Some(Arc::new(ports))
            });
            self.at_ports.load().as_ref().and_then(|ports| find(ports))
        });
        at.and_then(|at| at.several)
    }

    /// What is known of other ports, for other endpoints of the same run.
    fn carried(&self, endpoints: &[Endpoint]) -> Option<Vec<AtPort>> {
        let before = self.at_ports.load_full()?;
        let only = self.only();
        let carried = before.iter().map(|AtPort { port, several }| {
            let known = match (several, only) {
                (Some(several), _) => Before::Several(several),
                (None, Some(only)) => Before::One(SocketAddr::new(only.ip(), *port)),
                (None, None) => Before::Nothing,
            };
            AtPort { port: *port, several: Endpoints::of(&moved(endpoints, *port), known) }
        });
        Some(carried.collect())
    }

    fn only(&self) -> Option<SocketAddr> {
        match self.listening() {
            [only] => Some(only.address),
            _ => None,
        }
    }

    /// Whether a connection to this address leads to an endpoint that is there.
    pub fn has(&self, address: SocketAddr) -> bool {
        let endpoints = self.listening();
        let at_other_port = || {
            let ports = self.at_ports.load();
            ports.as_ref().is_some_and(|ports| ports.iter().any(|at| at.port == address.port()))
                && endpoints.iter().any(|endpoint| endpoint.address.ip() == address.ip())
        };
        endpoints.iter().any(|endpoint| endpoint.address == address) || at_other_port()
    }

    /// Of a failure: how long it is still the answer to every request.
    pub fn retry_after(&self) -> Duration {
        match &self.status {
            Status::Failed { retry_after, .. } => retry_after.saturating_sub(self.at.elapsed()),
            Status::Awake { .. }
            | Status::Draining { .. }
            | Status::Asleep { .. }
            | Status::Waking { .. } => Duration::ZERO,
        }
    }

    /// Whether requests go to it.
    pub fn is_awake(&self) -> bool {
        matches!(self.status, Status::Awake { .. })
    }

    /// Whether a request may ask for the app.
    pub fn is_retriable(&self) -> bool {
        self.retry_after().is_zero()
    }
}

/// What is known of the endpoints of a state before.
fn known(before: Option<&Seen>) -> Before<'_> {
    let Some(before) = before else { return Before::Nothing };
    match (&before.endpoints, before.only()) {
        (Some(several), _) => Before::Several(several),
        (None, Some(only)) => Before::One(only),
        (None, None) => Before::Nothing,
    }
}

/// Endpoints at another port.
fn moved(endpoints: &[Endpoint], port: u16) -> Vec<Endpoint> {
    let moved = |endpoint: &Endpoint| Endpoint {
        address: SocketAddr::new(endpoint.address.ip(), port),
        weight: endpoint.weight,
    };
    endpoints.iter().map(moved).collect()
}
