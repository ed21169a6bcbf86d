//! What makes a request a gRPC call (the protocol "gRPC over HTTP/2").

use http::{HeaderMap, Method, Request, header};

/// Whether it is gRPC proper: needs trailers, and bodies that go both ways at once. gRPC-web does not.
pub fn is_call<B>(request: &Request<B>) -> bool {
    // Most requests are GETs; their headers need not be searched.
    request.method() == Method::POST && has_its_type(request.headers())
}

fn has_its_type(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return false };
    let rest = match kind.as_bytes().split_at_checked("application/grpc".len()) {
        Some((kind, rest)) if kind.eq_ignore_ascii_case(b"application/grpc") => rest,
        Some(_) | None => return false,
    };
    matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// Whether the client ends the call by itself when it has waited for long enough.
pub fn has_deadline(headers: &HeaderMap) -> bool {
    headers.contains_key("grpc-timeout")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_call_is_a_post_of_its_content_type_and_grpc_web_is_none() {
        let is_call = |method: &str, kind: &str| {
            super::is_call(&Request::builder().method(method).header("content-type", kind).body(()).unwrap())
        };
        for kind in ["application/grpc", "application/grpc+proto", "Application/GRPC;x=1"] {
            assert!(is_call("POST", kind), "{kind}");
            assert!(!is_call("GET", kind), "{kind}");
        }
        for kind in ["application/grpc-web", "application/grpc-web+proto", "application/grp", "text/plain"] {
            assert!(!is_call("POST", kind), "{kind}");
        }
        assert!(!super::is_call(&Request::post("/").body(()).unwrap()));
    }
}
