//! How many in how long, decided purely: the generic cell rate algorithm (ITU-T I.371, annex A.2, as virtual
//! scheduling). All that is kept of a key is one time: when its bucket will be full again.
//!
//! `governor` has the same algorithm, but not what is asked for here: it rounds the time of one to whole nanoseconds (so
//! that "3/s" never gets its third back within the second), it cannot change a rate and keep what was used, check
//! several limits before it takes from any, or bound how many keys it keeps.

use std::time::Duration;

use config::model::Rate;

/// Time since the limits began, in nanoseconds: 584 years of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Now(pub(super) u64);

impl Now {
    pub(super) fn after(elapsed: Duration) -> Self {
        Self(elapsed.as_secs().saturating_mul(1_000_000_000).saturating_add(elapsed.subsec_nanos().into()))
    }
}

/// When a key's bucket is full again, in ticks of its rate; in the past it is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FullAt(u128);

/// A rate, in ticks: one nanosecond has as many as `rate.count`, so that one token is a whole number of ticks and
/// nothing is ever rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gcra {
    per_nano: u128,
    /// Ticks in which one token comes back.
    token: u128,
    /// Ticks in which an empty bucket becomes full.
    bucket: u128,
}

impl Gcra {
    pub(super) fn new(rate: &Rate) -> Self {
        let token = rate.per.as_nanos().max(1);
        Self { per_nano: rate.count.get().into(), token, bucket: token * u128::from(rate.burst.get()) }
    }

    fn ticks(&self, now: Now) -> u128 {
        u128::from(now.0) * self.per_nano
    }

    /// What is missing from a full bucket.
    fn debt(&self, full_at: FullAt, now: Now) -> u128 {
        full_at.0.saturating_sub(self.ticks(now))
    }

    /// Whether there is a token.
    ///
    /// # Errors
    /// Says when there will be one.
    pub(super) fn check(&self, full_at: FullAt, now: Now) -> Result<(), Duration> {
        let over = (self.debt(full_at, now) + self.token).saturating_sub(self.bucket);
        if over == 0 { Ok(()) } else { Err(self.nanos(over)) }
    }

    /// Takes a token that [`Gcra::check`] has found.
    pub(super) fn take(&self, full_at: FullAt, now: Now) -> FullAt {
        FullAt(full_at.0.max(self.ticks(now)) + self.token)
    }

    /// Whether a key's past no longer matters.
    pub(super) fn is_full(&self, full_at: FullAt, now: Now) -> bool {
        full_at.0 <= self.ticks(now)
    }

    /// The time, never too early.
    pub(super) fn time(&self, full_at: FullAt) -> Now {
        Now(u64::try_from(full_at.0.div_ceil(self.per_nano)).unwrap_or(u64::MAX))
    }

    /// The reverse of [`Gcra::time`].
    pub(super) fn full_at(&self, time: Now) -> FullAt {
        FullAt(self.ticks(time))
    }

    /// The same bucket at another rate: as many tokens as were taken from it stay taken, or all that there are now.
    pub(super) fn convert(&self, full_at: FullAt, to: &Self, now: Now) -> FullAt {
        let debt = self.debt(full_at, now);
        if debt == 0 {
            return FullAt::default();
        }
        // Parts first: the product of a long time in ticks and another has no room.
        let (whole, part) = (debt / self.token, debt % self.token);
        let debt = whole.saturating_mul(to.token).saturating_add((part * to.token).div_ceil(self.token));
        FullAt(to.ticks(now) + debt.min(to.bucket))
    }

    fn nanos(&self, ticks: u128) -> Duration {
        Duration::from_nanos(u64::try_from(ticks.div_ceil(self.per_nano)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn gcra(count: u32, per: Duration, burst: u32) -> Gcra {
        let [count, burst] = [count, burst].map(|n| NonZeroU32::new(n).unwrap());
        Gcra::new(&Rate { count, per, burst })
    }

    /// When each of some requests came, and whether it was let through.
    fn admitted(gcra: &Gcra, times: &[u64]) -> Vec<bool> {
        let mut full_at = FullAt::default();
        let ask = |time: &u64| {
            let admits = gcra.check(full_at, Now(*time)).is_ok();
            if admits {
                full_at = gcra.take(full_at, Now(*time));
            }
            admits
        };
        times.iter().map(ask).collect()
    }

    #[test]
    fn so_many_at_once_and_then_evenly_to_the_nanosecond() {
        let deploys = gcra(5, Duration::from_secs(60), 2);
        let times = [0, 0, 0, 12 * SECOND - 1, 12 * SECOND, 12 * SECOND, 36 * SECOND, 36 * SECOND];
        assert_eq!(admitted(&deploys, &times), [true, true, false, false, true, false, true, true]);
        let full_at = deploys.take(deploys.take(FullAt::default(), Now(0)), Now(0));
        assert_eq!(deploys.check(full_at, Now(SECOND)), Err(Duration::from_secs(11)));
    }

    #[test]
    fn thirds_of_a_second_add_up_to_one() {
        let thirds = gcra(3, Duration::from_secs(1), 3);
        let mut times = vec![0; 4];
        times.extend([SECOND; 4]);
        assert_eq!(admitted(&thirds, &times), [true, true, true, false, true, true, true, false]);
    }

    #[test]
    fn a_change_of_rate_leaves_taken_what_was_taken() {
        let before = gcra(6, Duration::from_secs(60), 4);
        let full_at = (0..3).fold(FullAt::default(), |full_at, _| before.take(full_at, Now(0)));
        // Half of a token has come back.
        let now = Now(5 * SECOND);
        let slower = gcra(1, Duration::from_secs(60), 4);
        let converted = before.convert(full_at, &slower, now);
        assert_eq!(slower.check(converted, now), Ok(()));
        let last = slower.take(converted, now);
        assert_eq!(slower.check(last, now), Err(Duration::from_secs(30)), "half a token, at the new rate");
        let smaller = gcra(6, Duration::from_secs(60), 1);
        let converted = before.convert(full_at, &smaller, now);
        assert_eq!(smaller.check(converted, now), Err(Duration::from_secs(10)), "empty, not in debt");
        let larger = gcra(6, Duration::from_secs(60), 10);
        let mut converted = before.convert(full_at, &larger, now);
        let left = std::iter::from_fn(|| {
            larger.check(converted, now).ok()?;
            converted = larger.take(converted, now);
            Some(())
        });
        assert_eq!(left.count(), 7, "ten but for two and a half");
    }

    fn rates() -> impl Strategy<Value = (u32, u64, u32)> {
        (1..2_000_u32, 1..100_000_000_000_u64, 1..50_u32)
    }

    /// Pauses between requests, around the time of one token.
    fn times(token: u64, pauses: Vec<(u8, u64)>) -> Vec<u64> {
        let mut now = 1_000;
        let step = |(tenths, jitter): (u8, u64)| {
            now += token / 10 * u64::from(tenths) + jitter % 3;
            now
        };
        pauses.into_iter().map(step).collect()
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_what_has_come_back(
            (count, per, burst) in rates(),
            pauses in proptest::collection::vec((0..15_u8, 0..3_u64), 1..120),
        ) {
            let gcra = gcra(count, Duration::from_nanos(per), burst);
            let times = times(per / u64::from(count), pauses);
            let passed: Vec<u64> = times.iter().zip(admitted(&gcra, &times))
                .filter(|(_, admits)| *admits).map(|(time, _)| *time).collect();
            for (first, start) in passed.iter().enumerate() {
                for (last, end) in passed.iter().enumerate().skip(first) {
                    let came_back = u128::from(end - start) * u128::from(count) / u128::from(per);
                    let most = u128::from(burst) + came_back;
                    prop_assert!((last - first + 1) as u128 <= most, "{start} to {end}");
                }
            }
        }

        #[test]
        fn who_is_refused_is_let_through_when_told_and_not_before(
            (count, per, burst) in rates(), start in 0..u64::from(u32::MAX), used in 0..60_u32,
        ) {
            let gcra = gcra(count, Duration::from_nanos(per), burst);
            let mut full_at = FullAt::default();
            for _ in 0..used.min(burst) {
                full_at = gcra.take(full_at, Now(start));
            }
            if let Err(after) = gcra.check(full_at, Now(start)) {
                let at = start + u64::try_from(after.as_nanos()).unwrap();
                prop_assert_eq!(gcra.check(full_at, Now(at)), Ok(()));
                prop_assert!(gcra.check(full_at, Now(at - 1)).is_err());
            }
            prop_assert_eq!(gcra.check(full_at, Now(start)).is_ok(), used < burst);
        }

        #[test]
        fn there_and_back_is_never_a_gift(
            from in rates(), to in rates(), used in 0..60_u32, later in 0..u64::from(u32::MAX),
        ) {
            let [from, to] = [from, to].map(|(count, per, burst)| gcra(count, Duration::from_nanos(per), burst));
            let mut full_at = FullAt::default();
            for _ in 0..used {
                if from.check(full_at, Now(0)).is_ok() {
                    full_at = from.take(full_at, Now(0));
                }
            }
            let now = Now(later);
            let there = from.convert(full_at, &to, now);
            prop_assert!(to.debt(there, now) <= to.bucket);
            let as_tokens = |gcra: &Gcra, at| gcra.debt(at, now) as f64 / gcra.token as f64;
            let kept = as_tokens(&from, full_at).min(to.bucket as f64 / to.token as f64);
            prop_assert!((as_tokens(&to, there) - kept).abs() < 1e-3 * kept.max(1.0));
            if to.bucket / to.token >= from.bucket / from.token {
                let back = to.convert(there, &from, now);
                prop_assert!(from.debt(back, now) >= from.debt(full_at, now));
            }
        }

        #[test]
        fn a_time_kept_short_is_never_early((count, per, burst) in rates(), used in 0..60_u32) {
            let gcra = gcra(count, Duration::from_nanos(per), burst);
            let full_at = (0..used).fold(FullAt::default(), |full_at, _| gcra.take(full_at, Now(7)));
            prop_assert!(gcra.full_at(gcra.time(full_at)) >= full_at);
        }
    }
}
