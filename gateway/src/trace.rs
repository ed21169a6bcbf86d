//! W3C Trace Context: every request has a `traceparent`.

use http::header::{HeaderMap, HeaderName, HeaderValue};

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// `00-{32 hex}-{16 hex}-{2 hex}`.
const LENGTH: usize = 55;

/// Keeps a client's trace, or begins one. Sampling is ours: everything is marked as sampled, because a client that
/// says otherwise must not be able to hide, and one that says so must not decide what is paid for; how much is kept is
/// the collector's choice.
pub fn ensure(headers: &mut HeaderMap) {
    let kept = headers.get(&TRACEPARENT).filter(|value| is_valid(value.as_bytes()));
    match kept {
        Some(value) if value.as_bytes().ends_with(b"-01") => {}
        Some(value) => {
            let mut sampled = [0; LENGTH];
            sampled.copy_from_slice(&value.as_bytes()[..LENGTH]);
            sampled[LENGTH - 2..].copy_from_slice(b"01");
            insert(headers, &sampled);
        }
        None => {
            // State without a trace of its own belongs to nothing (section 3.3.1 of the recommendation).
            headers.remove(&TRACESTATE);
            insert(headers, &begin());
        }
    }
}

fn insert(headers: &mut HeaderMap, value: &[u8; LENGTH]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(TRACEPARENT.clone(), value);
    }
}

/// Version 00 only: of a later one we do not know what else it says.
fn is_valid(value: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
    let used = |part: &[u8]| part.iter().any(|b| *b != b'0');
    value.len() == LENGTH
        && value.starts_with(b"00-")
        && value[35] == b'-'
        && value[52] == b'-'
        && hex(&value[3..35])
        && used(&value[3..35])
        && hex(&value[36..52])
        && used(&value[36..52])
        && hex(&value[53..])
}

fn begin() -> [u8; LENGTH] {
    let mut value = *b"00-00000000000000000000000000000000-0000000000000000-01";
    // Zero is no id; the lowest bit keeps it away.
    write_hex(&mut value[3..19], fastrand::u64(..) | 1);
    write_hex(&mut value[19..35], fastrand::u64(..));
    write_hex(&mut value[36..52], fastrand::u64(..) | 1);
    value
}

fn write_hex(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::from(number as u8 & 15)];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ensured(value: Option<&'static str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(TRACEPARENT.clone(), HeaderValue::from_static(value));
        }
        ensure(&mut headers);
        String::from_utf8_lossy(headers[&TRACEPARENT].as_bytes()).into_owned()
    }

    #[test]
    fn a_trace_is_kept_or_begun() {
        let kept = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(ensured(Some(kept)), kept);
        assert_eq!(ensured(Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")), kept);
        for wrong in [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "",
        ] {
            let begun = ensured(Some(wrong));
            assert!(is_valid(begun.as_bytes()) && begun != wrong, "{wrong} became {begun}");
        }
        assert_ne!(ensured(None), ensured(None));
    }
}
