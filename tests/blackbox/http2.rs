//! HTTP/2 from clients: many requests on one connection, and none behind another.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::checksum::Checksum;
use crate::harness::{App, Asked, Edge, Http2, PATIENCE, Request, Signal, Tunnel, file, rss, scaled};

/// An app that is not up while a test goes on.
fn endless(name: &str) -> App {
    App::named(name).env("START_DELAY", "600s").line(r#"health = { tcp = true, grace = "500s" }"#)
}

#[tokio::test]
async fn a_request_arrives_as_over_http1() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let mut client = Http2::connect(edge.listen()).await;
    let request = Request::get("hello", "/a/b?c=d").header("cookie", "a=1").header("cookie", "b=2");
    let over_2 = client.ask(&request.clone().header("x-kept", "yes")).await.seen();
    let request = Request::get("hello", "/a/b?c=d").header("cookie", "a=1; b=2").header("x-kept", "yes");
    let over_1 = edge.ask(request).await.seen();
    for field in ["method", "path", "query"] {
        assert_eq!(over_2.field(field), over_1.field(field), "{field}");
    }
    for name in ["host", "cookie", "x-kept", "x-forwarded-host", "x-forwarded-proto", "loco-app-name"] {
        assert_eq!(over_2.header(name), over_1.header(name), "{name}");
    }
}

#[tokio::test]
async fn trailers_come_back() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let mut client = Http2::connect(edge.listen()).await;
    let answer = client.ask(&Request::get("hello", "/?trailers=1").header("te", "trailers")).await;
    let over_1 = edge.ask(Request::get("hello", "/?trailers=1").header("TE", "trailers")).await;
    assert!(!answer.trailers.is_empty(), "{answer:?}");
    assert_eq!(answer.trailers, over_1.trailers);
}

#[tokio::test]
async fn many_uploads_and_downloads_at_once_on_one_connection_arrive_whole() {
    const SIZE: usize = 1 << 20;
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let mut client = Http2::connect(edge.listen()).await;
    let body: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    let mut checksum = Checksum::EMPTY;
    checksum.add(&body);
    let mut asked = Vec::new();
    for _ in 0..scaled(200).min(90) {
        asked.push(client.begin(&Request::post("hello", "/upload", "").without_length()).await);
    }
    join_all(asked.iter_mut().map(|asked| asked.fill(&body, true))).await;
    for answer in join_all(asked.into_iter().map(Asked::read)).await {
        assert_eq!((answer.status, &answer.json()["checksum"]), (200, &checksum.hex().into()), "{answer:?}");
    }
    let echoes = (0..8).map(|_| Request::post("hello", "/echo", body.clone()));
    let mut asked = Vec::new();
    for request in echoes {
        asked.push(client.send(&request).await);
    }
    for answer in join_all(asked.into_iter().map(Asked::read)).await {
        assert_eq!((answer.status, answer.body.len()), (200, SIZE));
        assert!(answer.body == body, "the bytes differ");
    }
}

/// design.md: with a smaller window of the connection, 16 held uploads would block every other stream.
#[tokio::test]
async fn a_hundred_held_uploads_stop_no_request_to_an_app_that_is_awake() {
    let settings = "[gateway]\nmax_streams = 120\n";
    let edge = Edge::start(&(file(&[endless("slow"), App::named("quick")]) + settings)).await;
    let mut client = Http2::connect(edge.listen()).await;
    let window = vec![b'x'; 64 << 10];
    let mut held = Vec::new();
    for _ in 0..100 {
        let mut asked = client.begin(&Request::post("slow", "/", "").without_length()).await;
        asked.fill(&window, false).await;
        held.push(asked);
    }
    edge.until_held(PATIENCE, "slow", 100).await;
    for _ in 0..20 {
        let answer = client.ask(&Request::post("quick", "/upload", vec![b'y'; 300_000])).await;
        assert_eq!(answer.json()["length"], 300_000);
    }
    // Taken back, they are not held.
    held.into_iter().for_each(|mut asked| asked.body.send_reset(h2::Reason::CANCEL));
    edge.until_held(Duration::from_secs(3), "slow", 0).await;
    assert_eq!(client.ask(&Request::get("quick", "/")).await.status, 200, "the connection goes on");
}

#[tokio::test]
async fn held_uploads_have_a_budget() {
    let settings = "[gateway]\nmax_held_bytes = \"130KiB\"\n";
    let edge = Edge::start(&(file(&[endless("slow"), App::named("quick")]) + settings)).await;
    let mut client = Http2::connect(edge.listen()).await;
    edge.wake("quick").await;
    let upload = Request::post("slow", "/", "").without_length();
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(client.begin(&upload).await);
    }
    edge.until_held(PATIENCE, "slow", 2).await;
    client.begin(&upload).await.read().await.assert_refused(503, "too-many-held");
    // What has no body, or little of one, or goes to an app that is awake, finds room.
    held.push(client.send(&Request::get("slow", "/")).await);
    held.push(client.send(&Request::post("slow", "/", "little")).await);
    edge.until_held(PATIENCE, "slow", 4).await;
    assert_eq!(client.ask(&Request::post("quick", "/upload", vec![0; 300_000])).await.status, 200);
    held[0].body.send_reset(h2::Reason::CANCEL);
    edge.until_held(PATIENCE, "slow", 3).await;
    held.push(client.begin(&upload).await);
    edge.until_held(PATIENCE, "slow", 4).await;
}

/// targets.md: 10,000 held requests, at most 8 KiB each.
#[tokio::test]
async fn thousands_held_over_few_connections_are_one_start_and_cost_little() {
    let many = scaled(10_000).next_multiple_of(100);
    let app = App::named("hello").env("START_DELAY", "5s").line("max_held = 20000");
    let edge = Edge::start(&file(&[app])).await;
    let mut clients = join_all((0..many / 100).map(|_| Http2::connect(edge.listen()))).await;
    for client in &mut clients {
        assert_eq!(client.ask(&Request::get("nobody", "/")).await.status, 404);
    }
    let before = rss(edge.pid());
    let mut asked = Vec::new();
    for (number, client) in clients.iter_mut().enumerate() {
        for place in 0..100 {
            asked.push((
                number * 100 + place,
                client.send(&Request::get("hello", &format!("/{number}/{place}"))).await,
            ));
        }
    }
    edge.until_held(PATIENCE, "hello", many as u64).await;
    let each = rss(edge.pid()).saturating_sub(before) / many as u64;
    assert!(each <= 8 << 10, "{each} bytes each");
    for (number, asked) in asked {
        let seen = asked.read().await.seen();
        assert_eq!(seen.field("path"), &format!("/{}/{}", number / 100, number % 100));
    }
    assert_eq!(edge.starts("hello"), 1);
}

#[tokio::test]
async fn who_leaves_frees_all_its_places() {
    let edge = Edge::start(&file(&[endless("slow")])).await;
    let mut client = Http2::connect(edge.listen()).await;
    let mut held = Vec::new();
    for number in 0..50 {
        let request =
            if number % 2 == 0 { Request::get("slow", "/") } else { Request::post("slow", "/", [0; 9_000]) };
        held.push(client.send(&request).await);
    }
    edge.until_held(PATIENCE, "slow", 50).await;
    drop(client);
    edge.until_held(Duration::from_secs(3), "slow", 0).await;
    assert_eq!(edge.app("slow").await["open"], 0);
}

async fn websocket(client: &mut Http2) -> WebSocketStream<Tunnel> {
    let tunnel = client.websocket(&Request::get("hello", "/ws?x=y")).await.tunnel().await;
    WebSocketStream::from_raw_socket(tunnel, Role::Client, None).await
}

async fn assert_echo(socket: &mut WebSocketStream<Tunnel>, text: &str) {
    socket.send(Message::text(text)).await.expect("sent");
    assert_eq!(socket.next().await.expect("an echo").expect("an echo"), Message::text(text));
}

#[tokio::test]
async fn websockets_beside_requests_on_one_connection() {
    let app = App::named("hello").line(r#"idle_after = "400ms""#);
    let witness = App::named("witness").line(r#"idle_after = "400ms""#);
    let edge = Edge::start(&file(&[app, witness])).await;
    let mut client = Http2::connect(edge.listen()).await;
    // Opened while the app sleeps: it is held like any request.
    let mut socket = websocket(&mut client).await;
    let mut other = websocket(&mut client).await;
    assert_echo(&mut socket, "one").await;
    assert_echo(&mut other, &"long ".repeat(50_000)).await;
    assert_eq!(client.ask(&Request::get("hello", "/")).await.status, 200);
    edge.until_open("hello", 2).await;
    // It keeps its app awake, however little it says.
    edge.wake("witness").await;
    edge.until("witness", "asleep").await;
    assert_eq!(edge.state("hello").await, "awake");
    assert_echo(&mut socket, "two").await;
    for mut socket in [socket, other] {
        socket.close(None).await.expect("closed");
        while let Some(Ok(_)) = socket.next().await {}
    }
    edge.until("hello", "asleep light").await;
    assert_echo(&mut websocket(&mut client).await, "three").await;
}

#[tokio::test]
async fn a_websocket_whose_client_is_gone_lets_its_app_sleep() {
    let edge = Edge::start(&file(&[App::named("hello").line(r#"idle_after = "400ms""#)])).await;
    let mut client = Http2::connect(edge.listen()).await;
    let mut socket = websocket(&mut client).await;
    assert_echo(&mut socket, "one").await;
    drop(client);
    edge.until("hello", "asleep light").await;
}

#[tokio::test]
async fn what_is_refused_is_counted_and_the_connection_goes_on() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let mut client = Http2::connect(edge.listen()).await;
    client.ask(&Request::get("hello", "/../a")).await.assert_refused(400, "above-root");
    let trace = client.ask(&Request::new("TRACE", "hello.localhost", "/")).await;
    trace.assert_refused(405, "method-not-allowed");
    assert!(trace.header("allow").is_some(), "{trace:?}");
    client.ask(&Request::get("nobody", "/")).await.assert_refused(404, "unknown-host");
    assert_eq!(client.ask(&Request::get("hello", "/")).await.status, 200);
    let metrics = edge.tell("GET", "/metrics").await.text();
    for code in ["above-root", "method-not-allowed", "unknown-host"] {
        assert!(metrics.lines().any(|line| line.contains(code) && line.ends_with(" 1")), "{code}: {metrics}");
    }
}

#[tokio::test]
async fn the_end_of_the_edge_lets_what_is_open_finish() {
    let mut edge = Edge::start(&file(&[App::named("hello")])).await;
    let (mut client, idle) = (Http2::connect(edge.listen()).await, Http2::connect(edge.listen()).await);
    assert_eq!(client.ask(&Request::get("hello", "/")).await.status, 200);
    let slow = client.send(&Request::get("hello", "/?delay=1s")).await;
    edge.until_open("hello", 1).await;
    let ended = edge.end(Signal::TERM);
    let (status, answer) = tokio::join!(ended, slow.read());
    assert!(status.success(), "{status:?}");
    assert_eq!(answer.status, 200);
    for client in [client, idle] {
        client.closed().await.expect("a GOAWAY without an error");
    }
}
