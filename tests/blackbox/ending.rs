//! How long the end takes, and what those see who are in the middle of something.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::harness::{App, Broken, Edge, PATIENCE, Request, Signal, Wire, eventually, file, runs, signal};

/// A response that says something now and then (`/slow`), and one that says nothing for long (`/sse`).
const STREAMS: [&str; 2] = ["/slow?n=600&every=100ms", "/sse?n=2&every=600s"];

async fn open(edge: &Edge, target: &str) -> Wire {
    let mut wire = edge.wire().await;
    wire.send(&Request::get("hello", target).bytes()).await;
    wire.head().await.expect("a head");
    wire.data().await.expect("what comes at once").expect("something");
    wire
}

/// Reads to the end; fails unless the response is cut there.
async fn assert_cut(mut wire: Wire) {
    loop {
        match wire.data().await {
            Ok(Some(_)) => {}
            Err(Broken::Cut(_) | Broken::Reset(_)) => return,
            other => panic!("the end of a response that has none: {other:?}"),
        }
    }
}

/// Waits until the edge takes no more connections, which is how one sees that a signal has been heeded. It is to be
/// long before `drain_timeout`: who connects and is not served waits in vain.
async fn until_closed(edge: &Edge) {
    eventually(Duration::from_secs(5), "the edge listens no more", async || {
        match TcpStream::connect(edge.listen()).await {
            Ok(_) => Err("it does"),
            Err(_) => Ok(()),
        }
    })
    .await;
}

#[tokio::test]
async fn who_presses_ctrl_c_twice_does_not_wait_for_open_responses() {
    for target in STREAMS {
        let mut edge = Edge::start(&file(&[App::named("hello")])).await;
        let wire = open(&edge, target).await;
        signal(edge.pid(), Signal::INT);
        until_closed(&edge).await;
        assert!(runs(edge.pid()), "it has not waited for what is open");
        let begin = Instant::now();
        let (status, ()) = tokio::join!(edge.end(Signal::INT), assert_cut(wire));
        assert!(status.success(), "{status}");
        // Far less than `drain_timeout`, which is 10 s unless it is set.
        assert!(begin.elapsed() < Duration::from_secs(5), "{target}: {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn a_tunnel_is_cut_when_time_is_up() {
    let file = file(&[App::named("hello")]) + "[gateway]\ndrain_timeout = \"500ms\"\n";
    let mut edge = Edge::start(&file).await;
    let mut wire = edge.wire().await;
    let upgrade = Request::get("hello", "/")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    wire.send(&upgrade.bytes()).await;
    assert_eq!(wire.head().await.expect("a head").status, 101);
    let begin = Instant::now();
    let (status, ended) = tokio::join!(edge.end(Signal::TERM), wire.ended());
    assert!(status.success() && ended, "{status}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn what_is_open_when_time_is_up_is_cut_and_seen_to_be() {
    for target in STREAMS {
        let file = file(&[App::named("hello")]) + "[gateway]\ndrain_timeout = \"500ms\"\n";
        let mut edge = Edge::start(&file).await;
        let chunked = open(&edge, target).await;
        // To HTTP/1.0 the end of the connection is the end of the body: only a reset says that more was to come.
        let mut until_close = edge.wire().await;
        until_close.send(format!("GET {target} HTTP/1.0\r\nHost: hello.localhost\r\n\r\n").as_bytes()).await;
        let head = until_close.head().await.expect("a head");
        assert_eq!(head.header("transfer-encoding"), None, "{head:?}");
        let begin = Instant::now();
        let ((), (), status) =
            tokio::join!(assert_cut(chunked), assert_cut(until_close), edge.end(Signal::TERM));
        assert!(status.success(), "{status}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{target}: {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn who_is_held_when_time_is_up_is_told() {
    let app =
        App::named("slow").env("START_DELAY", "600s").line(r#"health = { tcp = true, grace = "500s" }"#);
    let mut edge = Edge::start(&(file(&[app]) + "[gateway]\ndrain_timeout = \"500ms\"\n")).await;
    let request = Request::get("slow", "/");
    let mut wire = edge.wire().await;
    wire.send(&request.bytes()).await;
    edge.until_held(PATIENCE, "slow", 1).await;
    let begin = Instant::now();
    let (status, told) = tokio::join!(edge.end(Signal::TERM), wire.read(&request));
    told.expect("an answer").assert_refused(503, "shutting-down");
    assert!(status.success(), "{status}");
    assert!(begin.elapsed() >= Duration::from_millis(500), "the app might have come up");
}

#[tokio::test]
async fn who_asks_nothing_does_not_hold_up_the_end() {
    let mut edge = Edge::start(&file(&[App::named("hello")])).await;
    let mut wire = edge.wire().await;
    wire.ask(&Request::get("hello", "/")).await.expect("an answer");
    let silent = edge.wire().await;
    let begin = Instant::now();
    assert!(edge.end(Signal::TERM).await.success());
    assert!(begin.elapsed() < Duration::from_millis(1_500), "{:?}", begin.elapsed());
    drop((wire, silent));
}
