//! The request target: what must not be in it (RFC 9112, section 3.2), and `..` that leads above the root.

use super::violation::Violation;

/// What a byte may be, as bits, so that a target is checked with one look at a table for each byte.
///
/// Spaces, control bytes, and the `#` of a fragment, which is never sent.
const NEVER: u8 = 1;
/// `.` and `%`: at the begin of a segment, these may make a dot segment.
const DOT: u8 = 2;
/// `/`, before the begin of a segment.
const SLASH: u8 = 4;
/// May be in a host's name.
const NAME: u8 = 8;

static BITS: [u8; 256] = bits();

const fn bits() -> [u8; 256] {
    let mut bits = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        bits[byte as usize] = match byte {
            0..=b' ' | 0x7f | b'#' => NEVER,
            b'.' => DOT | NAME,
            b'%' => DOT,
            b'/' => SLASH,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => NAME,
            _ => 0,
        };
        byte += 1;
    }
    bits
}

/// Checks the target of a request with this method.
pub(super) fn check(method: &[u8], target: &[u8]) -> Result<(), Violation> {
    let (mut seen, mut segments_with_dot, mut before) = (0, 0, 0);
    for byte in target {
        let bits = BITS[usize::from(*byte)];
        seen |= bits;
        segments_with_dot |= bits & DOT & (before / SLASH * DOT);
        before = bits;
    }
    if seen & NEVER != 0 {
        return Err(Violation::BadTarget);
    }
    let path = match target {
        [b'/', ..] => target,
        b"*" if method == b"OPTIONS" => return Ok(()),
        _ => path_of_absolute_form(target)?,
    };
    if segments_with_dot != 0 && leads_above_root(path) { Err(Violation::AboveRoot) } else { Ok(()) }
}

/// The path, with query, of `http://host/path` (RFC 9112, section 3.2.2).
fn path_of_absolute_form(target: &[u8]) -> Result<&[u8], Violation> {
    let scheme_end = target.iter().position(|&byte| byte == b':').ok_or(Violation::BadTarget)?;
    let (scheme, rest) = target.split_at(scheme_end);
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    let rest = rest.strip_prefix(b"://").filter(|_| known).ok_or(Violation::BadTarget)?;
    let authority_end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    if is_host(authority) { Ok(path) } else { Err(Violation::BadTarget) }
}

/// Whether some `..` of the path has nothing before it to remove. Empty segments do not count as something, because
/// many servers merge slashes.
fn leads_above_root(path: &[u8]) -> bool {
    let path = path.split(|&byte| byte == b'?').next().unwrap_or_default();
    let mut depth = 0_u32;
    for segment in path.split(|&byte| byte == b'/') {
        match dots_only(segment) {
            None => depth += 1,
            Some(0 | 1) => {}
            Some(2) => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return true,
            },
            Some(_) => depth += 1,
        }
    }
    false
}

/// How many dots, plain or as `%2e`, the segment has, if it has nothing else.
fn dots_only(mut segment: &[u8]) -> Option<u32> {
    let mut dots = 0;
    loop {
        segment = match segment {
            [] => return Some(dots),
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return None,
        };
        dots += 1;
    }
}

/// Whether this is `uri-host [ ":" port ]` (RFC 9110, section 7.2) of a host that can exist: a name of letters, digits,
/// `-`, `.`, `_`, or an address.
pub(super) fn is_host(value: &[u8]) -> bool {
    let (host_is_right, port) = match value {
        [b'[', rest @ ..] => match rest.iter().position(|&byte| byte == b']') {
            Some(end) => (is_address_v6(&rest[..end]), &rest[end + 1..]),
            None => return false,
        },
        _ => {
            let end =
                value.iter().position(|byte| BITS[usize::from(*byte)] & NAME == 0).unwrap_or(value.len());
            (end > 0, &value[end..])
        }
    };
    host_is_right && is_port(port)
}

fn is_address_v6(inside: &[u8]) -> bool {
    std::str::from_utf8(inside).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_port(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{check, is_host};
    use crate::conn::Violation;

    #[test]
    fn targets() {
        for good in
            ["/", "/a/../b", "/a/b/../../", "/..a", "/a/...", "/?x=/../..", "http://h/a", "https://h:1?x"]
        {
            assert_eq!(check(b"GET", good.as_bytes()), Ok(()), "{good}");
        }
        for above in ["/..", "/../a", "/a/../..", "/%2e%2e/", "/.%2E", "/a//../..", "/./..", "http://h/../x"]
        {
            assert_eq!(check(b"GET", above.as_bytes()), Err(Violation::AboveRoot), "{above}");
        }
        for bad in
            ["", "*", "a", "/a b", "/\t", "/\x7f", "/a#b", "ftp://h/", "http:/h", "http://u@h/", "http:///"]
        {
            assert_eq!(check(b"GET", bad.as_bytes()), Err(Violation::BadTarget), "{bad:?}");
        }
        assert_eq!(check(b"OPTIONS", b"*"), Ok(()));
    }

    #[test]
    fn hosts() {
        for good in ["a", "a.b", "a-b_c.d:80", "127.0.0.1:8080", "[::1]", "[::1]:80", "a:"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in
            ["", ":80", "a b", "a,b", "a/b", "u@h", "[::1", "[x]", "[]", "a:b", "a:1:2", "a:123456", "[::1]x"]
        {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
