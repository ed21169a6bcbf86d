//! W3C Trace Context: every request has a `traceparent`.

use std::cell::OnceCell;

use http::header::HeaderName;

/// The trace and the span that a request belongs to.
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracers say beside.
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// `00-{32 hex}-{16 hex}-{2 hex}`.
const LENGTH: usize = 55;

/// A trace that begins here, once it is needed: the same, however often its request is sent.
#[derive(Debug, Default)]
pub struct Trace(OnceCell<[u8; LENGTH]>);

impl Trace {
    /// Its `traceparent`.
    pub fn begun(&self) -> &[u8] {
        self.0.get_or_init(begin)
    }
}

/// A client's `traceparent` that is kept. Sampling is ours: everything is marked as sampled, because a client that
/// says otherwise must not be able to hide, and one that says so must not decide what is paid for; how much is kept is
/// the collector's choice.
pub fn kept(value: &[u8]) -> Option<[u8; LENGTH]> {
    let mut sampled: [u8; LENGTH] = value.try_into().ok().filter(|_| is_valid(value))?;
    sampled[LENGTH - 2..].copy_from_slice(b"01");
    Some(sampled)
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
    value[3..19].copy_from_slice(&hex(fastrand::u64(..) | 1));
    value[19..35].copy_from_slice(&hex(fastrand::u64(..)));
    value[36..52].copy_from_slice(&hex(fastrand::u64(..) | 1));
    value
}

fn hex(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    digits[..8].copy_from_slice(&hex_half((number >> 32) as u32));
    digits[8..].copy_from_slice(&hex_half(number as u32));
    digits
}

/// Eight digits at once: every request without a trace gets 48.
fn hex_half(number: u32) -> [u8; 8] {
    // Each digit in a byte of its own.
    let spread = u64::from(number);
    let spread = (spread << 16 | spread) & 0x0000_ffff_0000_ffff;
    let spread = (spread << 8 | spread) & 0x00ff_00ff_00ff_00ff;
    let spread = (spread << 4 | spread) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 where the digit is a letter.
    let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (spread + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_kept_or_begun() {
        let sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        for value in [sampled, unsampled] {
            assert_eq!(kept(value.as_bytes()).map(Vec::from), Some(Vec::from(sampled)));
        }
        for wrong in [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "",
        ] {
            assert_eq!(kept(wrong.as_bytes()), None, "{wrong}");
        }
        let (one, other) = (Trace::default(), Trace::default());
        assert!(is_valid(one.begun()) && kept(one.begun()).is_some());
        assert_eq!(one.begun(), one.begun());
        assert_ne!(one.begun(), other.begun());
    }

    #[test]
    fn hex_is_what_it_is_everywhere() {
        for number in [0, 1, 0x0123_4567_89ab_cdef, 0xf0e1_d2c3_b4a5_9687, u64::MAX, 0x9a9a_a9a9_0909_f0f0] {
            assert_eq!(hex(number), *format!("{number:016x}").as_bytes());
        }
    }
}
