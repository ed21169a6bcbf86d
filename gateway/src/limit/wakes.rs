//! How many sleeping apps of one tenant a client may wake: without this, one loop over all hosts keeps all apps awake.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use config::model::Rate;

use super::counts::{Bounds, Counts, Denied};
use super::gcra::Now;

/// See the module.
#[derive(Debug)]
pub(super) struct Wakes {
    /// Of each client at each tenant.
    counts: Arc<Counts>,
    /// Of each client at each app: one whose wake it has been charged for is not charged for again, for as long as the
    /// rate's time is.
    charged: Arc<Counts>,
}

impl Wakes {
    pub(super) fn new(rate: Rate, most_keys: usize) -> Self {
        let once = Rate::new(NonZeroU32::MIN, rate.per);
        let counts = |rate| Counts::new(Bounds { rate: Some(rate), concurrency: None }, most_keys);
        Self { counts: counts(rate), charged: counts(once) }
    }

    /// Whether the client may wake the app.
    ///
    /// # Errors
    /// When it may.
    pub(super) fn admit(&self, [client, app]: [u64; 2], now: Now) -> Result<(), Duration> {
        let mut charged = self.charged.shard(app);
        // Only what is known for certain is free.
        if charged.is_spent(app, now) {
            return Ok(());
        }
        let mut counts = self.counts.shard(client);
        counts.check(client, now).map_err(Denied::retry_after)?;
        self.counts.take(&mut counts, client, now);
        self.charged.take(&mut charged, app, now);
        Ok(())
    }
}
