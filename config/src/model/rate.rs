//! How many in how long, as people write it: `5/min`, `10/30s`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

/// So many in so long, evenly; and how many at once.
///
/// Parsed from `5/min` or `10/30s` (units `s`, `min`, `h`, `d`), with a burst of as many as are counted; shown the same
/// way, without the burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In how long; not zero.
    pub per: Duration,
    /// How many may come at once after a pause.
    pub burst: NonZeroU32,
}

/// Why a text is no [`Rate`]; it says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// It is something else.
    #[error("how many, '/', and a unit: s, min, h or d, such as \"5/min\" or \"10/30s\"")]
    NotOne,
    /// The unit has another name here.
    #[error("did you mean \"{0}\"?")]
    Meant(String),
    /// None at all, or in no time.
    #[error("at least 1, in at least 1s")]
    Zero,
    /// No clock of ours runs so long.
    #[error("at most {} in at most {LONGEST_DAYS}d", u32::MAX)]
    TooLarge,
}

/// Days; far beyond it, clocks end.
const LONGEST_DAYS: u64 = 366;
const DAY: u64 = 86_400;
/// Seconds, the longest first.
const UNITS: [(u64, &str); 4] = [(DAY, "d"), (3_600, "h"), (60, "min"), (1, "s")];

impl Rate {
    /// As many at once as are counted.
    pub fn new(count: NonZeroU32, per: Duration) -> Self {
        Self { count, per, burst: count }
    }

    /// The same, but for how many may come at once.
    #[must_use]
    pub fn with_burst(self, burst: NonZeroU32) -> Self {
        Self { burst, ..self }
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (count, per) = text.split_once('/').ok_or(RateError::NotOne)?;
        let (count, per) = (count.trim(), per.trim());
        let digits = per.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = per.split_at(digits);
        let (written, unit) = (number, unit.trim());
        let Some((seconds, _)) = UNITS.iter().find(|(_, name)| *name == unit) else {
            let meant = format!("{count}/{written}{}", meant(unit).ok_or(RateError::NotOne)?);
            return Err(meant.parse::<Self>().map_or_else(|error| error, |_| RateError::Meant(meant)));
        };
        let number = if written.is_empty() { 1 } else { whole(written)? };
        let per = number.checked_mul(*seconds).filter(|per| *per <= LONGEST_DAYS * DAY);
        let per = Duration::from_secs(per.ok_or(RateError::TooLarge)?);
        let count = u32::try_from(whole(count)?).map_err(|_| RateError::TooLarge)?;
        match NonZeroU32::new(count) {
            Some(count) if !per.is_zero() => Ok(Self::new(count, per)),
            _ => Err(RateError::Zero),
        }
    }
}

fn whole(digits: &str) -> Result<u64, RateError> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(RateError::NotOne);
    }
    digits.parse().map_err(|_| RateError::TooLarge)
}

fn meant(unit: &str) -> Option<&'static str> {
    match unit.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => Some("s"),
        "m" | "min" | "mins" | "minute" | "minutes" => Some("min"),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some("h"),
        "d" | "day" | "days" => Some("d"),
        _ => None,
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.per.as_secs();
        let fits = |(unit, _): &&(u64, &str)| seconds >= *unit && seconds.is_multiple_of(*unit);
        let (unit, name) = UNITS.iter().find(fits).copied().unwrap_or((1, "s"));
        match seconds / unit {
            1 => write!(f, "{}/{name}", self.count),
            number => write!(f, "{}/{number}{name}", self.count),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

    use super::*;

    #[test]
    fn a_rate_is_read_as_written_and_shown_the_same() {
        for (text, count, per) in [
            ("5/min", 5, 60),
            ("10/30s", 10, 30),
            ("1/h", 1, 3_600),
            ("4000000000/366d", 4_000_000_000, 366 * DAY),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.count.get(), rate.per.as_secs(), rate.burst), (count, per, rate.count));
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!(" 5 / 60 s ".parse::<Rate>().unwrap().to_string(), "5/min");
        assert_eq!("5/48h".parse::<Rate>().unwrap().to_string(), "5/2d");
    }

    #[test]
    fn what_is_no_rate_says_what_would_be() {
        for (text, meant) in [("5/m", "5/min"), ("5/Minute", "5/min"), ("5/30sec", "5/30s"), ("7/S", "7/s")] {
            assert_eq!(text.parse::<Rate>(), Err(RateError::Meant(meant.into())));
        }
        for text in
            ["", "5", "/min", "5/", "five/min", "-5/min", "5/week", "5 per min", "5/1.5h", "x/m", "+5/min"]
        {
            assert_eq!(text.parse::<Rate>(), Err(RateError::NotOne), "{text}");
        }
        for text in ["0/min", "5/0s", "0/m"] {
            assert_eq!(text.parse::<Rate>(), Err(RateError::Zero), "{text}");
        }
        for text in ["5000000000/s", "5/367d", "5/99999999999999999999s", "5/18446744073709551615d"] {
            assert_eq!(text.parse::<Rate>(), Err(RateError::TooLarge), "{text}");
        }
    }
}
