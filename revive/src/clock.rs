//! What time it is.

use std::time::{Instant, SystemTime};

/// The monotonic clock. It is the one by which tokio's timers go, so that a decision and the timer that leads to it
/// agree, and a test that pauses tokio's time has both.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A wall clock: [`SystemTime::now`], but for tests that set it.
pub type WallClock = Box<dyn Fn() -> SystemTime + Send>;
