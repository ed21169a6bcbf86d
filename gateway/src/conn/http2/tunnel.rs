//! A stream that is no longer HTTP: a WebSocket (RFC 8441).

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::stream::Stream;
use super::timer::Timer;

/// See the module. The stream counts as open until this is dropped.
pub(in crate::conn) struct Tunnelled {
    client: TokioIo<Upgraded>,
    stream: Rc<Stream>,
    taking: Taking,
    timer: Timer,
}

/// Whether the client takes what is written.
enum Taking {
    Freely,
    /// It takes nothing, and is cut off at this time.
    Nothing(Instant),
}

impl Tunnelled {
    pub(super) fn new(client: Upgraded, stream: Rc<Stream>) -> Self {
        Self { client: TokioIo::new(client), stream, taking: Taking::Freely, timer: Timer::default() }
    }

    /// A client whose window stays shut would keep its app awake for ever.
    fn poll_stalled<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let until = match self.taking {
            Taking::Freely => Instant::now() + self.stream.streams.limits().write_timeout,
            Taking::Nothing(until) => until,
        };
        self.taking = Taking::Nothing(until);
        self.timer.poll_until(until, cx).map(|()| {
            self.stream.stalled();
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

impl Drop for Tunnelled {
    fn drop(&mut self) {
        self.stream.finish();
    }
}

impl AsyncRead for Tunnelled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tunnelled {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.client).poll_write(cx, buf);
        let Poll::Ready(outcome) = written else { return self.poll_stalled(cx) };
        self.taking = Taking::Freely;
        self.stream.streams.accompany(buf.len());
        Poll::Ready(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_shutdown(cx)
    }
}
