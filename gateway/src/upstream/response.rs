//! The body of an app's response, over whatever it came.

use std::error::Error;
use std::fmt;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http_body::{Frame, SizeHint};

use super::http1::{Broken, Coming};
use super::{Carrier, Tunnel};

/// The body of a response.
#[derive(Debug)]
pub enum ResponseBody {
    /// Over HTTP/1.1.
    Http1(Coming),
    /// Over HTTP/2.
    Http2(RecvStream),
    /// None: the stream has become something else.
    Tunnel(Box<Tunnel>),
}

/// A response that ended before its end.
#[derive(Debug)]
pub struct BrokenOff {
    /// Boxed, because there is room for it in every response.
    reset: Box<h2::Error>,
}

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the app broke its response off")
    }
}

impl Error for BrokenOff {
    /// A client's connection over HTTP/2 looks here for what to reset the stream with.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.reset)
    }
}

impl BrokenOff {
    fn with(reason: Reason) -> Self {
        Self { reset: Box::new(reason.into()) }
    }
}

impl From<h2::Error> for BrokenOff {
    /// Whoever cancels a call says so. Nothing else is the client's to know: what is wrong on our connection with the app
    /// is not wrong on the client's; `NO_ERROR` would make the response look whole, and `REFUSED_STREAM` as if it had not
    /// been processed.
    fn from(error: h2::Error) -> Self {
        let cancelled = error.is_reset() && error.is_remote() && error.reason() == Some(Reason::CANCEL);
        Self::with(if cancelled { Reason::CANCEL } else { Reason::INTERNAL_ERROR })
    }
}

impl From<Broken> for BrokenOff {
    fn from(_: Broken) -> Self {
        Self::with(Reason::INTERNAL_ERROR)
    }
}

impl ResponseBody {
    /// The next part of it, from what it is carried on.
    pub fn poll(
        &mut self,
        carrier: &mut Carrier,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match (self, carrier) {
            (Self::Http1(coming), Carrier::Http1(connection)) => {
                coming.poll(&mut connection.line, cx).map(|frame| frame.map(|frame| Ok(frame?)))
            }
            // A connection that is no longer HTTP carries nothing more.
            (Self::Http1(_), Carrier::Http2(_) | Carrier::Tunnel) | (Self::Tunnel(_), _) => Poll::Ready(None),
            (Self::Http2(stream), _) => poll_stream(stream, cx).map(|frame| frame.map(|frame| Ok(frame?))),
        }
    }

    /// Whether nothing more is to come.
    pub fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(coming) => coming.is_end(),
            Self::Http2(stream) => stream.is_end_stream(),
            Self::Tunnel(_) => true,
        }
    }

    /// How much is to come.
    pub fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(coming) => coming.size_hint(),
            Self::Http2(stream) if stream.is_end_stream() => SizeHint::with_exact(0),
            Self::Http2(_) => SizeHint::default(),
            Self::Tunnel(_) => SizeHint::with_exact(0),
        }
    }
}

/// hyper's own body over HTTP/2 takes a stream that was reset with `NO_ERROR` for one that has ended: a client would see a
/// cut response as a whole one.
fn poll_stream(
    stream: &mut RecvStream,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
    Poll::Ready(match ready!(stream.poll_data(cx)) {
        Some(Ok(data)) => {
            // What is taken is as good as sent: whoever polls has room for it.
            let released = stream.flow_control().release_capacity(data.len());
            Some(released.map(|()| Frame::data(data)))
        }
        Some(Err(error)) => Some(Err(error)),
        None => ready!(stream.poll_trailers(cx)).map(|trailers| trailers.map(Frame::trailers)).transpose(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_reason_is_found_where_hyper_looks_for_it() {
        let broken = BrokenOff::with(Reason::CANCEL);
        let source = broken.source().unwrap().downcast_ref::<h2::Error>();
        assert_eq!(source.unwrap().reason(), Some(Reason::CANCEL));
    }
}
