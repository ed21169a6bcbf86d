//! What is known of one endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use config::model::Endpoint;

/// A weight of 1, so that a part of it is a whole number, too.
const UNIT: u64 = 1 << 10;
/// With which part of its weight an endpoint comes back: one in so many.
const FIRST_PART: u64 = 10;

/// An endpoint's standing: relaxed counters, because a choice that is a little old is still a good one.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) endpoint: Endpoint,
    /// Shared with the same endpoint in the app's states before and after.
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Counts {
    /// Requests that are at it.
    open: AtomicU32,
    /// Requests in a row that it has failed.
    faults: AtomicU32,
    /// Since when it is in, or, if that is to come, when it is back; microseconds.
    back_at: AtomicU64,
}

impl Member {
    /// One that is there since `now`, and begins slowly.
    pub(super) fn new(endpoint: Endpoint, now: u64) -> Self {
        let counts =
            Counts { open: AtomicU32::new(0), faults: AtomicU32::new(0), back_at: AtomicU64::new(now) };
        Self { endpoint, counts: Arc::new(counts) }
    }

    /// The same with another weight.
    pub(super) fn reweighed(&self, endpoint: Endpoint) -> Self {
        Self { endpoint, counts: self.counts.clone() }
    }

    pub(super) fn open(&self) -> u32 {
        self.counts.open.load(Relaxed)
    }

    pub(super) fn begin(&self) {
        self.counts.open.fetch_add(1, Relaxed);
    }

    pub(super) fn end(&self) {
        self.counts.open.fetch_sub(1, Relaxed);
    }

    /// Whether requests may go to it.
    pub(super) fn is_in(&self, now: u64) -> bool {
        self.endpoint.weight > 0 && self.counts.back_at.load(Relaxed) <= now
    }

    /// Its weight by now, all of it once `slow_start` has passed since it came; 0 while it is out.
    pub(super) fn weight(&self, now: u64, slow_start: u64) -> u64 {
        if !self.is_in(now) {
            return 0;
        }
        let whole = u64::from(self.endpoint.weight) * UNIT;
        let since = now - self.counts.back_at.load(Relaxed).min(now);
        if since >= slow_start {
            return whole;
        }
        let part = u128::from(whole) * u128::from(since) / u128::from(slow_start);
        u64::try_from(part).unwrap_or(whole).max(whole / FIRST_PART)
    }

    pub(super) fn succeeded(&self) {
        // The load first: a store takes the cache line from the other threads, a load does not.
        if self.counts.faults.load(Relaxed) > 0 {
            self.counts.faults.store(0, Relaxed);
        }
    }

    /// Counts a fault; whether there are now so many in a row that it should be left out.
    pub(super) fn failed(&self, max: u32) -> bool {
        self.counts.faults.fetch_add(1, Relaxed).saturating_add(1) >= max
    }

    /// Leaves it out until then. The faults stay counted, so that the first one after it is back puts it out again.
    pub(super) fn leave_until(&self, back_at: u64) {
        self.counts.back_at.store(back_at, Relaxed);
    }
}
