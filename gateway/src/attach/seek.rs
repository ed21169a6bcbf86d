//! Finding revive: its leader, if it can be reached.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::link::tls::Current;
use config::link::wire::Hello;
use rustls::ClientConfig;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::backoff::Backoff;
use super::dial::{Wire, dial};

/// Addresses that are tried in one round; of a name that has more, others are tried in the next.
const MOST: usize = 16;
/// How long a name may take to become addresses.
const RESOLVE: Duration = Duration::from_secs(2);

/// Looks for revive, and remembers what it has learnt of it.
#[derive(Debug)]
pub(super) struct Seeker {
    name: String,
    addresses: Vec<String>,
    tls: Current<ClientConfig>,
    /// The highest epoch that a revive has told. A leader of a lower one leads no longer, and does not know.
    epoch: u64,
    /// Where the leader was told to be.
    leader: Option<String>,
    backoff: Backoff,
}

impl Seeker {
    pub(super) fn new(name: String, addresses: Vec<String>, tls: Current<ClientConfig>) -> Self {
        Self { name, addresses, tls, epoch: 0, leader: None, backoff: Backoff::default() }
    }

    /// The leader is said to be there.
    pub(super) fn hint(&mut self, leader: Option<String>) {
        if leader.is_some() {
            self.backoff.reset();
        }
        self.leader = leader;
    }

    /// What was found last has lasted.
    pub(super) fn was_steady(&mut self) {
        self.backoff.reset();
    }

    /// Looks until a revive is found, the leader if that can be reached.
    pub(super) async fn search(&mut self) -> Wire {
        loop {
            if let Some(wire) = self.round().await {
                return wire;
            }
            tokio::time::sleep(self.backoff.next()).await;
        }
    }

    /// Looks until the leader is found.
    pub(super) async fn search_leader(&mut self) -> Wire {
        loop {
            // The first wait too: whoever has just found a follower has just looked for the leader.
            tokio::time::sleep(self.backoff.next()).await;
            if let Some(wire) = self.round().await.filter(|wire| wire.welcome.leads) {
                self.backoff.reset();
                return wire;
            }
        }
    }

    /// Tries all there are once: the leader that was told, or one of the others, which may know where it is.
    async fn round(&mut self) -> Option<Wire> {
        let (mut follower, mut tried) = (None, HashSet::new());
        let mut told = self.leader.clone();
        let mut others: Option<Vec<SocketAddr>> = None;
        while tried.len() < MOST {
            let address = match told.take() {
                Some(leader) => resolve(&leader).await.into_iter().find(|address| !tried.contains(address)),
                None => {
                    if others.is_none() {
                        others = Some(self.everywhere().await);
                    }
                    let next = others.as_mut().and_then(Vec::pop);
                    if next.is_none() {
                        break;
                    }
                    next.filter(|address| !tried.contains(address))
                }
            };
            let Some(address) = address else { continue };
            tried.insert(address);
            let Some(wire) = self.attempt(address).await else { continue };
            if wire.welcome.leads {
                return Some(wire);
            }
            told.clone_from(&wire.welcome.leader);
            follower.get_or_insert(wire);
        }
        follower
    }

    async fn attempt(&mut self, address: SocketAddr) -> Option<Wire> {
        let hello = Hello {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: self.epoch,
        };
        let wire = match dial(address, self.tls(), hello).await {
            Ok(wire) => wire,
            Err(error) => {
                tracing::info!(%address, %error, "cannot attach to revive there");
                return None;
            }
        };
        let told = wire.welcome.epoch;
        if wire.welcome.leads && told < self.epoch {
            tracing::warn!(%address, epoch = told, known = self.epoch, "it believes that it leads, but another one does");
            return None;
        }
        self.epoch = self.epoch.max(told);
        if let Some(leader) = &wire.welcome.leader {
            self.leader = Some(leader.clone());
        }
        Some(wire)
    }

    fn tls(&mut self) -> Arc<ClientConfig> {
        self.tls.now().unwrap_or_else(|error| {
            tracing::warn!(%error, "the link's certificate has changed and cannot be used: the one before stays in use");
            self.tls.last()
        })
    }

    /// All addresses that are known, in any order: not all gateways go to the same one.
    async fn everywhere(&self) -> Vec<SocketAddr> {
        let mut all = Vec::new();
        for name in &self.addresses {
            all.extend(resolve(name).await);
        }
        fastrand::shuffle(&mut all);
        all
    }
}

async fn resolve(name: &str) -> Vec<SocketAddr> {
    match timeout(RESOLVE, lookup_host(name)).await.unwrap_or_else(|elapsed| Err(elapsed.into())) {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            tracing::info!(name, %error, "revive's address is not known");
            Vec::new()
        }
    }
}
