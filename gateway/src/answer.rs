//! From an outcome to a response: one place, one exhaustive match. What is said here never contains an internal
//! error, an address, or another tenant's name.
//!
//! ```text
//!   Refusal ─► table ─► Row ─┬─► page, problem            ┐
//!                            └─► call: gRPC, gRPC-Web,    ├─► Response, in the Language of whoever asked
//!                                Connect (code)           ┘
//! ```

mod call;
mod code;
mod table;

use std::time::Duration;

use bytes::Bytes;
use config::link::Failure;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use tokio::sync::mpsc;

pub use code::Code;

use crate::body::Body;
use crate::conn::Violation;
use crate::language::Language;
use crate::page::words::Words;
use crate::page::{self, RefusalPage};
use crate::spans;
use crate::upstream::Fault;
use call::Outcome;
use table::Row;

static PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
static PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
static JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a request is not answered by its app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No app has this host.
    UnknownHost,
    /// The host is known, the path is nobody's.
    UnknownPath,
    /// What the rule names is not there, or gets no requests.
    NoBackend,
    /// The app is up, and nobody knows of an endpoint of it.
    NoEndpoints,
    /// The time is over that the rule gives a request.
    RuleTimeout,
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
    /// Held for as long as the app's policy has it.
    HoldTimeout,
    /// Held for as long as the client waits, by its own word.
    DeadlineExceeded,
    /// The app has as many requests as it may have.
    AppBusy,
    /// A limit has no token left; there will be one after this.
    RateLimited(Duration),
    /// As many as a limit lets be open at once are open.
    TooManyAtOnce,
    /// The client has woken as many apps as it may; it may wake another after this.
    TooManyWakes(Duration),
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
    /// The path is kept for the edge itself, which serves nothing there.
    ReservedPath,
    /// A link that is none of ours, or was changed.
    LinkForged,
    /// A link of ours that is too old.
    LinkExpired,
    /// As many pages as may follow the app's wake do so.
    TooManyFollow,
}

/// Where a page leads, if that is not its own URL.
#[derive(Clone, Copy, Debug, Default)]
pub struct Onward<'a> {
    /// Where it looks again.
    pub next: Option<&'a str>,
    /// Where the app is to be found.
    pub home: Option<&'a str>,
}

/// What a passerby is told of an app that may sleep on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllIsWell {
    /// That it sleeps.
    Asleep,
    /// That it serves: the question was gRPC's `Check`, which has no other word for it.
    Serving,
}

impl Refusal {
    /// The stable code in answers, metrics and logs.
    pub fn code(&self) -> &'static str {
        Row::of(self).code
    }

    /// The answer, in the language of whoever asked.
    pub fn response(&self, app: Option<&str>, language: Language) -> Response<Body> {
        self.response_onward(app, Onward::default(), language)
    }

    /// The same at another host than the app's.
    pub fn response_onward(
        &self,
        app: Option<&str>,
        onward: Onward<'_>,
        language: Language,
    ) -> Response<Body> {
        let row = Row::of(self);
        let (status, body) = match language {
            Language::Html => (row.status, self.page(&row, app, onward).into()),
            Language::Problem => (row.status, row.problem().into()),
            Language::Grpc(_) => (StatusCode::OK, Bytes::new()),
            Language::GrpcWeb(_) => (StatusCode::OK, row.outcome().web_frame()),
            Language::GrpcWebText(_) => (StatusCode::OK, row.outcome().web_text()),
            Language::Connect => (row.call.connect_status(), row.outcome().connect_error()),
            Language::ConnectStream(_) => (StatusCode::OK, row.outcome().end_stream()),
        };
        // Without a body where there is nothing in it, or HTTP/2 would end the stream with a frame of its own: then what
        // stands in the headers would not be trailers.
        let body = if body.is_empty() { Body::Own(None) } else { Body::from(body) };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        row.describe(response.headers_mut(), language);
        response
    }

    fn page(&self, row: &Row, app: Option<&str>, Onward { next, home }: Onward<'_>) -> String {
        match (self, app) {
            (Self::WakeFailed { failure, retry_after }, Some(app)) => {
                page::failed(&page::Failed { app, failure: *failure, retry_after: *retry_after, next })
            }
            _ => page::refusal(&RefusalPage {
                status: row.status,
                words: row.words,
                code: row.code,
                retry_after: row.retry_after,
                home,
            }),
        }
    }

    /// The answer to what did not become a request, as it goes on the wire. In whose language is not known: a problem.
    pub fn raw(&self) -> Bytes {
        let row = Row::of(self);
        let mut headers = HeaderMap::new();
        row.describe(&mut headers, Language::Problem);
        let body = row.problem();
        let reason = row.status.canonical_reason().unwrap_or_default();
        let mut raw = format!("HTTP/1.1 {} {reason}\r\n", row.status.as_u16()).into_bytes();
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

impl Row {
    /// What a program is told in words.
    fn detail(&self) -> String {
        let Words { title, text } = self.words;
        let words = || format!("{}. {text}", title.trim_end_matches('.'));
        self.detail.map_or_else(words, str::to_owned)
    }

    fn problem(&self) -> String {
        serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail(),
            "code": self.code,
        })
        .to_string()
    }

    /// Calls have few codes, and what their users see of an error is its message: so ours stands in it.
    fn outcome(&self) -> Outcome {
        let message = format!("{}: {}", self.code, self.detail());
        Outcome { code: self.call, message, retry_after: self.retry_after }
    }

    fn describe(&self, headers: &mut HeaderMap, language: Language) {
        match language {
            Language::Html => headers.extend(page::HEADERS.iter().cloned()),
            Language::Problem => describe_own(headers, &PROBLEM),
            Language::Connect => describe_own(headers, &JSON),
            Language::Grpc(kind) => {
                describe_own(headers, &HeaderValue::from_static(kind));
                headers.extend(self.outcome().trailers());
            }
            Language::GrpcWeb(kind) | Language::GrpcWebText(kind) | Language::ConnectStream(kind) => {
                describe_own(headers, &HeaderValue::from_static(kind));
            }
        }
        let status = format!("loco-edge; error={}; details=\"{}\"", self.proxy_error, self.code);
        if let Ok(status) = HeaderValue::from_str(&status) {
            headers.insert(PROXY_STATUS.clone(), status);
        }
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(spans::seconds(after)));
        }
        headers.extend(self.headers.iter().cloned());
    }
}

/// What every answer of ours to a program says.
fn describe_own(headers: &mut HeaderMap, kind: &HeaderValue) {
    headers.insert(header::CONTENT_TYPE, kind.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// The waiting page: 503, because there is no answer yet, and a program that gets it should come back.
pub fn waiting(waiting: &page::Waiting<'_>) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from(page::waiting(waiting))));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.extend(page::HEADERS.iter().cloned());
    headers.insert(header::RETRY_AFTER, HeaderValue::from(spans::seconds(waiting.reload_after)));
    let status = "loco-edge; error=destination_unavailable; details=\"waking\"";
    headers.insert(PROXY_STATUS.clone(), HeaderValue::from_static(status));
    response
}

/// What a passerby gets with `answer-200`: that all is well, though the app sleeps. That it is the edge's word and not the
/// app's stands in `Proxy-Status`. No call but a health check's can be answered so: its client waits for a message of the
/// app's own, so it is refused.
pub fn all_is_well(what: AllIsWell, language: Language) -> Response<Body> {
    let (kind, body) = match (language, what) {
        (Language::Html | Language::Problem, AllIsWell::Asleep | AllIsWell::Serving) => {
            ("text/plain; charset=utf-8", Body::from(Bytes::from_static(b"asleep\n")))
        }
        (Language::Grpc(kind), AllIsWell::Serving) => {
            let (message, trailers) = call::serving();
            (kind, Body::with_trailers(message, trailers))
        }
        (Language::Grpc(_), AllIsWell::Asleep)
        | (
            Language::GrpcWeb(_) | Language::GrpcWebText(_) | Language::Connect | Language::ConnectStream(_),
            AllIsWell::Asleep | AllIsWell::Serving,
        ) => return Refusal::Asleep.response(None, language),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    describe_own(headers, &HeaderValue::from_static(kind));
    headers.insert(PROXY_STATUS.clone(), HeaderValue::from_static("loco-edge; details=\"asleep-ok\""));
    // Over HTTP/1.1 they are sent only where they were announced (RFC 9110, section 6.6.2).
    if let Body::OwnWithTrailers(_) = response.body() {
        response.headers_mut().insert(header::TRAILER, call::TRAILER.clone());
    }
    response
}

/// Sends a client elsewhere, with the same method: nothing of it is kept, and the next page does not learn the URL, in
/// which a signature may stand.
pub fn redirect(to: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::Own(None));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, to);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(PROXY_STATUS.clone(), HeaderValue::from_static("loco-edge; details=\"redirect\""));
    response
}

/// Sends a client elsewhere, as a rule has it. How long that may be kept is what its status says.
pub fn sent_on(status: StatusCode, to: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::Own(None));
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, to);
    let said = HeaderValue::from_static("loco-edge; details=\"rule-redirect\"");
    response.headers_mut().insert(PROXY_STATUS.clone(), said);
    response
}

/// The events of a wake, as long as somebody reads them.
pub fn events(pieces: mpsc::Receiver<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::Events(pieces));
    let headers = response.headers_mut();
    describe_own(headers, &HeaderValue::from_static("text/event-stream"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Proxies that gather an answer before they pass it on are asked not to (nginx and others know this header).
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    headers.insert(PROXY_STATUS.clone(), HeaderValue::from_static("loco-edge; details=\"events\""));
    response
}
