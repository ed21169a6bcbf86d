//! Times and sizes as people write them.

use std::time::Duration;

pub(super) const DURATION_HELP: &str = "a number and a unit: ms, s, m, h or d, such as \"30s\" or \"1h30m\"";
pub(super) const SIZE_HELP: &str = "bytes, or text with a unit: KiB, MiB or GiB, such as \"32KiB\"";

/// The units of times.
const UNITS: [&str; 5] = ["ms", "s", "m", "h", "d"];

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// There is no unit; with one it would read so.
    Meant(String),
    /// This unit is not accepted; with one that is, it would read so.
    Unit(String, String),
    /// It says "never" where that is not possible.
    Never,
    /// No number of ours holds it.
    TooLarge,
    /// It is something else.
    NotOne,
}

/// Parses `"1h30m"`.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let text = text.trim();
    if text == "never" {
        return Err(Wrong::Never);
    }
    if let Some(unit) = units(text).find(|unit| !UNITS.contains(unit)) {
        return Err(meant_time(text, unit));
    }
    humantime::parse_duration(text).map_err(|error| match error {
        humantime::DurationError::UnknownUnit { unit, value, .. } if unit.is_empty() => {
            Wrong::Meant(format!("{value}s"))
        }
        humantime::DurationError::NumberOverflow => Wrong::TooLarge,
        humantime::DurationError::UnknownUnit { .. }
        | humantime::DurationError::InvalidCharacter(_)
        | humantime::DurationError::NumberExpected(_)
        | humantime::DurationError::Empty => Wrong::NotOne,
    })
}

/// The words in a time.
fn units(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphabetic()).filter(|unit| !unit.is_empty())
}

fn meant_time(text: &str, unit: &str) -> Wrong {
    let right = match unit.to_ascii_lowercase().as_str() {
        "ms" | "msec" | "millis" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        // To humantime `M` is a month; whoever writes it here means minutes.
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        // Months and years are not of one length, so that nobody could say what a setting means.
        _ => {
            let days = humantime::parse_duration(text).map_or(0, |span| span.as_secs() / 86_400);
            return if days > 0 { Wrong::Unit(unit.into(), format!("{days}d")) } else { Wrong::NotOne };
        }
    };
    let meant = text.replacen(unit, right, 1);
    if humantime::parse_duration(&meant).is_ok() { Wrong::Unit(unit.into(), meant) } else { Wrong::NotOne }
}

/// Parses `"32KiB"`, and `"32"` as bytes.
pub(super) fn size(text: &str) -> Result<u64, Wrong> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(if text == "never" { Wrong::Never } else { Wrong::NotOne });
    }
    let number: u64 = number.parse().map_err(|_| Wrong::TooLarge)?;
    let unit = unit.trim();
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(meant_size(number, unit)),
    };
    number.checked_mul(factor).ok_or(Wrong::TooLarge)
}

fn meant_size(number: u64, unit: &str) -> Wrong {
    let right = match unit.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => "B",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        _ => return Wrong::NotOne,
    };
    Wrong::Unit(unit.into(), format!("{number}{right}"))
}

/// As one would write it: `"90s"`, `"2h"`.
pub(super) fn shown_duration(span: Duration) -> String {
    let millis = span.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.into_iter().find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None if millis == 0 => "0s".to_owned(),
        None => format!("{millis}ms"),
    }
}

/// As one would write it: `"32KiB"`, `"100 bytes"`.
pub(super) fn shown_size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_written() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration(" 250ms "), Ok(Duration::from_millis(250)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(duration("15"), Err(Wrong::Meant("15s".into())));
        assert_eq!(duration("15M"), Err(Wrong::Unit("M".into(), "15m".into())));
        assert_eq!(duration("15 S"), Err(Wrong::Unit("S".into(), "15 s".into())));
        assert_eq!(duration("5 min"), Err(Wrong::Unit("min".into(), "5 m".into())));
        assert_eq!(duration("1y"), Err(Wrong::Unit("y".into(), "365d".into())));
        assert_eq!(duration("2weeks"), Err(Wrong::Unit("weeks".into(), "14d".into())));
        assert_eq!(duration("99999999999999999999s"), Err(Wrong::TooLarge));
        for text in ["", "soon", "-5s", "5 apples", "10us"] {
            assert_eq!(duration(text), Err(Wrong::NotOne), "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_two() {
        assert_eq!(size("32KiB"), Ok(32 << 10));
        assert_eq!(size("100 MiB"), Ok(100 << 20));
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("32k"), Err(Wrong::Unit("k".into(), "32KiB".into())));
        assert_eq!(size("18446744073709551615GiB"), Err(Wrong::TooLarge));
        assert_eq!(size("big"), Err(Wrong::NotOne));
    }

    #[test]
    fn what_is_shown_can_be_read() {
        for span in [0, 1, 999, 1_000, 90_000, 7_200_000, 604_800_000].map(Duration::from_millis) {
            assert_eq!(duration(&shown_duration(span)), Ok(span));
        }
        assert_eq!(size(&shown_size(3 << 20)), Ok(3 << 20));
    }
}
