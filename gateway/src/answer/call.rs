//! What calls are answered with: gRPC, gRPC-Web and Connect, as their specifications have it. Bytes and headers only; what
//! is said stands in the table.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::Code;
use crate::spans;

static STATUS: HeaderName = HeaderName::from_static("grpc-status");
static MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
static PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// The first byte of a frame of gRPC-Web that holds trailers (gRPC-Web, "Message framing").
const WEB_TRAILERS: u8 = 0x80;
/// The first byte of the last envelope of a Connect stream (Connect protocol, "Streaming-Request").
const END_STREAM: u8 = 0x02;
/// The first byte of a message as it is.
const PLAIN: u8 = 0;
/// `grpc.health.v1.HealthCheckResponse { status: SERVING }`.
const SERVING: &[u8] = &[0x08, 0x01];

/// How a call ended.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) code: Code,
    pub(super) message: String,
    /// When the call may be made again.
    pub(super) retry_after: Option<Duration>,
}

impl Outcome {
    /// What gRPC has as trailers; there are no others where there is no message.
    pub(super) fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert(STATUS.clone(), HeaderValue::from(u16::from(self.code.number())));
        if let Ok(message) = HeaderValue::try_from(percent_encoded(&self.message)) {
            trailers.insert(MESSAGE.clone(), message);
        }
        // gRFC A6, "Pushback": clients that repeat calls by themselves wait for so long.
        if let Some(after) = self.retry_after {
            trailers.insert(PUSHBACK.clone(), HeaderValue::from(spans::seconds(after).saturating_mul(1_000)));
        }
        trailers
    }

    /// The one frame of a gRPC-Web answer: its trailers as the lines of an HTTP/1 head.
    pub(super) fn web_frame(&self) -> Bytes {
        let mut lines = Vec::new();
        for (name, value) in &self.trailers() {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(value.as_bytes());
            lines.extend_from_slice(b"\r\n");
        }
        framed(WEB_TRAILERS, &lines)
    }

    /// The same for clients that read text.
    pub(super) fn web_text(&self) -> Bytes {
        STANDARD.encode(self.web_frame()).into()
    }

    /// The body of a Connect answer ("Error").
    pub(super) fn connect_error(&self) -> Bytes {
        self.error().to_string().into()
    }

    /// The one envelope of a Connect stream ("EndStreamResponse").
    pub(super) fn end_stream(&self) -> Bytes {
        framed(END_STREAM, serde_json::json!({ "error": self.error() }).to_string().as_bytes())
    }

    fn error(&self) -> serde_json::Value {
        serde_json::json!({ "code": self.code.name(), "message": self.message })
    }
}

/// What follows a message of ours.
pub(super) static TRAILER: HeaderValue = HeaderValue::from_static("grpc-status");

/// The one message of an answer to a health check, and what follows it.
pub(super) fn serving() -> (Bytes, HeaderMap) {
    let trailers = HeaderMap::from_iter([(STATUS.clone(), HeaderValue::from_static("0"))]);
    (framed(PLAIN, SERVING), trailers)
}

/// Flags, length, bytes: frames of gRPC and gRPC-Web and envelopes of Connect are alike.
fn framed(flags: u8, bytes: &[u8]) -> Bytes {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&[flags][..], &length.to_be_bytes(), bytes].concat().into()
}

/// gRPC over HTTP/2, "Percent-Encoded": what is printable ASCII stays, but for the sign itself.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b' '..=b'$' | b'&'..=b'~' => encoded.push(char::from(byte)),
            other => {
                let written = write!(encoded, "%{other:02X}");
                debug_assert!(written.is_ok(), "a String takes all");
            }
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            code: Code::Unavailable,
            message: "no".to_owned(),
            retry_after: Some(Duration::from_millis(1_500)),
        }
    }

    #[test]
    fn frames_and_envelopes_are_as_the_specifications_have_them() {
        let lines = b"grpc-status: 14\r\ngrpc-message: no\r\ngrpc-retry-pushback-ms: 2000\r\n";
        let frame = outcome().web_frame();
        assert_eq!(frame[..5], [0x80, 0, 0, 0, u8::try_from(lines.len()).unwrap()]);
        assert_eq!(frame[5..], lines[..]);
        assert_eq!(STANDARD.decode(outcome().web_text()).unwrap(), frame);
        let end = outcome().end_stream();
        let json = br#"{"error":{"code":"unavailable","message":"no"}}"#;
        assert_eq!(end[..5], [2, 0, 0, 0, u8::try_from(json.len()).unwrap()]);
        assert_eq!(end[5..], json[..]);
        assert_eq!(outcome().connect_error(), &br#"{"code":"unavailable","message":"no"}"#[..]);
        assert_eq!(serving().0, &[0, 0, 0, 0, 2, 8, 1][..]);
    }

    #[test]
    fn a_message_is_percent_encoded_as_grpc_has_it() {
        assert_eq!(percent_encoded("100% of Zürich\n~ \"ok\""), "100%25 of Z%C3%BCrich%0A~ \"ok\"");
    }

    proptest! {
        #[test]
        fn any_message_fits_in_a_header_and_is_read_as_it_was(text in any::<String>()) {
            let encoded = percent_encoded(&text);
            prop_assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let mut bytes = Vec::new();
            let mut rest = encoded.as_bytes();
            while let Some((first, more)) = rest.split_first() {
                rest = more;
                if *first == b'%' {
                    let digits = std::str::from_utf8(&rest[..2]).unwrap();
                    bytes.push(u8::from_str_radix(digits, 16).unwrap());
                    rest = &rest[2..];
                } else {
                    bytes.push(*first);
                }
            }
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), text);
        }
    }
}
