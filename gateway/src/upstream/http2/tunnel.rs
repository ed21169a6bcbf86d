//! WebSockets over HTTP/2 (RFC 8441), for clients that asked for one as HTTP/1.1 does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Lost, Stream, head, head_of, place};
use crate::upstream::{Answered, Carrier, Failed, Fault, RequestBody, ResponseBody, Target, patiently};
use crate::{hop, websocket};

/// Asks for a WebSocket and waits for the answer; where that is yes, it is made the 101 that the client waits for.
pub(in crate::upstream) async fn open(
    target: &Target<'_>,
    request: Request<RequestBody>,
) -> Result<Answered, Failed> {
    let stream = match place(target).await {
        Ok(stream) => stream,
        Err(fault) => return Err(Failed::unsent(fault, request)),
    };
    if !stream.sender().is_extended_connect_protocol_enabled() {
        return Err(Failed::lost(Fault::NoWebSocket));
    }
    let (parts, _none) = request.into_parts();
    let mut connect = head::of(&parts);
    let key = hand_shake(&mut connect);
    match patiently(target.response_timeout, None, ask(target, &stream, connect)).await {
        Some(Ok((response, upload))) => {
            let response = answer(response, upload, key);
            Ok(Answered { response, connection: Carrier::Http2(stream) })
        }
        Some(Err(error)) => Err(Failed::lost(match Lost::from(error) {
            Lost::NotProcessed | Lost::Ended => Fault::Reset,
            Lost::Broken(fault) => fault,
        })),
        None => Err(Failed::lost(Fault::Timeout)),
    }
}

/// Makes the handshake of HTTP/1.1 that of HTTP/2 (section 5); returns the client's key, which that one has no use for.
fn hand_shake(request: &mut Request<()>) -> Option<HeaderValue> {
    *request.method_mut() = Method::CONNECT;
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    let headers = request.headers_mut();
    headers.remove(header::CONNECTION);
    headers.remove(header::UPGRADE);
    headers.remove(&websocket::KEY)
}

async fn ask(
    target: &Target<'_>,
    stream: &Stream,
    connect: Request<()>,
) -> Result<(Response<RecvStream>, SendStream<Bytes>), h2::Error> {
    let mut sender = stream.sender();
    std::future::poll_fn(|cx| sender.poll_ready(cx)).await?;
    let (response, upload) = sender.send_request(connect, false)?;
    Ok((head_of(response, target.client).await?, upload))
}

fn answer(
    response: Response<RecvStream>,
    upload: SendStream<Bytes>,
    key: Option<HeaderValue>,
) -> Response<ResponseBody> {
    if !response.status().is_success() {
        return response.map(ResponseBody::Http2);
    }
    let mut response = response
        .map(|download| ResponseBody::Tunnel(Box::new(Tunnel { upload, download, unread: Bytes::new() })));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    accept(response.headers_mut(), key);
    response
}

fn accept(headers: &mut HeaderMap, key: Option<HeaderValue>) {
    headers.remove(header::CONTENT_LENGTH);
    hop::ask_websocket(headers);
    let proof = key.and_then(|key| HeaderValue::try_from(websocket::accept(key.as_bytes())).ok());
    if let Some(proof) = proof {
        headers.insert(&websocket::ACCEPT, proof);
    }
}

/// A stream whose bytes are no longer HTTP. Dropping it before both ends are reached resets it.
#[derive(Debug)]
pub struct Tunnel {
    upload: SendStream<Bytes>,
    download: RecvStream,
    /// Of the last piece that came.
    unread: Bytes,
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.download.poll_data(cx)) {
                Some(Ok(data)) => self.unread = data,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..count]);
        self.unread.advance(count);
        let released = self.download.flow_control().release_capacity(count);
        Poll::Ready(released.map_err(io::Error::other))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.upload.reserve_capacity(buf.len());
        let room = match ready!(self.upload.poll_capacity(cx)) {
            Some(room) => room.map_err(io::Error::other)?.min(buf.len()),
            None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        };
        let sent = self.upload.send_data(Bytes::copy_from_slice(&buf[..room]), false);
        Poll::Ready(sent.map(|()| room).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.upload.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}
