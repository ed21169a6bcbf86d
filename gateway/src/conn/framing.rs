//! Where a body ends, and what of its bytes is its own: counted down, or followed through its chunks.

use bytes::Bytes;
use http::HeaderMap;

use super::head::{Declared, Head};
use super::violation::Violation;
use crate::fields::{self, Malformed};

/// Bytes of chunk extensions in one body.
const MAX_EXTENSIONS: usize = 16 << 10;

/// A length in digits alone: a list of lengths or a sign is read differently by others. 18 digits are an exabyte, and
/// cannot overflow.
pub(crate) fn length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
    digits.then(|| value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// What of the body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Nothing: all bytes of the request have come.
    Done,
    /// So many bytes.
    Length(u64),
    Chunked(Chunks),
}

impl Framing {
    /// The framing of the body that follows this head.
    pub(super) fn of(head: &Head, max_lines: usize, max_trailers: usize) -> Self {
        match head.body {
            Declared::Nothing | Declared::Length(0) => Self::Done,
            Declared::Length(length) => Self::Length(length),
            Declared::Chunked => Self::Chunked(Chunks::new(max_lines - head.lines, max_trailers)),
        }
    }

    /// How many bytes may be read without reading past the body; for chunks, only the bytes themselves tell.
    pub(super) fn at_most(&self, room: usize) -> usize {
        match self {
            Self::Done => 0,
            Self::Length(left) => usize::try_from(*left).map_or(room, |left| left.min(room)),
            Self::Chunked(_) => room,
        }
    }

    /// How many of these bytes, the next to come, belong to the body.
    pub(super) fn claim(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        self.receive(bytes, |_| {})
    }

    /// The same; `take` is given what they carry.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(Part<'_>),
    ) -> Result<usize, Violation> {
        let (claimed, ended) = match self {
            Self::Done => (0, true),
            Self::Length(left) => {
                let claimed = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= claimed as u64;
                take(Part::Data(&bytes[..claimed]));
                (claimed, *left == 0)
            }
            Self::Chunked(chunks) => chunks.receive(bytes, take)?,
        };
        if ended {
            *self = Self::Done;
        }
        Ok(claimed)
    }
}

/// What bytes of a body carry, without its framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Data(&'a [u8]),
    /// A byte of the trailer section, the empty line at its end included.
    Trailers(u8),
}

/// Where in a chunked body the next byte stands (RFC 9112, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size {
        digits: u8,
    },
    /// Whitespace between the size and an extension or the line's end.
    SizeSpace,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// The first byte of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

/// A chunked body, followed strictly: every line ends with CRLF and nothing else, in trailers too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    at: At,
    /// Of the size line: the number so far. Of the data: the bytes still to come.
    size: u64,
    /// What may still come.
    extensions: usize,
    trailer_lines: usize,
    trailer_bytes: usize,
}

/// What the next byte of a chunked body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A chunk's framing.
    Size,
    /// One of so many bytes of data.
    Data(u64),
    /// A trailer's, or of the empty line that ends them.
    Trailers,
    /// Not the body's.
    End,
}

impl Chunks {
    /// At the beginning of a body that may have so many trailer lines, of so many bytes in all.
    pub(crate) fn new(trailer_lines: usize, trailer_bytes: usize) -> Self {
        let at = At::Size { digits: 0 };
        Self { at, size: 0, extensions: MAX_EXTENSIONS, trailer_lines, trailer_bytes }
    }

    /// What the next byte is.
    pub(crate) fn place(&self) -> Place {
        match self.at {
            At::Size { .. } | At::SizeSpace | At::Extension | At::SizeLf | At::DataCr | At::DataLf => {
                Place::Size
            }
            At::Data => Place::Data(self.size),
            At::TrailerStart | At::Trailer | At::TrailerLf | At::EndLf => Place::Trailers,
            At::End => Place::End,
        }
    }

    /// Goes over a byte that is no data.
    pub(crate) fn pass(&mut self, byte: u8) -> Result<(), Violation> {
        self.at = self.step(byte)?;
        Ok(())
    }

    /// Goes over so many bytes of data, at most as many as there are.
    pub(crate) fn pass_data(&mut self, count: u64) {
        self.size -= count;
        if self.size == 0 {
            self.at = At::DataCr;
        }
    }

    /// How many bytes belong to the body, and whether it ended with them; `take` is given what they carry.
    fn receive(&mut self, bytes: &[u8], mut take: impl FnMut(Part<'_>)) -> Result<(usize, bool), Violation> {
        let mut index = 0;
        while index < bytes.len() {
            match self.place() {
                Place::Data(length) => {
                    let here = bytes.len() - index;
                    let step = usize::try_from(length).map_or(here, |left| left.min(here));
                    take(Part::Data(&bytes[index..index + step]));
                    index += step;
                    self.pass_data(step as u64);
                    continue;
                }
                Place::Trailers => take(Part::Trailers(bytes[index])),
                Place::Size => {}
                Place::End => return Ok((index, true)),
            }
            self.pass(bytes[index])?;
            index += 1;
        }
        Ok((index, self.at == At::End))
    }

    fn step(&mut self, byte: u8) -> Result<At, Violation> {
        match (self.at, byte) {
            (At::Size { digits }, _) if byte.is_ascii_hexdigit() => self.size_digit(digits, byte),
            (At::Size { digits: 1.. } | At::SizeSpace, b' ' | b'\t') => Ok(At::SizeSpace),
            (At::Size { digits: 1.. } | At::SizeSpace, b';') => Ok(At::Extension),
            (At::Size { digits: 1.. } | At::SizeSpace | At::Extension, b'\r') => Ok(At::SizeLf),
            (At::Extension, b'\t' | b' '..=b'~' | 0x80..) => self.extension_byte(),
            (At::SizeLf, b'\n') if self.size == 0 => Ok(At::TrailerStart),
            (At::SizeLf, b'\n') => Ok(At::Data),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::Size { digits: 0 }),
            (At::TrailerStart, b'\r') => Ok(At::EndLf),
            (At::TrailerStart, b'!'..=b'~') => self.trailer_line(),
            (At::Trailer, b'\r') => Ok(At::TrailerLf),
            (At::Trailer, b'\t' | b' '..=b'~' | 0x80..) => self.trailer_byte(),
            (At::TrailerLf, b'\n') => Ok(At::TrailerStart),
            (At::EndLf, b'\n') => Ok(At::End),
            _ => Err(Violation::MalformedChunk),
        }
    }

    fn size_digit(&mut self, digits: u8, byte: u8) -> Result<At, Violation> {
        // 15 digits cannot overflow, and are more than anybody sends.
        if digits == 15 {
            return Err(Violation::MalformedChunk);
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        self.size = self.size * 16 + u64::from(digit);
        Ok(At::Size { digits: digits + 1 })
    }

    fn extension_byte(&mut self) -> Result<At, Violation> {
        self.extensions = self.extensions.checked_sub(1).ok_or(Violation::MalformedChunk)?;
        Ok(At::Extension)
    }

    fn trailer_line(&mut self) -> Result<At, Violation> {
        self.trailer_lines = self.trailer_lines.checked_sub(1).ok_or(Violation::TooManyHeaderLines)?;
        self.trailer_byte()
    }

    fn trailer_byte(&mut self) -> Result<At, Violation> {
        self.trailer_bytes = self.trailer_bytes.checked_sub(1).ok_or(Violation::HeadTooLarge)?;
        Ok(At::Trailer)
    }
}

/// The trailers of a section that has been followed to its end; `None` if it has none.
pub(crate) fn trailers(section: Vec<u8>) -> Result<Option<HeaderMap>, Malformed> {
    let section = Bytes::from(section);
    let mut trailers = HeaderMap::new();
    let end = fields::read(&section, 0, |name, value| {
        trailers.append(name, value);
        Ok(())
    })?;
    end.map(|_| (!trailers.is_empty()).then_some(trailers)).ok_or(Malformed)
}
