//! The table: each refusal → status, codes, headers and words. A new refusal is a row here, one in `docs/answers.md` and
//! one in `gateway/tests/documented.rs`.

use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};

use super::{Code, Refusal};
use crate::conn::Violation;
use crate::page::words::{self, Words};
use crate::upstream::Fault;

/// A refusal in all its parts.
#[derive(Debug)]
pub(super) struct Row {
    /// For all who are spoken to in HTTP.
    pub(super) status: StatusCode,
    /// Stable, for programs and for the owner.
    pub(super) code: &'static str,
    /// RFC 9209, section 2.3.
    pub(super) proxy_error: &'static str,
    /// For calls.
    pub(super) call: Code,
    pub(super) words: Words,
    /// For programs, where there is more to say than `words` do.
    pub(super) detail: Option<&'static str>,
    pub(super) retry_after: Option<Duration>,
    /// Headers of this refusal alone, in every language.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

// Proxy errors that several rows share.
const NOT_FOUND: &str = "destination_not_found";
const UNAVAILABLE: &str = "destination_unavailable";
const DENIED: &str = "http_request_denied";
const LIMIT_REACHED: &str = "connection_limit_reached";

impl Row {
    #[rustfmt::skip] // It is a table.
    pub(super) fn of(refusal: &Refusal) -> Self {
        match refusal {
            // What an HTTP client is told with 404 is UNIMPLEMENTED in gRPC's and Connect's own tables. NOT_FOUND would be
            // taken for the app's word on what was asked for, and one who deletes something would be content with it.
            Refusal::UnknownHost => Self::new(404, "unknown-host", NOT_FOUND, Code::Unimplemented, words::UNKNOWN_HOST),
            Refusal::UnknownPath => Self::new(404, "unknown-path", NOT_FOUND, Code::Unimplemented, words::UNKNOWN_HOST),
            // Gateway API, `HTTPRouteRule.backendRefs` and `GRPCRouteRule.backendRefs`.
            Refusal::NoBackend => {
                Self::new(500, "no-backend", NOT_FOUND, Code::Unavailable, words::NO_BACKEND).after(5 * SECOND)
            }
            Refusal::NoEndpoints => {
                Self::new(503, "no-endpoints", UNAVAILABLE, Code::Unavailable, words::NO_ENDPOINTS).after(5 * SECOND)
            }
            Refusal::RuleTimeout => {
                Self::new(504, "rule-timeout", "connection_timeout", Code::DeadlineExceeded, words::UPSTREAM_TIMED_OUT)
            }
            Refusal::Asleep => Self::new(503, "asleep", UNAVAILABLE, Code::Unavailable, words::ASLEEP).after(HOUR),
            Refusal::WakeFailed { failure, retry_after } => {
                Self::new(503, failure.code(), UNAVAILABLE, Code::Unavailable, words::failure(*failure)).after(*retry_after)
            }
            Refusal::WakeTooFar(estimate) => {
                Self::new(503, "wake-queue-too-long", UNAVAILABLE, Code::Unavailable, words::QUEUE_FULL).after(*estimate)
            }
            Refusal::TooManyHeld => {
                Self::new(503, "too-many-held", LIMIT_REACHED, Code::Unavailable, words::QUEUE_FULL).after(5 * SECOND)
            }
            Refusal::HoldTimeout => {
                Self::new(504, "hold-timeout", "connection_timeout", Code::DeadlineExceeded, words::HOLD_DEADLINE)
                    .after(5 * SECOND)
            }
            Refusal::DeadlineExceeded => {
                Self::new(504, "deadline-exceeded", "connection_timeout", Code::DeadlineExceeded, words::HOLD_DEADLINE)
                    .after(5 * SECOND)
            }
            Refusal::AppBusy => Self::new(503, "app-busy", LIMIT_REACHED, Code::Unavailable, words::QUEUE_FULL).after(SECOND),
            Refusal::RateLimited(after) => {
                Self::new(429, "rate-limited", DENIED, Code::ResourceExhausted, words::TOO_MANY).after(*after)
            }
            Refusal::TooManyAtOnce => {
                Self::new(429, "too-many-at-once", DENIED, Code::ResourceExhausted, words::TOO_MANY_AT_ONCE).after(SECOND)
            }
            Refusal::TooManyWakes(after) => {
                Self::new(429, "too-many-wakes", DENIED, Code::ResourceExhausted, words::TOO_MANY_WAKES).after(*after)
            }
            Refusal::BodyTooLarge => {
                Self::new(413, "body-too-large", DENIED, Code::ResourceExhausted, words::TOO_LARGE)
            }
            Refusal::BodyBroken => {
                Self::new(400, "body-broken", "http_request_error", Code::InvalidArgument, words::BAD_REQUEST)
            }
            Refusal::Upstream(fault) => Self::of_fault(*fault),
            Refusal::Violation(violation) => Self::of_violation(*violation),
            Refusal::ReservedPath => {
                Self::new(404, "reserved-path", NOT_FOUND, Code::Unimplemented, words::RESERVED_PATH)
            }
            Refusal::LinkForged => {
                Self::new(400, "link-forged", "http_request_error", Code::InvalidArgument, words::LINK_FORGED)
            }
            Refusal::LinkExpired => Self::new(403, "link-expired", DENIED, Code::InvalidArgument, words::LINK_EXPIRED),
            Refusal::TooManyFollow => {
                Self::new(503, "too-many-follow", LIMIT_REACHED, Code::Unavailable, words::QUEUE_FULL).after(5 * SECOND)
            }
            Refusal::ShuttingDown => {
                Self::new(503, "shutting-down", "proxy_internal_response", Code::Unavailable, words::SHUTTING_DOWN)
                    .after(SECOND)
            }
        }
    }

    /// Only the first is UNAVAILABLE, because clients repeat such calls by themselves: after the next three the app may have
    /// acted, and the last ones would fail again.
    #[rustfmt::skip] // It is a table.
    fn of_fault(fault: Fault) -> Self {
        match fault {
            Fault::Refused => {
                Self::new(502, "upstream-refused", "connection_refused", Code::Unavailable, words::UPSTREAM_REFUSED)
                    .after(SECOND)
            }
            Fault::Reset => {
                Self::new(502, "upstream-reset", "connection_terminated", Code::Internal, words::UPSTREAM_RESET)
            }
            Fault::Malformed => {
                Self::new(502, "upstream-malformed", "http_protocol_error", Code::Internal, words::UPSTREAM_MALFORMED)
            }
            Fault::Timeout => {
                Self::new(504, "upstream-timeout", "http_response_timeout", Code::DeadlineExceeded, words::UPSTREAM_TIMED_OUT)
            }
            Fault::NotHttp2 => Self::of_protocol("upstream-not-http2", "http_protocol_error"),
            Fault::NotHttp1 => Self::of_protocol("upstream-not-http1", "http_protocol_error"),
            Fault::NoWebSocket => Self::of_protocol("upstream-no-websocket", "http_upgrade_failed"),
        }
    }

    /// The app does not speak what the request needs.
    fn of_protocol(code: &'static str, proxy_error: &'static str) -> Self {
        Self::new(502, code, proxy_error, Code::Unimplemented, words::UPSTREAM_OTHER_PROTOCOL)
    }

    fn of_violation(violation: Violation) -> Self {
        let (status, code) = (violation.status().as_u16(), violation.code());
        let row = Self::new(status, code, "http_request_error", of_violation(violation), words::BAD_REQUEST);
        let row = Self { detail: Some(violation.detail()), ..row };
        if violation == Violation::MethodNotAllowed {
            let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
            return row.with(header::ALLOW, allowed);
        }
        row
    }

    fn new(status: u16, code: &'static str, proxy_error: &'static str, call: Code, words: Words) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, proxy_error, call, words, detail: None, retry_after: None, headers: Vec::new() }
    }

    fn after(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }

    /// One more header, in every language.
    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

fn of_violation(violation: Violation) -> Code {
    match violation {
        Violation::HeaderTimeout | Violation::BodyTooSlow => Code::DeadlineExceeded,
        Violation::RequestLineTooLong
        | Violation::HeadTooLarge
        | Violation::TooManyHeaderLines
        | Violation::Flood => Code::ResourceExhausted,
        Violation::UnsupportedVersion | Violation::MethodNotAllowed | Violation::UnknownProtocol => {
            Code::Unimplemented
        }
        Violation::LengthWithTransferEncoding
        | Violation::BadContentLength
        | Violation::BadTransferEncoding
        | Violation::MissingHost
        | Violation::DoubledHost
        | Violation::BadHost
        | Violation::BadTarget
        | Violation::AboveRoot
        | Violation::FoldedHeader
        | Violation::MalformedHead
        | Violation::MalformedChunk
        | Violation::DifferingHost
        | Violation::MalformedFrame => Code::InvalidArgument,
    }
}
