//! How long a call's client waits for its answer, which bounds how long the call is held. All of it pure.
//!
//! gRPC says it in `grpc-timeout` (gRPC over HTTP/2, "Timeout"), Connect in `connect-timeout-ms` (Connect protocol,
//! "Timeout"). A value that is neither is as good as none: it is passed on as it is, and the app may judge it.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};

static GRPC: HeaderName = HeaderName::from_static("grpc-timeout");
static CONNECT: HeaderName = HeaderName::from_static("connect-timeout-ms");

/// More digits are not allowed.
const GRPC_DIGITS: usize = 8;
const CONNECT_DIGITS: usize = 10;
const GRPC_MOST: u128 = 99_999_999;

/// The units of `grpc-timeout`, in nanoseconds, the finest first.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// How long a client waits, counted from its request's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// So long.
    pub allowed: Duration,
    said_in: Header,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    Grpc,
    Connect,
}

impl Deadline {
    /// What a request's headers say, if they say it once and as it should be said.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let grpc = || Some(Self { allowed: grpc(only(headers, &GRPC)?)?, said_in: Header::Grpc });
        let connect = || Some(Self { allowed: connect(only(headers, &CONNECT)?)?, said_in: Header::Connect });
        grpc().or_else(connect)
    }

    /// Tells the app what is left after so long, rounded down, and never nothing: zero is no value in either protocol,
    /// and what is forwarded has been let go in time.
    pub fn forward(self, headers: &mut HeaderMap, held: Duration) {
        let left = self.allowed.saturating_sub(held);
        let (name, value) = match self.said_in {
            Header::Grpc => (&GRPC, grpc_value(left)),
            Header::Connect => (&CONNECT, left.as_millis().max(1).to_string()),
        };
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name.clone(), value);
        }
    }
}

/// Whether a client ends a call of gRPC by itself when it has waited for long enough, however it says so.
pub fn is_of_grpc(headers: &HeaderMap) -> bool {
    headers.contains_key(&GRPC)
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut lines = headers.get_all(name).into_iter();
    lines.next().filter(|_| lines.next().is_none()).map(HeaderValue::as_bytes)
}

fn grpc(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let (_, nanos) = UNITS.iter().find(|(name, _)| name == unit)?;
    let count = positive(digits, GRPC_DIGITS)?;
    let (per_second, nanos) = (1_000_000_000, u128::from(count) * u128::from(*nanos));
    Some(Duration::new(u64::try_from(nanos / per_second).ok()?, u32::try_from(nanos % per_second).ok()?))
}

fn connect(value: &[u8]) -> Option<Duration> {
    positive(value, CONNECT_DIGITS).map(Duration::from_millis)
}

/// Digits and nothing else: no sign, no space.
fn positive(digits: &[u8], most: usize) -> Option<u64> {
    let right = digits.len() <= most && digits.iter().all(u8::is_ascii_digit);
    let number = || digits.iter().fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    right.then(number).filter(|number| *number > 0)
}

/// In the finest unit that has room for it, from microseconds on: nobody does anything in less.
fn grpc_value(left: Duration) -> String {
    let in_units = |nanos: u64| (left.as_nanos() / u128::from(nanos)).max(1);
    let units = UNITS.iter().skip(1).map(|(unit, nanos)| (char::from(*unit), in_units(*nanos)));
    let fitting = units.clone().find(|(_, count)| *count <= GRPC_MOST);
    // What does not fit in hours is longer than anybody waits.
    let (unit, count) = fitting.unwrap_or(('H', GRPC_MOST));
    format!("{count}{unit}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn allowed(lines: &[(&'static str, &str)]) -> Option<Duration> {
        Deadline::of(&headers(lines)).map(|deadline| deadline.allowed)
    }

    fn forwarded(name: &'static str, value: &str, held: Duration) -> String {
        let mut headers = headers(&[(name, value)]);
        Deadline::of(&headers).unwrap().forward(&mut headers, held);
        headers.get(name).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn both_protocols_say_how_long_they_wait() {
        for (value, duration) in [
            ("1n", Duration::from_nanos(1)),
            ("20u", Duration::from_micros(20)),
            ("300m", Duration::from_millis(300)),
            ("4S", Duration::from_secs(4)),
            ("05M", Duration::from_secs(300)),
            ("99999999H", Duration::from_secs(99_999_999 * 3_600)),
        ] {
            assert_eq!(allowed(&[("grpc-timeout", value)]), Some(duration), "{value}");
        }
        assert_eq!(
            allowed(&[("connect-timeout-ms", "9999999999")]),
            Some(Duration::from_millis(9_999_999_999))
        );
        assert_eq!(allowed(&[]), None);
    }

    #[test]
    fn what_is_said_otherwise_is_as_good_as_none() {
        for value in
            ["", "S", "5", "0S", "00000000m", "100000000m", "-1S", "+1S", " 1S", "1 S", "1s", "1.5S", "1S1S"]
        {
            assert_eq!(allowed(&[("grpc-timeout", value)]), None, "{value:?}");
        }
        for value in ["", "0", "00", "-1", "+1", "1m", "1.5", "12345678901"] {
            assert_eq!(allowed(&[("connect-timeout-ms", value)]), None, "{value:?}");
        }
        assert_eq!(allowed(&[("grpc-timeout", "1S"), ("grpc-timeout", "2S")]), None, "which of them?");
    }

    #[test]
    fn what_is_left_is_told_in_a_unit_that_has_room_and_is_never_nothing() {
        let second = Duration::from_secs(1);
        for (said, held, left) in [
            ("2S", second, "1000000u"),
            ("2S", second * 2, "1u"),
            ("2S", second * 3, "1u"),
            ("5n", Duration::ZERO, "1u"),
            ("10M", second, "599000m"),
            ("99999999S", second, "99999998S"),
            ("99999999H", second, "99999998H"),
        ] {
            assert_eq!(forwarded("grpc-timeout", said, held), left, "{said} less {held:?}");
        }
        assert_eq!(forwarded("connect-timeout-ms", "5000", second), "4000");
        assert_eq!(forwarded("connect-timeout-ms", "5000", second * 9), "1");
    }

    proptest! {
        #[test]
        fn nothing_in_a_header_is_taken_for_what_it_is_not(value in "[0-9A-Za-z .+-]{0,12}") {
            let digits = value.trim_end_matches(|c: char| !c.is_ascii_digit());
            let right = (1..=8).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.bytes().any(|byte| byte != b'0')
                && ["H", "M", "S", "m", "u", "n"].contains(&&value[digits.len()..]);
            prop_assert_eq!(grpc(value.as_bytes()).is_some(), right);
        }

        #[test]
        fn an_app_is_told_no_more_than_is_left_and_hardly_less(
            count in 1_u32..=99_999_999, unit in 0..UNITS.len(), held in 0_u64..100_000_000_000,
        ) {
            let said = format!("{count}{}", char::from(UNITS[unit].0));
            let held = Duration::from_nanos(held);
            let left = grpc(said.as_bytes()).unwrap().saturating_sub(held);
            let told = forwarded("grpc-timeout", &said, held);
            let told = grpc(told.as_bytes()).unwrap();
            prop_assert!(told <= left.max(Duration::from_micros(1)), "{:?} of {:?}", told, left);
            // Of the eight digits a coarser unit leaves five at least.
            prop_assert!(left - told.min(left) <= (left / 99_999).max(Duration::from_micros(1)));
        }

        #[test]
        fn connect_is_told_milliseconds(said in 1_u64..=9_999_999_999, held in 0_u64..20_000_000_000) {
            let told = forwarded("connect-timeout-ms", &said.to_string(), Duration::from_millis(held));
            prop_assert_eq!(told, said.saturating_sub(held).max(1).to_string());
        }
    }
}
