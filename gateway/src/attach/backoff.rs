//! How long to wait before trying again: longer each time, and never the same for all.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// How often it came to nothing.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait: of `FIRST`, doubled with each, and at most `LONGEST`, a random part between half and all.
    pub(super) fn next(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.tries.min(10)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        whole.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_a_bound_and_differs() {
        let waits = |_| {
            let mut backoff = Backoff::default();
            (0..40).map(|_| backoff.next()).collect::<Vec<_>>()
        };
        let many: Vec<_> = (0..20).map(waits).collect();
        for waits in &many {
            assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
            assert!(waits[3] >= 4 * FIRST && waits[3] <= 8 * FIRST);
            assert!(waits[39] >= LONGEST / 2 && waits[39] <= LONGEST);
        }
        assert!(many.iter().any(|waits| waits[39] != many[0][39]), "all would come back at once");
    }
}
