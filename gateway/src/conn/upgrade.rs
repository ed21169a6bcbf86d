//! What a connection is after a 101: bytes that are no longer HTTP. Over HTTP/2, those of one stream.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::http2::Tunnelled;
use super::line::Line;

/// The client's end, from the first byte after its upgrade request. Dropping it closes the socket, or the stream.
pub struct Upgraded(Kind);

enum Kind {
    Socket(Socket),
    Stream(Tunnelled),
}

/// A connection that was HTTP/1.1.
struct Socket {
    line: Rc<Line>,
    /// What came together with the request.
    early: BytesMut,
}

impl Upgraded {
    pub(super) fn of_line(line: Rc<Line>) -> Self {
        let early = line.intake.borrow_mut().take_held();
        Self(Kind::Socket(Socket { line, early }))
    }

    pub(super) fn of_stream(stream: Tunnelled) -> Self {
        Self(Kind::Stream(stream))
    }
}

impl Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            let count = ready!(self.line.poll_receive(cx, buf.initialize_unfilled()))?;
            buf.advance(count);
        } else {
            let count = self.early.len().min(buf.remaining());
            buf.put_slice(&self.early[..count]);
            self.early.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    fn shutdown(&self) -> io::Result<()> {
        match SockRef::from(&self.line.stream).shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Socket(socket) => socket.poll_read(cx, buf),
            Kind::Stream(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Socket(socket) => socket.line.poll_send(cx, buf.len(), |stream| stream.try_write(buf)),
            Kind::Stream(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Socket(socket) => {
                let len = bufs.iter().map(|buf| buf.len()).sum();
                socket.line.poll_send(cx, len, |stream| stream.try_write_vectored(bufs))
            }
            Kind::Stream(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Socket(_) => true,
            Kind::Stream(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Socket(_) => Poll::Ready(Ok(())),
            Kind::Stream(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Socket(socket) => Poll::Ready(socket.shutdown()),
            Kind::Stream(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
