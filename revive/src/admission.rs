//! Which queued wakes start, and when: a pure struct without clock or side effect.
//!
//! Each start holds one of `slots` slots, until [`release`](Admission::release) (the app is up, or failed with a
//! type) or for [`SLOT_TIME`], so that images that never come stop nobody.
//!
//! **Between tenants** the one with the fewest slots goes first; among equals the one that was served longest ago.
//!
//! **Within a tenant** those for whom somebody waits go before those whose visitors have left: else a crowd that came and
//! went would keep the slots for a minute. Among them the oldest goes first, weighted by who waits: each doubling of the waiters counts as a second
//! of age (log₂(waiters + 1) whole seconds). The sum does not change while time goes on, so the queue stays sorted by itself, and
//! it is bounded, so that no app waits for ever behind popular ones.
//!
//! **A quarter** of the slots (at least one) is a tenant's own. Beyond it a tenant gets only what nobody below a
//! quarter waits for, and never the last quarter of all slots. A hard quarter would leave three slots of four unused
//! when one tenant's whole fleet wakes on an otherwise idle edge; no quarter at all would let that fleet take every
//! slot, and the next tenant's single app would wait for up to `SLOT_TIME`. This way a newcomer finds a slot at once.
//! With one slot there is nothing to keep free.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use config::model::{AppId, Label};

mod estimate;
mod ranked;
#[cfg(test)]
mod tests;

use ranked::{Place, Ranked, Wanted};

/// How long a start holds its slot at most, unless released: a slow start must not keep others from starting.
pub const SLOT_TIME: Duration = Duration::from_secs(20);

/// Decides which queued wakes start. Times given to it must not go back.
#[derive(Debug)]
pub struct Admission {
    slots: usize,
    tenants: BTreeMap<Label, Tenant>,
    /// Tenants whose queue is not empty, in the order in which they are served: slots in use, last turn, name.
    ready: BTreeSet<(usize, u64, Label)>,
    queued: HashMap<AppId, Waiting>,
    granted: HashMap<AppId, Grant>,
    /// The slots in use, in the order in which they were granted.
    running: BTreeSet<(Instant, AppId)>,
    /// Grows with each enqueue and grant: the order of events of one instant.
    serial: u64,
}

#[derive(Debug, Default)]
struct Tenant {
    queue: Ranked,
    slots: usize,
    turn: u64,
}

#[derive(Debug)]
struct Waiting {
    tenant: Label,
    since: Instant,
    place: Place,
}

#[derive(Debug)]
struct Grant {
    tenant: Label,
    at: Instant,
}

/// How much earlier than its age an app's turn comes: log₂(waiters + 1) whole seconds. One waiter counts 1 s, a
/// thousand 9 s, and no number more than 32 s.
fn head_start(waiters: u32) -> Duration {
    Duration::from_secs((u64::from(waiters) + 1).ilog2().into())
}

/// As [`Instant`]s cannot lie before an unknown origin, everybody else is set back instead.
fn due(since: Instant, waiters: u32) -> Instant {
    let set_back = head_start(u32::MAX).saturating_sub(head_start(waiters));
    since.checked_add(set_back).unwrap_or(since)
}

impl Admission {
    /// An admission of this many starts at a time; 0 is taken as 1, because nothing could ever wake.
    pub fn new(slots: usize) -> Self {
        Self {
            slots: slots.max(1),
            tenants: BTreeMap::new(),
            ready: BTreeSet::new(),
            queued: HashMap::new(),
            granted: HashMap::new(),
            running: BTreeSet::new(),
            serial: 0,
        }
    }

    /// From now on there are so many slots. Starts that hold more than that go on.
    pub fn resize(&mut self, slots: usize) {
        self.slots = slots.max(1);
    }

    /// A wake of the app waits for its turn, with one waiter until [`waiters`](Self::waiters) says more. If it
    /// waits already, nothing changes: it keeps its age. If it still holds a slot, that start is taken to be over,
    /// and the slot returns.
    pub fn enqueue(&mut self, app: AppId, tenant: Label, now: Instant) {
        if self.queued.contains_key(&app) {
            return;
        }
        self.release(&app);
        self.serial += 1;
        let place = Place { wanted: Wanted::Yes, due: due(now, 1), serial: self.serial, app: app.clone() };
        self.change(&tenant, |t| t.queue.insert(place.clone()));
        self.queued.insert(app, Waiting { tenant, since: now, place });
    }

    /// So many requests wait for the app. Means nothing if the app is not queued.
    pub fn waiters(&mut self, app: &AppId, waiters: u32) {
        let Some(waiting) = self.queued.get_mut(app) else { return };
        let wanted = if waiters > 0 { Wanted::Yes } else { Wanted::NoMore };
        let place = Place { wanted, due: due(waiting.since, waiters), ..waiting.place.clone() };
        if place == waiting.place {
            return;
        }
        let before = std::mem::replace(&mut waiting.place, place.clone());
        let tenant = waiting.tenant.clone();
        self.change(&tenant, |t| {
            t.queue.remove(&before);
            t.queue.insert(place);
        });
    }

    /// Nobody wants the queued wake any more. Means nothing if the app is not queued; a start that has been granted
    /// goes on.
    pub fn withdraw(&mut self, app: &AppId) {
        if let Some(waiting) = self.queued.remove(app) {
            self.change(&waiting.tenant, |t| t.queue.remove(&waiting.place));
        }
    }

    /// The app is up, or its start has failed: its slot is free. Means nothing if it holds none.
    pub fn release(&mut self, app: &AppId) {
        if let Some(grant) = self.granted.remove(app) {
            self.running.remove(&(grant.at, app.clone()));
            self.change(&grant.tenant, |t| t.slots = t.slots.saturating_sub(1));
        }
    }

    /// Who may start now, in order. To be called after anything else has changed, and at
    /// [`next_expiry`](Self::next_expiry).
    pub fn grant(&mut self, now: Instant) -> Vec<AppId> {
        self.expire(now);
        let mut starts = Vec::new();
        while let Some(app) = self.grant_one(now) {
            starts.push(app);
        }
        starts
    }

    /// When the next slot returns by itself.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.running.first().and_then(|(at, _)| at.checked_add(SLOT_TIME))
    }

    /// The apps that wait.
    pub fn queue(&self) -> impl Iterator<Item = &AppId> {
        self.queued.keys()
    }

    /// How many apps wait.
    pub fn queued(&self) -> usize {
        self.queued.len()
    }

    /// How many slots are in use.
    pub fn in_use(&self) -> usize {
        self.granted.len()
    }

    fn expire(&mut self, now: Instant) {
        while let Some((at, app)) = self.running.first() {
            if now.saturating_duration_since(*at) < SLOT_TIME {
                return;
            }
            let app = app.clone();
            self.release(&app);
        }
    }

    fn grant_one(&mut self, now: Instant) -> Option<AppId> {
        let (in_use, _, tenant) = self.ready.first()?;
        if self.in_use() >= self.open_to(*in_use) {
            return None;
        }
        let tenant = tenant.clone();
        self.serial += 1;
        let turn = self.serial;
        let app = self.change(&tenant, |t| {
            let place = t.queue.pop_first()?;
            t.slots += 1;
            t.turn = turn;
            Some(place.app)
        })?;
        self.queued.remove(&app);
        self.running.insert((now, app.clone()));
        self.granted.insert(app.clone(), Grant { tenant, at: now });
        Some(app)
    }

    /// A tenant's own share of the slots.
    fn quarter(&self) -> usize {
        (self.slots / 4).max(1)
    }

    /// How many slots may be in use, all tenants together, after a tenant that holds `in_use` has been granted one.
    fn open_to(&self, in_use: usize) -> usize {
        if in_use < self.quarter() { self.slots } else { self.slots - self.quarter() }
    }

    /// Changes a tenant and keeps its place in `ready` right. A tenant that neither waits nor holds a slot is
    /// forgotten; one that comes (back) gets the last turn among equals, or a stream of newcomers could starve the
    /// others.
    fn change<T>(&mut self, name: &Label, change: impl FnOnce(&mut Tenant) -> T) -> T {
        let turn = self.serial;
        let mut entry = match self.tenants.entry(name.clone()) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => entry.insert_entry(Tenant { turn, ..Tenant::default() }),
        };
        let tenant = entry.get_mut();
        self.ready.remove(&(tenant.slots, tenant.turn, name.clone()));
        let result = change(tenant);
        if !tenant.queue.is_empty() {
            self.ready.insert((tenant.slots, tenant.turn, name.clone()));
        } else if tenant.slots == 0 {
            entry.remove();
        }
        result
    }
}
