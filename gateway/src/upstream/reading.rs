//! A connection to an app that is read to its end, even when it can no longer be written to. An app that answers an
//! upload early and closes (413, 401) makes our writes fail; what it said is still there to be read, and what comes
//! after it says what happened. And its first bytes tell what it speaks.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// See the module.
#[derive(Debug)]
pub(super) struct Reading {
    stream: TcpStream,
    heard: Ear,
}

/// Tells what the first bytes on a connection were, once they are there. Not bound to a thread, because hyper's upgrades
/// are not.
pub(super) type Ear = Arc<OnceLock<Heard>>;

/// What an app's first bytes on a connection were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The beginning of a `SETTINGS` frame, which an HTTP/2 server says first (RFC 9113, section 3.4).
    Settings,
    /// Anything else.
    Other,
}

impl Reading {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, heard: Ear::default() }
    }

    /// Tells what has been heard, also when the connection is somebody else's.
    pub(super) fn heard(&self) -> Ear {
        self.heard.clone()
    }
}

impl Heard {
    /// Length (three bytes, of which the first is 0: it is short) and type.
    pub(super) fn of(first: &[u8]) -> Option<Self> {
        match first {
            [] => None,
            [0] | [0, _] | [0, _, _] | [0, _, _, 4, ..] => Some(Self::Settings),
            _ => Some(Self::Other),
        }
    }
}

impl AsyncRead for Reading {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if self.heard.get().is_none()
            && let Some(heard) = Heard::of(&buf.filled()[before..])
        {
            // Nobody else sets it.
            let _first = self.heard.set(heard);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Reading {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        unless_closed(written, || buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        unless_closed(written, || bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Takes bytes for written that nobody will read: the read that follows tells the end, in the same wake-up.
fn unless_closed(written: Poll<io::Result<usize>>, all: impl Fn() -> usize) -> Poll<io::Result<usize>> {
    match written {
        Poll::Ready(Err(error))
            if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
        {
            Poll::Ready(Ok(all()))
        }
        written => written,
    }
}
