//! Whether a request that failed is tried again, and where: never one that an app may have acted on, and never so many
//! that trying again is what keeps the apps down.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often a request is tried once more at another endpoint.
pub const MAX_RETRIES: u32 = 2;
/// Over how long the budget is reckoned.
const WINDOW: Duration = Duration::from_secs(10);
/// So many are always allowed in a window: of few requests a fifth is none.
const ALWAYS: u64 = 10;

/// How much of an app's traffic may be retries; looked at only when there is one.
#[derive(Debug, Default)]
pub struct Budget(Mutex<Option<Window>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    /// Requests answered before it began.
    before: u64,
    retries: u64,
}

impl Budget {
    /// Takes a retry, if there is one left: at most `percent` of the requests that the app has answered within some
    /// seconds. `answered` is how many it has answered ever.
    pub fn spend(&self, answered: u64, percent: u32) -> bool {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let window = match *current {
            Some(window) if now < window.began + WINDOW => window,
            Some(_) | None => Window { began: now, before: answered, retries: 0 },
        };
        let allowed = (answered.saturating_sub(window.before) * u64::from(percent) / 100).max(ALWAYS);
        let has_room = percent > 0 && window.retries < allowed;
        *current = Some(Window { retries: window.retries + u64::from(has_room), ..window });
        has_room
    }
}

/// What has become of a request that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not a byte of it was sent.
    Unsent,
    /// It was sent, but doing it twice is the same as once, and it has no body (RFC 9110, section 9.2.2).
    Repeatable,
}

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// At once, at another endpoint.
    Elsewhere,
    /// After a moment, at the same app.
    Later,
    /// It has failed.
    No,
}

/// How often a request was tried by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// In all.
    pub tries: u32,
    /// Of these, those in which it was sent.
    pub sent: u32,
}

/// Decides. `may_wait` is how often it is tried at most where only waiting helps; `spend` takes a retry of the budget.
pub fn decide(
    outcome: Outcome,
    count: Count,
    may_wait: u32,
    has_other: bool,
    spend: impl FnOnce() -> bool,
) -> Again {
    if has_other && count.tries <= MAX_RETRIES {
        return if spend() { Again::Elsewhere } else { Again::No };
    }
    match outcome {
        Outcome::Unsent if !has_other && count.tries < may_wait => Again::Later,
        // An app that ends takes along whoever is there in that moment, and a moment later all know of it; but one that
        // ends at a request would do so each time it gets it.
        Outcome::Repeatable if !has_other && count.sent < 2 && spend() => Again::Later,
        Outcome::Unsent | Outcome::Repeatable => Again::No,
    }
}
