//! The head of a response, and where its body ends.

use std::cell::RefCell;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::response::Parts;
use hyper::ext::ReasonPhrase;

use super::Failed;
use super::outgoing::Outgoing;
use super::request::Asked;
use crate::conn::{framing, head};
use crate::forward::write_line;
use crate::hop;

/// Where the body of a response ends (RFC 9112, section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes more.
    Length(u64),
    /// At its last chunk, which may carry these trailers: those that the head names, to a client that takes any.
    Chunked(Vec<HeaderName>),
    /// With the connection.
    UntilClosed,
}

/// Whether another response may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    Yes,
    No,
}

/// Writes the head of a response whose body has this length, if that is known. Where the body ends, and whether that is
/// the last response: it is if it was to be, says so, or ends with the connection.
///
/// # Errors
/// If the response contradicts itself, or is none: a 1xx that is not 101 goes out ahead of one.
pub(super) fn write_head(
    head: &mut Vec<u8>,
    asked: &Asked,
    parts: &Parts,
    length: Option<u64>,
    last: Last,
) -> Result<(Framing, Last), Failed> {
    if parts.status.is_informational() && parts.status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failed);
    }
    write_status(head, asked, parts);
    let mut seen = Seen::default();
    for (name, value) in &parts.headers {
        if seen.passes(parts.status, name, value)? {
            write_line(name, value, head);
        }
    }
    let framing = write_framing(head, asked, parts, length, seen.length)?;
    if seen.trailer && matches!(framing, Framing::Chunked(_)) {
        parts
            .headers
            .get_all(header::TRAILER)
            .iter()
            .for_each(|names| write_line(&header::TRAILER, names, head));
    }
    let last = if seen.close || framing == Framing::UntilClosed { Last::Yes } else { last };
    match (last, asked.version) {
        _ if parts.status == StatusCode::SWITCHING_PROTOCOLS => {}
        (Last::Yes, _) => head.extend_from_slice(b"connection: close\r\n"),
        (Last::No, head::Version::Http10) => head.extend_from_slice(b"connection: keep-alive\r\n"),
        (Last::No, head::Version::Http11) => {}
    }
    if !seen.date {
        write_date(head);
    }
    head.extend_from_slice(b"\r\n");
    Ok((framing, last))
}

fn write_status(head: &mut Vec<u8>, asked: &Asked, parts: &Parts) {
    let reason = parts.extensions.get::<ReasonPhrase>();
    if asked.version == head::Version::Http11 && parts.status == StatusCode::OK && reason.is_none() {
        return head.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    head.extend_from_slice(match asked.version {
        head::Version::Http11 => b"HTTP/1.1 ",
        head::Version::Http10 => b"HTTP/1.0 ",
    });
    head.extend_from_slice(parts.status.as_str().as_bytes());
    head.push(b' ');
    // Many parsers want a reason.
    let canonical = parts.status.canonical_reason().unwrap_or("<none>");
    head.extend_from_slice(reason.map_or(canonical.as_bytes(), ReasonPhrase::as_bytes));
    head.extend_from_slice(b"\r\n");
}

/// What the headers of a response say that is not for the client as it stands there.
#[derive(Default)]
struct Seen<'a> {
    length: Option<&'a HeaderValue>,
    trailer: bool,
    date: bool,
    close: bool,
}

impl<'a> Seen<'a> {
    /// Whether a header goes out as it is.
    fn passes(
        &mut self,
        status: StatusCode,
        name: &HeaderName,
        value: &'a HeaderValue,
    ) -> Result<bool, Failed> {
        match *name {
            header::CONTENT_LENGTH => match self.length.replace(value) {
                Some(before) if before != value => Err(Failed),
                Some(_) | None => Ok(false),
            },
            header::TRAILER => {
                self.trailer = true;
                Ok(false)
            }
            header::DATE => {
                self.date = true;
                Ok(true)
            }
            // How a body ends, and whether the connection goes on, is ours to say.
            header::TRANSFER_ENCODING => Ok(false),
            header::CONNECTION => {
                self.close |= hop::mentions(value, "close");
                Ok(status == StatusCode::SWITCHING_PROTOCOLS)
            }
            _ => Ok(true),
        }
    }
}

/// What the head says of where the body ends, and where it does. `declared` is what the response says itself.
fn write_framing(
    head: &mut Vec<u8>,
    asked: &Asked,
    parts: &Parts,
    length: Option<u64>,
    declared: Option<&HeaderValue>,
) -> Result<Framing, Failed> {
    let bodiless = parts.status.is_informational()
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    match (length, declared) {
        // What a GET would get (RFC 9110, section 8.6).
        (_, Some(declared)) if asked.is_head => {
            write_line(&header::CONTENT_LENGTH, declared, head);
            Ok(Framing::Length(0))
        }
        (Some(length @ 1..), None) if asked.is_head && !bodiless => {
            write_length(head, length);
            Ok(Framing::Length(0))
        }
        _ if asked.is_head || bodiless => Ok(Framing::Length(0)),
        (Some(length), _) => {
            write_length(head, length);
            Ok(Framing::Length(length))
        }
        (None, Some(declared)) => {
            write_line(&header::CONTENT_LENGTH, declared, head);
            framing::length(declared.as_bytes()).map(Framing::Length).ok_or(Failed)
        }
        (None, None) if asked.version == head::Version::Http11 => {
            head.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Ok(Framing::Chunked(if asked.takes_trailers { named(&parts.headers) } else { Vec::new() }))
        }
        (None, None) => Ok(Framing::UntilClosed),
    }
}

/// The trailers that a head announces, but for those that would change what the message is, to whoever merges them into
/// the headers (RFC 9110, section 6.5.1).
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let changes = [
        header::CACHE_CONTROL,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        header::MAX_FORWARDS,
        header::SET_COOKIE,
        header::TRANSFER_ENCODING,
    ];
    let values = headers.get_all(header::TRAILER).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok());
    names.filter(|name| !changes.contains(name)).collect()
}

fn write_length(head: &mut Vec<u8>, length: u64) {
    // Twenty digits are the largest number.
    let (mut digits, mut at, mut left) = ([0; 20], 20, length);
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    head.extend_from_slice(b"content-length: ");
    head.extend_from_slice(&digits[at..]);
    head.extend_from_slice(b"\r\n");
}

thread_local! {
    /// The second of the last date, and its text.
    static DATE: RefCell<(u64, String)> = RefCell::default();
}

/// RFC 9110, section 6.6.1: who has a clock says when it answers, if the app does not.
fn write_date(head: &mut Vec<u8>) {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|(written, date)| {
        if *written != second {
            (*written, *date) = (second, httpdate::fmt_http_date(now));
        }
        head.extend_from_slice(b"date: ");
        head.extend_from_slice(date.as_bytes());
        head.extend_from_slice(b"\r\n");
    });
}

impl Framing {
    /// Whether all of the body has gone out.
    pub(super) fn is_over(&self) -> bool {
        *self == Self::Length(0)
    }

    /// Adds a piece of the body. What is more than the head promised is left out.
    pub(super) fn put(&mut self, mut data: Bytes, out: &mut Outgoing) {
        match self {
            Self::Length(left) => {
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
                out.put(data, b"");
            }
            // An empty chunk is the end.
            Self::Chunked(_) if data.is_empty() => {}
            Self::Chunked(_) => {
                // A vector takes whatever is written.
                let _written = write!(out.end(), "{:x}\r\n", data.len());
                out.put(data, b"\r\n");
            }
            Self::UntilClosed => out.put(data, b""),
        }
    }

    /// Adds the end of the body.
    ///
    /// # Errors
    /// If that is less than the head promised.
    pub(super) fn end(self, trailers: Option<&HeaderMap>, out: &mut Outgoing) -> Result<(), Failed> {
        match self {
            Self::Length(0) | Self::UntilClosed => Ok(()),
            Self::Length(_) => Err(Failed),
            Self::Chunked(named) => {
                let end = out.end();
                end.extend_from_slice(b"0\r\n");
                let trailers = trailers.into_iter().flatten().filter(|(name, _)| named.contains(name));
                trailers.for_each(|(name, value)| write_line(name, value, end));
                end.extend_from_slice(b"\r\n");
                Ok(())
            }
        }
    }
}
