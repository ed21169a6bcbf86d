//! Spans of time as whole numbers.

use std::time::Duration;

/// Microseconds, as counters have them; half a million years are enough.
pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Seconds, rounded up, one at least, as clients are told them: who comes back too early is refused again.
pub(crate) fn seconds(span: Duration) -> u64 {
    (span.as_secs() + u64::from(span.subsec_nanos() > 0)).max(1)
}
