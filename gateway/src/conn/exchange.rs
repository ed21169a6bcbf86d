//! What a handler can do with the connection beside answering.

use std::future::Future;
use std::rc::{Rc, Weak};

use http::{HeaderMap, StatusCode};

use super::head::Version;
use super::http2::Stream;
use super::line::Line;
use super::upgrade::Upgraded;

/// One request and its place on the connection. Cheap to clone; kept beyond the response, it does nothing, and does not
/// keep the socket open.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Which request of its connection this is, counted from 1.
    number: u32,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Http1(Weak<Line>),
    Http2(Weak<Stream>),
}

impl Exchange {
    pub(super) fn of_line(line: Weak<Line>, number: u32) -> Self {
        Self { number, way: Way::Http1(line) }
    }

    pub(super) fn of_stream(stream: Weak<Stream>, number: u32) -> Self {
        Self { number, way: Way::Http2(stream) }
    }

    /// A request that nobody waits for.
    #[cfg(test)]
    pub(crate) fn of_nobody() -> Self {
        Self::of_line(Weak::new(), 0)
    }

    /// Sends a 1xx response before the final one (RFC 9110, section 15.2). It is left out where it cannot be sent: to
    /// HTTP/1.0, over HTTP/2 (hyper has no way to), after the final response was given, with a status that is not 1xx
    /// or is 101, or in the middle of another write. The 100 of `Expect: 100-continue` is sent when the body is
    /// first read.
    pub fn interim(&self, status: StatusCode, headers: &HeaderMap) {
        let possible = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
        if let Some(line) = self.line()
            && possible
            && line.version() == Version::Http11
        {
            line.write_ahead(&raw_head(status, headers));
        }
    }

    /// Makes the response the last of this connection: it gets `Connection: close`. Over HTTP/2 the client is told to
    /// begin no other (GOAWAY), and what is open goes on.
    pub fn close_after(&self) {
        if let Some(line) = self.line() {
            line.close_after();
        }
        if let Some(stream) = self.stream() {
            stream.close_after();
        }
    }

    /// What is done with the socket if the response is 101; must be said before it is given. The work is part of the
    /// connection: `serve` returns when it is done. Over HTTP/2 it is the stream, and the client is told 200 (RFC 8441,
    /// section 5).
    pub fn upgrade<F>(&self, tunnel: impl FnOnce(Upgraded) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        if let Some(line) = self.line() {
            line.set_tunnel(Box::new(|client| Box::pin(tunnel(client))));
        } else if let Some(stream) = self.stream() {
            stream.set_tunnel(Box::new(|client| Box::pin(tunnel(client))));
        }
    }

    /// Whether these headers of a 101 are the proof that the WebSocket which was asked for is meant. Over HTTP/1.1 the
    /// client looks itself; over HTTP/2 it has no key that an app could answer to, so it was ours (RFC 8441, section 5).
    pub fn is_accepted_by(&self, headers: &HeaderMap) -> bool {
        match &self.way {
            Way::Http1(_) => true,
            Way::Http2(stream) => stream.upgrade().is_some_and(|stream| stream.is_accepted_by(headers)),
        }
    }

    /// The connection, as long as the request is handled on it.
    fn line(&self) -> Option<Rc<Line>> {
        match &self.way {
            Way::Http1(line) => line.upgrade().filter(|line| line.is_handling(self.number)),
            Way::Http2(_) => None,
        }
    }

    fn stream(&self) -> Option<Rc<Stream>> {
        match &self.way {
            Way::Http1(_) => None,
            Way::Http2(stream) => stream.upgrade(),
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
