//! The head of an app's response.

use std::mem::MaybeUninit;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use hyper::ext::ReasonPhrase;

use super::coming::Coming;
use super::intake::Intake;
use super::response;
use crate::conn::framing;

/// Header lines of a response; more is taken for a malformed one.
const MAX_LINES: usize = 256;
/// Bytes of its head.
const MAX_HEAD: usize = 408 << 10;

/// What the bytes that came are.
#[derive(Debug)]
pub(super) enum Parsed {
    /// A part of a head.
    Partial,
    /// A 1xx response.
    Interim(StatusCode, HeaderMap),
    /// The response.
    Final { response: Response<Coming>, keep_alive: bool },
}

/// It is no HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Takes a head off the bytes that came, when it is complete. `spare` is a map whose memory may be used for the headers:
/// that of the request, once nobody needs it any more.
pub(super) fn parse(intake: &mut Intake, spare: &mut HeaderMap, to_head: bool) -> Result<Parsed, Malformed> {
    let bytes = intake.bytes().clone();
    if bytes.len() > MAX_HEAD {
        return Err(Malformed);
    }
    if bytes.is_empty() || !intake.may_be_complete() {
        return Ok(Parsed::Partial);
    }
    let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
    let mut head = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut head, &bytes, &mut lines);
    let length = match parsed.map_err(|_| Malformed)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => {
            intake.is_partial();
            return Ok(Parsed::Partial);
        }
    };
    intake.take(length);
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed)?;
    let is_interim = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
    let mut headers = if is_interim { HeaderMap::new() } else { std::mem::take(spare) };
    headers.clear();
    let mut facts = Facts::of(head.version);
    for line in head.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| Malformed)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value)).map_err(|_| Malformed)?;
        // A 1xx response has no body, whatever it says of one.
        if is_interim || facts.take(&name, &value)? == Use::Kept {
            headers.append(name, value);
        }
    }
    if is_interim {
        return Ok(Parsed::Interim(status, headers));
    }
    let mut response = response(status, headers, facts.coming(status, to_head));
    if let Some(reason) = head.reason.filter(|reason| Some(*reason) != status.canonical_reason()) {
        let reason = ReasonPhrase::try_from(reason.as_bytes()).map_err(|_| Malformed)?;
        response.extensions_mut().insert(reason);
    }
    Ok(Parsed::Final { response, keep_alive: facts.goes_on(status) })
}

/// Whether a line goes on to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Kept,
    /// It says nothing but how this connection goes on.
    Ours,
}

/// How the body and the connection end, as the head has it (RFC 9112, sections 6.3 and 9.3).
struct Facts {
    version: Version,
    keep_alive: bool,
    says_close: bool,
    length: Option<u64>,
    encoding: Encoding,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// What `Transfer-Encoding` says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Nothing,
    Chunked,
}

impl Facts {
    fn of(minor: Option<u8>) -> Self {
        let version = if minor == Some(1) { Version::Http11 } else { Version::Http10 };
        Self {
            version,
            keep_alive: version == Version::Http11,
            says_close: false,
            length: None,
            encoding: Encoding::Nothing,
        }
    }

    /// What a line says of this; a length that contradicts another line cannot be trusted (RFC 9112, section 6.3).
    fn take(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<Use, Malformed> {
        if *name == header::CONNECTION {
            return Ok(self.connection(value.as_bytes()));
        }
        if *name == header::CONTENT_LENGTH {
            let length = framing::length(value.as_bytes()).ok_or(Malformed)?;
            if self.encoding != Encoding::Nothing || self.length.is_some_and(|before| before != length) {
                return Err(Malformed);
            }
            // Said twice, many clients take it for wrong.
            return Ok(if self.length.replace(length).is_some() { Use::Ours } else { Use::Kept });
        }
        if *name == header::TRANSFER_ENCODING {
            return self.encoding(value.as_bytes());
        }
        Ok(Use::Kept)
    }

    /// We ask for no coding but chunked. Another one would be lost on clients of HTTP/2 and HTTP/1.0, which would take
    /// what is coded for the content.
    fn encoding(&mut self, value: &[u8]) -> Result<Use, Malformed> {
        let first = self.encoding == Encoding::Nothing && self.length.is_none();
        if !first || self.version == Version::Http10 || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Malformed);
        }
        self.encoding = Encoding::Chunked;
        Ok(Use::Ours)
    }

    fn connection(&mut self, value: &[u8]) -> Use {
        let mut options = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let says = |wanted: &[u8]| options.clone().any(|option| option.eq_ignore_ascii_case(wanted));
        // Once a line asks to close, no other undoes it.
        self.says_close |= says(b"close");
        self.keep_alive = !self.says_close && (self.keep_alive || says(b"keep-alive"));
        let plain =
            |option: &[u8]| [&b"close"[..], b"keep-alive"].iter().any(|p| option.eq_ignore_ascii_case(p));
        if options.all(plain) { Use::Ours } else { Use::Kept }
    }

    fn coming(&self, status: StatusCode, to_head: bool) -> Coming {
        let bodiless = [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        if to_head || bodiless.contains(&status) {
            return Coming::Nothing;
        }
        match (self.encoding, self.length) {
            (Encoding::Chunked, _) => Coming::chunked(),
            (Encoding::Nothing, None) => Coming::UntilClosed,
            (Encoding::Nothing, Some(0)) => Coming::Nothing,
            (Encoding::Nothing, Some(length)) => Coming::Length(length),
        }
    }

    /// Whether another response can follow. One that announces a body where none can be (RFC 9110, section 8.6) may send
    /// it, too: that would be read as the next response.
    fn goes_on(&self, status: StatusCode) -> bool {
        let announced = self.encoding != Encoding::Nothing || self.length.is_some_and(|length| length > 0);
        self.keep_alive && !(status == StatusCode::NO_CONTENT && announced)
    }
}
