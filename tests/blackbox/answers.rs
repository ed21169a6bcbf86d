//! Refusals: typed, in the client's language, with nothing of the inside.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::harness::{App, Edge, Request, file, let_pass};

/// Fails if a page asks for anything from elsewhere or shows what is inside.
fn assert_page(page: &str) {
    assert!(page.to_ascii_lowercase().starts_with("<!doctype html>"), "{page}");
    for outside in [
        "src=\"http",
        "src=\"//",
        "url(http",
        "url(//",
        "@import",
        "<script src",
        "<link rel=\"stylesheet\" href=\"http",
    ] {
        assert!(!page.contains(outside), "the page fetches from elsewhere: {outside}: {page}");
    }
    assert!(!page.contains("127.0.0.1"), "the page shows an address: {page}");
    assert!(page.contains("viewport"), "not made for a phone: {page}");
}

#[tokio::test]
async fn a_browser_gets_a_page_with_the_same_code() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let answer = edge.ask(Request::get("nobody", "/").navigation()).await;
    assert_eq!(answer.status, 404);
    assert!(answer.header("content-type").expect("a type").starts_with("text/html"), "{answer:?}");
    assert!(
        answer.header("content-security-policy").expect("a policy").contains("default-src 'none'"),
        "{answer:?}"
    );
    assert!(answer.header("proxy-status").expect("a Proxy-Status").contains("details=\"unknown-host\""));
    assert!(answer.header("cache-control").expect("a Cache-Control").contains("no-store"));
    assert!(answer.text().contains("unknown-host"), "no code for the owner: {answer:?}");
    assert_page(&answer.text());
}

#[tokio::test]
async fn a_refusal_of_head_has_no_body() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let mut wire = edge.wire().await;
    let refused = wire.ask(&Request::new("HEAD", "nobody.localhost", "/")).await.unwrap();
    assert_eq!((refused.status, refused.body.len()), (404, 0));
    // Had it a body, the next answer would begin inside it.
    assert_eq!(wire.ask(&Request::get("hello", "/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn every_client_is_refused_in_its_own_protocol() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let call = |kind: &str| Request::post("nobody", "/a.A/B", "").header("Content-Type", kind);
    let mut wire = edge.wire().await;

    for kind in ["application/grpc", "application/grpc+proto"] {
        let answer = wire.ask(&call(kind)).await.unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
        assert_eq!(answer.header("grpc-status"), Some("12"), "{answer:?}");
        assert!(
            answer.header("grpc-message").expect("a message").starts_with("unknown-host: "),
            "{answer:?}"
        );
        assert!(answer.body.is_empty(), "{answer:?}");
    }
    for kind in ["application/grpc-web+proto", "application/grpc-web-text"] {
        let answer = wire.ask(&call(kind)).await.unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
        assert_eq!(answer.header("grpc-status"), None, "it is in the body");
        let frame = if kind.ends_with("text") { from_base64(&answer.body) } else { answer.body };
        assert_eq!(
            (frame[0], frame[1..5].to_vec()),
            (0x80, u32::try_from(frame.len() - 5).unwrap().to_be_bytes().to_vec())
        );
        assert!(frame[5..].starts_with(b"grpc-status: 12\r\ngrpc-message: unknown-host: "), "{frame:?}");
    }
    let json = Request::post("nobody", "/deployment.v1.DeploymentService/CreateDeployment", "{}");
    for request in [
        call("application/proto"),
        json.header("Content-Type", "application/json"),
        Request::get("nobody", "/a.A/B?message=%7B%7D&encoding=json&connect=v1"),
    ] {
        let answer = wire.ask(&request).await.unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (501, Some("application/json")));
        assert_eq!(answer.json()["code"], "unimplemented");
        assert!(answer.json()["message"].as_str().unwrap().starts_with("unknown-host: "), "{answer:?}");
    }
    let answer = wire.ask(&call("application/connect+json")).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/connect+json")));
    assert!(answer.body.starts_with(&[2, 0, 0, 0]), "{answer:?}");
    let end: serde_json::Value = serde_json::from_slice(&answer.body[5..]).unwrap();
    assert_eq!(
        (answer.body[4] as usize, &end["error"]["code"]),
        (answer.body.len() - 5, &"unimplemented".into())
    );
    assert!(answer.header("proxy-status").expect("one").contains("details=\"unknown-host\""), "{answer:?}");

    let post = Request::post("nobody", "/api/items", "{}").header("Content-Type", "application/json");
    wire.ask(&post).await.unwrap().assert_refused(404, "unknown-host");
}

/// RFC 4648, section 4, without a library: it is what is tested.
fn from_base64(text: &[u8]) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.iter().filter_map(|byte| alphabet.iter().position(|letter| letter == byte));
    let bits: Vec<_> = digits.flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1)).collect();
    let byte = |bits: &[usize]| u8::try_from(bits.iter().fold(0, |byte, bit| byte << 1 | bit)).unwrap();
    bits.chunks_exact(8).map(byte).collect()
}

#[tokio::test]
async fn a_call_to_an_app_that_wakes_too_slowly_ends_at_its_deadline_and_the_next_finds_it_up() {
    let edge = Edge::start(&file(&[App::named("slow").env("START_DELAY", "2s")])).await;
    let call = |kind, timeout| {
        Request::post("slow", "/a.A/B", "").header("Content-Type", kind).header("grpc-timeout", timeout)
    };
    let late = edge.ask(call("application/grpc", "100m")).await;
    assert_eq!((late.status, late.header("grpc-status")), (200, Some("4")), "{late:?}");
    assert!(late.header("proxy-status").expect("one").contains("details=\"deadline-exceeded\""), "{late:?}");
    // Held: less is left of it. Not held: it is what was said.
    let web = || call("application/grpc-web", "30S");
    let held = edge.ask(web()).await.seen().header("grpc-timeout").expect("a deadline");
    let left: u32 = held.strip_suffix('u').expect("microseconds").parse().unwrap();
    assert!((1..30_000_000).contains(&left), "{held}");
    assert_eq!(edge.ask(web()).await.seen().header("grpc-timeout").as_deref(), Some("30S"));
    assert_eq!(edge.starts("slow"), 1);
}

#[tokio::test]
async fn nobody_listens() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let app = App::elsewhere("far").line(&format!("upstreams = [\"{closed}\"]"));
    let edge = Edge::start(&file(&[app])).await;
    let answer = edge.ask(Request::get("far", "/")).await;
    answer.assert_refused(502, "upstream-refused");
    assert!(!format!("{answer:?}").contains(&closed.to_string()), "an internal address: {answer:?}");
    assert!(answer.header("proxy-status").expect("one").contains("error=connection_refused"), "{answer:?}");
}

#[tokio::test]
async fn somebody_hangs_up_without_a_word() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = App::elsewhere("far").line(&format!("upstreams = [\"{}\"]", listener.local_addr().unwrap()));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Not before it has been asked, or it might count as one that does not listen.
            let read = stream.read(&mut [0; 4_096]).await;
            assert!(read.is_ok(), "{read:?}");
        }
    });
    let edge = Edge::start(&file(&[app])).await;
    edge.ask(Request::get("far", "/")).await.assert_refused(502, "upstream-reset");
    edge.ask(Request::post("far", "/", "x")).await.assert_refused(502, "upstream-reset");
}

#[tokio::test]
async fn an_app_that_does_not_answer_in_time_is_504_and_not_asked_twice() {
    let edge = Edge::start(&file(&[App::named("hello").line(r#"response_timeout = "500ms""#)])).await;
    edge.wake("hello").await;
    let answer = edge.ask(Request::post("hello", "/late?delay=600s", "x")).await;
    answer.assert_refused(504, "upstream-timeout");
    edge.ask(Request::get("hello", "/late?delay=600s")).await.assert_refused(504, "upstream-timeout");
    let asked = edge.requests("hello");
    assert_eq!(asked.iter().filter(|line| line.starts_with("POST")).count(), 1, "{asked:?}");
    // A slow body is no slow answer.
    let slow = edge.ask(Request::get("hello", "/slow?n=4&every=300ms")).await;
    assert!(slow.text().ends_with("chunk 3\n"), "{slow:?}");
}

#[tokio::test]
async fn a_slow_upload_is_no_slow_answer() {
    let edge = Edge::start(&file(&[App::named("hello").line(r#"response_timeout = "500ms""#)])).await;
    edge.wake("hello").await;
    let mut wire = edge.wire().await;
    let request = Request::post("hello", "/upload", vec![b'x'; 6_000]);
    let bytes = request.bytes();
    let (head, body) = bytes.split_at(bytes.len() - 6_000);
    wire.send(head).await;
    for piece in body.chunks(1_000) {
        let_pass(Duration::from_millis(200), "the client is slow, though not as slow as that").await;
        wire.send(piece).await;
    }
    let answer = wire.read(&request).await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_502() {
    let two_lengths = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!";
    for raw in ["garbage\r\n\r\n", two_lengths, "HTTP/1.1 2000 OK\r\n\r\n"] {
        let edge = Edge::start(&file(&[App::named("raw").env("RAW", raw).env("RAW_CLOSE", "1")])).await;
        let answer = edge.ask(Request::post("raw", "/", "x")).await;
        assert_eq!(answer.status, 502, "{raw:?}: {answer:?}");
        assert!(answer.header("proxy-status").expect("one").starts_with("loco-edge; error="), "{answer:?}");
        assert_eq!(edge.requests("raw").len(), 1, "a POST was sent twice");
    }
}

#[tokio::test]
async fn the_waiting_page_stands_in_for_an_app_that_takes_its_time() {
    let slow = App::named("slow").env("START_DELAY", "2s").line(r#"page_after = "100ms""#);
    let edge = Edge::start(&file(&[slow])).await;
    let answer = edge.ask(Request::get("slow", "/a?b=c").navigation()).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("content-type").expect("a type").starts_with("text/html"), "{answer:?}");
    let seconds = answer.header("retry-after").expect("a Retry-After").parse::<u64>();
    assert!(seconds.is_ok_and(|seconds| seconds >= 1), "{answer:?}");
    assert!(answer.header("cache-control").expect("a Cache-Control").contains("no-store"));
    assert!(answer.header("x-robots-tag").expect("an X-Robots-Tag").contains("noindex"));
    assert!(answer.header("content-security-policy").expect("a policy").contains("default-src 'none'"));
    let page = answer.text();
    assert_page(&page);
    assert!(
        page.contains("http-equiv=\"refresh\"") || answer.header("refresh").is_some(),
        "no reload: {page}"
    );
    // The same address, reloaded, shows the app in the end.
    edge.until("slow", "awake").await;
    let landed = edge.ask(Request::get("slow", "/a?b=c").navigation()).await;
    assert_eq!(landed.seen().field("target"), "/a?b=c");
    assert_eq!(edge.starts("slow"), 1);
}

#[tokio::test]
async fn a_quick_app_shows_itself_and_not_the_page() {
    let edge = Edge::start(&file(&[App::named("quick").line(r#"page_after = "20s""#)])).await;
    assert_eq!(edge.ask(Request::get("quick", "/").navigation()).await.status, 200);
}

#[tokio::test]
async fn wake_page_shows_it_at_once_to_browsers_and_holds_the_rest() {
    let page =
        App::named("page").env("START_DELAY", "1s").line(r#"wake = "page""#).line(r#"page_after = "25s""#);
    let edge = Edge::start(&file(&[page])).await;
    let (browser, client, upload) = tokio::join!(
        edge.ask(Request::get("page", "/").navigation()),
        edge.ask(Request::get("page", "/")),
        // A form: what a browser sends with it would be lost with a page.
        edge.ask(Request::post("page", "/", "form").navigation()),
    );
    assert_eq!(browser.status, 503, "{browser:?}");
    assert_eq!(client.status, 200, "{client:?}");
    assert_eq!(upload.seen().field("length"), 4);
}

#[tokio::test]
async fn wake_hold_shows_no_page() {
    let hold =
        App::named("hold").env("START_DELAY", "1s").line(r#"wake = "hold""#).line(r#"page_after = "10ms""#);
    let edge = Edge::start(&file(&[hold])).await;
    assert_eq!(edge.ask(Request::get("hold", "/").navigation()).await.status, 200);
}

#[tokio::test]
async fn a_failed_wake_is_said_to_visitor_and_owner() {
    let edge = Edge::start(
        &(file(&[App::named("broken").env("FAIL", "exit")]) + "[revive]\nbackoff_first = \"60s\"\n"),
    )
    .await;
    let answer = edge.ask(Request::get("broken", "/").navigation()).await;
    assert!(matches!(answer.status, 502..=504), "{answer:?}");
    assert!(answer.header("content-type").expect("a type").starts_with("text/html"), "{answer:?}");
    assert!(answer.text().contains("exited-early"), "no code for the owner: {answer:?}");
    assert_page(&answer.text());
}
