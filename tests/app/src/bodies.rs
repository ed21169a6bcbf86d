//! Bodies: large, slow, endless, and those of requests.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Extension;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, TRAILER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use http_body_util::BodyExt;
use serde_json::json;

use crate::checksum::Checksum;
use crate::request::Wish;

/// 64 KiB: about what a socket takes at once.
const CHUNK: usize = 64 << 10;

/// A request's body, taken in.
pub(crate) struct Received {
    /// Of the bytes.
    pub(crate) checksum: Checksum,
    /// What came after them.
    pub(crate) trailers: Option<HeaderMap>,
}

/// Takes in a body without keeping it.
///
/// # Errors
/// Where the body broke off.
pub(crate) async fn consume(mut body: Body) -> Result<Received, axum::Error> {
    let mut received = Received { checksum: Checksum::EMPTY, trailers: None };
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => received.checksum.add(&data),
            Err(frame) => received.trailers = frame.into_trailers().ok(),
        }
    }
    Ok(received)
}

/// `/echo`: the body, as it comes in.
pub(crate) async fn echo(headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    response
}

/// `/upload`: the body's length and checksum.
pub(crate) async fn upload(body: Body) -> Response {
    match consume(body).await {
        Ok(Received { checksum, .. }) => {
            Json(json!({ "length": checksum.length(), "checksum": checksum.hex() })).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("body: {error}\n")).into_response(),
    }
}

/// `/slow?n=10&every=100ms`: `n` lines, one at a time.
pub(crate) async fn slow(Extension(wish): Extension<Wish>) -> Response {
    Body::from_stream(ticks(&wish, Duration::from_millis(100), |i| format!("chunk {i}\n"))).into_response()
}

/// `/sse?n=3&every=1s`: `n` events.
pub(crate) async fn events(Extension(wish): Extension<Wish>) -> Response {
    let events = ticks(&wish, Duration::from_secs(1), |i| format!("id: {i}\ndata: event {i}\n\n"));
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")], Body::from_stream(events))
        .into_response()
}

/// `/huge?size=N`: that many bytes of a pattern whose period is a prime, with `Content-Length`.
pub(crate) async fn huge(Extension(wish): Extension<Wish>) -> Response {
    let size = wish.number("size").unwrap_or(1 << 20);
    let chunks = stream::unfold(0, move |sent| async move {
        let length = (size - sent).min(CHUNK as u64);
        (length > 0).then(|| (Ok::<_, Infallible>(pattern(sent, length)), sent + length))
    });
    ([(CONTENT_LENGTH, size)], Body::from_stream(chunks)).into_response()
}

/// `?size=N`: that many zeros, in one piece.
pub(crate) fn zeros(size: u64) -> Response {
    let size = usize::try_from(size).unwrap_or(0);
    Bytes::from(vec![b'0'; size]).into_response()
}

/// The same response, chunked and with a trailer.
pub(crate) fn with_trailers(mut response: Response) -> Response {
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(TRAILER, HeaderValue::from_static("x-trailer"));
    let end =
        HeaderMap::from_iter([(HeaderName::from_static("x-trailer"), HeaderValue::from_static("the end"))]);
    // A stream has no length that axum could announce instead.
    let unsized_body = |body: Body| Body::from_stream(body.into_data_stream());
    response.map(|body| Body::new(unsized_body(body).with_trailers(async { Some(Ok(end)) })))
}

/// Bytes `from .. from + length` of the endless pattern 0, 1, … 250, 0, 1, …
fn pattern(from: u64, length: u64) -> Bytes {
    (from..from + length).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
}

/// The first at once, then one each `every`.
fn ticks<F>(
    wish: &Wish,
    unless_said: Duration,
    text: F,
) -> impl Stream<Item = Result<String, Infallible>> + use<F>
where
    F: Fn(u64) -> String + Copy,
{
    let n = wish.number("n").unwrap_or(3);
    let every = wish.time("every").unwrap_or(unless_said);
    stream::unfold(0, move |i| async move {
        if i == n {
            return None;
        }
        if i > 0 {
            tokio::time::sleep(every).await;
        }
        Some((Ok(text(i)), i + 1))
    })
}
