//! The client leaves, with bytes of it unread.

use config::settings::Gateway;

use super::support::{Server, get, run, soon};
use crate::conn::End;

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
