//! Requests and their responses, many at once.

use config::settings::Gateway;
use http::Request;
use tokio::time::Instant;

use super::raw::{self, Raw};
use super::{ask, begin, connect, fill, get, piece, post, read, text, trailers};
use crate::conn::End;
use crate::conn::tests::support::{Server, run, soon};

#[test]
fn bodies_and_trailers_pass_both_ways() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let answer = ask(&mut client, get("/a?b=c")).await;
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (200, "GET http://a/a?b=c "));
        assert!(answer.headers().contains_key("date"));
        let (response, mut body) = begin(&mut client, post("/"));
        body.send_data("some ".into(), false).unwrap();
        body.send_data("bytes".into(), false).unwrap();
        body.send_trailers(trailers(1)).unwrap();
        assert_eq!(read(response).await.body(), "POST http://a/ some bytes{\"x-0\": \"1\"}");
        drop((client, body));
        assert_eq!(server.end().await, End::Closed);
    });
}

#[test]
fn one_that_waits_and_one_that_streams_stop_no_other() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (waiting, _) = client.send_request(get("/wait"), true).unwrap();
        let (stuck, _) = client.send_request(get("/stuck"), true).unwrap();
        let mut stuck = soon(stuck).await.unwrap().into_body();
        assert_eq!(piece(&mut stuck).await, "first");
        assert_eq!(ask(&mut client, get("/a")).await.body(), "GET http://a/a ");
        server.app.go.notify_waiters();
        assert_eq!(read(waiting).await.body(), "GET http://a/wait ");
        assert_eq!(text(&mut stuck).await, "");
    });
}

/// Each fills its own window, and all together not the connection's (RFC 9113, section 5.2).
#[test]
fn as_many_held_uploads_as_there_may_be_stop_no_other() {
    run(async {
        let limits = Gateway { max_streams: 101, ..Gateway::default() };
        let window = limits.stream_window as usize;
        let server = Server::start(limits).await;
        let mut client = connect(&server).await;
        let mut held = Vec::new();
        for _ in 0..100 {
            let (response, mut body) = begin(&mut client, post("/wait"));
            fill(&mut body, window).await;
            held.push((response, body));
        }
        for _ in 0..10 {
            let (response, mut body) = begin(&mut client, post("/"));
            fill(&mut body, 3 * window).await;
            body.send_data("end".into(), true).unwrap();
            assert_eq!(read(response).await.body().len(), "POST http://a/ end".len() + 3 * window);
        }
        server.app.go.notify_waiters();
        for (response, mut body) in held {
            body.send_data("".into(), true).unwrap();
            assert_eq!(read(response).await.body().len(), "POST http://a/wait ".len() + window);
        }
    });
}

#[test]
fn a_response_to_head_has_no_body() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = Raw::begin(&server).await;
        let block = raw::block("HEAD", "/", &[]);
        client.send(raw::frame(raw::HEADERS, raw::END_HEADERS | raw::END_STREAM, 1, &block)).await;
        let headers = client.until(raw::HEADERS).await;
        assert_eq!((headers.flags & raw::END_STREAM, headers.stream), (raw::END_STREAM, 1));
    });
}

#[test]
fn cookies_come_as_one_line_and_te_as_it_is() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let request = Request::get("http://a/headers").header("cookie", "a=1").header("cookie", "b=2");
        let answer = ask(&mut client, request.header("te", "trailers").body(()).unwrap()).await;
        assert_eq!(answer.body(), r#"{"cookie": "a=1; b=2", "te": "trailers"}"#);
    });
}

#[test]
fn the_preface_may_come_byte_by_byte() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let bytes = [raw::PREFACE, &raw::frame(raw::SETTINGS, 0, 0, &[]), &raw::get(1, "/")].concat();
        for step in [1, 7, 15, 16, 17, 23, 24, 25] {
            let mut client = Raw(server.connect().await);
            for bytes in bytes.chunks(step) {
                client.send(bytes).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(client.until(raw::HEADERS).await.stream, 1, "{step} at once");
        }
    });
}

#[test]
fn the_preface_is_one_only_at_the_begin() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.until("GET / ").await;
        client.send(raw::PREFACE).await;
        assert!(client.rest().await.starts_with("HTTP/1.1 505 "));
    });
}

#[test]
fn the_last_request_is_followed_by_a_goaway() {
    run(async {
        let mut server =
            Server::start(Gateway { max_requests_per_connection: 3, ..Gateway::default() }).await;
        let mut client = connect(&server).await;
        let (waiting, _) = client.send_request(get("/wait"), true).unwrap();
        for _ in 0..2 {
            ask(&mut client, get("/")).await;
        }
        let error = soon(std::future::poll_fn(|cx| client.poll_ready(cx))).await.unwrap_err();
        assert!(error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR), "{error:?}");
        server.app.go.notify_waiters();
        assert_eq!(read(waiting).await.body(), "GET http://a/wait ");
        assert_eq!(server.end().await, End::Finished);
        let mut client = connect(&server).await;
        ask(&mut client, get("/last")).await;
        assert_eq!(server.end().await, End::Finished);
    });
}

/// Who goes on after it is cut off.
#[test]
fn a_goaway_cannot_be_ignored_for_ever() {
    run(async {
        let limits = Gateway { max_requests_per_connection: 3, max_streams: 2, ..Gateway::default() };
        let mut server = Server::start(limits).await;
        let mut client = Raw::begin(&server).await;
        let mut stream = 1;
        while client.try_send(&raw::get(stream, "/")).await.is_ok() && stream < 100 {
            stream += 2;
            if client.next().await.is_none() {
                break;
            }
        }
        assert!(matches!(server.end().await, End::Cut(_)));
        assert!((3..=10).contains(&server.app.seen.borrow().len()), "{:?}", server.app.seen);
    });
}

#[test]
fn who_takes_a_request_back_or_leaves_ends_the_work_at_once() {
    run(async {
        for path in ["/hang", "/stuck", "/endless"] {
            let mut server = Server::start(Gateway::default()).await;
            let mut client = connect(&server).await;
            let began = Instant::now();
            let (response, mut body) = begin(&mut client, post(path));
            fill(&mut body, 1_000).await;
            soon(server.app.begun.notified()).await;
            body.send_reset(h2::Reason::CANCEL);
            soon(server.app.dropped.notified()).await;
            drop((response, body));
            assert_eq!(ask(&mut client, get("/")).await.status(), 200, "the connection goes on");
            let (response, body) = begin(&mut client, post(path));
            soon(server.app.begun.notified()).await;
            soon(server.app.begun.notified()).await;
            drop((response, body, client));
            soon(server.app.dropped.notified()).await;
            assert!(matches!(server.end().await, End::Abandoned | End::Closed), "{path}");
            assert_eq!(began.elapsed(), std::time::Duration::ZERO, "no clock was needed");
        }
    });
}

#[test]
fn an_upload_that_is_refused_can_read_why() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = Raw::begin(&server).await;
        client.send(raw::post(1, "/refuse")).await;
        assert_eq!(client.until(raw::DATA).await.payload, b"too large");
        let reset = client.until(raw::RST_STREAM).await;
        assert_eq!((reset.stream, reset.code()), (1, raw::NO_ERROR));
        // What was on its way is no offence.
        for _ in 0..4 {
            client.send(raw::frame(raw::DATA, 0, 1, &[b'x'; 16_384])).await;
        }
        client.send(raw::get(3, "/")).await;
        assert_eq!(client.until(raw::HEADERS).await.stream, 3);
    });
}

#[test]
fn a_broken_response_is_seen_as_broken() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (response, _) = client.send_request(get("/broken"), true).unwrap();
        let mut body = soon(response).await.unwrap().into_body();
        assert_eq!(piece(&mut body).await, "first");
        soon(body.data()).await.expect("an error").unwrap_err();
        assert_eq!(ask(&mut client, get("/")).await.status(), 200);
    });
}

#[test]
fn draining_lets_what_is_open_finish() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let (mut busy, idle) = (connect(&server).await, connect(&server).await);
        let (waiting, _) = busy.send_request(get("/wait"), true).unwrap();
        soon(server.app.begun.notified()).await;
        server.serving.drain();
        assert_eq!(server.end().await, End::Drained);
        server.app.go.notify_waiters();
        assert_eq!(read(waiting).await.body(), "GET http://a/wait ");
        assert_eq!(server.end().await, End::Drained);
        drop(idle);
    });
}

#[test]
fn when_time_is_up_what_is_open_is_cut() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = connect(&server).await;
        let (stuck, _) = client.send_request(get("/stuck"), true).unwrap();
        let mut stuck = soon(stuck).await.unwrap().into_body();
        piece(&mut stuck).await;
        server.serving.drain();
        server.serving.end();
        soon(stuck.data()).await.expect("an error").unwrap_err();
        soon(server.app.dropped.notified()).await;
        drop((client, stuck));
        assert_eq!(server.end().await, End::Broken);
    });
}
