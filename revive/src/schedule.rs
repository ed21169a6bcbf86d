//! Hours in which an app is awake, asked for or not: a team finds it up in the morning.

use std::time::{Duration, SystemTime};

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

/// Days that are looked at around a moment: hours may begin the day before, and next begin a week later.
const DAYS: std::ops::RangeInclusive<i64> = -1..=7;

/// Hours of some days, by one clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The days on which they begin.
    days: Vec<Weekday>,
    /// Minutes since midnight.
    from: i64,
    /// Minutes since midnight; at or below `from` they are the next day's.
    to: i64,
    zone: TimeZone,
}

/// There is no such time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {0:?}: a name of the time zone database is one such as Europe/Berlin")]
pub struct UnknownZone(pub String);

/// How the hours stand at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// It is to be awake, until then.
    Awake {
        /// When the hours end.
        until: SystemTime,
    },
    /// It sleeps as ever.
    Free {
        /// When hours begin next; `None` if no hours are written.
        until: Option<SystemTime>,
    },
}

impl Hours {
    /// Hours from `from` to `to`, both in minutes since midnight, on those days of the week (0 is Monday).
    ///
    /// # Errors
    /// Where there is no such time zone.
    pub fn new(days: &[u8], from: u16, to: u16, zone: &str) -> Result<Self, UnknownZone> {
        let tz = TimeZone::get(zone).map_err(|_| UnknownZone(zone.to_owned()))?;
        let day = |day: &u8| Weekday::from_monday_zero_offset(i8::try_from(*day).ok()?).ok();
        let days = days.iter().filter_map(day).collect();
        Ok(Self { days, from: i64::from(from), to: i64::from(to), zone: tz })
    }

    /// The hours that begin so many days from a moment's, if any do on that day.
    fn on(&self, now: &Zoned, days: i64) -> Option<(Timestamp, Timestamp)> {
        let day = now.date().checked_add(Span::new().days(days)).ok()?;
        if !self.days.contains(&day.weekday()) {
            return None;
        }
        // A time that a change of clocks leaves out is the same span later (RFC 5545's rule, jiff's default).
        let at = |minutes: i64| {
            let (days, minutes) = (minutes / 1_440, minutes % 1_440);
            let day = day.checked_add(Span::new().days(days)).ok()?;
            let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
            let time = Time::new(hour, minute, 0, 0).ok()?;
            Some(day.to_datetime(time).to_zoned(self.zone.clone()).ok()?.timestamp())
        };
        let to = if self.to <= self.from { self.to + 1_440 } else { self.to };
        Some((at(self.from)?, at(to)?))
    }
}

/// How some hours stand at a moment.
pub fn now(hours: &[Hours], at: SystemTime) -> Now {
    let Ok(moment) = Timestamp::try_from(at) else { return Now::Free { until: None } };
    let spans = || {
        hours.iter().flat_map(|hours| {
            let local = moment.to_zoned(hours.zone.clone());
            DAYS.filter_map(move |days| hours.on(&local, days))
        })
    };
    let ends = spans().filter(|(from, to)| *from <= moment && moment < *to).map(|(_, to)| to);
    match ends.max() {
        Some(end) => Now::Awake { until: joined(end, spans).into() },
        None => {
            let begins = spans().map(|(from, _)| from).filter(|from| *from > moment);
            Now::Free { until: begins.min().map(SystemTime::from) }
        }
    }
}

/// Hours that follow without a gap are one.
fn joined<I: Iterator<Item = (Timestamp, Timestamp)>>(
    mut end: Timestamp,
    spans: impl Fn() -> I,
) -> Timestamp {
    let limit = end + Duration::from_secs(7 * 24 * 3_600);
    while end < limit {
        let next = spans().filter(|(from, to)| *from <= end && *to > end).map(|(_, to)| to).max();
        match next {
            Some(later) => end = later,
            None => break,
        }
    }
    end
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

    use super::*;

    const WORKDAYS: [u8; 5] = [0, 1, 2, 3, 4];

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().into()
    }

    fn hours(days: &[u8], from: u16, to: u16, zone: &str) -> Hours {
        Hours::new(days, from, to, zone).unwrap()
    }

    #[test]
    fn an_app_is_awake_in_its_hours_by_its_own_clock() {
        let office = [hours(&WORKDAYS, 8 * 60, 18 * 60, "Europe/Berlin")];
        // A Monday in winter: Berlin is an hour ahead.
        assert_eq!(now(&office, at("2026-11-23T06:59:59Z")), free("2026-11-23T07:00:00Z"));
        assert_eq!(now(&office, at("2026-11-23T07:00:00Z")), awake("2026-11-23T17:00:00Z"));
        assert_eq!(now(&office, at("2026-11-23T17:00:00Z")), free("2026-11-24T07:00:00Z"));
        // From Friday evening to Monday.
        assert_eq!(now(&office, at("2026-11-27T17:00:00Z")), free("2026-11-30T07:00:00Z"));
        // In summer it is two.
        assert_eq!(now(&office, at("2026-07-01T05:59:00Z")), free("2026-07-01T06:00:00Z"));
    }

    #[test]
    fn hours_reach_over_midnight_and_join_where_they_touch() {
        let night = [hours(&[4], 22 * 60, 6 * 60, "UTC")];
        assert_eq!(now(&night, at("2026-11-28T05:59:00Z")), awake("2026-11-28T06:00:00Z"));
        assert_eq!(now(&night, at("2026-11-28T06:00:00Z")), free("2026-12-04T22:00:00Z"));
        let two = [hours(&[0], 0, 1_440, "UTC"), hours(&[1], 0, 600, "UTC")];
        assert_eq!(now(&two, at("2026-11-23T12:00:00Z")), awake("2026-11-24T10:00:00Z"));
    }

    #[test]
    fn a_day_on_which_clocks_change_begins_and_ends_where_its_clock_says() {
        // 29 March 2026, 02:00 to 03:00 is left out in Berlin.
        let early = [hours(&[6], 150, 600, "Europe/Berlin")];
        assert_eq!(now(&early, at("2026-03-29T00:59:59Z")), free("2026-03-29T01:30:00Z"));
        assert_eq!(now(&early, at("2026-03-29T07:59:00Z")), awake("2026-03-29T08:00:00Z"));
    }

    #[test]
    fn always_is_always_and_never_has_no_next() {
        let always = [hours(&[0, 1, 2, 3, 4, 5, 6], 0, 1_440, "UTC")];
        assert!(matches!(now(&always, at("2026-11-23T12:00:00Z")), Now::Awake { .. }));
        assert_eq!(now(&[], at("2026-11-23T12:00:00Z")), Now::Free { until: None });
        assert_eq!(Hours::new(&[0], 0, 1, "Mars/Olympus").unwrap_err(), UnknownZone("Mars/Olympus".into()));
    }

    fn awake(until: &str) -> Now {
        Now::Awake { until: at(until) }
    }

    fn free(until: &str) -> Now {
        Now::Free { until: Some(at(until)) }
    }
}
