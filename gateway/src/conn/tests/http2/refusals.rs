//! What is refused of one stream, and the others go on.

use config::settings::Gateway;
use http::{Method, Request};

use super::raw::{self, Raw};
use super::{ask, begin, connect, get, post, read, trailers};
use crate::conn::Violation;
use crate::conn::tests::support::{Server, run, soon};

#[test]
fn requests_that_http1_would_refuse() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let lines = (0..101).fold(get("/"), |mut request, _| {
            request.headers_mut().append("cookie", "a".parse().unwrap());
            request
        });
        let long = format!("/{}", "a".repeat(8 << 10));
        let differing = Request::get("http://a/").header("host", "b").body(()).unwrap();
        let trace = Request::builder().method(Method::TRACE).uri("http://a/").body(()).unwrap();
        let connect = Request::builder().method(Method::CONNECT).uri("a:1").body(()).unwrap();
        for (request, violation) in [
            (lines, Violation::TooManyHeaderLines),
            (get(&long), Violation::RequestLineTooLong),
            (get("/a/%2e%2e/../b"), Violation::AboveRoot),
            (differing, Violation::DifferingHost),
            (trace, Violation::MethodNotAllowed),
            (connect, Violation::MethodNotAllowed),
        ] {
            let answer = ask(&mut client, request).await;
            assert_eq!((answer.status(), answer.body().as_str()), (violation.status(), violation.code()));
            assert_eq!(server.app.refused.take(), [violation]);
        }
        assert_eq!(ask(&mut client, get("/")).await.status(), 200);
    });
}

#[test]
fn trailers_count_with_the_headers() {
    run(async {
        let server = Server::start(Gateway { max_header_lines: 5, ..Gateway::default() }).await;
        let mut client = connect(&server).await;
        let upload = |path| Request::post(path).header("x", "1").header("y", "1").body(()).unwrap();
        let (response, mut body) = begin(&mut client, upload("http://a/"));
        body.send_trailers(trailers(3)).unwrap();
        assert_eq!(read(response).await.status(), 200);
        let (response, mut body) = begin(&mut client, upload("http://a/"));
        body.send_trailers(trailers(4)).unwrap();
        let answer = read(response).await;
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (431, "too-many-header-lines"));
        let (response, mut body) = begin(&mut client, upload("http://a/both"));
        let mut cut = soon(response).await.unwrap().into_body();
        body.send_trailers(trailers(4)).unwrap();
        super::piece(&mut cut).await;
        soon(cut.data()).await.expect("a reset").unwrap_err();
        soon(server.app.dropped.notified()).await;
    });
}

#[test]
fn headers_that_are_too_large() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = Raw::begin(&server).await;
        // Its own size is below the limit: 32 bytes are added for each line (RFC 9113, section 6.5.2).
        let value = "x".repeat(16_000);
        let block = raw::block("GET", "/", &[("a", &value), ("b", &value), ("c", &value)]);
        let (first, rest) = block.split_at(16_384);
        client.send(raw::frame(raw::HEADERS, raw::END_STREAM, 1, first)).await;
        for (part, flags) in rest.chunks(16_384).zip([0, raw::END_HEADERS]) {
            client.send(raw::frame(raw::CONTINUATION, flags, 1, part)).await;
        }
        let answer = client.until(raw::HEADERS).await;
        // `:status 431` is not in the static table: it stands there as it is, or in Huffman's code of three digits.
        assert_eq!((answer.stream, answer.flags & raw::END_STREAM), (1, raw::END_STREAM));
        client.send(raw::get(3, "/")).await;
        assert_eq!(client.until(raw::HEADERS).await.stream, 3);
        assert_eq!(server.app.seen.take(), ["GET http://a/ "]);
    });
}

/// RFC 9113, section 8.1.1: what is malformed is a stream error, and not passed on.
#[test]
fn malformed_requests_are_reset() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = Raw::begin(&server).await;
        let malformed = [
            raw::block("GET", "/", &[("connection", "close")]),
            raw::block("GET", "/", &[("transfer-encoding", "chunked")]),
            raw::block("GET", "/", &[("upgrade", "websocket")]),
            raw::block("GET", "/", &[("keep-alive", "1")]),
            raw::block("GET", "/", &[("te", "gzip")]),
            raw::block("GET", "/", &[(":path", "/again")]),
            raw::block("GET", "/", &[("x", "1"), (":path", "/late")]),
            raw::block("GET", "/", &[(":status", "200")]),
            raw::block("GET", "/", &[("content-length", "5")]),
            raw::block("GET", "/", &[("content-length", "x")]),
            raw::block("GET", "/a b", &[]),
            raw::literal(":method", "GET"),
        ];
        for (stream, block) in (1..).step_by(2).zip(malformed) {
            client.send(raw::frame(raw::HEADERS, raw::END_HEADERS | raw::END_STREAM, stream, &block)).await;
            let reset = client.until(raw::RST_STREAM).await;
            assert_eq!((reset.stream, reset.code()), (stream, raw::PROTOCOL_ERROR), "{block:?}");
        }
        // More, and less, than was announced.
        for (stream, data) in [(101, "123456"), (103, "12")] {
            let block = raw::block("POST", "/", &[("content-length", "5")]);
            client.send(raw::frame(raw::HEADERS, raw::END_HEADERS, stream, &block)).await;
            client.send(raw::frame(raw::DATA, raw::END_STREAM, stream, data.as_bytes())).await;
            assert_eq!(client.until(raw::RST_STREAM).await.stream, stream);
        }
        client.send(raw::get(105, "/")).await;
        client.until(raw::DATA).await;
        assert_eq!(server.app.seen.take(), ["GET http://a/ "]);
    });
}

#[test]
fn more_streams_than_there_may_be_are_refused_unseen() {
    run(async {
        let server = Server::start(Gateway { max_streams: 2, ..Gateway::default() }).await;
        let mut client = Raw::begin(&server).await;
        client.send([raw::get(1, "/hang"), raw::get(3, "/hang"), raw::get(5, "/")].concat()).await;
        let reset = client.until(raw::RST_STREAM).await;
        assert_eq!((reset.stream, reset.code()), (5, 7), "REFUSED_STREAM");
        assert!(server.app.seen.take().is_empty());
        client.send([raw::reset(1), raw::get(7, "/")].concat()).await;
        assert_eq!(client.until(raw::HEADERS).await.stream, 7);
    });
}

#[test]
fn an_upload_of_a_refused_request_is_not_read() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (response, _body) = begin(&mut client, post("/../a"));
        assert_eq!(read(response).await.body(), "above-root");
    });
}
