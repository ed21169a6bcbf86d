//! An app as requests see it: its state, and what is going on with it. It keeps its identity from one table to
//! the next, so that those who wait for it go on waiting.

mod counted;
mod seen;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use config::link::{Activity, Status};
use config::model::AppId;
use tokio::time::Instant;

use crate::balance::retry;
use crate::note::{Note, Notes};
use crate::spans::micros;
use crate::telemetry::AppStats;
use crate::upstream::{Findings, Peer, Spoken};

pub use counted::{Follower, Open, Place};
pub use seen::Seen;

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
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use config::link::Instance;

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
