//! What admission must do, written as plainly as possible: lists that are searched, rules that are checked.

use super::*;

struct Item {
    app: AppId,
    tenant: usize,
    since: Instant,
    waiters: u32,
    serial: usize,
}

pub(super) struct Model {
    slots: usize,
    queue: Vec<Item>,
    running: Vec<(AppId, usize, Instant)>,
    /// When each tenant was last served, or came.
    turns: HashMap<usize, usize>,
    serial: usize,
}

impl Model {
    pub(super) fn new(slots: usize) -> Self {
        Self { slots: slots.max(1), queue: Vec::new(), running: Vec::new(), turns: HashMap::new(), serial: 0 }
    }

    pub(super) fn enqueue(&mut self, app: AppId, tenant: usize, since: Instant) {
        if self.queue.iter().any(|i| i.app == app) {
            return;
        }
        self.release(&app);
        self.serial += 1;
        if self.in_use(tenant) == 0 && self.waiting(tenant) == 0 {
            self.turns.insert(tenant, self.serial);
        }
        self.queue.push(Item { app, tenant, since, waiters: 1, serial: self.serial });
    }

    pub(super) fn waiters(&mut self, app: &AppId, waiters: u32) {
        self.queue.iter_mut().filter(|i| i.app == *app).for_each(|i| i.waiters = waiters);
    }

    pub(super) fn withdraw(&mut self, app: &AppId) {
        self.queue.retain(|i| i.app != *app);
    }

    pub(super) fn release(&mut self, app: &AppId) {
        self.running.retain(|(a, ..)| a != app);
    }

    pub(super) fn check_counts(&self, admission: &Admission) {
        assert_eq!(admission.queued(), self.queue.len());
        assert_eq!(admission.in_use(), self.running.len());
        assert!(self.running.len() <= self.slots);
        assert_eq!(admission.next_expiry(), self.running.iter().map(|(.., at)| *at + SLOT_TIME).min());
    }

    /// Follows the grants one by one; each must be right, and none may be missing.
    pub(super) fn check_grant(&mut self, starts: &[AppId], now: Instant) {
        self.running.retain(|(.., at)| now < *at + SLOT_TIME);
        for app in starts {
            self.check_one(app, now);
        }
        let quarter = (self.slots / 4).max(1);
        let free = self.slots - self.running.len();
        if self.queue.iter().any(|i| self.in_use(i.tenant) < quarter) {
            assert_eq!(free, 0, "a tenant below its quarter waits beside a free slot");
        }
        if !self.queue.is_empty() {
            assert!(free <= quarter, "work waits beside slots that are kept for nobody");
        }
    }

    fn check_one(&mut self, app: &AppId, now: Instant) {
        let at = self.queue.iter().position(|i| i.app == *app).unwrap();
        let item = self.queue.remove(at);
        let (used, turn) = (self.in_use(item.tenant), self.turns[&item.tenant]);
        let quarter = (self.slots / 4).max(1);
        assert!(used < quarter || self.running.len() < self.slots - quarter, "the last quarter was not kept");
        for other in &self.queue {
            if other.tenant == item.tenant {
                let first = score(&item, now) > score(other, now)
                    || score(&item, now) == score(other, now) && item.serial < other.serial;
                assert!(first, "{} should have come before {app}", other.app);
            } else {
                let theirs = (self.in_use(other.tenant), self.turns[&other.tenant]);
                assert!((used, turn) < theirs, "it was the turn of {}, not of {app}", other.app);
            }
        }
        self.serial += 1;
        self.turns.insert(item.tenant, self.serial);
        self.running.push((item.app, item.tenant, now));
    }

    fn in_use(&self, tenant: usize) -> usize {
        self.running.iter().filter(|(_, t, _)| *t == tenant).count()
    }

    fn waiting(&self, tenant: usize) -> usize {
        self.queue.iter().filter(|i| i.tenant == tenant).count()
    }
}

/// Whether anybody waits; then age and doublings of the waiters, in milliseconds.
fn score(item: &Item, now: Instant) -> (bool, u128) {
    let doublings = (1..=32).take_while(|n| u64::from(item.waiters) + 1 >= 1 << n).count() as u128;
    (item.waiters > 0, now.duration_since(item.since).as_millis() + 1_000 * doublings)
}

/// Runs everything to its end, each start taking `typical`; when each app was up.
pub(super) fn simulate(
    mut admission: Admission,
    start: Instant,
    typical: Duration,
) -> Vec<(AppId, Duration)> {
    let (mut now, mut up) = (start, Vec::new());
    loop {
        let starts = admission.grant(now);
        if starts.is_empty() {
            return up;
        }
        now += typical;
        starts.iter().for_each(|a| admission.release(a));
        up.extend(starts.into_iter().map(|a| (a, now - start)));
    }
}
