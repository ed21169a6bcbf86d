//! The head of a request in HTTP/2 (RFC 9113, section 8.3).

use http::header;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Request, Version, request};

/// The head as HTTP/2 has it: what HTTP/1.1 says in `Host` is `:authority`. An absent or wrong one is left to the app.
pub(super) fn of(parts: &request::Parts) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = parts.method.clone();
    *head.version_mut() = Version::HTTP_2;
    *head.headers_mut() = parts.headers.clone();
    // The frames say how long the body is (RFC 9113, section 8.2.2).
    head.headers_mut().remove(header::TRANSFER_ENCODING);
    if let Some(host) = head.headers_mut().remove(header::HOST) {
        *head.uri_mut() = absolute(&parts.uri, host.as_bytes()).unwrap_or_else(|| parts.uri.clone());
    }
    head
}

fn absolute(uri: &Uri, host: &[u8]) -> Option<Uri> {
    let mut absolute = http::uri::Parts::default();
    absolute.scheme = Some(Scheme::HTTP);
    absolute.authority = Some(Authority::try_from(host).ok()?);
    absolute.path_and_query = Some(uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
    Uri::from_parts(absolute).ok()
}
