//! What a limit has counted: for each key when its bucket is full again and how many are open, exactly, across all
//! threads; of so many keys at most.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::model::Rate;
use hashbrown::HashTable;

use super::gcra::{FullAt, Gcra, Now};
use super::sketch::Sketch;

/// Locks of one limit: a power of two. A lock is held for a look-up or two, never across an await; two threads meet at
/// one only if they count the same key, or one time in so many.
const SHARDS: usize = 64;
/// Fewer keys than this are not worth a lock of their own.
const LEAST_IN_SHARD: usize = 64;
/// So many entries are looked at for each new key, to forget those whose past no longer matters: all are looked at again
/// within a fourth of as many new keys as there are entries, and no single request does it for the others.
const LOOKED_AT: usize = 4;
/// And so many when there is no room.
const LOOKED_AT_WHEN_FULL: usize = 32;

/// The counts of one limit. They outlive its changes.
#[derive(Debug)]
pub(super) struct Counts {
    shards: Box<[Mutex<Shard>]>,
    /// Requests whose key found no place of its own.
    overflowed: AtomicU64,
}

/// What is counted, and how much of it there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) rate: Option<Rate>,
    pub(super) concurrency: Option<NonZeroU32>,
}

/// Why a request is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// There is no token; there will be one after this.
    Rate(Duration),
    /// As many as may be are open.
    Open,
}

impl Denied {
    /// When it makes sense to try again. When one that is open will end, nobody can know.
    pub(super) fn retry_after(self) -> Duration {
        match self {
            Self::Rate(after) => after,
            Self::Open => Duration::from_secs(1),
        }
    }
}

/// Some of the keys.
#[derive(Debug)]
pub(super) struct Shard {
    /// Here, so that a change of rate and the conversion of what was counted at the old one are one.
    gcra: Option<Gcra>,
    most_open: Option<NonZeroU32>,
    keys: HashTable<Entry>,
    most_keys: usize,
    /// The entry that is looked at next.
    hand: usize,
    sketch: Option<Box<Sketch>>,
}

/// What is known of a key: 32 bytes; with the table around them about 45.
#[derive(Clone, Copy, Debug)]
struct Entry {
    full_at: FullAt,
    key: u64,
    open: u32,
}

/// Where an open request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    /// In its key's entry, which is not forgotten as long as one is open.
    Own,
    /// In the sketch.
    Shared,
}

/// A request that is open and counts as one of so many at once.
#[derive(Debug)]
pub(super) struct Held {
    counts: Arc<Counts>,
    key: u64,
    seat: Seat,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counts.shard(self.key).leave(self.key, self.seat);
    }
}

impl Counts {
    pub(super) fn new(bounds: Bounds, most_keys: usize) -> Arc<Self> {
        let shards = (most_keys / LEAST_IN_SHARD).next_power_of_two().clamp(1, SHARDS);
        let shard = || Mutex::new(Shard::new(bounds, most_keys.div_ceil(shards)));
        let shards = std::iter::repeat_with(shard).take(shards).collect();
        Arc::new(Self { shards, overflowed: AtomicU64::new(0) })
    }

    /// Locks what holds a key. Who needs several limits' locks takes them in the order of the limits' names.
    pub(super) fn shard(&self, key: u64) -> MutexGuard<'_, Shard> {
        // Other bits than those by which the table and the sketch place a key.
        let index = (key >> 40) as usize & (self.shards.len() - 1);
        lock(&self.shards[index])
    }

    /// Takes what [`Shard::check`] has found in the same lock.
    pub(super) fn take(self: &Arc<Self>, shard: &mut Shard, key: u64, now: Now) -> Option<Held> {
        let seat = shard.take(key, now);
        if seat == Seat::Shared {
            self.overflowed.fetch_add(1, Relaxed);
        }
        shard.most_open.map(|_| Held { counts: self.clone(), key, seat })
    }

    /// Other bounds from now on. What was used stays used, what is open stays open.
    pub(super) fn change(&self, bounds: Bounds, now: Now) {
        self.shards.iter().for_each(|shard| lock(shard).change(bounds, now));
    }

    /// How many keys have a place of their own.
    pub(super) fn keys(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).keys.len()).sum()
    }

    /// How many requests had a key that found no place of its own.
    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed.load(Relaxed)
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Nothing in here panics half-way.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn new(bounds: Bounds, most_keys: usize) -> Self {
        let gcra = bounds.rate.as_ref().map(Gcra::new);
        let most_open = bounds.concurrency;
        Self { gcra, most_open, keys: HashTable::new(), most_keys, hand: 0, sketch: None }
    }

    /// Whether one more of a key may pass. Changes nothing.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(&self, key: u64, now: Now) -> Result<(), Denied> {
        let entry = self.entry(key);
        if let Some(gcra) = &self.gcra {
            gcra.check(entry.full_at, now).map_err(Denied::Rate)?;
        }
        match self.most_open {
            Some(most) if entry.open >= most.get() => Err(Denied::Open),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a key is known, not by an estimate, and has no token.
    pub(super) fn is_spent(&self, key: u64, now: Now) -> bool {
        let known = self.keys.find(key, |entry| entry.key == key);
        known.zip(self.gcra.as_ref()).is_some_and(|(entry, gcra)| gcra.check(entry.full_at, now).is_err())
    }

    /// What is known of a key, or estimated.
    fn entry(&self, key: u64) -> Entry {
        match self.keys.find(key, |entry| entry.key == key) {
            Some(entry) => *entry,
            None => self.estimate(key),
        }
    }

    fn estimate(&self, key: u64) -> Entry {
        let Some(sketch) = &self.sketch else { return Entry { full_at: FullAt::default(), key, open: 0 } };
        let full_at = self.gcra.map_or(FullAt::default(), |gcra| gcra.full_at(sketch.full_at(key)));
        Entry { full_at, key, open: sketch.open(key) }
    }

    fn take(&mut self, key: u64, now: Now) -> Seat {
        let (gcra, counts_open) = (self.gcra, self.most_open.is_some());
        let taken = |entry: Entry| Entry {
            full_at: gcra.map_or(entry.full_at, |gcra| gcra.take(entry.full_at, now)),
            open: entry.open + u32::from(counts_open),
            ..entry
        };
        if let Some(entry) = self.keys.find_mut(key, |entry| entry.key == key) {
            *entry = taken(*entry);
            return Seat::Own;
        }
        let known = self.estimate(key);
        let entry = taken(known);
        // Where one is open is where they all are counted, until none is.
        if self.has_room(now) && known.open == 0 {
            self.insert(entry);
            return Seat::Own;
        }
        let sketch = self.sketch.get_or_insert_with(|| Box::new(Sketch::new(self.most_keys)));
        if let Some(gcra) = gcra {
            sketch.set_full_at(key, gcra.time(entry.full_at));
        }
        if counts_open {
            sketch.enter(key);
        }
        Seat::Shared
    }

    /// Where many have come and gone, the table would grow for the traces of them: it is made anew, as large as it was, if
    /// that is worth it.
    fn insert(&mut self, entry: Entry) {
        let room = self.keys.num_buckets() / 8 * 7;
        let no_longer_free = room.saturating_sub(self.keys.len());
        if self.keys.len() == self.keys.capacity() && no_longer_free >= (room / 8).max(1) {
            let mut keys = HashTable::with_capacity(room);
            for entry in self.keys.drain() {
                keys.insert_unique(entry.key, entry, |entry: &Entry| entry.key);
            }
            self.keys = keys;
        }
        self.keys.insert_unique(entry.key, entry, |entry| entry.key);
    }

    /// Makes room for one more key, if some that is kept is not in use.
    fn has_room(&mut self, now: Now) -> bool {
        let is_full = self.keys.len() >= self.most_keys;
        for _ in 0..if is_full { LOOKED_AT_WHEN_FULL } else { LOOKED_AT } {
            self.look_at_next(now);
        }
        let has_room = self.keys.len() < self.most_keys;
        if has_room && self.sketch.as_ref().is_some_and(|sketch| sketch.is_idle(now)) {
            self.sketch = None;
        }
        has_room
    }

    /// Forgets the entry under the hand, if nothing is lost with it.
    fn look_at_next(&mut self, now: Now) {
        self.hand = if self.hand + 1 < self.keys.num_buckets() { self.hand + 1 } else { 0 };
        let gcra = self.gcra;
        if let Ok(entry) = self.keys.get_bucket_entry(self.hand)
            && is_unused(gcra, entry.get(), now)
        {
            entry.remove();
        }
    }

    fn leave(&mut self, key: u64, seat: Seat) {
        match seat {
            Seat::Own => {
                let entry = self.keys.find_mut(key, |entry| entry.key == key);
                entry.into_iter().for_each(|entry| entry.open -= 1);
            }
            Seat::Shared => self.sketch.iter_mut().for_each(|sketch| sketch.leave(key)),
        }
    }

    fn change(&mut self, bounds: Bounds, now: Now) {
        let (before, after) = (self.gcra, bounds.rate.as_ref().map(Gcra::new));
        (self.gcra, self.most_open) = (after, bounds.concurrency);
        if before == after {
            return;
        }
        let convert = |full_at| match (before, after) {
            (Some(before), Some(after)) => before.convert(full_at, &after, now),
            (None, _) | (_, None) => FullAt::default(),
        };
        self.keys.iter_mut().for_each(|entry| entry.full_at = convert(entry.full_at));
        if let Some(sketch) = &mut self.sketch {
            let full_at = |time| before.map_or(FullAt::default(), |before| before.full_at(time));
            sketch.convert(|time| after.map_or(Now::default(), |after| after.time(convert(full_at(time)))));
        }
    }
}

fn is_unused(gcra: Option<Gcra>, entry: &Entry, now: Now) -> bool {
    entry.open == 0 && gcra.is_none_or(|gcra| gcra.is_full(entry.full_at, now))
}

#[cfg(test)]
mod tests;
