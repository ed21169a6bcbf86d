//! When to ask again.

use std::time::Duration;

use kube::runtime::utils::Backoff;

/// The first retry: an API server is away for seconds, and all of us come back at once.
const FIRST: Duration = Duration::from_millis(300);
/// Where doubling ends. However long it was away, who is held while it is must be answered within 5 s of its return, and
/// what was woken for them is seen by a watch.
const LAST: Duration = Duration::from_secs(2);
/// A kind that is not there is asked for again after this: it comes when somebody installs it.
const NOT_THERE: Duration = Duration::from_secs(30);

/// Delays that double, each up to half longer.
#[derive(Debug)]
pub(super) struct Delays(Duration);

impl Default for Delays {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let delay = self.0;
        self.0 = (self.0 * 2).min(LAST);
        Some(jittered(delay))
    }
}

impl Backoff for Delays {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// How long to wait for a kind that is not there.
pub(super) fn not_there() -> Duration {
    jittered(NOT_THERE)
}

/// So that replicas do not ask all at once.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(1.0 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_last_and_begin_anew_after_a_success() {
        let mut delays = Delays::default();
        for least in [300, 600, 1_200, 2_000, 2_000, 2_000].map(Duration::from_millis) {
            let delay = delays.next().unwrap_or_default();
            assert!((least..=least.mul_f64(1.5)).contains(&delay), "{delay:?}");
        }
        delays.reset();
        assert!(delays.next().is_some_and(|delay| delay <= FIRST.mul_f64(1.5)));
    }
}
