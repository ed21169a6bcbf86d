//! Frames in, frames out: clients that keep to the rules, and some that do not.

mod attacks;
mod clocks;
mod exchanges;
mod raw;
mod refusals;
mod tunnels;

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::task::spawn_local;

use super::support::{Server, soon};

/// A client that keeps to the rules.
pub(super) async fn connect(server: &Server) -> SendRequest<Bytes> {
    let client = server.connect().await;
    let mut builder = h2::client::Builder::new();
    builder.initial_connection_window_size(1 << 20).initial_window_size(1 << 16);
    let (sender, connection) = soon(builder.handshake(client.0)).await.unwrap();
    spawn_local(async move {
        // How it ends is told to the streams on it.
        let _ended = connection.await;
    });
    soon(sender.ready()).await.unwrap()
}

pub(super) fn get(path: &str) -> Request<()> {
    Request::get(format!("http://a{path}")).body(()).unwrap()
}

pub(super) fn post(path: &str) -> Request<()> {
    Request::post(format!("http://a{path}")).body(()).unwrap()
}

/// Begins a request that has a body.
pub(super) fn begin(
    sender: &mut SendRequest<Bytes>,
    request: Request<()>,
) -> (ResponseFuture, SendStream<Bytes>) {
    sender.send_request(request, false).unwrap()
}

/// Sends a request that has none.
pub(super) async fn ask(sender: &mut SendRequest<Bytes>, request: Request<()>) -> Response<String> {
    let (response, _) = sender.send_request(request, true).unwrap();
    read(response).await
}

pub(super) async fn read(response: ResponseFuture) -> Response<String> {
    let (parts, mut body) = soon(response).await.unwrap().into_parts();
    Response::from_parts(parts, text(&mut body).await)
}

pub(super) async fn text(body: &mut RecvStream) -> String {
    let mut all = Vec::new();
    while let Some(data) = soon(body.data()).await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    String::from_utf8(all).unwrap()
}

/// The next bytes of a body.
pub(super) async fn piece(body: &mut RecvStream) -> Bytes {
    soon(body.data()).await.expect("more").unwrap()
}

/// Sends as much as the windows allow.
pub(super) async fn fill(body: &mut SendStream<Bytes>, length: usize) {
    body.reserve_capacity(length);
    let mut left = length;
    while left > 0 {
        let room = soon(poll_fn(|cx| body.poll_capacity(cx))).await.unwrap().unwrap().min(left);
        body.send_data(vec![b'x'; room].into(), false).unwrap();
        left -= room;
    }
}

pub(super) fn trailers(lines: usize) -> HeaderMap {
    let name = |number: usize| http::HeaderName::try_from(format!("x-{number}")).unwrap();
    (0..lines).map(|number| (name(number), http::HeaderValue::from_static("1"))).collect()
}
