//! Requests that are wrong: each is refused, the connection does not go on, and no app is woken for it.

use crate::harness::{App, Broken, Edge, Request, Wire, file};

const HOST: &str = "Host: hello.localhost\r\n";

/// Sends all of them to a sleeping app; each must get its status and wake nothing.
async fn assert_all_refused(cases: &[(&str, u16, String)]) {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let mut wrong = Vec::new();
    for (what, status, bytes) in cases {
        match edge.ask_raw(bytes).await {
            Ok(answer) if answer.status == *status => {}
            other => wrong.push(format!("{what}: expected {status}, got {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(edge.starts("hello"), 0, "a refused request woke the app");
}

fn get(target: &str, lines: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{lines}\r\n")
}

fn post(lines: &str, body: &str) -> String {
    format!("POST /upload HTTP/1.1\r\n{HOST}{lines}\r\n{body}")
}

#[tokio::test]
async fn bad_hosts_and_targets() {
    let case = |what, bytes| (what, 400, bytes);
    assert_all_refused(&[
        case("no Host", get("/", "")),
        case("two Hosts", get("/", &format!("{HOST}{HOST}"))),
        case("two different Hosts", get("/", &format!("{HOST}Host: other.localhost\r\n"))),
        case("an empty Host", get("/", "Host:\r\n")),
        case("a space in Host", get("/", "Host: hello localhost\r\n")),
        case("a path in Host", get("/", "Host: hello.localhost/x\r\n")),
        case("user info in Host", get("/", "Host: me@hello.localhost\r\n")),
        case("a space in the target", get("/a b", HOST)),
        case("a control byte in the target", get("/a\x01b", HOST)),
        case("above the root", get("/../etc/passwd", HOST)),
        case("above the root, later", get("/a/../../b", HOST)),
        case("no slash", get("a", HOST)),
    ])
    .await;
}

#[tokio::test]
async fn bad_framing() {
    let case = |what, bytes| (what, 400, bytes);
    let chunked = "Transfer-Encoding: chunked\r\n";
    assert_all_refused(&[
        case("two different lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd")),
        case("a listed length", post("Content-Length: 3, 3\r\n", "abc")),
        case("a signed length", post("Content-Length: +3\r\n", "abc")),
        case("a length that is no number", post("Content-Length: abc\r\n", "abc")),
        case("length and chunked", post(&format!("Content-Length: 3\r\n{chunked}"), "3\r\nabc\r\n0\r\n\r\n")),
        case("chunked and length", post(&format!("{chunked}Content-Length: 3\r\n"), "3\r\nabc\r\n0\r\n\r\n")),
        case("another coding", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")),
        case("identity", post("Transfer-Encoding: identity\r\n", "")),
        case("chunked twice", post(&format!("{chunked}{chunked}"), "0\r\n\r\n")),
        case("vertical tab", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n")),
        case("folded line", post("X-A: b\r\n c\r\nContent-Length: 0\r\n", "")),
        case("space before colon", post("Content-Length : 3\r\n", "abc")),
        case("space before the first header", format!("GET / HTTP/1.1\r\n {HOST}{HOST}\r\n")),
    ])
    .await;
}

#[tokio::test]
async fn bad_chunks_that_came_with_the_head() {
    let case = |what, body| (what, 400, post("Transfer-Encoding: chunked\r\n", body));
    assert_all_refused(&[
        case("a bare LF after the size", "3\nabc\r\n0\r\n\r\n"),
        case("a bare LF after the data", "3\r\nabc\n0\r\n\r\n"),
        case("a size that is no number", "xyz\r\nabc\r\n0\r\n\r\n"),
        case("a size beyond 64 bits", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    ])
    .await;
}

#[tokio::test]
async fn too_much() {
    let lines: String = (0..101).map(|i| format!("X-{i}: y\r\n")).collect();
    assert_all_refused(&[
        ("request line over 8 KiB", 414, get(&format!("/{}", "a".repeat(9_000)), HOST)),
        ("head over 32 KiB", 431, get("/", &format!("{HOST}X-Long: {}\r\n", "a".repeat(40_000)))),
        ("more than 100 lines", 431, get("/", &format!("{HOST}{lines}"))),
        ("TRACE", 405, format!("TRACE / HTTP/1.1\r\n{HOST}\r\n")),
        ("body over 100 MiB", 413, post("Content-Length: 104857601\r\n", "a")),
    ])
    .await;
}

#[tokio::test]
async fn what_follows_a_bad_request_is_no_request() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: hello.localhost\r\n\r\n";
    let mut wire = edge.wire().await;
    wire.send(post("Content-Length: 3\r\nContent-Length: 0\r\n", smuggled).as_bytes()).await;
    let answer = wire.read(&Request::get("hello", "/")).await.expect("a refusal");
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    assert!(wire.ended().await, "the connection goes on after a framing error");
    assert_eq!(edge.requests("hello"), Vec::<String>::new());
}

#[tokio::test]
async fn another_protocol_does_not_hang() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    for bytes in ["\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", "SSH-2.0-x\r\n\r\n", "GET /\r\n\r\n"] {
        match edge.ask_raw(bytes).await {
            Ok(answer) => assert!((400..600).contains(&answer.status), "{bytes:?}: {answer:?}"),
            Err(Broken::Unanswered | Broken::Reset(_)) => {}
            Err(broken) => panic!("{bytes:?}: {broken:?}"),
        }
    }
}

#[tokio::test]
async fn a_head_that_takes_too_long_gets_408() {
    let edge = Edge::start(&(file(&[App::named("hello")]) + "[gateway]\nheader_timeout = \"300ms\"\n")).await;
    let mut wire = edge.wire().await;
    wire.send(b"GET / HTTP/1.1\r\nHost: hello").await;
    let answer = wire.head().await.expect("408");
    assert_eq!(answer.status, 408, "{answer:?}");
    assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let edge = Edge::start(&(file(&[App::named("hello")]) + "[gateway]\nidle_timeout = \"300ms\"\n")).await;
    let mut wire = edge.wire().await;
    assert!(wire.ended().await, "something was said to a client that asked nothing");
    let mut wire = edge.wire().await;
    wire.ask(&Request::get("hello", "/")).await.expect("an answer");
    assert!(wire.ended().await, "something was said to a client that asked nothing more");
}

#[tokio::test]
async fn a_body_over_the_limit_gets_413_whether_its_length_is_said_or_not() {
    let edge = Edge::start(&(file(&[App::named("hello")]) + "[gateway]\nmax_body = 1000\n")).await;
    edge.ask(Request::post("hello", "/upload", vec![0; 1_001])).await.assert_refused(413, "body-too-large");
    assert_eq!(edge.starts("hello"), 0, "a refused upload woke the app");
    let whole = edge.ask(Request::post("hello", "/upload", vec![0; 1_000])).await;
    assert_eq!(whole.json()["length"], 1_000);
    let chunk = format!("3e8\r\n{}\r\n", "a".repeat(1_000));
    let mut wire = edge.wire().await;
    wire.send(post("Transfer-Encoding: chunked\r\n", &chunk).as_bytes()).await;
    wire.send(format!("{chunk}0\r\n\r\n").as_bytes()).await;
    let answer = wire.read(&Request::get("hello", "/")).await.expect("an answer, not a reset");
    answer.assert_refused(413, "body-too-large");
}

#[tokio::test]
async fn a_refused_uploader_can_read_why() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    // More than the socket buffers of both sides take, none of which is read: a close would be a reset.
    for _ in 0..5 {
        let mut wire = Wire::connect(edge.listen()).await;
        let request = Request::new("POST", "nobody.localhost", "/").body(vec![0; 200_000]);
        wire.ask(&request).await.expect("the refusal").assert_refused(404, "unknown-host");
    }
}
