//! An app as requests see it: its state, and what is going on with it. It keeps its identity from one table to
//! the next, so that those who wait for it go on waiting.

mod counted;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use config::link::{Activity, Instance, Status};
use config::model::{AppId, Endpoint};
use tokio::time::Instant;

use crate::balance::{Before, Endpoints, retry};
use crate::note::{Note, Notes};
use crate::spans::micros;
use crate::telemetry::AppStats;
use crate::upstream::{Findings, Peer, Spoken};

pub use counted::{Follower, Open, Place};

/// So many connections in a row are refused before revive is asked to look after an app that is taken to be awake.
pub const UNREACHABLE_AFTER: u32 = 3;

/// An app, shared by all threads. The counters are relaxed: whoever needs them exact (to put an app to sleep)
/// first has every thread say that it has seen the new state, and those messages order the rest.
#[derive(Debug)]
pub struct App {
    /// Identity.
    pub id: AppId,
    /// Its place in every thread's list of slots; never used for another app.
    pub index: usize,
    /// What has been answered.
    pub stats: AppStats,
    /// How much of its traffic may be retries.
    pub retries: retry::Budget,
    state: ArcSwap<Seen>,
    open: AtomicU32,
    held: AtomicU32,
    /// Waiting pages that follow its wake.
    following: AtomicU32,
    /// Connections to it that were refused in a row, since its state was told.
    refused: AtomicU32,
    /// Microseconds since `epoch`; 0 means not yet.
    last_active: AtomicU64,
    /// Whether a [`Note::Touched`] is on its way.
    touched: AtomicBool,
    /// Whether a [`Note::Wanted`] is on its way.
    asked: AtomicBool,
    /// Whether a visitor that may not keep the app awake has woken it, and when: microseconds since `epoch`.
    budget_spent: AtomicU64,
    /// What its endpoints speak; threads look here once and remember it themselves.
    findings: Mutex<Findings>,
    epoch: Instant,
    notes: Notes,
}

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

    fn is_of(&self, run: Instance) -> bool {
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

impl App {
    /// An app nobody has asked for yet.
    pub fn new(id: AppId, index: usize, status: Status, notes: Notes) -> Arc<Self> {
        let epoch = Instant::now();
        Arc::new(Self {
            id,
            index,
            stats: AppStats::default(),
            retries: retry::Budget::default(),
            state: ArcSwap::from_pointee(Seen::now(status, None)),
            open: AtomicU32::new(0),
            held: AtomicU32::new(0),
            following: AtomicU32::new(0),
            refused: AtomicU32::new(0),
            last_active: AtomicU64::new(0),
            touched: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            budget_spent: AtomicU64::new(0),
            findings: Mutex::default(),
            epoch,
            notes,
        })
    }

    /// Its state now. Not to be kept across an await.
    pub fn state(&self) -> Guard<Arc<Seen>> {
        self.state.load()
    }

    /// Its state changes.
    pub fn set(&self, status: Status) {
        let seen = Seen::now(status, Some(&self.state()));
        self.state.store(Arc::new(seen));
        self.refused.store(0, Relaxed);
    }

    /// A run of it refused a connection. One refusal may be a server that restarts itself; of several in a row revive
    /// is told. Where else it listens than at its endpoints, or does not, is no matter of its life.
    pub fn refuses(self: &Arc<Self>, (instance, address): Peer) {
        if self.is_up_at((instance, address)) && self.refused.fetch_add(1, Relaxed) + 1 == UNREACHABLE_AFTER {
            self.notes.send(Note::Unreachable(self.clone(), instance));
        }
    }

    fn is_up_at(&self, (instance, address): Peer) -> bool {
        let state = self.state();
        state.is_of(instance) && state.listening().iter().any(|endpoint| endpoint.address == address)
    }

    /// A connection to it succeeded.
    pub fn accepts(&self, peer: Peer) {
        // The load first: a store takes the cache line from the other threads, a load does not.
        if self.refused.load(Relaxed) > 0 && self.is_up_at(peer) {
            self.refused.store(0, Relaxed);
        }
    }

    /// What an endpoint of it speaks, if anybody has found out.
    pub fn spoken(&self, peer: Peer) -> Option<Spoken> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).of(peer)
    }

    /// Somebody has found out what an endpoint of it speaks.
    pub fn learn(&self, peer: Peer, spoken: Spoken) {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).learn(peer, spoken);
    }

    /// Whether a request may be tried once more, of the `percent` of all that may be.
    pub fn spend_retry(&self, percent: u32) -> bool {
        let may = self.retries.spend(self.stats.answered(), percent);
        let count = if may { &self.stats.retries } else { &self.stats.retries_denied };
        count.fetch_add(1, Relaxed);
        may
    }

    /// Requests, streams and upgraded connections that are open.
    pub fn open(&self) -> u32 {
        self.open.load(Relaxed)
    }

    /// Requests that wait for it to wake.
    pub fn held(&self) -> u32 {
        self.held.load(Relaxed)
    }

    /// Waiting pages that follow its wake.
    pub fn following(&self) -> u32 {
        self.following.load(Relaxed)
    }

    /// Whether anybody waits for it: a request that is held, or whoever looks at a page.
    pub fn is_wanted(&self) -> bool {
        self.held() > 0 || self.following() > 0
    }

    /// Asks revive to wake it; several at once become one message.
    pub fn ask(self: &Arc<Self>) {
        if !self.asked.swap(true, Relaxed) {
            self.notes.send(Note::Wanted(self.clone()));
        }
    }

    /// Whether it does not run, and nobody has asked for it yet.
    pub fn sleeps_unasked(&self) -> bool {
        let sleeps = match self.state().status {
            Status::Asleep { .. } | Status::Failed { .. } => true,
            Status::Awake { .. } | Status::Draining { .. } | Status::Waking { .. } => false,
        };
        sleeps && self.held() == 0 && !self.asked.load(Relaxed)
    }

    /// The note has been read; whoever asks from now on sends another.
    pub fn note_read(&self, note: Sent) {
        let flag = match note {
            Sent::Wanted => &self.asked,
            Sent::Touched => &self.touched,
        };
        flag.store(false, Relaxed);
    }

    /// How busy it is.
    pub fn activity(&self) -> Activity {
        let last = self.last_active.load(Relaxed);
        let idle_for = (last > 0).then(|| self.epoch.elapsed().saturating_sub(Duration::from_micros(last)));
        Activity { app: self.id.clone(), open: self.open(), held: self.held(), idle_for }
    }

    /// Whether a visitor that may not keep the app awake may wake it now: once in `every`.
    pub fn spend_budget(&self, every: Duration) -> bool {
        let now = micros(self.epoch.elapsed()).max(1);
        let spent = self.budget_spent.load(Relaxed);
        let free = spent == 0 || now - spent >= micros(every);
        free && self.budget_spent.compare_exchange(spent, now, Relaxed, Relaxed).is_ok()
    }

    fn touch(self: &Arc<Self>, keeps_awake: bool) {
        if keeps_awake {
            self.last_active.store(micros(self.epoch.elapsed()).max(1), Relaxed);
        }
        // The load first: a swap takes the cache line from the other threads, a load does not.
        if !self.touched.load(Relaxed) && !self.touched.swap(true, Relaxed) {
            self.notes.send(Note::Touched(self.clone()));
        }
    }
}

/// Which note was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// [`Note::Wanted`].
    Wanted,
    /// [`Note::Touched`].
    Touched,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::net::{IpAddr, Ipv4Addr};

    use config::model::AppName;

    use super::*;

    const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4_000);

    fn awake(instance: u64) -> Status {
        let endpoints = [ADDRESS.into()].into();
        Status::Awake { instance: Instance(instance), endpoints }
    }

    #[test]
    fn revive_is_told_once_of_three_refusals_in_a_row_by_the_current_run() {
        let (notes, mut read) = Notes::channel();
        let app = App::new(AppId::from_name(&AppName::parse("hello").unwrap()), 0, awake(7), notes);
        let mut told_of = |instances: &[u64]| {
            instances.iter().for_each(|instance| app.refuses((Instance(*instance), ADDRESS)));
            let told = std::iter::from_fn(|| read.try_recv().ok());
            told.filter(|note| matches!(note, Note::Unreachable(_, Instance(7)))).count()
        };
        assert_eq!(told_of(&[7, 7, 6, 6, 6]), 0, "what is said of an earlier run does not count");
        app.accepts((Instance(7), ADDRESS));
        assert_eq!(told_of(&[7, 7]), 0, "not in a row");
        assert_eq!(told_of(&[7, 7, 7, 7, 7, 7]), 1);
        app.set(awake(7));
        assert_eq!(told_of(&[7, 7, 7]), 1, "it is awake once more");
        app.set(Status::Asleep { depth: config::link::Depth::Light });
        assert_eq!(told_of(&[7, 7, 7]), 0, "it is taken care of");
    }
}
