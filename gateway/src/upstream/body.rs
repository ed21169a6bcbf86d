//! A client's body on its way to the app.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName};
use http_body::{Body, Frame, SizeHint};

use super::kept::KeptBody;
use crate::conn;
use crate::hop;

/// The body of a request.
#[derive(Debug)]
pub enum RequestBody {
    /// There is none.
    Empty,
    /// It is read from the client as fast as the app takes it.
    Client(ClientBody),
    /// The same, and what has been read of it is kept for another try.
    Kept(KeptBody),
}

/// A body that is being read.
#[derive(Debug)]
pub struct ClientBody {
    incoming: conn::RequestBody,
    /// How many bytes may still come.
    left: u64,
    /// What the head's `Connection` names.
    named: Box<[HeaderName]>,
    upload: Upload,
}

/// What has become of an upload; shared with whoever answers the request.
#[derive(Clone, Debug, Default)]
pub struct Upload(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    progress: Cell<Progress>,
    /// Bytes that the app has taken.
    moved: Cell<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    #[default]
    Flowing,
    /// The app has all that the client has sent so far.
    Awaited,
    Finished,
    TooLarge,
    ClientFailed,
}

impl Upload {
    /// Whether the app has got all of it.
    pub fn is_finished(&self) -> bool {
        self.0.progress.get() == Progress::Finished
    }

    /// Bytes that the app has taken so far.
    pub fn moved(&self) -> u64 {
        self.0.moved.get()
    }

    /// Whether it is the client's turn to send more of it.
    pub fn is_awaited(&self) -> bool {
        self.0.progress.get() == Progress::Awaited
    }

    /// Whether it was cut off because it was too large.
    pub fn is_too_large(&self) -> bool {
        self.0.progress.get() == Progress::TooLarge
    }

    /// Whether the client broke it off, or sent what is no body.
    pub fn client_failed(&self) -> bool {
        self.0.progress.get() == Progress::ClientFailed
    }
}

impl RequestBody {
    /// A client's body of at most `limit` bytes, behind a head with these headers.
    pub fn new(incoming: conn::RequestBody, headers: &HeaderMap, limit: u64) -> Self {
        if incoming.is_end_stream() {
            return Self::Empty;
        }
        let named = hop::named_by_connection(headers).into();
        Self::Client(ClientBody { incoming, left: limit, named, upload: Upload::default() })
    }

    /// Bytes that wait for somebody to read them; see there.
    pub fn unread(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Client(body) => body.unread(),
            Self::Kept(body) => body.unread(),
        }
    }

    /// What becomes of it, if there is one.
    pub fn upload(&self) -> Option<Upload> {
        match self {
            Self::Empty => None,
            Self::Client(body) => Some(body.upload()),
            Self::Kept(body) => Some(body.upload()),
        }
    }
}

/// Why a body stopped; the request is answered by what [`Upload`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than the tenant may send.
    #[error("the request's body is larger than allowed")]
    TooLarge,
    /// The client left, or its framing was wrong.
    #[error("the client did not finish its request's body")]
    Client,
    /// Another try has it now.
    #[error("the request is being sent once more")]
    Superseded,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Client(body) => body.poll(cx),
            Self::Kept(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client(body) => body.is_end_stream(),
            Self::Kept(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(body) => body.size_hint(),
            Self::Kept(body) => body.size_hint(),
        }
    }
}

impl ClientBody {
    /// See `RequestBody::unread`.
    pub(super) fn unread(&self) -> u64 {
        self.incoming.unread()
    }

    pub(super) fn upload(&self) -> Upload {
        self.upload.clone()
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        let awaited = if polled.is_pending() { Progress::Awaited } else { Progress::Flowing };
        self.upload.0.progress.set(awaited);
        let frame = ready!(polled);
        Poll::Ready(match frame {
            None => {
                self.upload.0.progress.set(Progress::Finished);
                None
            }
            Some(Ok(frame)) => Some(self.pass(frame)),
            Some(Err(_)) => {
                self.upload.0.progress.set(Progress::ClientFailed);
                Some(Err(BodyError::Client))
            }
        })
    }

    fn pass(&mut self, mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        if let Some(data) = frame.data_ref() {
            let length = data.len() as u64;
            if length > self.left {
                self.upload.0.progress.set(Progress::TooLarge);
                return Err(BodyError::TooLarge);
            }
            self.left -= length;
            self.upload.0.moved.set(self.upload.moved() + length);
        }
        if let Some(trailers) = frame.trailers_mut() {
            hop::clean_trailers(trailers, &self.named);
        }
        // Hyper asks `is_end_stream` after the last byte and never polls again.
        if self.incoming.is_end_stream() {
            self.upload.0.progress.set(Progress::Finished);
        }
        Ok(frame)
    }
}
