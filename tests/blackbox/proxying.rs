//! What passes through: bodies, trailers, interim answers, connections.

use crate::checksum::Checksum;
use crate::harness::{App, Edge, Http2, Request, file, peak_rss, rss};

async fn hello() -> Edge {
    Edge::start(&file(&[App::named("hello")])).await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    let edge = hello().await;
    let request = Request::post("hello", "/a%20b//c/?d=%2F&&e=%C3%BC", "body")
        .header("X-One", "1")
        .header("x-two", "a, b")
        .header("X-One", "2")
        .header("Cookie", "a=b; c=d");
    let seen = edge.ask(request).await.seen();
    assert_eq!(seen.field("method"), "POST");
    assert_eq!(seen.field("target"), "/a%20b//c/?d=%2F&&e=%C3%BC");
    assert_eq!(seen.field("host"), "hello.localhost");
    assert_eq!(seen.all("x-one"), ["1", "2"]);
    assert_eq!(seen.all("x-two"), ["a, b"]);
    assert_eq!(seen.all("cookie"), ["a=b; c=d"]);
    assert_eq!(seen.field("length"), 4);
}

#[tokio::test]
async fn an_answer_arrives_as_it_was_sent() {
    let edge = hello().await;
    let answer =
        edge.ask(Request::get("hello", "/?status=418&header=x-a:1&header=x-a:2&header=etag:%22x%22")).await;
    assert_eq!(answer.status, 418);
    assert_eq!(answer.all("x-a"), ["1", "2"]);
    assert_eq!(answer.header("etag"), Some("\"x\""));
    assert_eq!(answer.header("proxy-status"), None, "the app's own answer is none of the edge's: {answer:?}");
}

#[tokio::test]
async fn head_has_headers_and_no_body_and_the_connection_goes_on() {
    let edge = hello().await;
    let mut wire = edge.wire().await;
    let answer = wire.ask(&Request::new("HEAD", "hello.localhost", "/huge?size=1000")).await.unwrap();
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("1000")), "{answer:?}");
    let answer = wire.ask(&Request::get("hello", "/huge?size=1000")).await.unwrap();
    assert_eq!(answer.body.len(), 1_000);
    for status in [204, 304] {
        let answer = wire.ask(&Request::get("hello", &format!("/?status={status}"))).await.unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
    }
    assert_eq!(wire.ask(&Request::get("hello", "/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn chunks_and_trailers_go_both_ways() {
    let edge = hello().await;
    let mut wire = edge.wire().await;
    let head = "POST /?trailers=1 HTTP/1.1\r\nHost: hello.localhost\r\nTE: trailers\r\nTrailer: X-Sum\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    wire.send(head.as_bytes()).await;
    wire.send(b"3\r\nfoo\r\n3;an=extension\r\nbar\r\n0\r\nX-Sum: 6\r\n\r\n").await;
    let answer = wire.read(&Request::get("hello", "/")).await.unwrap();
    assert_eq!(answer.trailers, [("x-trailer".to_owned(), "the end".to_owned())], "{answer:?}");
    let seen = answer.seen();
    let mut checksum = Checksum::EMPTY;
    checksum.add(b"foobar");
    assert_eq!(seen.field("checksum"), &checksum.hex());
    assert_eq!(seen.field("trailers"), &serde_json::json!([["x-sum", "6"]]));
}

#[tokio::test]
async fn trailers_that_could_be_taken_for_headers_do_not_pass() {
    let edge = hello().await;
    let head = "POST / HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body =
        "1\r\na\r\n0\r\nloco-tenant-id: evil\r\nConnection: x-hop\r\nContent-Length: 9\r\nX-Fine: 1\r\n\r\n";
    match edge.ask_raw(&format!("{head}{body}")).await {
        // Refusing it is right as well.
        Ok(answer) if answer.status == 400 => {}
        Ok(answer) => {
            let trailers = answer.seen().field("trailers").to_string();
            for name in ["loco-tenant-id", "connection", "content-length"] {
                assert!(!trailers.contains(name), "{name} passed as a trailer: {trailers}");
            }
        }
        Err(broken) => panic!("{broken:?}"),
    }
}

#[tokio::test]
async fn what_a_head_names_as_its_hops_own_does_not_pass_as_a_trailer() {
    let edge = hello().await;
    let head =
        "POST / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n";
    let request = format!("{head}1\r\na\r\n0\r\nX-Hop: 1\r\nX-Fine: 1\r\n\r\n");
    let seen = edge.ask_raw(&request).await.expect("an answer").seen();
    let trailers = seen.field("trailers").to_string();
    assert!(trailers.contains("x-fine") && !trailers.contains("x-hop"), "{trailers}");
    let raw = "HTTP/1.1 200 OK\r\nConnection: x-hop\r\nTrailer: x-hop, x-fine\r\nTransfer-Encoding: chunked\r\n\r\n\
               1\r\na\r\n0\r\nx-hop: 1\r\nx-fine: 1\r\n\r\n";
    let edge = Edge::start(&file(&[App::named("raw").env("RAW", raw)])).await;
    let answer = edge.ask(Request::get("raw", "/").header("TE", "trailers")).await;
    assert_eq!(answer.trailers, [("x-fine".to_owned(), "1".to_owned())], "{answer:?}");
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body_is_sent() {
    let edge = hello().await;
    // The first time the app sleeps, the second time it is awake.
    for _ in 0..2 {
        let mut wire = edge.wire().await;
        let request = Request::post("hello", "/upload", "");
        let head = "POST /upload HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n";
        wire.send(head.as_bytes()).await;
        assert_eq!(wire.interim().await.expect("100").status, 100);
        wire.send(b"foobar").await;
        let answer = wire.read(&request).await.unwrap();
        assert_eq!((answer.status, &answer.json()["length"]), (200, &serde_json::json!(6)), "{answer:?}");
    }
}

#[tokio::test]
async fn expect_100_continue_is_not_said_to_who_is_refused() {
    let edge = hello().await;
    for (host, length, status) in [("nobody.localhost", 6, 404), ("hello.localhost", 200_000_000, 413)] {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        );
        let answer = edge.ask_raw(&head).await.expect("an answer without a body having been sent");
        assert_eq!((answer.status, answer.interim.len()), (status, 0), "{answer:?}");
    }
}

#[tokio::test]
async fn early_hints_pass() {
    let raw = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n\
               HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let edge = Edge::start(&file(&[App::named("hints").env("RAW", raw)])).await;
    let answer = edge.ask(Request::get("hints", "/")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(answer.interim.len(), 1, "{answer:?}");
    assert_eq!(answer.interim[0].status, 103);
    assert!(answer.interim[0].headers.iter().any(|(name, _)| name == "link"), "{:?}", answer.interim);
}

#[tokio::test]
async fn a_connection_serves_many_requests_also_sent_ahead() {
    let edge = hello().await;
    let mut wire = edge.wire().await;
    let mut upstream = Vec::new();
    for i in 0..5 {
        let seen = wire.ask(&Request::post("hello", &format!("/{i}"), "x")).await.unwrap().seen();
        assert_eq!(seen.field("path"), &format!("/{i}"));
        upstream.push(seen.field("remote").to_string());
    }
    upstream.dedup();
    assert_eq!(upstream.len(), 1, "the connection to the app is not kept: {upstream:?}");
    let ahead: Vec<_> = (0..3).map(|i| Request::get("hello", &format!("/ahead/{i}"))).collect();
    wire.send(&ahead.iter().flat_map(Request::bytes).collect::<Vec<_>>()).await;
    for (i, request) in ahead.iter().enumerate() {
        let answer = wire.read(request).await.unwrap();
        assert_eq!(answer.seen().field("path"), &format!("/ahead/{i}"));
    }
    let last = wire.ask(&Request::get("hello", "/").header("Connection", "close")).await.unwrap();
    assert_eq!(last.header("connection"), Some("close"));
    assert!(wire.ended().await);
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let edge = hello().await;
    let mut wire = edge.wire().await;
    wire.send(b"GET /old HTTP/1.0\r\nHost: hello.localhost\r\n\r\n").await;
    let answer = wire.read(&Request::get("hello", "/")).await.unwrap();
    assert_eq!(answer.seen().field("path"), "/old");
    assert!(wire.ended().await);
}

#[tokio::test]
async fn what_a_connection_header_names_stays_behind() {
    let edge = hello().await;
    let request = Request::get(
        "hello",
        "/?header=connection:x-answer-hop&header=x-answer-hop:1&header=keep-alive:timeout%3D5",
    )
    .header("Connection", "keep-alive, X-Hop")
    .header("X-Hop", "1")
    .header("Keep-Alive", "timeout=5")
    .header("Proxy-Connection", "keep-alive")
    .header("Proxy-Authorization", "Basic eDp5")
    .header("TE", "gzip");
    let answer = edge.ask(request).await;
    assert_eq!(answer.all("x-answer-hop"), Vec::<&str>::new(), "{answer:?}");
    assert_eq!(answer.all("keep-alive"), Vec::<&str>::new(), "{answer:?}");
    let seen = answer.seen();
    for name in ["x-hop", "keep-alive", "proxy-connection", "proxy-authorization"] {
        assert_eq!(seen.all(name), Vec::<String>::new(), "{name} passed: {seen:?}");
    }
    assert!(!seen.all("te").contains(&"gzip".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn large_answers_pass_whole_and_are_not_kept() {
    const SIZE: usize = 100 << 20;
    let edge = hello().await;
    edge.ask(Request::get("hello", "/huge?size=1000000")).await;
    let before = rss(edge.pid());
    let mut wire = edge.wire().await;
    wire.send(&Request::get("hello", &format!("/huge?size={SIZE}")).bytes()).await;
    assert_eq!(wire.head().await.unwrap().header("content-length"), Some(SIZE.to_string().as_str()));
    let mut at = 0_usize;
    while let Some(piece) = wire.data().await.expect("a whole body") {
        for byte in piece {
            assert_eq!(usize::from(byte), at % 251, "byte {at}");
            at += 1;
        }
    }
    assert_eq!(at, SIZE);
    let grown = peak_rss(edge.pid()).saturating_sub(before);
    assert!(grown < 16 << 20, "the edge grew by {} KiB", grown >> 10);
}

#[tokio::test]
async fn an_app_may_answer_while_it_is_still_asked() {
    // More than all buffers on the way take.
    const SIZE: usize = 24 << 20;
    let edge = hello().await;
    let body: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    let request = Request::post("hello", "/echo", body.clone());
    let over_http1 = edge.wire().await.converse(&request).await.expect("a whole answer");
    let over_http2 = Http2::connect(edge.listen()).await.begin(&request).await.converse(&body).await;
    for answer in [over_http1, over_http2] {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body == body, "{} of {SIZE} bytes came back, or others", answer.body.len());
    }
}

#[tokio::test]
async fn an_upload_that_the_app_does_not_read_does_not_break_the_next_request() {
    let edge = hello().await;
    // hyper#4176: the connection to the app, with a body half sent, must not be used again.
    for i in 0..10 {
        let unread = edge.ask(Request::post("hello", "/?unread=1", vec![b'G'; 300_000])).await;
        // The app closes with the rest unread: its reset may overtake its answer.
        assert!(matches!(unread.status, 200 | 502), "{unread:?}");
        let next = edge.ask(Request::get("hello", &format!("/next/{i}"))).await;
        assert_eq!(next.seen().field("path"), &format!("/next/{i}"));
    }
}
