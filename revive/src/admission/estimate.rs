//! How long a queued wake will take, and how many come before it: what lets a request that cannot be served in time be
//! told so at once, and a person see the line move.

use std::time::{Duration, Instant};

use config::model::AppId;

use super::{Admission, SLOT_TIME, Waiting};

impl Admission {
    /// How long until the app is likely up, if starts take `typical_wake`; `None` if it neither waits nor holds a
    /// slot. It is what would be if nobody else came or left. Costs O(n log n) in
    /// tenants that wait and slots, and next to nothing in apps.
    pub fn estimate(&self, app: &AppId, now: Instant, typical_wake: Duration) -> Option<Duration> {
        if let Some(grant) = self.granted.get(app) {
            return Some(remaining(grant.at, now, typical_wake));
        }
        let waiting = self.queued.get(app)?;
        Some(self.wait(waiting, now, typical_wake).saturating_add(typical_wake))
    }

    /// How many of those that wait are granted a slot before the app; `None` if it does not wait. As with the estimate,
    /// that is if nobody else came or left.
    pub fn position(&self, app: &AppId) -> Option<u32> {
        let (_, ahead) = self.ahead(self.queued.get(app)?)?;
        Some(u32::try_from(ahead.iter().sum::<usize>()).unwrap_or(u32::MAX))
    }

    /// How long until the app is granted a slot. Slots return in the order of `running`; each start of the queue
    /// takes one and returns it after `hold`. So the app starts so many rounds of `open` starts later than the one
    /// at the same place in the first round, and that one as soon as enough of the running have returned theirs.
    fn wait(&self, waiting: &Waiting, now: Instant, typical_wake: Duration) -> Duration {
        let hold = typical_wake.min(SLOT_TIME);
        let (ahead, open) = self.ahead_and_open(waiting);
        let (rounds, place) = (ahead / open, ahead % open);
        let mut returns: Vec<_> = self.running.iter().map(|(at, _)| remaining(*at, now, hold)).collect();
        returns.sort_unstable();
        let first = (place + returns.len()).checked_sub(open).and_then(|i| returns.get(i));
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        first.copied().unwrap_or_default().saturating_add(hold.saturating_mul(rounds))
    }

    /// How many are granted before the app, and how many slots those and it will share.
    fn ahead_and_open(&self, waiting: &Waiting) -> (usize, usize) {
        match self.ahead(waiting) {
            None => (0, self.slots),
            Some((level, ahead)) if level < self.quarter() => (ahead.iter().sum(), self.slots),
            Some((_, ahead)) => self.in_shared_slots(ahead),
        }
    }

    /// How many slots the app's tenant will have had before it, and how many of each tenant are granted before it.
    ///
    /// A tenant's n-th in the queue is granted when the tenant holds, or has had, n slots more than now; it goes
    /// before all of other tenants that are granted at a higher count.
    fn ahead(&self, waiting: &Waiting) -> Option<(usize, Vec<usize>)> {
        let own = self.tenants.get(&waiting.tenant)?;
        let rank = own.queue.rank(&waiting.place);
        let level = own.slots + rank;
        let others = self.ready.iter().filter(|(.., name)| *name != waiting.tenant);
        let ahead = others.filter_map(|(slots, turn, name)| {
            let first = usize::from(*turn < own.turn);
            Some((level + first).saturating_sub(*slots).min(self.tenants.get(name)?.queue.len()))
        });
        Some((level, ahead.chain([rank]).collect()))
    }

    /// The starts ahead, by tenant, and how many slots they share. Many tenants can fill all slots, each within its
    /// quarter; a few leave the last quarter free. So the starts after most tenants are done go more slowly: they
    /// count as so many more.
    fn in_shared_slots(&self, mut ahead: Vec<usize>) -> (usize, usize) {
        ahead.sort_unstable();
        let open = |tenants| self.open_to(usize::MAX).max(self.slots.min(tenants * self.quarter())).max(1);
        let (tenants, mut total, mut done) = (ahead.len(), 0, 0);
        for (i, each) in ahead.into_iter().enumerate() {
            let starts = (each - done) * (tenants - i);
            total += (starts * open(tenants)).div_ceil(open(tenants - i));
            done = each;
        }
        (total, open(tenants))
    }
}

/// How long a start is likely to go on. One that takes longer than usual is taken to need as long again as it has
/// overrun: a start that hangs must not make the queue behind it look short. Its slot returns at `SLOT_TIME`.
fn remaining(granted: Instant, now: Instant, typical: Duration) -> Duration {
    let elapsed = now.saturating_duration_since(granted);
    match typical.checked_sub(elapsed) {
        Some(left) => left,
        None => (elapsed - typical).min(SLOT_TIME.saturating_sub(elapsed)),
    }
}
