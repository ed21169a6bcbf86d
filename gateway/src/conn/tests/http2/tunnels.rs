//! WebSockets over HTTP/2 (RFC 8441).

use std::time::Duration;

use config::settings::Gateway;
use h2::ext::Protocol;
use http::{Method, Request};
use tokio::time::Instant;

use super::{ask, begin, connect, get, piece, read, text};
use crate::conn::End;
use crate::conn::tests::support::{Server, run, soon};

fn asks_for(protocol: &'static str, path: &str) -> Request<()> {
    let request = Request::builder().method(Method::CONNECT).uri(format!("http://a{path}"));
    request.extension(Protocol::from_static(protocol)).body(()).unwrap()
}

#[test]
fn a_stream_becomes_a_tunnel_and_ends_as_one() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        ask(&mut client, get("/")).await;
        assert!(client.is_extended_connect_protocol_enabled());
        let (response, mut up) = begin(&mut client, asks_for("websocket", "/upgrade"));
        let response = soon(response).await.unwrap();
        assert_eq!(response.status(), 200);
        for name in ["connection", "upgrade", "sec-websocket-accept", "content-length"] {
            assert!(!response.headers().contains_key(name), "{name}");
        }
        let mut down = response.into_body();
        assert_eq!(piece(&mut down).await, "hello ");
        assert_eq!(ask(&mut client, get("/")).await.status(), 200, "others go on beside it");
        up.send_data("to you".into(), true).unwrap();
        assert_eq!(text(&mut down).await, "to you");
        drop((client, up, down));
        assert_eq!(server.end().await, End::Closed);
    });
}

#[test]
fn the_app_sees_what_it_would_over_http1() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (response, _up) = begin(&mut client, asks_for("websocket", "/headers"));
        let answer = read(response).await;
        // Its 200 is none to the WebSocket.
        assert_eq!(answer.status(), 502);
        let headers = answer.body();
        for line in
            [r#""connection": "upgrade""#, r#""upgrade": "websocket""#, r#""sec-websocket-version": "13""#]
        {
            assert!(headers.contains(line), "{headers}");
        }
        let key = headers.split(r#""sec-websocket-key": ""#).nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(key.len(), 24, "{headers}");
    });
}

#[test]
fn nothing_else_is_tunnelled() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (response, _up) = begin(&mut client, asks_for("connect-udp", "/upgrade"));
        let answer = read(response).await;
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (501, "unknown-protocol"));
        let (response, _up) = begin(&mut client, asks_for("websocket", "/refuse"));
        let answer = read(response).await;
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (413, "too large"));
    });
}

/// It counts as open: neither the idle clock nor draining ends it; the last step does.
#[test]
fn a_tunnel_is_open_until_it_ends_or_time_is_up() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (response, up) = begin(&mut client, asks_for("websocket", "/upgrade"));
        let mut down = soon(response).await.unwrap().into_body();
        piece(&mut down).await;
        tokio::time::sleep(Duration::from_secs(1_000)).await;
        server.serving.drain();
        tokio::time::sleep(Duration::from_secs(1_000)).await;
        server.serving.end();
        soon(down.data()).await.expect("an error").unwrap_err();
        drop((client, up, down));
        assert_eq!(server.end().await, End::Broken);
    });
}

#[test]
fn who_takes_nothing_of_a_tunnel_is_cut_off() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (response, mut up) = begin(&mut client, asks_for("websocket", "/flooding"));
        let _down = soon(response).await.unwrap();
        let began = Instant::now();
        soon(server.app.dropped.notified()).await;
        assert_eq!(began.elapsed().as_secs(), 30);
        soon(std::future::poll_fn(|cx| up.poll_reset(cx))).await.unwrap();
        assert_eq!(ask(&mut client, get("/")).await.status(), 200, "the connection goes on");
    });
}
