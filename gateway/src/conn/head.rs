//! The raw head of a request, followed line by line as it comes.
//!
//! What is no HTTP at all (control bytes, bad names) is refused when the request is made of it, in `http1`; this scan
//! refuses what would be read differently by others. It costs one `memchr` a line and looks only at the request line and
//! the three headers that say where a request ends and whom it is for.

use memchr::memchr;

use super::violation::Violation;
use super::{framing, target};

/// The sizes that a head must keep to.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// Bytes of the request line.
    pub(super) line: usize,
    /// Bytes in all.
    pub(super) head: usize,
    /// Header lines.
    pub(super) lines: usize,
}

/// How the end of the body is found (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    /// Neither header: no body.
    Nothing,
    Length(u64),
    Chunked,
}

/// The two versions served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

/// A head that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Its bytes, the empty line included.
    pub(super) len: usize,
    /// Those of the method, after which there is a space.
    pub(super) method: usize,
    /// Those up to the end of the target, after which there is the version.
    pub(super) target: usize,
    pub(super) version: Version,
    pub(super) body: Declared,
    /// Its header lines: trailer lines count with them.
    pub(super) lines: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The head goes on.
    Partial,
    Complete(Head),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hosts {
    None,
    One,
}

#[derive(Clone, Copy)]
enum Part {
    RequestLine,
    Fields(RequestLine),
}

/// What stands where in a request line that is right.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RequestLine {
    method: usize,
    target: usize,
    version: Version,
}

/// A scan that goes on where it stopped, so that a head which comes byte by byte costs no more than one that comes at
/// once.
#[derive(Clone, Copy)]
pub(super) struct HeadScan {
    part: Part,
    /// Where the first line not yet complete begins.
    line: usize,
    /// Bytes already searched for the end of that line.
    searched: usize,
    lines: usize,
    body: Declared,
    hosts: Hosts,
}

impl HeadScan {
    pub(super) const fn new() -> Self {
        Self {
            part: Part::RequestLine,
            line: 0,
            searched: 0,
            lines: 0,
            body: Declared::Nothing,
            hosts: Hosts::None,
        }
    }

    /// Goes on with all bytes of the head that have come, those of earlier calls included.
    pub(super) fn follow(&mut self, bytes: &[u8], sizes: Sizes) -> Result<Progress, Violation> {
        // First of all, so that the verdict is the same however much has come.
        if self.searched == 0 && bytes.first().is_some_and(|byte| !is_method_byte(*byte)) {
            return Err(Violation::MalformedHead);
        }
        while let Some(distance) = memchr(b'\n', &bytes[self.searched..]) {
            let end = self.searched + distance;
            let line = &bytes[self.line..end];
            self.line = end + 1;
            self.searched = end + 1;
            if end >= sizes.head {
                return Err(self.too_large(line.len(), sizes));
            }
            match self.part {
                Part::Fields(request) => match *line {
                    // RFC 9112, section 2.2: a single LF may be taken as the end of a line of the head.
                    [] | [b'\r'] => return self.end(request),
                    [first, ..] => self.field(first, line, request.version, sizes)?,
                },
                Part::RequestLine => {
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    self.part = Part::Fields(request_line(line, sizes)?);
                }
            }
        }
        self.searched = bytes.len();
        self.check_unfinished(bytes, sizes)?;
        Ok(Progress::Partial)
    }

    /// What can be refused before its line is complete.
    fn check_unfinished(&self, bytes: &[u8], sizes: Sizes) -> Result<(), Violation> {
        let line = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if matches!(self.part, Part::RequestLine) && line.len() > sizes.line {
            return Err(Violation::RequestLineTooLong);
        }
        if bytes.len() > sizes.head { Err(Violation::HeadTooLarge) } else { Ok(()) }
    }

    fn too_large(&self, line: usize, sizes: Sizes) -> Violation {
        match self.part {
            Part::RequestLine if line > sizes.line => Violation::RequestLineTooLong,
            Part::RequestLine | Part::Fields(_) => Violation::HeadTooLarge,
        }
    }

    #[inline]
    fn field(&mut self, first: u8, line: &[u8], version: Version, sizes: Sizes) -> Result<(), Violation> {
        self.lines += 1;
        if self.lines > sizes.lines {
            return Err(Violation::TooManyHeaderLines);
        }
        match first {
            b' ' | b'\t' => Err(Violation::FoldedHeader),
            b'h' | b'H' => named(line, b"host").map_or(Ok(()), |value| self.host(value)),
            b'c' | b'C' => named(line, b"content-length").map_or(Ok(()), |value| self.length(value)),
            b't' | b'T' => {
                named(line, b"transfer-encoding").map_or(Ok(()), |value| self.encoding(value, version))
            }
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Violation> {
        if !target::is_host(value) {
            return Err(Violation::BadHost);
        }
        match self.hosts {
            Hosts::None => self.hosts = Hosts::One,
            Hosts::One => return Err(Violation::DoubledHost),
        }
        Ok(())
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Violation> {
        match self.body {
            Declared::Nothing => {}
            Declared::Length(_) => return Err(Violation::BadContentLength),
            Declared::Chunked => return Err(Violation::LengthWithTransferEncoding),
        }
        self.body = Declared::Length(framing::length(value).ok_or(Violation::BadContentLength)?);
        Ok(())
    }

    fn encoding(&mut self, value: &[u8], version: Version) -> Result<(), Violation> {
        match self.body {
            Declared::Nothing => {}
            Declared::Length(_) => return Err(Violation::LengthWithTransferEncoding),
            Declared::Chunked => return Err(Violation::BadTransferEncoding),
        }
        if version == Version::Http10 || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Violation::BadTransferEncoding);
        }
        self.body = Declared::Chunked;
        Ok(())
    }

    fn end(&self, RequestLine { method, target, version }: RequestLine) -> Result<Progress, Violation> {
        match (self.hosts, version) {
            (Hosts::None, Version::Http11) => Err(Violation::MissingHost),
            (Hosts::None, Version::Http10) | (Hosts::One, _) => {
                let (len, body, lines) = (self.line, self.body, self.lines);
                Ok(Progress::Complete(Head { len, method, target, version, body, lines }))
            }
        }
    }
}

/// The value of the line, trimmed, if it is of the header with this name, given in lower case.
fn named<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (before, after) = line.split_at_checked(name.len())?;
    let value = after.strip_prefix(b":")?;
    before.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn request_line(line: &[u8], sizes: Sizes) -> Result<RequestLine, Violation> {
    if line.len() > sizes.line {
        return Err(Violation::RequestLineTooLong);
    }
    let method_end = memchr(b' ', line).ok_or(Violation::MalformedHead)?;
    let (method, rest) = line.split_at(method_end);
    let (target, version) = rest[1..].split_last_chunk::<9>().ok_or(Violation::MalformedHead)?;
    let version = match version {
        b" HTTP/1.1" => Version::Http11,
        b" HTTP/1.0" => Version::Http10,
        [b' ', b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Violation::UnsupportedVersion);
        }
        _ => return Err(Violation::MalformedHead),
    };
    if matches!(method, b"TRACE" | b"CONNECT") {
        return Err(Violation::MethodNotAllowed);
    }
    target::check(method, target)?;
    Ok(RequestLine { method: method_end, target: method_end + 1 + target.len(), version })
}

/// Whether a method may begin with this byte: enough to tell a TLS greeting or noise from a request at once.
fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
