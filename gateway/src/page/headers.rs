//! What is said about every page.

use http::header::{self, HeaderName, HeaderValue};

/// Allows the one stylesheet and the one script, by their hashes, the events that it asks for, and nothing else. A page cannot be framed, because an app that is asleep
/// must not lend its address to somebody else's frame. (Content Security Policy Level 3; a `<meta>` refresh is not
/// subject to it.)
///
/// `default-src 'none'` also keeps a browser from asking for `/favicon.ico`, which would be one more request to hold.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
     style-src 'sha256-FgjvaWfur4NTLlsmlXpxOmkgE1UAdta+zlhWbQBUqTA='; \
     script-src 'sha256-Oq7uVjA3ZZc9rZFQVG8NariNCU9O/NpN+STcuHCQpJc='; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The headers of every page; status, `Retry-After` and `Proxy-Status` are the answer's own.
pub static HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
];
