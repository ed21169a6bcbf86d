//! One clock for all processes of a machine.

use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;

/// Nanoseconds of CLOCK_MONOTONIC, which the test app stamps with too.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Both are positive since the machine was started.
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// Tries until it works, or fails with what was seen last.
///
/// # Errors
/// After `limit`.
pub fn eventually<T>(
    limit: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> Outcome<T> {
    let begin = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(seen) if begin.elapsed() > limit => {
                return Err(format!("{what}: not within {limit:?}: {seen}").into());
            }
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}
