//! A request made of its head, which has been checked raw.
//!
//! What a head says of where its request ends has been read once by then. That both readings saw the same lines is made
//! sure of here: where two disagree about that, requests are smuggled.

use http::header::{self, HeaderMap};
use http::uri::Uri;
use http::{Method, Request};

use crate::conn::body::RequestBody;
use crate::conn::head::{Declared, Head, Version};
use crate::conn::intake::Arrived;
use crate::conn::line::Expects;
use crate::fields::{self, Malformed};
use crate::hop;

/// What the response must know of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) version: Version,
    pub(super) expects: Expects,
    pub(super) goes_on: GoesOn,
    pub(super) is_head: bool,
    pub(super) takes_trailers: bool,
}

/// Whether another request may follow on the connection, as far as the client says (RFC 9112, section 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoesOn {
    Yes,
    No,
    /// It has said so, whatever else it says.
    Never,
}

/// A request with this head and body; `headers` is an empty map, whose memory is used.
pub(super) fn parse(
    Arrived { head, bytes }: Arrived,
    mut headers: HeaderMap,
    body: RequestBody,
) -> Result<(Request<RequestBody>, Asked), Malformed> {
    let mut asked = Asked::of(&head);
    headers.reserve(head.lines);
    let (mut lines, mut framed) = (0, 0);
    let (_, at) = fields::line(&bytes, head.target).ok_or(Malformed)?;
    let end = fields::read(&bytes, at, |name, value| {
        match name {
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING => framed += 1,
            header::CONNECTION => asked.connection(value.as_bytes()),
            header::EXPECT => asked.expect(value.as_bytes(), head.body),
            header::TE => asked.takes_trailers |= hop::mentions(&value, "trailers"),
            _ => {}
        }
        headers.append(name, value);
        lines += 1;
        Ok(())
    })?;
    let same = end == Some(head.len) && lines == head.lines;
    if !same || framed != usize::from(head.body != Declared::Nothing) {
        return Err(Malformed);
    }
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(&bytes[..head.method]).map_err(|_| Malformed)?;
    asked.is_head = *request.method() == Method::HEAD;
    let target = bytes.slice(head.method + 1..head.target);
    *request.uri_mut() = Uri::from_maybe_shared(target).map_err(|_| Malformed)?;
    *request.version_mut() = match head.version {
        Version::Http11 => http::Version::HTTP_11,
        Version::Http10 => http::Version::HTTP_10,
    };
    *request.headers_mut() = headers;
    Ok((request, asked))
}

impl Asked {
    fn of(head: &Head) -> Self {
        Self {
            version: head.version,
            expects: Expects::Nothing,
            goes_on: if head.version == Version::Http11 { GoesOn::Yes } else { GoesOn::No },
            is_head: false,
            takes_trailers: false,
        }
    }

    fn connection(&mut self, value: &[u8]) {
        let says = |wanted: &[u8]| {
            value.split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
        };
        self.goes_on = match self.goes_on {
            _ if says(b"close") => GoesOn::Never,
            GoesOn::No if says(b"keep-alive") => GoesOn::Yes,
            as_before => as_before,
        };
    }

    /// Nobody who speaks HTTP/1.0, or sends no body, is told to go on (RFC 9110, section 10.1.1).
    fn expect(&mut self, value: &[u8], declared: Declared) {
        let has_body = !matches!(declared, Declared::Nothing | Declared::Length(0));
        if self.version == Version::Http11 && has_body && value.eq_ignore_ascii_case(b"100-continue") {
            self.expects = Expects::Continue;
        }
    }
}
