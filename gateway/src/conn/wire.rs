//! The socket as hyper sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::line::{Line, Stage};
use super::violation::Violation;

/// hyper's end of a connection.
pub(super) struct Wire(pub(super) Rc<Line>);

impl Wire {
    /// hyper writes before the handler was called only to refuse a head itself; then we do.
    fn is_own_refusal(&self) -> bool {
        let own = self.0.stage.get() == Stage::Handed;
        if own {
            self.0.refuse(Violation::MalformedHead);
        }
        own
    }
}

impl Read for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_intake(cx, &mut buf)
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_own_refusal() {
            return Poll::Pending;
        }
        self.0.poll_send(cx, buf.len(), |stream| stream.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_own_refusal() {
            return Poll::Pending;
        }
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.0.poll_send(cx, len, |stream| stream.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.flushed(cx);
        Poll::Ready(Ok(()))
    }

    /// The socket is closed by `parting`, which lets the client read the answer.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
