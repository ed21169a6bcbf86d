//! The deadlines, on paused time.

use std::time::Duration;

use config::settings::Gateway;
use tokio::time::{Instant, sleep};

use super::support::{Server, get, run, soon};
use crate::conn::{End, Violation};

fn seconds(since: Instant) -> u64 {
    (since.elapsed() + Duration::from_millis(500)).as_secs()
}

#[test]
fn a_slow_head_is_told_so() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        let accepted = Instant::now();
        for byte in "GET / HT".as_bytes() {
            client.send([*byte]).await;
            sleep(Duration::from_secs(1)).await;
        }
        assert!(client.until("header-timeout").await.starts_with("HTTP/1.1 408 "));
        assert_eq!(seconds(accepted), 10);
        drop(client);
        assert_eq!(server.end().await, End::Refused(Violation::HeaderTimeout));
    });
}

#[test]
fn a_slow_second_head_is_timed_from_its_first_byte() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        client.send(get("/")).await;
        client.until("GET / ").await;
        sleep(Duration::from_secs(50)).await;
        let begun = Instant::now();
        client.send("G").await;
        client.until("header-timeout").await;
        assert_eq!(seconds(begun), 10);
    });
}

#[test]
fn silence_is_closed_silently() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let begun = Instant::now();
        assert_eq!(server.ask("").await, "");
        assert_eq!(seconds(begun), 10);
        assert_eq!(server.end().await, End::Idle);
        let mut client = server.connect().await;
        for _ in 0..2 {
            client.send(get("/")).await;
            client.until("GET / ").await;
            sleep(Duration::from_secs(45)).await;
        }
        // Empty lines are no request.
        client.send("\r\n\r\n").await;
        assert_eq!(client.rest().await, "");
        assert_eq!(seconds(begun), 10 + 45 + 60);
        assert_eq!(server.end().await, End::Idle);
    });
}

#[test]
fn a_slow_body_is_told_so() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").await;
        soon(server.app.begun.notified()).await;
        let begun = Instant::now();
        // 512 bytes a second earn half of the time they take.
        for _ in 0..20 {
            client.send("x".repeat(512)).await;
            sleep(Duration::from_secs(1)).await;
        }
        assert!(client.until("body-too-slow").await.starts_with("HTTP/1.1 408 "));
        assert_eq!(seconds(begun), 20);
        drop(client);
        assert_eq!(server.end().await, End::Refused(Violation::BodyTooSlow));
    });
}

#[test]
fn a_body_at_the_rate_may_take_long() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 102400\r\n\r\n").await;
        for _ in 0..50 {
            client.send("x".repeat(2048)).await;
            sleep(Duration::from_secs(2)).await;
        }
        client.until("POST / x").await;
    });
}

#[test]
fn a_body_nobody_wants_has_no_clock() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        client.send("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await;
        sleep(Duration::from_secs(1000)).await;
        server.app.go.notify_waiters();
        client.send("yes").await;
        client.until("POST /wait yes").await;
    });
}

#[test]
fn a_slow_body_under_a_response_cuts_it() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        client.send("POST /both HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await;
        client.until("first\r\n").await;
        assert_eq!(client.rest().await, "");
        assert_eq!(server.end().await, End::Cut(Violation::BodyTooSlow));
    });
}

#[test]
fn who_takes_nothing_is_reset() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        client.send(get("/endless")).await;
        let begun = Instant::now();
        soon(server.app.dropped.notified()).await;
        assert_eq!(seconds(begun), 30);
        assert_eq!(server.end().await, End::Stalled);
        let error = client.try_rest().await.expect_err("a reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
}
