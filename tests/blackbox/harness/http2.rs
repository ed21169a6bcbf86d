//! A client of HTTP/2, with prior knowledge.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::message::{Answer, Request};
use super::wait::{PATIENCE, within};

/// A connection. Dropping it closes it, whatever is under way.
#[derive(Debug)]
pub(crate) struct Http2 {
    sender: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A request whose answer has not been read.
pub(crate) struct Asked {
    /// Its answer.
    pub(crate) answer: ResponseFuture,
    /// The rest of its body.
    pub(crate) body: SendStream<Bytes>,
}

impl Http2 {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket that is connected");
        let mut builder = h2::client::Builder::new();
        builder.initial_connection_window_size(16 << 20).initial_window_size(1 << 20);
        let (sender, connection) = builder.handshake(stream).await.expect("HTTP/2");
        Self { sender, connection: tokio::spawn(connection) }
    }

    /// Sends a request, and of its body what the windows allow.
    pub(crate) async fn send(&mut self, request: &Request) -> Asked {
        let content = request.content();
        let mut asked = self.put(request.head2().body(()).expect("a request"), content.is_empty()).await;
        if !content.is_empty() {
            asked.fill(content, true).await;
        }
        asked
    }

    /// Sends the head of a request that has a body.
    pub(crate) async fn begin(&mut self, request: &Request) -> Asked {
        self.put(request.head2().body(()).expect("a request"), false).await
    }

    /// Asks for a WebSocket (RFC 8441).
    pub(crate) async fn websocket(&mut self, request: &Request) -> Asked {
        // Whether it may is in the server's settings.
        within(PATIENCE, "extended CONNECT", async {
            while !self.sender.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let head = request.head2().method("CONNECT").extension(Protocol::from_static("websocket"));
        self.put(head.body(()).expect("a request"), false).await
    }

    async fn put(&mut self, head: http::Request<()>, end: bool) -> Asked {
        let ready = poll_fn(|cx| self.sender.poll_ready(cx));
        within(PATIENCE, "room for a stream", ready).await.expect("a connection that is open");
        let (answer, body) = self.sender.send_request(head, end).expect("a request that may be sent");
        Asked { answer, body }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn ask(&mut self, request: &Request) -> Answer {
        self.send(request).await.read().await
    }

    /// Waits until the server has closed it.
    pub(crate) async fn closed(mut self) -> Result<(), h2::Error> {
        within(PATIENCE, "the end of the connection", &mut self.connection).await.expect("no panic")
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Asked {
    /// Sends these bytes, when there is room for them.
    pub(crate) async fn fill(&mut self, bytes: &[u8], end: bool) {
        fill(&mut self.body, bytes, end).await;
    }

    /// Sends the whole body and reads the whole answer, at once: see [`super::wire::Wire::converse`].
    pub(crate) async fn converse(mut self, content: &[u8]) -> Answer {
        let ((), answer) = tokio::join!(fill(&mut self.body, content, true), read(self.answer));
        answer.expect("a whole answer")
    }

    /// Reads the whole answer.
    pub(crate) async fn read(self) -> Answer {
        self.try_read().await.expect("a whole answer")
    }

    /// The same where it may be cut.
    pub(crate) async fn try_read(self) -> Result<Answer, h2::Error> {
        read(self.answer).await
    }

    /// The bytes in both directions once the answer is 200.
    pub(crate) async fn tunnel(self) -> Tunnel {
        let answer = within(PATIENCE, "an answer", self.answer).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{answer:?}");
        Tunnel { up: self.body, down: answer.into_body(), rest: Bytes::new() }
    }
}

async fn fill(body: &mut SendStream<Bytes>, mut bytes: &[u8], end: bool) {
    while !bytes.is_empty() {
        body.reserve_capacity(bytes.len());
        let room = within(PATIENCE, "a window", poll_fn(|cx| body.poll_capacity(cx))).await;
        let room = room.expect("a stream that is open").expect("a window");
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        body.send_data(Bytes::copy_from_slice(now), false).expect("a stream that is open");
        bytes = later;
    }
    if end {
        body.send_data(Bytes::new(), true).expect("a stream that is open");
    }
}

async fn read(answer: ResponseFuture) -> Result<Answer, h2::Error> {
    let (parts, mut body) = within(PATIENCE, "an answer", answer).await?.into_parts();
    let mut all = Vec::new();
    while let Some(data) = within(PATIENCE, "a body", body.data()).await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    Ok(Answer {
        interim: Vec::new(),
        status: parts.status.as_u16(),
        headers: lines(&parts.headers),
        body: all,
        trailers: lines(&trailers),
    })
}

fn lines(headers: &HeaderMap) -> Vec<(String, String)> {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(line).collect()
}

/// A stream of bytes.
pub(crate) struct Tunnel {
    up: SendStream<Bytes>,
    down: RecvStream,
    rest: Bytes,
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.down.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Some(Ok(data)) => {
                    self.down.flow_control().release_capacity(data.len()).map_err(io::Error::other)?;
                    self.rest = data;
                }
            }
        }
        let count = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.up.reserve_capacity(buf.len());
        let Some(room) = ready!(self.up.poll_capacity(cx)) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let count = room.map_err(io::Error::other)?.min(buf.len());
        self.up.send_data(Bytes::copy_from_slice(&buf[..count]), false).map_err(io::Error::other)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.up.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}
