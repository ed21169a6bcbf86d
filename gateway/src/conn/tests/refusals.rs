//! Every violation, as bytes, and the refusal read to its end.

use config::settings::Gateway;
use tokio::io::AsyncWriteExt;

use super::support::{Server, get, post, run, soon};
use crate::conn::{End, Violation};

async fn refused(server: &mut Server, bytes: &[u8], violation: Violation) {
    let shown = String::from_utf8_lossy(bytes).into_owned();
    let answer = server.ask(bytes).await;
    let begin = format!("HTTP/1.1 {} ", violation.status().as_u16());
    assert!(answer.starts_with(&begin) && answer.ends_with(violation.code()), "{shown:?}: {answer:?}");
    assert_eq!(server.end().await, End::Refused(violation), "{shown:?}");
    assert_eq!(server.app.refused.take(), [violation], "{shown:?}");
    assert!(server.app.seen.take().is_empty(), "{shown:?}");
}

#[test]
fn heads() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let cases: [(&str, Violation); 42] = [
            (
                "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
                Violation::LengthWithTransferEncoding,
            ),
            (
                "Host: a\r\nTransfer-Encoding: chunked\r\ncontent-length: 1",
                Violation::LengthWithTransferEncoding,
            ),
            ("Host: a\r\nContent-Length: 1\r\nContent-Length: 2", Violation::BadContentLength),
            ("Host: a\r\nContent-Length: 1\r\nContent-Length: 1", Violation::BadContentLength),
            ("Host: a\r\nContent-Length: 1, 1", Violation::BadContentLength),
            ("Host: a\r\nContent-Length: +1", Violation::BadContentLength),
            ("Host: a\r\nContent-Length: -1", Violation::BadContentLength),
            ("Host: a\r\nContent-Length: 0x1", Violation::BadContentLength),
            ("Host: a\r\nContent-Length:", Violation::BadContentLength),
            ("Host: a\r\nContent-Length: 9999999999999999999", Violation::BadContentLength),
            ("Host: a\r\nTransfer-Encoding: gzip", Violation::BadTransferEncoding),
            ("Host: a\r\nTransfer-Encoding: gzip, chunked", Violation::BadTransferEncoding),
            ("Host: a\r\nTransfer-Encoding: chunked, chunked", Violation::BadTransferEncoding),
            (
                "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                Violation::BadTransferEncoding,
            ),
            ("Host: a\r\nTransfer-Encoding: \x0bchunked", Violation::BadTransferEncoding),
            ("Host: a\r\nTransfer-Encoding: xchunked", Violation::BadTransferEncoding),
            ("Host: a\r\nTransfer-Encoding:", Violation::BadTransferEncoding),
            ("Accept: */*", Violation::MissingHost),
            ("Host: a\r\nHost: a", Violation::DoubledHost),
            ("Host: a\r\nhost: b", Violation::DoubledHost),
            ("Host:", Violation::BadHost),
            ("Host: a b", Violation::BadHost),
            ("Host: a/b", Violation::BadHost),
            ("Host: u@a", Violation::BadHost),
            ("Host: a, b", Violation::BadHost),
            ("Host: a:b", Violation::BadHost),
            ("Host: a\r\nX: 1\r\n folded", Violation::FoldedHeader),
            ("Host: a\r\n\tfolded: 1", Violation::FoldedHeader),
            (" Host: a", Violation::FoldedHeader),
            // What is no HTTP at all.
            ("Host: a\r\nTransfer-Encoding : chunked", Violation::MalformedHead),
            ("Host : a\r\nHost: a", Violation::MalformedHead),
            ("Host: a\r\nno colon", Violation::MalformedHead),
            ("Host: a\r\n: empty", Violation::MalformedHead),
            ("Host: a\r\nX: \0", Violation::MalformedHead),
            ("Host: a\r\nX: a\rb", Violation::MalformedHead),
            ("Host: a\r\nX\x01: a", Violation::MalformedHead),
            ("Host: a\r\nX(: a", Violation::MalformedHead),
            ("Host: a\r\n\u{e9}: a", Violation::MalformedHead),
            ("Host: a\r\nX: \x7f", Violation::MalformedHead),
            ("Host: a\rb", Violation::BadHost),
            ("Host: a\r\nContent-Length: 1\rX", Violation::BadContentLength),
            ("Host: a\r\nContent-Length\t: 1", Violation::MalformedHead),
        ];
        for (headers, violation) in cases {
            let bytes = format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n");
            refused(&mut server, bytes.as_bytes(), violation).await;
        }
    });
}

#[test]
fn request_lines() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let cases: [(&[u8], Violation); 26] = [
            (b"GET /a b HTTP/1.1", Violation::BadTarget),
            (b"GET  / HTTP/1.1", Violation::BadTarget),
            (b"GET /  HTTP/1.1", Violation::BadTarget),
            (b"GET /\t HTTP/1.1", Violation::BadTarget),
            (b"GET /\x00 HTTP/1.1", Violation::BadTarget),
            (b"GET /\x7f HTTP/1.1", Violation::BadTarget),
            (b"GET /#a HTTP/1.1", Violation::BadTarget),
            (b"GET a HTTP/1.1", Violation::BadTarget),
            (b"GET * HTTP/1.1", Violation::BadTarget),
            (b"GET http://u@a/ HTTP/1.1", Violation::BadTarget),
            (b"GET /.. HTTP/1.1", Violation::AboveRoot),
            (b"GET /a/%2E%2e/.%2e/b HTTP/1.1", Violation::AboveRoot),
            (b"GET http://a/../b HTTP/1.1", Violation::AboveRoot),
            (b"GET / HTTP/2.0", Violation::UnsupportedVersion),
            (b"GET / HTTP/0.9", Violation::UnsupportedVersion),
            (b"PRI * HTTP/2.0", Violation::UnsupportedVersion),
            (b"GET / HTTP/1.1 ", Violation::MalformedHead),
            (b"GET / http/1.1", Violation::MalformedHead),
            (b"GET / HTTP/1.", Violation::MalformedHead),
            (b"GET /", Violation::MalformedHead),
            (b"GET", Violation::MalformedHead),
            (b" GET / HTTP/1.1", Violation::MalformedHead),
            (b"GE\xffT / HTTP/1.1", Violation::MalformedHead),
            (b"\x16\x03\x01\x02", Violation::MalformedHead),
            (b"TRACE / HTTP/1.1", Violation::MethodNotAllowed),
            (b"CONNECT a:1 HTTP/1.1", Violation::MethodNotAllowed),
        ];
        for (line, violation) in cases {
            let bytes = [line, b"\r\nHost: a\r\n\r\n"].concat();
            refused(&mut server, &bytes, violation).await;
        }
    });
}

#[test]
fn sizes() {
    run(async {
        let limits =
            Gateway { max_request_line: 64, max_head: 256, max_header_lines: 4, ..Gateway::default() };
        let mut server = Server::start(limits).await;
        let line = |length: usize| format!("GET /{} HTTP/1.1", "a".repeat(length - 14));
        let fits = server.ask(line(64) + "\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(fits.starts_with("HTTP/1.1 200 "), "{fits}");
        server.end().await;
        server.app.seen.take();
        refused(&mut server, (line(65) + "\r\n").as_bytes(), Violation::RequestLineTooLong).await;
        refused(&mut server, "G".repeat(65).as_bytes(), Violation::RequestLineTooLong).await;
        let many = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nA: 1\r\nA: 1\r\nA:";
        refused(&mut server, (many.to_owned() + "1\r\n").as_bytes(), Violation::TooManyHeaderLines).await;
        let large = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}", "a".repeat(230));
        refused(&mut server, large.as_bytes(), Violation::HeadTooLarge).await;
        refused(&mut server, (large + "\r\n\r\n").as_bytes(), Violation::HeadTooLarge).await;
    });
}

#[test]
fn chunks() {
    run(async {
        let mut server = Server::start(Gateway { max_header_lines: 4, ..Gateway::default() }).await;
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n";
        for bad in [
            "1\na\r\n0\r\n\r\n",
            "1\r\na\n0\r\n\r\n",
            "1\r\na\r\n0\n\r\n",
            "1\r\na\r\n0\r\n\n",
            "1\r\na\r\n0\r\nX: 1\n\r\n",
            "1;x\n\r\na\r\n0\r\n\r\n",
            "1;x\ry\r\na\r\n0\r\n\r\n",
            "1\r\nab\r\n0\r\n\r\n",
            "\r\n",
            ";x\r\n",
            "g\r\n",
            "-1\r\n",
            "0x1\r\na\r\n0\r\n\r\n",
            "1 1\r\n",
            "1000000000000000\r\n",
            "0\r\n folded\r\n\r\n",
        ] {
            refused(&mut server, (head.to_owned() + bad).as_bytes(), Violation::MalformedChunk).await;
        }
        let trailers = head.to_owned() + "0\r\nA: 1\r\nA: 1\r\nA: 1\r\n\r\n";
        refused(&mut server, trailers.as_bytes(), Violation::TooManyHeaderLines).await;
        let good = head.to_owned() + "1;x=\"y\"\r\na\r\n00A \t\r\n0123456789\r\n0\r\nX: 1\r\nY: 2\r\n\r\n";
        let answers = server.ask(good + "GET / HTTP/1.0\r\n\r\n").await;
        assert!(answers.contains("POST / a0123456789{\"x\": \"1\", \"y\": \"2\"}"), "{answers}");
        assert!(answers.ends_with("GET / "), "{answers}");
    });
}

#[test]
fn after_a_response_the_refusal_comes_after_it() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let answers = server.ask(post("/", "one") + &get("/../") + &get("/never")).await;
        let (first, second) = answers.split_once("POST / one").expect("the first answer");
        assert!(first.starts_with("HTTP/1.1 200 ") && second.starts_with("HTTP/1.1 400 "), "{answers}");
        assert!(answers.ends_with("above-root"), "{answers}");
    });
}

#[test]
fn once_a_response_has_begun_a_bad_chunk_cuts_it() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        client.send("POST /both HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let answer = client.until("5\r\nfirst\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        client.send("1\na").await;
        assert_eq!(client.rest().await, "", "neither a refusal nor a last chunk");
        assert_eq!(server.end().await, End::Cut(Violation::MalformedChunk));
    });
}

/// Whoever is refused while sending, by us or by the handler, can send on, read the answer, and meets no reset.
async fn reads_the_answer(server: &Server, head: &str, answer: &str) {
    let mut client = server.connect().await;
    client.send(head).await;
    soon(client.0.readable()).await.unwrap();
    for _ in 0..10 {
        client.send([b'x'; 20_000]).await;
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
    let read = client.try_rest().await.expect("no reset");
    assert!(read.ends_with(answer) && read.contains("connection: close"), "{read}");
}

#[test]
fn a_refused_uploader_reads_the_answer() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let head = "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n";
        reads_the_answer(&server, head, "too large").await;
        assert_eq!(server.end().await, End::Finished);
        let head = "POST /../ HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n";
        reads_the_answer(&server, head, "above-root").await;
        assert_eq!(server.end().await, End::Refused(Violation::AboveRoot));
    });
}

#[test]
fn who_goes_on_sending_is_not_read_for_ever() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        client.send("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n").await;
        let chunk = [b'x'; 64 << 10];
        let mut sent = 0;
        while client.0.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
        }
        assert!(sent < 8 << 20, "cut off after {sent} bytes");
        assert_eq!(server.end().await, End::Finished);
        // Nor is who sends nothing and keeps the connection open.
        let mut client = server.connect().await;
        client.send("GET /.. HTTP/1.1\r\n").await;
        assert_eq!(server.end().await, End::Refused(Violation::AboveRoot));
    });
}
