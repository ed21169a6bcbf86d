//! How long a start takes here, learnt from those that were: what estimates for the line of wakes are made of.

use std::time::{Duration, Instant};

use config::link::Phase;

use crate::lifecycle::WakeEnded;

/// What is believed before anything was seen; on the short side, for who is told to come back later waits in vain.
const UNKNOWN: Duration = Duration::from_millis(500);
/// How much a start counts against all before it: one in so many.
const MEMORY: u32 = 8;

/// A running mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typical {
    /// Nothing was seen yet.
    Unknown,
    /// So long.
    Seen(Duration),
}

impl Typical {
    /// How long a start takes, from its slot to its end.
    pub(super) fn wake(self) -> Duration {
        match self {
            Self::Unknown => UNKNOWN,
            Self::Seen(mean) => mean,
        }
    }

    /// A wake has ended, well or not; one from light sleep needs no slot and says nothing.
    pub(super) fn learn(&mut self, ended: &WakeEnded, at: Instant) {
        let created = ended.marks.iter().find(|(phase, _)| *phase == Phase::Creating);
        let Some((_, created)) = created else { return };
        let took = at.saturating_duration_since(*created);
        *self = Self::Seen(match *self {
            Self::Unknown => took,
            Self::Seen(mean) => (mean * (MEMORY - 1) + took) / MEMORY,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_follows_what_is_seen() {
        let begin = Instant::now();
        let wake = |millis: u64| {
            let created = begin + Duration::from_secs(1);
            let marks = vec![(Phase::Queued, begin), (Phase::Creating, created)];
            (WakeEnded { result: Ok(()), instance: None, marks }, created + Duration::from_millis(millis))
        };
        let mut typical = Typical::Unknown;
        let resumed = WakeEnded { result: Ok(()), instance: None, marks: vec![(Phase::Starting, begin)] };
        typical.learn(&resumed, begin + Duration::from_secs(60));
        assert_eq!(typical.wake(), UNKNOWN);
        for (millis, expected) in [(80, 80), (80, 80), (880, 180)] {
            let (ended, at) = wake(millis);
            typical.learn(&ended, at);
            assert_eq!(typical.wake(), Duration::from_millis(expected));
        }
    }
}
