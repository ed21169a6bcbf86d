//! What is open keeps its app awake, however little it says; sleep follows when it ends.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{App, Edge, PATIENCE, Request, file, within};

/// Two apps with the same `idle_after`: when the witness, woken later, has fallen asleep, it has passed for both.
async fn with_witness() -> Edge {
    let idle = |name| App::named(name).line(r#"idle_after = "400ms""#);
    Edge::start(&file(&[idle("hello"), idle("witness")])).await
}

/// Lets `idle_after` pass, and fails unless `hello` has been left alone meanwhile.
async fn assert_kept_awake(edge: &Edge) {
    for _ in 0..2 {
        edge.wake("witness").await;
        edge.until("witness", "asleep").await;
        let app = edge.app("hello").await;
        assert_eq!((&app["state"], &app["open"]), (&"awake".into(), &1.into()), "{app}");
    }
    assert_eq!(edge.starts("hello"), 1);
}

async fn websocket(edge: &Edge, path: &str) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(edge.listen()).await.expect("a connection");
    let url = format!("ws://hello.localhost{path}");
    tokio_tungstenite::client_async(url, stream).await.expect("a WebSocket").0
}

async fn assert_echo(socket: &mut WebSocketStream<TcpStream>, text: &str) {
    socket.send(Message::text(text)).await.expect("sent");
    let back = socket.next().await.expect("an answer").expect("an answer");
    assert_eq!(back, Message::text(text));
}

/// Says that it closes, hears that the other side does, and hangs up.
async fn close(mut socket: WebSocketStream<TcpStream>) {
    socket.close(None).await.expect("closed");
    within(PATIENCE, "the end of the WebSocket", async { while let Some(Ok(_)) = socket.next().await {} })
        .await;
}

#[tokio::test]
async fn a_websocket_that_says_nothing() {
    let edge = with_witness().await;
    // Opened while the app sleeps: an upgrade is held like any request.
    let mut socket = websocket(&edge, "/ws?x=y").await;
    assert_echo(&mut socket, "one").await;
    assert_kept_awake(&edge).await;
    assert_echo(&mut socket, &"long ".repeat(50_000)).await;
    close(socket).await;
    edge.until("hello", "asleep light").await;
    let mut again = websocket(&edge, "/").await;
    assert_echo(&mut again, "two").await;
}

#[tokio::test]
async fn a_websocket_whose_client_is_gone() {
    let edge = with_witness().await;
    let mut socket = websocket(&edge, "/").await;
    assert_echo(&mut socket, "one").await;
    drop(socket);
    edge.until("hello", "asleep light").await;
}

#[tokio::test]
async fn a_websocket_that_the_app_has_closed_and_the_client_has_not() {
    let edge = with_witness().await;
    let mut socket = websocket(&edge, "/").await;
    assert_echo(&mut socket, "one").await;
    // The app hangs up after this; the client keeps its connection, as one does that is asleep in a bag.
    socket.close(None).await.expect("closed");
    edge.until("hello", "asleep light").await;
    drop(socket);
}

#[tokio::test]
async fn a_websocket_whose_app_crashes_ends() {
    let edge = with_witness().await;
    let mut socket = websocket(&edge, "/").await;
    assert_echo(&mut socket, "one").await;
    // The app aborts; nobody is left to answer.
    let _ = edge.try_ask(&Request::post("hello", "/crash", "")).await;
    let end = within(PATIENCE, "the end of the WebSocket", socket.next()).await;
    assert!(!matches!(end, Some(Ok(Message::Text(_) | Message::Binary(_)))), "{end:?}");
}

#[tokio::test]
async fn an_event_stream_between_two_events() {
    let edge = with_witness().await;
    let mut wire = edge.wire().await;
    wire.send(&Request::get("hello", "/sse?n=2&every=600s").header("Accept", "text/event-stream").bytes())
        .await;
    let head = wire.head().await.expect("a head");
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    // It comes at once, though the second is ten minutes away.
    let event = wire.data().await.expect("an event").expect("an event");
    assert_eq!(String::from_utf8_lossy(&event), "id: 0\ndata: event 0\n\n");
    assert_kept_awake(&edge).await;
    drop(wire);
    edge.until("hello", "asleep light").await;
}

#[tokio::test]
async fn a_slow_download() {
    let edge = with_witness().await;
    let mut wire = edge.wire().await;
    wire.send(&Request::get("hello", "/slow?n=20&every=200ms").bytes()).await;
    wire.head().await.expect("a head");
    let mut text = String::new();
    while let Some(piece) = wire.data().await.expect("a whole body") {
        text += &String::from_utf8_lossy(&piece);
        assert_eq!(edge.state("hello").await, "awake", "after {text:?}");
    }
    assert!(text.ends_with("chunk 19\n"), "{text}");
    edge.until("hello", "asleep light").await;
}

#[tokio::test]
async fn a_download_whose_client_does_not_read() {
    let edge = with_witness().await;
    let mut wire = edge.wire().await;
    wire.send(&Request::get("hello", "/huge?size=100000000").bytes()).await;
    wire.head().await.expect("a head");
    assert_kept_awake(&edge).await;
    drop(wire);
    edge.until("hello", "asleep light").await;
}

#[tokio::test]
async fn an_upload_that_pauses() {
    let edge = with_witness().await;
    let mut wire = edge.wire().await;
    wire.send(b"POST /upload HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 6\r\n\r\nfoo").await;
    edge.until_open("hello", 1).await;
    edge.until("hello", "awake").await;
    assert_kept_awake(&edge).await;
    wire.send(b"bar").await;
    let answer = wire.read(&Request::get("hello", "/")).await.expect("an answer");
    assert_eq!(answer.json()["length"], 6);
    edge.until("hello", "asleep light").await;
}

#[tokio::test]
async fn bytes_right_after_an_upgrade_are_not_lost() {
    let edge = with_witness().await;
    let mut wire = edge.wire().await;
    let head = "GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // A frame in the same segment as the head, before anybody has agreed (RFC 6455 lets no client do so, but a
    // proxy that reads ahead loses such bytes also when they are late).
    let frame = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    wire.send(&[head.as_bytes(), &frame].concat()).await;
    let answer = wire.head().await.expect("a head");
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(wire.exactly(4).await, [0x81, 2, b'h', b'i']);
}
