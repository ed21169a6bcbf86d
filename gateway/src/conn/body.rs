//! The request's body as the handler reads it.

use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::http2::StreamBody;
use super::line::Line;
use super::violation::Violation;

/// What the application does with the request's body. hyper would read the first of it unasked; a request that is held
/// must wait unread, and not be called too slow for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appetite {
    /// It has not asked for it yet: nothing is read.
    Unasked,
    /// It waits for bytes.
    Hungry,
    /// It has bytes to go on with.
    Fed,
    /// It wants no more of it.
    Over,
}

/// A request's body. Nothing of it is read from the socket before it is first polled (over HTTP/2: no more than
/// `stream_window`); who does not want it drops it.
#[derive(Debug)]
pub struct RequestBody(Kind);

#[derive(Debug)]
enum Kind {
    Http1(LineBody),
    /// Boxed, so that it makes no room in connections of HTTP/1.1.
    Http2(Box<StreamBody>),
}

/// Why a body has no end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client left, or its framing was wrong.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// The client took its request back.
    #[error("the client reset its stream")]
    Unfinished,
    /// The client broke a rule: the request is answered, or its response cut, for it.
    #[error("the client's body was refused: {}", .0.code())]
    Refused(Violation),
}

/// The body of a request over HTTP/1.1.
struct LineBody {
    incoming: Incoming,
    line: Weak<Line>,
    number: u32,
}

impl RequestBody {
    pub(super) fn of_line(incoming: Incoming, line: Weak<Line>, number: u32) -> Self {
        Self(Kind::Http1(LineBody { incoming, line, number }))
    }

    pub(super) fn of_stream(body: StreamBody) -> Self {
        Self(Kind::Http2(Box::new(body)))
    }

    /// Bytes of it that the client may send, and we keep, before anybody reads it. Over HTTP/1.1 none: they wait in the
    /// kernel.
    pub fn unread(&self) -> u64 {
        match &self.0 {
            Kind::Http1(_) => 0,
            Kind::Http2(body) => body.unread(),
        }
    }
}

impl LineBody {
    fn note(&self, appetite: Appetite) {
        if let Some(line) = self.line.upgrade() {
            line.note_appetite(self.number, appetite);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.incoming).poll_frame(cx);
        self.note(if frame.is_pending() { Appetite::Hungry } else { Appetite::Fed });
        frame.map_err(BodyError::Broken)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().0 {
            Kind::Http1(body) => body.poll(cx),
            Kind::Http2(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Http1(body) => body.incoming.is_end_stream(),
            Kind::Http2(body) => body.incoming().is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Http1(body) => body.incoming.size_hint(),
            Kind::Http2(body) => body.incoming().size_hint(),
        }
    }
}

impl Drop for LineBody {
    fn drop(&mut self) {
        if !self.incoming.is_end_stream() {
            self.note(Appetite::Over);
        }
    }
}

impl std::fmt::Debug for LineBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineBody").field("incoming", &self.incoming).field("number", &self.number).finish()
    }
}
