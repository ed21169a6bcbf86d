//! Answers that say what arrived.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::bodies::{consume, zeros};
use crate::request::Wish;
use crate::state::State;

/// Where a request came from, and its number in this run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The other end of the connection.
    pub(crate) remote: SocketAddr,
    /// From 1.
    pub(crate) number: u64,
    /// When its head was there, as of [`crate::state::nanoseconds`].
    pub(crate) at: u64,
}

/// Any path: the request as JSON; `BODY` or, with `?size=N`, that many bytes in its place. With `?unread=1` the
/// answer does not wait for the body.
pub(crate) async fn describe(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let wish = parts.extensions.get::<Wish>().cloned().unwrap_or_default();
    let arrival = parts.extensions.get::<Arrival>().copied();
    let body = if wish.text("unread") == Some("1") { Body::empty() } else { body };
    let received = match consume(body).await {
        Ok(received) => received,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("body: {error}\n")).into_response(),
    };
    if let Some(size) = wish.number("size") {
        return zeros(size);
    }
    if let Some(body) = &state.settings.body {
        return ([(CONTENT_TYPE, "text/plain")], body.clone()).into_response();
    }
    let host = parts.headers.get("host").map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    Json(json!({
        "method": parts.method.as_str(),
        "path": parts.uri.path(),
        "query": parts.uri.query(),
        "target": parts.uri.to_string(),
        "host": host,
        "headers": pairs(&parts.headers),
        "trailers": received.trailers.as_ref().map(pairs),
        "length": received.checksum.length(),
        "checksum": received.checksum.hex(),
        "remote": arrival.map(|arrival| arrival.remote.to_string()),
        "served": arrival.map(|arrival| arrival.number),
        "clock": {
            "began": state.began,
            "listening": state.listening.get(),
            "request": arrival.map(|arrival| arrival.at),
        },
        "pid": std::process::id(),
        "child": state.child,
    }))
    .into_response()
}

/// `/env`: the environment as the app sees it.
pub(crate) async fn environment() -> Json<BTreeMap<String, String>> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    Json(std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect())
}

/// `/healthz`.
pub(crate) fn health(state: &State) -> (StatusCode, Bytes) {
    let status =
        StatusCode::from_u16(state.settings.health_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Bytes::from_static(b"health\n"))
}

/// `/readyz`.
pub(crate) fn ready(state: &State) -> (StatusCode, &'static str) {
    if state.ready() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not yet\n") }
}

/// Headers in their order, as pairs, because a map would hide doubles.
fn pairs(headers: &HeaderMap) -> Value {
    let pair = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])
    };
    headers.iter().map(pair).collect()
}
