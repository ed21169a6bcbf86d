//! The request's body as the handler reads it.

use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::line::Line;

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

/// A request's body. Nothing of it is read from the socket before it is first polled; who does not want it drops it.
pub struct RequestBody {
    incoming: Incoming,
    line: Weak<Line>,
    number: u32,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, line: Weak<Line>, number: u32) -> Self {
        Self { incoming, line, number }
    }

    fn note(&self, appetite: Appetite) {
        if let Some(line) = self.line.upgrade() {
            line.note_appetite(self.number, appetite);
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.incoming).poll_frame(cx);
        self.note(if frame.is_pending() { Appetite::Hungry } else { Appetite::Fed });
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.incoming.is_end_stream() {
            self.note(Appetite::Over);
        }
    }
}

impl std::fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestBody").field("incoming", &self.incoming).field("number", &self.number).finish()
    }
}
