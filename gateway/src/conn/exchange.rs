//! What a handler can do with the connection beside answering.

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Weak;

use http::{HeaderMap, StatusCode};

use super::head::Version;
use super::line::Line;
use super::upgrade::Upgraded;

/// One request and its place on the connection. Cheap to clone; kept beyond the response, it does nothing, and does not
/// keep the socket open.
#[derive(Clone, Debug)]
pub struct Exchange {
    peer: SocketAddr,
    line: Weak<Line>,
    number: u32,
}

impl Exchange {
    pub(super) fn new(peer: SocketAddr, line: Weak<Line>, number: u32) -> Self {
        Self { peer, line, number }
    }

    /// The other end of the socket.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Which request of its connection this is, counted from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Sends a 1xx response before the final one (RFC 9110, section 15.2). It is left out where it cannot be sent: to
    /// HTTP/1.0, after the final response was given, with a status that is not 1xx or is 101, or in the middle of
    /// another write. hyper sends the 100 of `Expect: 100-continue` by itself when the body is first read.
    pub fn interim(&self, status: StatusCode, headers: &HeaderMap) {
        let possible = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
        if let Some(line) = self.line.upgrade()
            && possible
            && line.is_handling(self.number)
            && line.version() == Version::Http11
        {
            line.write_ahead(&raw_head(status, headers));
        }
    }

    /// Makes the response the last of this connection: it gets `Connection: close`.
    pub fn close_after(&self) {
        if let Some(line) = self.line.upgrade()
            && line.is_handling(self.number)
        {
            line.close_after();
        }
    }

    /// What is done with the socket if the response is 101; must be said before it is given. The work is part of the
    /// connection: `serve` returns when it is done.
    pub fn upgrade<F>(&self, tunnel: impl FnOnce(Upgraded) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        if let Some(line) = self.line.upgrade()
            && line.is_handling(self.number)
        {
            line.set_tunnel(Box::new(|client| Box::pin(tunnel(client))));
        }
    }
}

fn raw_head(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut raw = Vec::with_capacity(256);
    raw.extend_from_slice(b"HTTP/1.1 ");
    raw.extend_from_slice(status.as_str().as_bytes());
    raw.push(b' ');
    raw.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    raw.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        raw.extend_from_slice(name.as_str().as_bytes());
        raw.extend_from_slice(b": ");
        raw.extend_from_slice(value.as_bytes());
        raw.extend_from_slice(b"\r\n");
    }
    raw.extend_from_slice(b"\r\n");
    raw
}
