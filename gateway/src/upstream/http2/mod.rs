//! Requests over HTTP/2 with prior knowledge (RFC 9113, section 3.3), gRPC among them.
//!
//! ```text
//!   send ─► dial::stream ─► pool: room on a connection? ─► exchange ─► head ─► response
//!     ▲         │ none                                        │ body
//!     │         └─► dial, once for all who wait               └─► pump (a task, ends with the stream)
//!     └── not processed: once more
//! ```

mod dial;
mod head;
mod pool;
mod pump;
mod tunnel;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Request, Response, request};
use http_body::Body as _;
use tokio::time::timeout;

pub(super) use pool::Pool;
pub use pool::Stream;
pub use tunnel::Tunnel;
pub(super) use tunnel::open as open_websocket;

use super::kept;
use super::{Answered, Carrier, Failed, Fault, RequestBody, ResponseBody, Target, may_repeat, patiently};
use crate::balance::retry::Outcome;
use crate::{conn, deadline, interim};

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// The app has not processed the request, nor will it (RFC 9113, section 8.7): also a POST may be sent again.
    NotProcessed,
    /// The connection ended, nobody knows how far the request was.
    Ended,
    /// The app, or its answer, was at fault.
    Broken(Fault),
}

impl From<h2::Error> for Lost {
    fn from(error: h2::Error) -> Self {
        let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        // A stream that ends with the app's GOAWAY is one above the last that it has processed.
        if error.is_remote() && (refused || error.is_go_away()) {
            return Self::NotProcessed;
        }
        if error.is_io() {
            return Self::Ended;
        }
        Self::Broken(if error.is_library() { Fault::Malformed } else { Fault::Reset })
    }
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// It is sent once more, now.
    Repeat,
    /// It is given back, and may be tried again in a moment, or elsewhere.
    GiveBack(Outcome),
    /// It has failed.
    Fail(Fault),
}

/// How often a request was sent, and whether the app may have seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// No byte of it, as far as its app is concerned.
    Never,
    /// Once, and the app has said that it has not processed it.
    Unprocessed,
    /// The app may have processed it.
    Perhaps,
}

/// Sends a request and waits for the head of its response. What the app has not processed is sent once more, whatever it
/// is. What may be repeated is, if a connection that was used before ends.
pub(super) async fn send(target: &Target<'_>, request: Request<RequestBody>) -> Result<Answered, Failed> {
    let (parts, body) = request.into_parts();
    let repeatable = parts.method.is_idempotent() && body.is_end_stream();
    let (mut body, keeper) = kept::keep(body);
    let mut sent = Sent::Never;
    loop {
        let stream = match place(target).await {
            Ok(stream) => stream,
            Err(fault) => return Err(Failed::unsent(fault, Request::from_parts(parts, body))),
        };
        let was_used = stream.was_used();
        let lost = match exchange(target, stream, &parts, body).await {
            Ok(answered) => {
                keeper.forget();
                return Ok(answered);
            }
            Err(lost) => lost,
        };
        let remedy = remedy(lost, sent, repeatable, || was_used && may_repeat(target));
        body = match (remedy, keeper.again()) {
            (Remedy::Repeat, Some(body)) => body,
            (Remedy::GiveBack(outcome), Some(body)) => {
                let back = Some((outcome, Request::from_parts(parts, body)));
                return Err(Failed { fault: Fault::Reset, back });
            }
            (Remedy::Fail(fault), _) => return Err(Failed::lost(fault)),
            // Too much of its body has been read.
            (Remedy::Repeat | Remedy::GiveBack(_), None) => return Err(Failed::lost(Fault::Reset)),
        };
        sent = if lost == Lost::NotProcessed { Sent::Unprocessed } else { Sent::Perhaps };
    }
}

/// Decides what is done about a request that got no response.
fn remedy(lost: Lost, sent: Sent, repeatable: bool, may_repeat: impl FnOnce() -> bool) -> Remedy {
    match (lost, sent) {
        (Lost::NotProcessed, Sent::Never) => Remedy::Repeat,
        (Lost::NotProcessed, Sent::Unprocessed) => Remedy::GiveBack(Outcome::Unsent),
        (Lost::Ended, Sent::Never | Sent::Unprocessed) if repeatable => match may_repeat() {
            true => Remedy::Repeat,
            false => Remedy::GiveBack(Outcome::Repeatable),
        },
        // Repeated once, it is not repeated again: it may be what ends its app.
        (Lost::NotProcessed | Lost::Ended, Sent::Perhaps) => Remedy::Fail(Fault::Reset),
        (Lost::Ended, Sent::Never | Sent::Unprocessed) => Remedy::Fail(Fault::Reset),
        (Lost::Broken(fault), Sent::Never | Sent::Unprocessed | Sent::Perhaps) => Remedy::Fail(fault),
    }
}

/// A place on a connection. Where an app allows few at once, others may be before it.
async fn place(target: &Target<'_>) -> Result<Stream, Fault> {
    timeout(target.response_timeout, dial::stream(target)).await.unwrap_or(Err(Fault::Timeout))
}

/// Sends a request on its stream and waits for the head of the response. Dropped before that, it resets the stream: the
/// app sees that the request is cancelled.
async fn exchange(
    target: &Target<'_>,
    mut stream: Stream,
    parts: &request::Parts,
    body: RequestBody,
) -> Result<Answered, Lost> {
    let upload = body.upload();
    let answering = answer(&mut stream, parts, body, target.client);
    // A call with a deadline is ended by its client.
    let answered = match deadline::is_of_grpc(&parts.headers) {
        true => Some(answering.await),
        false => patiently(target.response_timeout, upload.as_ref(), answering).await,
    };
    let Some(answered) = answered else {
        // It may be the connection that is dead: nobody else shall wait on it.
        target.slot.pool.borrow_mut().http2.retire(&stream);
        return Err(Lost::Broken(Fault::Timeout));
    };
    let response = answered?.map(ResponseBody::Http2);
    Ok(Answered { response, connection: Carrier::Http2(stream) })
}

async fn answer(
    stream: &mut Stream,
    parts: &request::Parts,
    body: RequestBody,
    client: &conn::Exchange,
) -> Result<Response<RecvStream>, h2::Error> {
    let mut sender = stream.sender();
    poll_fn(|cx| sender.poll_ready(cx)).await?;
    let (response, upstream) = sender.send_request(head::of(parts), body.is_end_stream())?;
    if !body.is_end_stream() {
        stream.carries(tokio::task::spawn_local(pump::pump(body, upstream)).abort_handle());
    }
    let mut response = head_of(response, client).await?;
    say_length_once(response.headers_mut());
    Ok(response)
}

/// Equal ones are no fault to `h2`, but many clients take a length that is said twice for wrong.
fn say_length_once(headers: &mut HeaderMap) {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    if let (Some(length), Some(_)) = (lengths.next(), lengths.next()) {
        let length = length.clone();
        headers.insert(CONTENT_LENGTH, length);
    }
}

/// The head of the response; 1xx responses before it are passed on as they come.
async fn head_of(
    mut response: ResponseFuture,
    client: &conn::Exchange,
) -> Result<Response<RecvStream>, h2::Error> {
    poll_fn(|cx| {
        while let Poll::Ready(Some(Ok(early))) = response.poll_informational(cx) {
            let (head, ()) = early.into_parts();
            interim::pass(client, head.status, head.headers);
        }
        Pin::new(&mut response).poll(cx)
    })
    .await
}
