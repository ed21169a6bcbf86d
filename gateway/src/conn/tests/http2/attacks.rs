//! Clients that mean harm (RFC 9113, section 10.5): the connection ends, soon, and the handler sees no more of it than
//! of anybody else.

use std::time::Duration;

use config::settings::Gateway;
use tokio::time::Instant;

use super::raw::{self, Raw};
use crate::conn::tests::support::{Server, run};
use crate::conn::{End, Violation};

/// Sends the same over and over; how the connection ended, and with which code.
async fn attack(server: &mut Server, mut frames: impl FnMut(u32) -> Vec<u8>) -> (End, u32) {
    let mut client = Raw::begin(server).await;
    let began = Instant::now();
    let mut sent = 0;
    while sent < 100_000 && client.try_send(&frames(sent)).await.is_ok() {
        sent += 1;
        if sent % 16 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(sent < 100_000, "it goes on for ever");
    let mut code = None;
    while let Some(frame) = client.next().await {
        if frame.kind == raw::GOAWAY {
            code = Some(frame.code());
        }
    }
    drop(client);
    let end = server.end().await;
    assert!(began.elapsed() <= Duration::from_secs(2), "{:?}", began.elapsed());
    // A client that goes on writing may be reset before it reads why.
    (end, code.unwrap_or(raw::ENHANCE_YOUR_CALM))
}

fn stream(number: u32) -> u32 {
    2 * number + 1
}

#[test]
fn rapid_reset() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let (end, code) =
            attack(&mut server, |n| [raw::get(stream(n), "/hang"), raw::reset(stream(n))].concat()).await;
        assert!(matches!(end, End::Cut(_)), "{end:?}");
        assert_eq!(code, raw::ENHANCE_YOUR_CALM);
        assert_eq!(server.app.cut.take().len(), 1);
    });
}

/// Slow enough that every request reaches the handler.
#[test]
fn resets_are_counted_after_a_request_was_taken_too() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = Raw::begin(&server).await;
        let mut sent = 0;
        while client.try_send(&raw::get(stream(sent), "/hang")).await.is_ok() {
            tokio::time::timeout(Duration::from_secs(1), server.app.begun.notified()).await.ok();
            if client.try_send(&raw::reset(stream(sent))).await.is_err() {
                break;
            }
            sent += 1;
            if sent > 300 {
                break;
            }
        }
        assert_eq!(client.goes_away().await, raw::ENHANCE_YOUR_CALM);
        assert_eq!(server.end().await, End::Cut(Violation::Flood));
        assert!((200..205).contains(&sent), "{sent}");
    });
}

/// The client has us reset the streams: a window that grows too large is an error of the stream.
#[test]
fn made_you_reset() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let (end, code) = attack(&mut server, |n| {
            [
                raw::get(stream(n), "/hang"),
                raw::frame(raw::WINDOW_UPDATE, 0, stream(n), &[0x7f, 0xff, 0xff, 0xff]),
            ]
            .concat()
        })
        .await;
        assert!(matches!(end, End::Cut(_)), "{end:?}");
        assert_eq!(code, raw::ENHANCE_YOUR_CALM);
    });
}

#[test]
fn requests_that_are_malformed_one_after_the_other() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let block = raw::block("GET", "/", &[("connection", "close")]);
        let flags = raw::END_HEADERS | raw::END_STREAM;
        let (end, _) = attack(&mut server, |n| raw::frame(raw::HEADERS, flags, stream(n), &block)).await;
        assert!(matches!(end, End::Cut(_)), "{end:?}");
        assert!(server.app.seen.take().is_empty());
    });
}

#[test]
fn continuation_flood() {
    run(async {
        for part in [0, 1_000] {
            let mut server = Server::start(Gateway::default()).await;
            let piece = raw::literal("x", &"x".repeat(part));
            let (end, code) = attack(&mut server, |n| match n {
                0 => raw::frame(raw::HEADERS, 0, 1, &raw::block("GET", "/", &[])),
                _ => raw::frame(raw::CONTINUATION, 0, 1, if part == 0 { &[] } else { &piece }),
            })
            .await;
            assert_eq!((end, code), (End::Cut(Violation::MalformedFrame), raw::ENHANCE_YOUR_CALM));
        }
    });
}

/// A large header is put into the table once, and then named by one byte, again and again (RFC 7541, section 6.1).
#[test]
fn hpack_bomb() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut block = raw::block("GET", "/", &[]);
        let mut large = raw::literal("x", &"x".repeat(4_000));
        large[0] = 0x40;
        block.extend_from_slice(&large);
        block.extend(std::iter::repeat_n(0x80 | 62, 10_000));
        let flags = raw::END_HEADERS | raw::END_STREAM;
        let (end, code) = attack(&mut server, |n| raw::frame(raw::HEADERS, flags, stream(n), &block)).await;
        assert_eq!((end, code), (End::Cut(Violation::MalformedFrame), raw::ENHANCE_YOUR_CALM));
        assert!(server.app.seen.take().is_empty());
    });
}

#[test]
fn frames_that_ask_for_nothing() {
    run(async {
        for (kind, id, payload) in [
            (raw::SETTINGS, 0, &[][..]),
            (raw::PING, 0, &[0; 8]),
            (raw::WINDOW_UPDATE, 0, &[0, 0, 0, 1]),
            (0x2, 1, &[0; 5]),
            (0xfa, 0, &[]),
        ] {
            let mut server = Server::start(Gateway::default()).await;
            let (end, code) = attack(&mut server, |_| raw::frame(kind, 0, id, payload)).await;
            assert_eq!((end, code), (End::Cut(Violation::Flood), raw::ENHANCE_YOUR_CALM), "{kind}");
        }
    });
}

#[test]
fn empty_data() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let (end, code) = attack(&mut server, |n| match n {
            0 => raw::post(1, "/hang"),
            _ => raw::frame(raw::DATA, 0, 1, &[]),
        })
        .await;
        assert!(matches!(end, End::Cut(_)), "{end:?}");
        assert_eq!(code, raw::ENHANCE_YOUR_CALM);
    });
}

/// It does not read what it makes us write.
#[test]
fn pings_of_who_does_not_read_stop_being_read() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = Raw::begin(&server).await;
        client.send(raw::frame(raw::SETTINGS, raw::ACK, 0, &[])).await;
        let pings = raw::frame(raw::PING, 0, 0, &[0; 8]).repeat(900);
        client.send(&pings).await;
        client.send(raw::get(1, "/")).await;
        // Answered, each of them.
        for _ in 0..900 {
            client.until(raw::PING).await;
        }
        assert_eq!(client.until(raw::HEADERS).await.stream, 1);
        drop(client);
        assert_eq!(server.end().await, End::Closed);
    });
}

#[test]
fn what_is_no_http2_after_the_preface() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let request = |more| {
            let block = raw::block("GET", "/", &[more]);
            raw::frame(raw::HEADERS, raw::END_HEADERS | raw::END_STREAM, 1, &block)
        };
        for wrong in [
            request(("x", "a\r\nb: c")),
            request(("Upper", "1")),
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            vec![0xff; 100],
            raw::get(2, "/"),
            raw::get(0, "/"),
        ] {
            let mut client = Raw::begin(&server).await;
            client.send(&wrong).await;
            assert_ne!(client.goes_away().await, raw::NO_ERROR);
            drop(client);
            assert_eq!(server.end().await, End::Cut(Violation::MalformedFrame), "{wrong:?}");
        }
        let mut client = Raw(server.connect().await);
        client.send(b"PRI * HTTP/2.0\r\n").await;
        tokio::task::yield_now().await;
        client.send(b"Host: a\r\n\r\n").await;
        while client.next().await.is_some() {}
        drop(client);
        assert_eq!(server.end().await, End::Cut(Violation::MalformedFrame));
    });
}
