//! The lines of a head or a trailer section, read strictly (RFC 9112, section 5).
//!
//! What is no token is no name, and no control byte but the tab is in a value: that is for the types of `http` to check.
//! A line ends with CRLF, or with a single LF (section 2.2); one that begins with whitespace has no name.

use std::ops::Range;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use memchr::memchr;

/// What is no head, or no trailer section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Gives each header of the lines that begin there to `take`, until the empty line, behind which is what is returned;
/// `None` if that has not come.
///
/// # Errors
/// If a line is no header, or `take` says so.
#[inline]
pub(crate) fn read(
    bytes: &Bytes,
    mut at: usize,
    mut take: impl FnMut(HeaderName, HeaderValue) -> Result<(), Malformed>,
) -> Result<Option<usize>, Malformed> {
    while let Some((line, next)) = line(bytes, at) {
        if line.is_empty() {
            return Ok(Some(next));
        }
        let (text, place) = split(bytes, line)?;
        take(name(&bytes[text])?, value(bytes, place)?)?;
        at = next;
    }
    Ok(None)
}

/// Where the line that begins there ends, and where the next one begins; `None` if its end has not come.
#[inline]
pub(crate) fn line(bytes: &[u8], start: usize) -> Option<(Range<usize>, usize)> {
    let end = start + memchr(b'\n', bytes.get(start..)?)?;
    let without_cr = if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end };
    Some((start..without_cr, end + 1))
}

/// Where the name of the header in this line is, and where its value is, without the whitespace around that.
#[inline]
fn split(bytes: &[u8], line: Range<usize>) -> Result<(Range<usize>, Range<usize>), Malformed> {
    let text = &bytes[line.clone()];
    // Names are short: a search that needs no preparation is the faster one.
    let colon = text.iter().position(|byte| *byte == b':').ok_or(Malformed)?;
    let (mut begin, mut value) = (line.start + colon + 1, &text[colon + 1..]);
    while let [b' ' | b'\t', rest @ ..] = value {
        begin += 1;
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    Ok((line.start..line.start + colon, begin..begin + value.len()))
}

/// The value that is there.
#[inline]
fn value(bytes: &Bytes, place: Range<usize>) -> Result<HeaderValue, Malformed> {
    HeaderValue::from_maybe_shared(bytes.slice(place)).map_err(|_| Malformed)
}

/// The name; those that are in most messages, as they are usually spelt, are found without reading them byte by byte.
#[inline]
fn name(text: &[u8]) -> Result<HeaderName, Malformed> {
    Ok(match text {
        b"accept" | b"Accept" => header::ACCEPT,
        b"accept-encoding" | b"Accept-Encoding" => header::ACCEPT_ENCODING,
        b"accept-language" | b"Accept-Language" => header::ACCEPT_LANGUAGE,
        b"authorization" | b"Authorization" => header::AUTHORIZATION,
        b"cache-control" | b"Cache-Control" => header::CACHE_CONTROL,
        b"connection" | b"Connection" => header::CONNECTION,
        b"content-length" | b"Content-Length" => header::CONTENT_LENGTH,
        b"content-type" | b"Content-Type" => header::CONTENT_TYPE,
        b"cookie" | b"Cookie" => header::COOKIE,
        b"date" | b"Date" => header::DATE,
        b"etag" | b"ETag" => header::ETAG,
        b"host" | b"Host" => header::HOST,
        b"origin" | b"Origin" => header::ORIGIN,
        b"referer" | b"Referer" => header::REFERER,
        b"server" | b"Server" => header::SERVER,
        b"set-cookie" | b"Set-Cookie" => header::SET_COOKIE,
        b"user-agent" | b"User-Agent" => header::USER_AGENT,
        b"vary" | b"Vary" => header::VARY,
        other => HeaderName::from_bytes(other).map_err(|_| Malformed)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_oneof};
    use proptest::sample::select;
    use proptest::strategy::Strategy;

    use super::*;

    type Section = (Vec<(String, Vec<u8>)>, usize);

    /// All headers up to the empty line, and where that ends; `None` is malformed or unfinished.
    fn ours(bytes: &Bytes) -> Option<Section> {
        let mut fields = Vec::new();
        let end = read(bytes, 0, |name, value| {
            fields.push((name.as_str().to_owned(), value.as_bytes().to_vec()));
            Ok(())
        });
        end.ok().flatten().map(|end| (fields, end))
    }

    fn theirs(bytes: &[u8]) -> Option<Section> {
        let mut lines = [httparse::EMPTY_HEADER; 64];
        match httparse::parse_headers(bytes, &mut lines).ok()? {
            httparse::Status::Partial => None,
            httparse::Status::Complete((end, lines)) => {
                let fields = lines.iter().map(|line| (line.name.to_ascii_lowercase(), line.value.to_vec()));
                Some((fields.collect(), end))
            }
        }
    }

    #[test]
    fn it_is_what_httparse_reads_and_nothing_else() {
        let piece = prop_oneof![
            vec(any::<u8>(), 1..4),
            select(vec![
                "Host: a", "a", "A-b", "x:y", ":", ": ", " ", "\t", "\r\n", "\r\n", "\n", "\r", "\0",
                "\u{7f}", "é", ",",
            ])
            .prop_map(|text| text.as_bytes().to_vec()),
        ];
        let section = (vec(piece, 0..24), select(vec!["\r\n\r\n", "\n\n", "\r\n", ""]))
            .prop_map(|(pieces, end)| [&pieces.concat(), end.as_bytes()].concat());
        proptest::proptest!(|(section in section)| {
            let bytes = Bytes::from(section);
            proptest::prop_assert_eq!(ours(&bytes), theirs(&bytes));
        });
    }
}
