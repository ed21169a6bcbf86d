//! The host that a request is for.

use http::{Request, header};

/// Room for a host in lower case: no DNS name is longer (RFC 1035, section 2.3.4).
#[derive(Debug)]
pub struct Buffer([u8; 255]);

impl Default for Buffer {
    fn default() -> Self {
        Self([0; 255])
    }
}

/// The host in lower case, without port and without the dot of an absolute name. An absolute target comes before
/// the `Host` header (RFC 9112, section 3.2.2). `None` where there is none, or one that is too long to be anybody's.
pub fn of<'a, B>(request: &'a Request<B>, buffer: &'a mut Buffer) -> Option<&'a str> {
    let host = match request.uri().host() {
        Some(host) => host,
        None => without_port(request.headers().get(header::HOST)?.to_str().ok()?),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if !host.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some(host);
    }
    let lower = buffer.0.get_mut(..host.len())?;
    lower.copy_from_slice(host.as_bytes());
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).ok()
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        // The colons of an IPv6 literal lie within its brackets.
        Some(colon) if !host.ends_with(']') => &host[..colon],
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn finds_the_host() {
        let cases = [
            ("/", "hello.localhost:8080", Some("hello.localhost")),
            ("/", "HELLO.Localhost.", Some("hello.localhost")),
            ("/", "[::1]:80", Some("[::1]")),
            ("/", "[::1]", Some("[::1]")),
            ("http://Other.localhost:1/x", "hello.localhost", Some("other.localhost")),
            ("/", "", Some("")),
        ];
        for (target, host, expected) in cases {
            let request = Request::get(target).header("host", host).body(()).unwrap();
            assert_eq!(of(&request, &mut Buffer::default()), expected, "{target} {host}");
        }
        let nobody = format!("{}.X", "a".repeat(300));
        let request = Request::get("/").header("host", nobody).body(()).unwrap();
        assert_eq!(of(&request, &mut Buffer::default()), None);
        assert_eq!(of(&Request::get("/").body(()).unwrap(), &mut Buffer::default()), None);
    }
}
