//! The body of a request over HTTP/2.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::stream::Stream;
use super::timer::Timer;
use crate::conn::body::BodyError;
use crate::conn::clocks::patience;
use crate::conn::violation::Violation;

/// See the module. A stream whose body is still read is open, also after its response.
#[derive(Debug)]
pub(in crate::conn) struct StreamBody {
    incoming: Incoming,
    stream: Rc<Stream>,
    appetite: Appetite,
    timer: Timer,
}

/// What the application does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Appetite {
    /// It has not asked, or has bytes to go on with; so long it may wait for the next ones.
    Fed(Duration),
    /// It waits for bytes until then.
    Hungry(Instant),
    /// It is a call: its client speaks when it has something to say, like one of a WebSocket.
    Unhurried,
}

impl StreamBody {
    pub(super) fn new(incoming: Incoming, stream: Rc<Stream>, is_call: bool) -> Self {
        let appetite = match is_call {
            true => Appetite::Unhurried,
            false => Appetite::Fed(stream.streams.limits().body_rate_after),
        };
        Self { incoming, stream, appetite, timer: Timer::default() }
    }

    pub(in crate::conn) fn incoming(&self) -> &Incoming {
        &self.incoming
    }

    /// See `RequestBody::unread`.
    pub(in crate::conn) fn unread(&self) -> u64 {
        let window = u64::from(self.stream.streams.limits().stream_window);
        match self.incoming.size_hint().upper() {
            _ if self.incoming.is_end_stream() => 0,
            Some(length) => length.min(window),
            None => window,
        }
    }

    pub(in crate::conn) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            ready!(self.poll_too_slow(cx));
            return Poll::Ready(Some(Err(self.refuse(Violation::BodyTooSlow))));
        };
        Poll::Ready(match frame {
            // hyper takes a reset with NO_ERROR for the end; but a client has nothing to say so for.
            None if !self.incoming.is_end_stream() => Some(Err(BodyError::Unfinished)),
            None => None,
            Some(Err(error)) => Some(Err(error.into())),
            Some(Ok(frame)) => Some(self.admit(frame)),
        })
    }

    fn admit(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        let limits = self.stream.streams.limits();
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let fed = |left| Appetite::Fed(patience(left, bytes, limits));
        self.appetite = match self.appetite {
            Appetite::Fed(left) => fed(left),
            Appetite::Hungry(until) => fed(until.saturating_duration_since(Instant::now())),
            Appetite::Unhurried => Appetite::Unhurried,
        };
        let trailers = frame.trailers_ref().map_or(0, http::HeaderMap::len);
        if self.stream.lines + trailers > limits.max_header_lines {
            return Err(self.refuse(Violation::TooManyHeaderLines));
        }
        Ok(frame)
    }

    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = match self.appetite {
            Appetite::Fed(left) => Instant::now() + left,
            Appetite::Hungry(until) => until,
            Appetite::Unhurried => return Poll::Pending,
        };
        self.appetite = Appetite::Hungry(until);
        self.timer.poll_until(until, cx)
    }

    fn refuse(&self, violation: Violation) -> BodyError {
        self.stream.refuse(violation);
        BodyError::Refused(violation)
    }
}
