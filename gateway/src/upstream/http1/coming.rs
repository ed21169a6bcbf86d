//! An app's body as it comes.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::Line;
use super::chunked::{Chunked, Decoded};

/// What of the body is still to come.
#[derive(Debug, PartialEq, Eq)]
pub enum Coming {
    /// Nothing.
    Nothing,
    /// So many bytes.
    Length(u64),
    /// Chunks, and perhaps trailers.
    Chunked(Box<Chunked>),
    /// All until the app closes.
    UntilClosed,
}

/// The app broke its body off, or its chunks made no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the app broke its response off")]
pub struct Broken;

impl Coming {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Box::default())
    }

    /// Whether nothing is to come.
    pub fn is_end(&self) -> bool {
        *self == Self::Nothing
    }

    /// How many bytes are to come.
    pub fn size_hint(&self) -> SizeHint {
        match self {
            Self::Nothing => SizeHint::with_exact(0),
            Self::Length(left) => SizeHint::with_exact(*left),
            Self::Chunked(_) | Self::UntilClosed => SizeHint::default(),
        }
    }

    /// The next part of it.
    pub fn poll(
        &mut self,
        line: &mut Line,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if self.is_end() {
                return Poll::Ready(None);
            }
            if !line.intake.is_empty() {
                match self.next(line) {
                    Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                    Ok(None) => continue,
                    Err(broken) => return Poll::Ready(Some(Err(broken))),
                }
            }
            match ready!(line.intake.poll_fill(&line.socket, cx)) {
                Ok(1..) => {}
                // Ours is the end of a connection on which the request's body could not be sent to its end.
                Ok(0) if *self == Self::UntilClosed && !line.sending.has_failed() => *self = Self::Nothing,
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Broken))),
            }
        }
    }

    /// Of the bytes that are there.
    fn next(&mut self, line: &mut Line) -> Result<Option<Frame<Bytes>>, Broken> {
        let here = line.intake.bytes().len();
        match self {
            Self::Nothing => Ok(None),
            Self::UntilClosed => Ok(Some(Frame::data(line.intake.take(here)))),
            Self::Length(left) => {
                let count = usize::try_from(*left).map_or(here, |left| left.min(here));
                *left -= count as u64;
                if *left == 0 {
                    *self = Self::Nothing;
                }
                Ok(Some(Frame::data(line.intake.take(count))))
            }
            Self::Chunked(chunked) => Ok(match chunked.decode(&mut line.intake)? {
                Decoded::More => None,
                Decoded::Data(data) => Some(Frame::data(data)),
                Decoded::End(trailers) => {
                    *self = Self::Nothing;
                    trailers.map(Frame::trailers)
                }
            }),
        }
    }
}
