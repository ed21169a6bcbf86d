//! The client leaves, with bytes of it unread.

use std::rc::Rc;

use config::settings::Gateway;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

use super::support::{App, Server, get, run, soon};
use crate::conn::line::Line;
use crate::conn::{End, Serving, serve};

async fn leaves(path: &str, more: &str, reset: bool) {
    let mut server = Server::start(Gateway::default()).await;
    let mut client = server.connect().await;
    client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{more}")).await;
    soon(server.app.begun.notified()).await;
    if reset {
        client.0.set_zero_linger().unwrap();
    }
    let before = tokio::time::Instant::now();
    drop(client);
    soon(server.app.dropped.notified()).await;
    assert_eq!(server.end().await, End::Abandoned);
    assert_eq!(before.elapsed(), std::time::Duration::ZERO, "no clock was needed");
}

#[test]
fn from_a_handler_that_does_not_read() {
    run(async {
        let unread = "x".repeat(50_000);
        for reset in [false, true] {
            leaves("/hang", "", reset).await;
            leaves("/hang", &unread, reset).await;
            leaves("/hang", &"x".repeat(100_000), reset).await;
            leaves("/hang", &("x".repeat(100_000) + &get("/next")), reset).await;
        }
    });
}

#[test]
fn from_a_response_that_streams() {
    run(async {
        for reset in [false, true] {
            leaves("/stuck", &"x".repeat(50_000), reset).await;
            leaves("/endless", &"x".repeat(50_000), reset).await;
        }
    });
}

#[test]
fn between_requests() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        drop(server.connect().await);
        assert_eq!(server.end().await, End::Closed);
        let mut client = server.connect().await;
        client.send(get("/")).await;
        client.until("GET / ").await;
        client.send("GET / HT").await;
        drop(client);
        assert_eq!(server.end().await, End::Closed);
    });
}

/// What was waited for in one task is found in another.
#[test]
fn after_the_connection_moved_to_another_task() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        client.write_all(get("/hang").as_bytes()).await.unwrap();
        let app = Rc::new(App::default());
        let (_serving, drain) = Serving::begin();
        let mut connection = Box::pin(serve(stream, app.clone(), Rc::new(Gateway::default()), drain));
        soon(async {
            tokio::select! { end = &mut connection => panic!("{end:?}"), () = app.begun.notified() => {} }
        })
        .await;
        let moved = spawn_local(connection);
        tokio::task::yield_now().await;
        drop(client);
        assert_eq!(soon(moved).await.unwrap(), End::Abandoned);
    });
}

/// 20,000 idle connections are 20,000 of these, beside what tokio allocates, and the room for a request at work.
#[test]
fn a_connection_is_small() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (_serving, drain) = Serving::begin();
        let connection = serve(stream, Rc::new(App::default()), Rc::new(Gateway::default()), drain);
        let sizes = (size_of_val(&connection), size_of::<Line>());
        assert!(sizes.0 <= 1400 && sizes.1 <= 320, "{sizes:?}");
    });
}
