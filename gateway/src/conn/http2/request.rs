//! The head of a request over HTTP/2: refused for what it would be refused for over HTTP/1.1, and made what the handler
//! knows. What is malformed in the sense of RFC 9113, section 8.1.1 (connection-specific headers, pseudo-headers that are
//! missing or twice there), the `h2` crate has refused before, with a reset of the stream.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::settings::Gateway;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Version};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;

use crate::conn::violation::Violation;
use crate::conn::{framing, target};
use crate::websocket::{self, ACCEPT, KEY};

static VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");

/// What a request asks for.
#[derive(Debug)]
pub(super) enum Asked {
    /// A response.
    Response,
    /// A response without a body.
    Head,
    /// To be a WebSocket from then on (RFC 8441).
    WebSocket { stream: OnUpgrade, proof: Proof },
}

impl Asked {
    /// What the app must say to it.
    pub(super) fn proof(&self) -> Option<&Proof> {
        match self {
            Self::Response | Self::Head => None,
            Self::WebSocket { proof, .. } => Some(proof),
        }
    }
}

/// What the app must say to the key that it was sent (RFC 6455, section 4.2.2): that it has understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proof(String);

impl Proof {
    fn of(key: &str) -> Self {
        Self(websocket::accept(key.as_bytes()))
    }

    /// Whether these headers have it.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        headers.get(&ACCEPT).is_some_and(|accept| accept == self.0.as_str())
    }
}

/// Checks a request, and makes it what it would be over HTTP/1.1 where the handler would not know the difference.
pub(super) fn take(request: &mut Request<Incoming>, limits: &Gateway) -> Result<Asked, Violation> {
    check(request, limits)?;
    join_cookies(request.headers_mut());
    if request.method() == Method::CONNECT {
        return web_socket(request);
    }
    Ok(if request.method() == Method::HEAD { Asked::Head } else { Asked::Response })
}

fn check<B>(request: &Request<B>, limits: &Gateway) -> Result<(), Violation> {
    let headers = request.headers();
    if headers.len() > limits.max_header_lines {
        return Err(Violation::TooManyHeaderLines);
    }
    let is_tunnel = request.extensions().get::<Protocol>().is_some();
    if request.method() == Method::TRACE || (request.method() == Method::CONNECT && !is_tunnel) {
        return Err(Violation::MethodNotAllowed);
    }
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    if target.len() > limits.max_request_line {
        return Err(Violation::RequestLineTooLong);
    }
    // A path is one (RFC 9113, section 8.3.1), not the absolute form of a proxy's client.
    if !target.starts_with(['/', '*']) {
        return Err(Violation::BadTarget);
    }
    target::check(request.method().as_str().as_bytes(), target.as_bytes())?;
    check_host(request)?;
    check_length(headers)
}

/// Two equal ones are no fault to `h2`, nor is an empty one, which it takes for 0; over HTTP/1.1 others would read them
/// otherwise.
fn check_length(headers: &HeaderMap) -> Result<(), Violation> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(()),
        (Some(length), None) if framing::length(length.as_bytes()).is_some() => Ok(()),
        (Some(_), _) => Err(Violation::BadContentLength),
    }
}

/// One host, named by `:authority`, `Host`, or both.
fn check_host<B>(request: &Request<B>) -> Result<(), Violation> {
    let mut hosts = request.headers().get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    let (host, other) = (hosts.next(), hosts.next());
    if other.is_some() {
        return Err(Violation::DoubledHost);
    }
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    if [authority, host].into_iter().flatten().any(|named| !target::is_host(named)) {
        return Err(Violation::BadHost);
    }
    match (authority, host) {
        (None, None) => Err(Violation::MissingHost),
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            Err(Violation::DifferingHost)
        }
        (Some(_), Some(_) | None) | (None, Some(_)) => Ok(()),
    }
}

/// A client may send cookies one by one, to compress them better; over HTTP/1.1 there is one line (RFC 9113,
/// section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Made of what is right in a value, it is right.
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Makes an extended CONNECT the request that an app of HTTP/1.1 knows (RFC 8441, section 5; RFC 6455, section 4.1).
fn web_socket(request: &mut Request<Incoming>) -> Result<Asked, Violation> {
    let protocol = request.extensions_mut().remove::<Protocol>();
    if !protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket")) {
        return Err(Violation::UnknownProtocol);
    }
    let stream = hyper::upgrade::on(&mut *request);
    let key = STANDARD.encode(fastrand::u128(..).to_ne_bytes());
    let proof = Proof::of(&key);
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.entry(&VERSION).or_insert(HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::from_str(&key) {
        headers.insert(&KEY, key);
    }
    Ok(Asked::WebSocket { stream, proof })
}

/// Takes off a 101 what has no meaning over HTTP/2 (RFC 8441, section 5).
pub(super) fn remove_handshake(headers: &mut HeaderMap) {
    for name in [&header::CONNECTION, &header::UPGRADE, &ACCEPT, &header::CONTENT_LENGTH] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn checked(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<(), Violation> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap(), &Gateway::default())
    }

    #[test]
    fn a_request_needs_one_host() {
        let host = |host| ("host", host);
        for (uri, headers, expected) in [
            ("http://a/", vec![], Ok(())),
            ("/", vec![host("a:80")], Ok(())),
            ("http://A.b/", vec![host("a.B")], Ok(())),
            ("http://a/", vec![host("b")], Err(Violation::DifferingHost)),
            ("http://a/", vec![host("a:80")], Err(Violation::DifferingHost)),
            ("/", vec![], Err(Violation::MissingHost)),
            ("/", vec![host("a"), host("a")], Err(Violation::DoubledHost)),
            ("http://u@a/", vec![], Err(Violation::BadHost)),
            ("/", vec![host("a b")], Err(Violation::BadHost)),
        ] {
            assert_eq!(checked("GET", uri, &headers), expected, "{uri} {headers:?}");
        }
    }

    #[test]
    fn what_http1_refuses_is_refused() {
        let long = format!("http://a/{}", "x".repeat(8 << 10));
        for (method, uri, expected) in [
            ("OPTIONS", "http://a/a", Ok(())),
            ("GET", "http://a/a/../b", Ok(())),
            ("GET", "http://a/../b", Err(Violation::AboveRoot)),
            ("GET", "http://a/%2e%2e/b", Err(Violation::AboveRoot)),
            ("GET", &long[..8 + (8 << 10)], Ok(())),
            ("GET", &long, Err(Violation::RequestLineTooLong)),
            ("TRACE", "http://a/", Err(Violation::MethodNotAllowed)),
            ("CONNECT", "a:1", Err(Violation::MethodNotAllowed)),
        ] {
            assert_eq!(checked(method, uri, &[]), expected, "{method} {}", &uri[..uri.len().min(40)]);
        }
        let lines = vec![("x", "1"); 101];
        assert_eq!(checked("GET", "http://a/", &lines), Err(Violation::TooManyHeaderLines));
        assert_eq!(checked("GET", "http://a/", &lines[1..]), Ok(()));
        let lengths = [("content-length", "1"); 2];
        assert_eq!(checked("POST", "http://a/", &lengths), Err(Violation::BadContentLength));
        for (length, expected) in [("0", Ok(())), ("007", Ok(())), ("", Err(Violation::BadContentLength))] {
            assert_eq!(checked("POST", "http://a/", &[("content-length", length)]), expected, "{length:?}");
        }
    }

    #[test]
    fn cookies_become_one_line() {
        let mut headers = HeaderMap::new();
        join_cookies(&mut headers);
        assert!(headers.is_empty());
        for cookie in ["a=1", "b=2; c=3", "d=4"] {
            headers.append("cookie", HeaderValue::from_static(cookie));
        }
        join_cookies(&mut headers);
        assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3; d=4"]);
    }

    /// The example of RFC 6455, section 1.3.
    #[test]
    fn a_key_has_one_proof() {
        let proof = Proof::of("dGhlIHNhbXBsZSBub25jZQ==");
        let mut headers = HeaderMap::new();
        assert!(!proof.is_in(&headers));
        headers.insert(&ACCEPT, HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(proof.is_in(&headers));
    }
}
