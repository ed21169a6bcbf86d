//! Ways to break off.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State as Shared};
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use crate::request::Wish;
use crate::state::State;

/// Long enough for what was written to have left the process: hyper flushes when a body has nothing ready.
const FLUSHED: Duration = Duration::from_millis(50);

/// `/crash`: aborts without a word.
pub(crate) async fn crash(Shared(_): Shared<Arc<State>>) -> Response {
    std::process::abort()
}

/// `/crash-mid?after=N`: promises 2 N bytes, sends N, aborts.
pub(crate) async fn crash_mid(Extension(wish): Extension<Wish>) -> Response {
    let after = wish.number("after").unwrap_or(1_000);
    let first = Bytes::from(vec![b'x'; usize::try_from(after).unwrap_or(0)]);
    let body = stream::unfold(Some(first), async |first| match first {
        Some(first) => Some((Ok::<_, io::Error>(first), None)),
        None => {
            tokio::time::sleep(FLUSHED).await;
            std::process::abort()
        }
    });
    ([(CONTENT_LENGTH, after * 2)], Body::from_stream(body)).into_response()
}

/// `/cut`: sends one chunk and closes the connection without the last; the app lives on.
pub(crate) async fn cut() -> Response {
    let body = stream::unfold(Some(Bytes::from_static(b"the first half\n")), async |first| match first {
        Some(first) => Some((Ok(first), None)),
        None => {
            tokio::time::sleep(FLUSHED).await;
            Some((Err(io::Error::other("cut")), None))
        }
    });
    Body::from_stream(body).into_response()
}
