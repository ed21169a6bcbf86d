//! The head of an app's response.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use hyper::ext::ReasonPhrase;

use super::coming::Coming;
use super::intake::Intake;
use super::response;
use crate::conn::framing;
use crate::fields::{self, Malformed};

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

/// Takes a head off the bytes that came, when it is complete. `spare` is an empty map, whose memory is used for the
/// headers.
pub(super) fn parse(intake: &mut Intake, spare: &mut HeaderMap, to_head: bool) -> Result<Parsed, Malformed> {
    let bytes = intake.bytes().clone();
    if bytes.len() > MAX_HEAD {
        return Err(Malformed);
    }
    if bytes.is_empty() || !intake.may_be_complete() {
        return Ok(Parsed::Partial);
    }
    let Some((line, at)) = fields::line(&bytes, begin(&bytes)?) else {
        intake.is_partial();
        return Ok(Parsed::Partial);
    };
    let Status { version, code: status, reason } = status_line(&bytes[line])?;
    let is_interim = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
    let mut headers = if is_interim { HeaderMap::new() } else { std::mem::take(spare) };
    let mut facts = Facts::of(version);
    let mut lines = 0;
    let end = fields::read(&bytes, at, |name, value| {
        lines += 1;
        // A 1xx response has no body, whatever it says of one.
        if is_interim || facts.take(&name, &value)? == Use::Kept {
            headers.append(name, value);
        }
        if lines > MAX_LINES { Err(Malformed) } else { Ok(()) }
    })?;
    let Some(end) = end else {
        headers.clear();
        *spare = headers;
        intake.is_partial();
        return Ok(Parsed::Partial);
    };
    intake.take(end);
    if is_interim {
        return Ok(Parsed::Interim(status, headers));
    }
    let mut response = response(status, headers, facts.coming(status, to_head));
    if Some(reason) != status.canonical_reason().map(str::as_bytes) {
        let reason = ReasonPhrase::try_from(reason).map_err(|_| Malformed)?;
        response.extensions_mut().insert(reason);
    }
    Ok(Parsed::Final { response, keep_alive: facts.goes_on(status) })
}

/// Where a head begins: some apps say an empty line more than they should after the message before.
fn begin(bytes: &[u8]) -> Result<usize, Malformed> {
    /// How every response begins: what does not is not waited for to go on.
    const BEGIN: &[u8] = b"HTTP/1.";
    /// Bytes of empty lines. With each that came, those before it would be looked at once more.
    const MAX_EMPTY: usize = 8;
    let at = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let come = BEGIN.len().min(bytes.len() - at);
    if at <= MAX_EMPTY && bytes[at..at + come] == BEGIN[..come] { Ok(at) } else { Err(Malformed) }
}

/// A status line (RFC 9112, section 4).
struct Status<'a> {
    version: Version,
    code: StatusCode,
    /// May be empty, or not be there with the space before it.
    reason: &'a [u8],
}

fn status_line(line: &[u8]) -> Result<Status<'_>, Malformed> {
    let (version, rest) = line.split_first_chunk::<9>().ok_or(Malformed)?;
    let version = match version {
        b"HTTP/1.1 " => Version::Http11,
        b"HTTP/1.0 " => Version::Http10,
        _ => return Err(Malformed),
    };
    let (code, rest) = rest.split_first_chunk::<3>().ok_or(Malformed)?;
    let code = StatusCode::from_bytes(code).map_err(|_| Malformed)?;
    match rest {
        [] => Ok(Status { version, code, reason: rest }),
        [b' ', reason @ ..] => Ok(Status { version, code, reason }),
        _ => Err(Malformed),
    }
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
    fn of(version: Version) -> Self {
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
        // What nearly all say that say anything.
        if value == b"keep-alive" {
            self.keep_alive = !self.says_close;
            return Use::Ours;
        }
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
