//! The host that a request is for, and what is kept by patterns of hosts.

use config::model::HostPattern;
use hashbrown::HashMap;
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
    // All of them, at once: a search that ends early takes them one by one.
    if !host.bytes().fold(false, |any, b| any | b.is_ascii_uppercase()) {
        return Some(host);
    }
    let lower = buffer.0.get_mut(..host.len())?;
    lower.copy_from_slice(host.as_bytes());
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).ok()
}

/// The port as the client said it: the one that it reached us at, whatever was before us. `None` for the scheme's own.
pub fn port<B>(request: &Request<B>) -> Option<u16> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match request.uri().host() {
        Some(_) => request.uri().port_u16(),
        None => host.and_then(|host| host.strip_prefix(without_port(host))?.strip_prefix(':')?.parse().ok()),
    }
}

/// Something for each of some patterns. Not by the standard library's hash: every request is looked for, and only what
/// the platform says is kept, so that no client can choose what shares a bucket.
#[derive(Debug)]
pub struct Patterns<T> {
    exact: HashMap<Box<str>, T>,
    wildcard: HashMap<Box<str>, T>,
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), wildcard: HashMap::new() }
    }
}

impl<T> Patterns<T> {
    /// What this very pattern has, or is given now.
    pub fn entry(&mut self, pattern: &HostPattern) -> &mut T
    where
        T: Default,
    {
        let (hosts, host) = match pattern {
            HostPattern::Exact(host) => (&mut self.exact, host),
            HostPattern::Wildcard(suffix) => (&mut self.wildcard, suffix),
        };
        hosts.entry(host.as_str().into()).or_default()
    }

    /// What the pattern has that comes first for a host (lower case, without port): an exact one before a wildcard, a
    /// longer wildcard before shorter ones.
    pub fn find(&self, host: &str) -> Option<&T> {
        self.exact.get(host).or_else(|| self.wildcards(host).next())
    }

    /// What comes first for any host of a pattern. Of a wildcard all there is is looked at.
    pub fn find_for(&self, pattern: &HostPattern) -> impl Iterator<Item = &T> {
        let (first, suffix) = match pattern {
            HostPattern::Exact(host) => (self.find(host.as_str()), None),
            HostPattern::Wildcard(suffix) => {
                let suffix = suffix.as_str();
                (self.wildcard.get(suffix).or_else(|| self.wildcards(suffix).next()), Some(suffix))
            }
        };
        let is_below =
            |host: &str, suffix: &str| host.strip_suffix(suffix).is_some_and(|labels| labels.ends_with('.'));
        let below = suffix.into_iter().flat_map(move |suffix| {
            let all = self.exact.iter().chain(&self.wildcard);
            all.filter(move |(host, _)| is_below(host, suffix)).map(|(_, what)| what)
        });
        first.into_iter().chain(below)
    }

    /// What all wildcards have that a host lies below, the longest first.
    pub fn wildcards(&self, host: &str) -> impl Iterator<Item = &T> {
        let dots = if self.wildcard.is_empty() { &[] } else { host.as_bytes() };
        memchr::memchr_iter(b'.', dots).filter_map(|dot| self.wildcard.get(&host[dot + 1..]))
    }

    /// All there is.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.exact.values_mut().chain(self.wildcard.values_mut())
    }
}

fn without_port(host: &str) -> &str {
    // A port ends with a digit, and may be empty; most hosts end with neither. The colons of an IPv6 literal lie within
    // its brackets.
    match host.as_bytes().last() {
        Some(b'0'..=b'9' | b':') => {
            memchr::memrchr(b':', host.as_bytes()).map_or(host, |colon| &host[..colon])
        }
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn finds_the_port() {
        let cases = [
            ("/", "hello.localhost:8080", Some(8080)),
            ("/", "hello.localhost", None),
            ("/", "hello.localhost:", None),
            ("/", "hello.localhost:x", None),
            ("/", "[::1]:80", Some(80)),
            ("/", "[::1]", None),
            ("http://other.localhost:1/x", "hello.localhost:2", Some(1)),
            ("http://other.localhost/x", "hello.localhost:2", None),
        ];
        for (target, host, expected) in cases {
            let request = Request::get(target).header("host", host).body(()).unwrap();
            assert_eq!(port(&request), expected, "{target} {host}");
        }
    }

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
