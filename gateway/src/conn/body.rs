//! The request's body as the handler reads it.

use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::head::Declared;
use super::http2::StreamBody;
use super::line::Line;
use super::violation::Violation;

/// A request's body. Nothing of it is read from the socket before it is first polled (over HTTP/2: no more than
/// `stream_window`); who does not want it drops it.
#[derive(Debug)]
pub struct RequestBody(Kind);

#[derive(Debug)]
enum Kind {
    /// There is none, over HTTP/1.1.
    Empty,
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
    /// The client left, or took its request back.
    #[error("the client did not end its request")]
    Unfinished,
    /// The client broke a rule: the request is answered, or its response cut, for it.
    #[error("the client's body was refused: {}", .0.code())]
    Refused(Violation),
}

/// The body of a request over HTTP/1.1.
struct LineBody {
    line: Weak<Line>,
    /// Which request of the connection it is of.
    number: u32,
    left: Left,
}

/// What of a body is still to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// So many bytes.
    Length(u64),
    /// Chunks, and perhaps trailers.
    Chunks,
}

impl RequestBody {
    /// The body of the request with this number, as its head declares it.
    pub(super) fn of_line(line: &Rc<Line>, number: u32, declared: Declared) -> Self {
        let left = match declared {
            Declared::Nothing | Declared::Length(0) => return Self(Kind::Empty),
            Declared::Length(length) => Left::Length(length),
            Declared::Chunked => Left::Chunks,
        };
        Self(Kind::Http1(LineBody { line: Rc::downgrade(line), number, left }))
    }

    #[cfg(test)]
    pub(super) fn empty() -> Self {
        Self(Kind::Empty)
    }

    pub(super) fn of_stream(body: StreamBody) -> Self {
        Self(Kind::Http2(Box::new(body)))
    }

    /// Bytes of it that the client may send, and we keep, before anybody reads it. Over HTTP/1.1 none: they wait in the
    /// kernel.
    pub fn unread(&self) -> u64 {
        match &self.0 {
            Kind::Empty | Kind::Http1(_) => 0,
            Kind::Http2(body) => body.unread(),
        }
    }
}

impl LineBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(line) = self.line.upgrade().filter(|line| line.is_at(self.number)) else {
            return Poll::Ready((!self.is_end()).then_some(Err(BodyError::Unfinished)));
        };
        let frame = ready!(line.poll_body_of_request(cx));
        match (&mut self.left, &frame) {
            (Left::Length(left), Some(Ok(frame))) => {
                *left -= frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            (Left::Chunks, None) => self.left = Left::Length(0),
            (Left::Chunks, Some(Ok(frame))) if frame.is_trailers() => self.left = Left::Length(0),
            (Left::Length(_), None | Some(Err(_))) | (Left::Chunks, Some(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end(&self) -> bool {
        self.left == Left::Length(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Left::Length(left) => SizeHint::with_exact(left),
            Left::Chunks => SizeHint::default(),
        }
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
            Kind::Empty => Poll::Ready(None),
            Kind::Http1(body) => body.poll(cx),
            Kind::Http2(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Http1(body) => body.is_end(),
            Kind::Http2(body) => body.incoming().is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Http1(body) => body.size_hint(),
            Kind::Http2(body) => body.incoming().size_hint(),
        }
    }
}

impl Drop for LineBody {
    fn drop(&mut self) {
        if !self.is_end()
            && let Some(line) = self.line.upgrade()
        {
            line.body_unwanted(self.number);
        }
    }
}

impl std::fmt::Debug for LineBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineBody").field("number", &self.number).field("left", &self.left).finish()
    }
}
