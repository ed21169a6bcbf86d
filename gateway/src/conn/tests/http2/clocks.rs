//! The deadlines of connections and of streams, on paused time.

use std::time::Duration;

use config::settings::Gateway;
use tokio::time::{Instant, sleep};

use super::raw::{self, Raw};
use super::{ask, begin, connect, get, post, read};
use crate::conn::tests::support::{Server, run, soon};
use crate::conn::{End, Violation};

fn seconds(since: Instant) -> u64 {
    (since.elapsed() + Duration::from_millis(500)).as_secs()
}

#[test]
fn silence_after_the_preface_or_within_it_is_closed() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let began = Instant::now();
        let mut client = Raw::begin(&server).await;
        assert_eq!(client.goes_away().await, raw::NO_ERROR);
        assert_eq!((server.end().await, seconds(began)), (End::Idle, 12));
        let began = Instant::now();
        let mut client = Raw(server.connect().await);
        client.send(&raw::PREFACE[..20]).await;
        while client.next().await.is_some() {}
        assert_eq!((server.end().await, seconds(began)), (End::Idle, 12));
    });
}

#[test]
fn a_slow_head_ends_the_connection() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = Raw::begin(&server).await;
        client.send(raw::get(1, "/hang")).await;
        soon(server.app.begun.notified()).await;
        sleep(Duration::from_secs(100)).await;
        // From when it can be known to be one: the first 9 bytes.
        let began = Instant::now();
        let block = raw::block("GET", "/", &[]);
        let head =
            [raw::frame(raw::HEADERS, 0, 3, &block), raw::frame(raw::CONTINUATION, 0, 3, &[])].concat();
        for bytes in head.chunks(8).take(8) {
            client.send(bytes).await;
            sleep(Duration::from_secs(1)).await;
        }
        client.goes_away().await;
        drop(client);
        assert_eq!((server.end().await, seconds(began)), (End::Cut(Violation::HeaderTimeout), 11));
        assert_eq!(server.app.cut.take(), [Violation::HeaderTimeout]);
    });
}

#[test]
fn idle_connections_are_told_and_closed() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        for _ in 0..3 {
            ask(&mut client, get("/")).await;
            sleep(Duration::from_secs(45)).await;
        }
        let (waiting, _) = client.send_request(get("/wait"), true).unwrap();
        sleep(Duration::from_secs(1_000)).await;
        server.app.go.notify_waiters();
        assert_eq!(read(waiting).await.status(), 200);
        let began = Instant::now();
        assert_eq!((server.end().await, seconds(began)), (End::Idle, 60));
        drop(client);
        // Who answers to nothing is not waited for.
        let mut client = Raw::begin(&server).await;
        client.send(raw::get(1, "/")).await;
        client.until(raw::DATA).await;
        let began = Instant::now();
        assert_eq!(client.goes_away().await, raw::NO_ERROR);
        assert_eq!((server.end().await, seconds(began)), (End::Idle, 62));
    });
}

/// PINGs are no requests.
#[test]
fn pings_do_not_keep_a_connection() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = Raw::begin(&server).await;
        client.send(raw::get(1, "/")).await;
        let began = Instant::now();
        while client.try_send(&raw::frame(raw::PING, 0, 0, &[0; 8])).await.is_ok() && seconds(began) < 100 {
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(server.end().await, End::Idle);
        assert!((62..66).contains(&seconds(began)), "{}", seconds(began));
    });
}

#[test]
fn a_slow_body_is_told_so_and_no_other_suffers() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (slow, mut body) = begin(&mut client, post("/"));
        let (waiting, _held) = begin(&mut client, post("/wait"));
        let began = Instant::now();
        // 512 bytes a second earn half of the time they take.
        for _ in 0..20 {
            body.send_data("x".repeat(512).into(), false).unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        let answer = read(slow).await;
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (408, "body-too-slow"));
        assert_eq!(seconds(began), 20);
        assert_eq!(ask(&mut client, get("/")).await.status(), 200);
        // Who is not asked for bytes is not too slow.
        sleep(Duration::from_secs(1_000)).await;
        server.app.go.notify_waiters();
        assert_eq!(read(waiting).await.status(), 408, "now it is asked");
        assert_eq!(server.app.refused.take(), [Violation::BodyTooSlow; 2]);
    });
}

#[test]
fn a_held_upload_waits_as_long_as_it_must() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (waiting, mut body) = begin(&mut client, post("/wait"));
        soon(server.app.begun.notified()).await;
        sleep(Duration::from_secs(1_000)).await;
        server.app.go.notify_waiters();
        body.send_data("yes".into(), true).unwrap();
        assert_eq!(read(waiting).await.body(), "POST http://a/wait yes");
    });
}

#[test]
fn a_slow_body_under_a_response_resets_it() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (response, _body) = begin(&mut client, post("/both"));
        let mut response = soon(response).await.unwrap().into_body();
        super::piece(&mut response).await;
        soon(response.data()).await.expect("a reset").unwrap_err();
        soon(server.app.dropped.notified()).await;
        assert_eq!(ask(&mut client, get("/")).await.status(), 200);
    });
}

#[test]
fn who_shuts_a_streams_window_loses_the_stream() {
    run(async {
        let server = Server::start(Gateway { min_body_rate: 8 << 10, ..Gateway::default() }).await;
        let mut client = connect(&server).await;
        let (response, _) = client.send_request(get("/endless"), true).unwrap();
        let _never_read = soon(response).await.unwrap();
        let began = Instant::now();
        soon(server.app.dropped.notified()).await;
        // write_timeout, and the time that what hyper has taken may need at min_body_rate.
        assert_eq!(seconds(began), 30 + (64 + 16) / 8);
        assert_eq!(ask(&mut client, get("/")).await.status(), 200);
    });
}

#[test]
fn who_takes_nothing_at_all_is_reset() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = Raw::begin(&server).await;
        let window = (1_u32 << 30).to_be_bytes();
        let settings = [&[0, 4][..], &window].concat();
        client.send(raw::frame(raw::SETTINGS, 0, 0, &settings)).await;
        client.send(raw::frame(raw::WINDOW_UPDATE, 0, 0, &window)).await;
        client.send(raw::get(1, "/endless")).await;
        let began = Instant::now();
        soon(server.app.dropped.notified()).await;
        assert_eq!((server.end().await, seconds(began)), (End::Stalled, 30));
    });
}
