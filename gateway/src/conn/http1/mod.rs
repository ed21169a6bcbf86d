//! The requests of one connection over HTTP/1.1, one after the other.
//!
//! ```text
//!  intake ──► request: Request, Asked ──► handler ──► response: head, framing ──► outgoing ──► socket
//! ```
//!
//! Not under hyper: it is a second parser behind `intake` and `framing`, which have to know what it would hide.

mod outgoing;
mod request;
mod response;

use std::future::{pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderMap;
use http::response::Parts;
use http_body::{Body, Frame};

use super::Handler;
use tokio::task::consume_budget;

use super::body::RequestBody;
use super::exchange::Exchange;
use super::line::{Line, Stage};
use super::violation::Violation;
use outgoing::Outgoing;
use request::{Asked, GoesOn};
use response::{Framing, Last};

/// The connection cannot go on: the client is gone, or a response has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

impl From<io::Error> for Failed {
    /// What the socket says is known to the line.
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// Reads requests and has them answered until the last one, or until the client closes.
pub(super) async fn exchanges<H: Handler>(line: Rc<Line>, handler: Rc<H>) -> Result<(), Failed> {
    // One map serves a request, its app's response, and the next request.
    let mut spare = HeaderMap::new();
    while let Some(arrived) = poll_fn(|cx| line.poll_head(cx)).await? {
        let number = line.handled(arrived.head.version);
        let body = RequestBody::of_line(&line, number, arrived.head.body);
        let Ok((request, asked)) = request::parse(arrived, spare, body) else {
            line.refuse(Violation::MalformedHead);
            return pending().await;
        };
        line.expect(asked.expects);
        let exchange = Exchange::of_line(Rc::downgrade(&line), number);
        // Pinned where it is made: it is large.
        let (mut parts, body) = pin!(handler.clone().handle(request, exchange)).await.into_parts();
        if line.stage.get() != Stage::Handling {
            // It was refused meanwhile, which ends the connection.
            return pending().await;
        }
        // The body is dropped with its end, because what it holds may be what the request's body waits for.
        respond(&line, &asked, &parts, pin!(body)).await?;
        parts.headers.clear();
        spare = parts.headers;
        if line.stage.get() == Stage::Switching {
            // Bytes of a body would be taken for the other protocol's.
            return if line.has_whole_request() { Ok(()) } else { Err(Failed) };
        }
        line.answered();
        if !poll_fn(|cx| line.poll_over(cx)).await || line.is_last() {
            return Ok(());
        }
        line.next_request();
        if line.is_pipelined() {
            // Requests that are there already must not keep others waiting.
            consume_budget().await;
        }
    }
    Ok(())
}

/// The request that is made of a head.
#[cfg(test)]
pub(super) fn read_head(bytes: &[u8], head: super::head::Head) -> Option<http::Request<RequestBody>> {
    let bytes = Bytes::copy_from_slice(&bytes[..head.len]);
    let arrived = super::intake::Arrived { head, bytes };
    request::parse(arrived, HeaderMap::new(), RequestBody::empty()).ok().map(|(request, _)| request)
}

/// Writes a response.
async fn respond<B>(line: &Line, asked: &Asked, parts: &Parts, mut body: Pin<&mut B>) -> Result<(), Failed>
where
    B: Body<Data = Bytes>,
{
    let length = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
    begin(line, asked, parts);
    let last = if line.is_last() { Last::Yes } else { Last::No };
    let mut out = Outgoing::new();
    let (framing, last) = response::write_head(out.end(), asked, parts, length, last)?;
    if last == Last::Yes {
        line.close_after();
    }
    let sent =
        if framing.is_over() { Ok(()) } else { send_body(line, &mut out, framing, body.as_mut()).await };
    // What there is of a response without an end is the client's, too: who sees a used connection close without a byte
    // sends the request again (RFC 9112, section 9.3.1).
    poll_fn(|cx| out.poll_flush(line, cx)).await?;
    sent
}

/// From now on the client has a response, the last one where the client or its request's body want it so.
fn begin(line: &Line, asked: &Asked, parts: &Parts) {
    let switches = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    line.stage.set(if switches { Stage::Switching } else { Stage::Responding });
    // The rest of a body that nobody reads would be taken for the next request.
    if asked.goes_on != GoesOn::Yes || switches || line.is_body_refused() {
        line.close_after();
    }
}

async fn send_body<B>(
    line: &Line,
    out: &mut Outgoing,
    mut framing: Framing,
    mut body: Pin<&mut B>,
) -> Result<(), Failed>
where
    B: Body<Data = Bytes>,
{
    loop {
        let frame = match poll_fn(|cx| next(body.as_mut(), out, cx)).await {
            Next::NotYet => {
                poll_fn(|cx| out.poll_flush(line, cx)).await?;
                continue;
            }
            Next::Broken => return Err(Failed),
            Next::End => return framing.end(None, out),
            Next::Frame(frame) => frame,
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return framing.end(frame.trailers_ref(), out),
        };
        if !out.has_room() {
            // Nor may a body that always has more.
            consume_budget().await;
            poll_fn(|cx| out.poll_flush(line, cx)).await?;
        }
        framing.put(data, out);
        if framing.is_over() || body.is_end_stream() {
            return framing.end(None, out);
        }
    }
}

/// What comes next of a body.
enum Next {
    Frame(Frame<Bytes>),
    End,
    Broken,
    /// Nothing for now, and there is something to write.
    NotYet,
}

fn next<B>(body: Pin<&mut B>, out: &Outgoing, cx: &mut Context<'_>) -> Poll<Next>
where
    B: Body<Data = Bytes>,
{
    match body.poll_frame(cx) {
        Poll::Ready(Some(Ok(frame))) => Poll::Ready(Next::Frame(frame)),
        Poll::Ready(None) => Poll::Ready(Next::End),
        Poll::Ready(Some(Err(_))) => Poll::Ready(Next::Broken),
        Poll::Pending if out.is_empty() => Poll::Pending,
        Poll::Pending => Poll::Ready(Next::NotYet),
    }
}
