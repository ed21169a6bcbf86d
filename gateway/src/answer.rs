//! From an outcome to a response: one place, one exhaustive match. What is said here never contains an internal
//! error, an address, or another tenant's name.

use std::time::Duration;

use bytes::Bytes;
use config::link::Failure;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use crate::body::Body;
use crate::conn::Violation;
use crate::page::words::{self, Words};
use crate::page::{self, RefusalPage};
use crate::upstream::Fault;

static PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Why a request is not answered by its app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No app has this host.
    UnknownHost,
    /// The host is known, the path is nobody's.
    UnknownPath,
    /// The app sleeps, and the visitor is none that may wake it (now).
    Asleep,
    /// The app's wake failed.
    WakeFailed {
        /// Why.
        failure: Failure,
        /// When it is tried again.
        retry_after: Duration,
    },
    /// Its wake stands in a line that is longer than the request may wait.
    WakeTooFar(Duration),
    /// As many as may wait for the app do so.
    TooManyHeld,
    /// Held until the deadline.
    HoldTimeout,
    /// The app has as many requests as it may have.
    AppBusy,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The client did not send the body that it announced.
    BodyBroken,
    /// The app did not answer.
    Upstream(Fault),
    /// The request is none, or came too slowly.
    Violation(Violation),
    /// The edge is being shut down.
    ShuttingDown,
}

/// A refusal in all its parts.
struct Parts {
    status: StatusCode,
    /// Stable, for programs and for the owner.
    code: &'static str,
    /// RFC 9209, section 2.3.
    proxy_error: &'static str,
    retry_after: Option<Duration>,
    words: Words,
    /// For programs, where there is more to say than `words` do.
    detail: Option<&'static str>,
}

impl Refusal {
    /// The stable code in answers, metrics and logs.
    pub fn code(self) -> &'static str {
        self.parts().code
    }

    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        self.parts().status
    }

    fn parts(self) -> Parts {
        match self {
            Self::UnknownHost => {
                Parts::new(404, "unknown-host", "destination_not_found", words::UNKNOWN_HOST)
            }
            Self::UnknownPath => {
                Parts::new(404, "unknown-path", "destination_not_found", words::UNKNOWN_HOST)
            }
            Self::Asleep => Parts::new(503, "asleep", "destination_unavailable", words::ASLEEP)
                .retry_after(Duration::from_secs(3600)),
            Self::WakeFailed { failure, retry_after } => {
                let words = words::failure(failure);
                Parts::new(503, failure.code(), "destination_unavailable", words).retry_after(retry_after)
            }
            Self::WakeTooFar(estimate) => {
                Parts::new(503, "wake-queue-too-long", "destination_unavailable", words::QUEUE_FULL)
                    .retry_after(estimate)
            }
            Self::TooManyHeld => {
                Parts::new(503, "too-many-held", "connection_limit_reached", words::QUEUE_FULL)
                    .retry_after(Duration::from_secs(5))
            }
            Self::HoldTimeout => Parts::new(504, "hold-timeout", "connection_timeout", words::HOLD_DEADLINE)
                .retry_after(Duration::from_secs(5)),
            Self::AppBusy => Parts::new(503, "app-busy", "connection_limit_reached", words::QUEUE_FULL)
                .retry_after(Duration::from_secs(1)),
            Self::BodyTooLarge => Parts::new(413, "body-too-large", "http_request_denied", words::TOO_LARGE),
            Self::BodyBroken => Parts::new(400, "body-broken", "http_request_error", words::BAD_REQUEST),
            Self::Upstream(fault) => Parts::of_fault(fault),
            Self::Violation(violation) => Parts {
                status: violation.status(),
                code: violation.code(),
                proxy_error: "http_request_error",
                retry_after: None,
                words: words::BAD_REQUEST,
                detail: Some(violation.detail()),
            },
            Self::ShuttingDown => {
                Parts::new(503, "shutting-down", "proxy_internal_response", words::SHUTTING_DOWN)
                    .retry_after(Duration::from_secs(1))
            }
        }
    }

    /// The answer, in HTML for a person and as a problem (RFC 9457) for a program.
    pub fn response(self, app: Option<&str>, html: bool) -> Response<Body> {
        let parts = self.parts();
        let text = match (self, app) {
            (Self::WakeFailed { failure, retry_after }, Some(app)) if html => {
                page::failed(&page::Failed { app, failure, retry_after })
            }
            _ if html => page::refusal(&RefusalPage {
                status: parts.status,
                words: parts.words,
                code: parts.code,
                retry_after: parts.retry_after,
            }),
            _ => parts.problem(),
        };
        let mut response = Response::new(Body::from(Bytes::from(text)));
        *response.status_mut() = parts.status;
        parts.describe(response.headers_mut(), html);
        response
    }

    /// The answer to what did not become a request, as it goes on the wire.
    pub fn raw(self) -> Bytes {
        let parts = self.parts();
        let mut headers = HeaderMap::new();
        parts.describe(&mut headers, false);
        let body = parts.problem();
        let reason = parts.status.canonical_reason().unwrap_or_default();
        let mut raw = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_u16()).into_bytes();
        for (name, value) in &headers {
            raw.extend_from_slice(name.as_str().as_bytes());
            raw.extend_from_slice(b": ");
            raw.extend_from_slice(value.as_bytes());
            raw.extend_from_slice(b"\r\n");
        }
        let end = format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        raw.extend_from_slice(end.as_bytes());
        raw.into()
    }
}

impl Parts {
    fn new(status: u16, code: &'static str, proxy_error: &'static str, words: Words) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, proxy_error, retry_after: None, words, detail: None }
    }

    fn of_fault(fault: Fault) -> Self {
        match fault {
            Fault::Refused => {
                Self::new(502, "upstream-refused", "connection_refused", words::UPSTREAM_REFUSED)
                    .retry_after(Duration::from_secs(1))
            }
            Fault::Reset => Self::new(502, "upstream-reset", "connection_terminated", words::UPSTREAM_RESET),
            Fault::Malformed => {
                Self::new(502, "upstream-malformed", "http_protocol_error", words::UPSTREAM_MALFORMED)
            }
            Fault::Timeout => {
                Self::new(504, "upstream-timeout", "http_response_timeout", words::UPSTREAM_TIMED_OUT)
            }
            Fault::NotHttp2 => {
                Self::new(502, "upstream-not-http2", "http_protocol_error", words::UPSTREAM_OTHER_PROTOCOL)
            }
            Fault::NotHttp1 => {
                Self::new(502, "upstream-not-http1", "http_protocol_error", words::UPSTREAM_OTHER_PROTOCOL)
            }
            Fault::NoWebSocket => {
                Self::new(502, "upstream-no-websocket", "http_upgrade_failed", words::UPSTREAM_OTHER_PROTOCOL)
            }
        }
    }

    fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    fn problem(&self) -> String {
        let title = self.status.canonical_reason().unwrap_or_default();
        let Words { title: what, text } = self.words;
        let words = || format!("{}. {text}", what.trim_end_matches('.'));
        serde_json::json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail.map_or_else(words, str::to_owned),
            "code": self.code,
        })
        .to_string()
    }

    fn describe(&self, headers: &mut HeaderMap, html: bool) {
        if html {
            headers.extend(page::HEADERS.iter().cloned());
        } else {
            let problem = HeaderValue::from_static("application/problem+json");
            headers.insert(header::CONTENT_TYPE, problem);
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        let status = format!("loco-edge; error={}; details=\"{}\"", self.proxy_error, self.code);
        if let Ok(status) = HeaderValue::from_str(&status) {
            headers.insert(PROXY_STATUS.clone(), status);
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
            headers.insert(header::ALLOW, allowed);
        }
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds(after));
        }
    }
}

/// The waiting page: 503, because there is no answer yet, and a program that gets it should come back.
pub fn waiting(waiting: &page::Waiting<'_>) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from(page::waiting(waiting))));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.extend(page::HEADERS.iter().cloned());
    headers.insert(header::RETRY_AFTER, seconds(waiting.reload_after));
    let status = "loco-edge; error=destination_unavailable; details=\"waking\"";
    headers.insert(PROXY_STATUS.clone(), HeaderValue::from_static(status));
    response
}

/// Whole seconds, rounded up: who comes back too early is refused again.
fn seconds(duration: Duration) -> HeaderValue {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    HeaderValue::from(seconds.max(1))
}
