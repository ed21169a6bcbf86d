//! What a response carries: bytes of ours, or an app's body as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::delivery::{Delivery, Ending};
use crate::hop;
use crate::upstream::{BrokenOff, ResponseBody};

/// The body of a response.
#[derive(Debug)]
pub enum Body {
    /// Ours: whole, or already sent.
    Own(Option<Bytes>),
    /// Ours, with trailers after it.
    OwnWithTrailers(std::vec::IntoIter<Frame<Bytes>>),
    /// Ours, piece by piece.
    Events(mpsc::Receiver<Bytes>),
    /// An app's.
    App(AppBody),
}

/// An app's body, and all that goes on until its end.
#[derive(Debug)]
pub struct AppBody {
    incoming: ResponseBody,
    delivery: Delivery,
    /// What the head's `Connection` names.
    named: Box<[HeaderName]>,
    /// The app's fault, until what came before it has been written.
    fault: Option<BrokenOff>,
}

impl AppBody {
    /// Passes on a body without trailers that are `named`; `delivery` learns how it ends.
    pub fn new(incoming: ResponseBody, named: Vec<HeaderName>, mut delivery: Delivery) -> Self {
        // Hyper does not poll a body that has already ended.
        if incoming.is_end_stream() {
            delivery.end(Ending::Complete);
        }
        Self { incoming, delivery, named: named.into(), fault: None }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Own(Some(bytes))
    }
}

impl Body {
    /// One piece of ours, and what follows it.
    pub fn with_trailers(piece: Bytes, trailers: HeaderMap) -> Self {
        Self::OwnWithTrailers(vec![Frame::data(piece), Frame::trailers(trailers)].into_iter())
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::OwnWithTrailers(frames) => Poll::Ready(frames.next().map(Ok)),
            Self::Events(pieces) => {
                pieces.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
            }
            Self::App(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::OwnWithTrailers(frames) => frames.as_slice().is_empty(),
            Self::Events(_) => false,
            Self::App(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            // A length would leave no room for trailers over HTTP/1.1 (RFC 9112, section 7.1.2).
            Self::OwnWithTrailers(_) => SizeHint::default(),
            Self::Events(_) => SizeHint::default(),
            Self::App(body) => body.incoming.size_hint(),
        }
    }
}

impl AppBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        let Some(carrier) = self.delivery.carrier() else { return Poll::Ready(None) };
        let frame = ready!(self.incoming.poll(carrier, cx));
        Poll::Ready(match frame {
            None => {
                self.delivery.end(Ending::Complete);
                None
            }
            Some(Ok(mut frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    hop::clean_trailers(trailers, &self.named);
                }
                if self.incoming.is_end_stream() {
                    self.delivery.end(Ending::Complete);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                // The client's connection is broken off for it: a cut response must be seen as cut. But not before what
                // came is out: a client that sees a used connection close without a byte sends its request again, even
                // a POST (RFC 9112, section 9.3.1). Hyper flushes while we are not ready.
                self.delivery.end(Ending::AppBrokeOff);
                self.fault = Some(error);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        })
    }
}
