//! Apps that answer in ways nobody wants to see: the client sees what came of it, and the edge takes no harm.

use std::io::{self, Write};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Barrier;

use crate::harness::{
    Answer, Broken, Edge, Far, Http2, OK, PATIENCE, Request, Upstream, eventually, file, peak_rss, rss,
};

/// Answers each request with these bytes.
async fn saying(answer: &'static [u8]) -> Upstream {
    Upstream::playing(move |mut far| async move {
        while far.head().await?.is_some() {
            far.say(answer).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn hints_that_nobody_reads_do_not_fill_the_memory() {
    const HINTS: usize = 16_000;
    async fn flood(mut far: Far) -> io::Result<()> {
        far.head().await?;
        let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: </{}>\r\n\r\n", "a".repeat(4_000));
        for _ in 0..HINTS / 16 {
            far.say(hint.repeat(16).as_bytes()).await?;
        }
        far.hear("all hints are out");
        far.say(OK).await
    }
    let far = Upstream::playing(flood).await;
    let edge = Edge::start(&file(&[far.app("far")])).await;
    let mut wire = edge.wire().await;
    let before = rss(edge.pid());
    let request = Request::get("far", "/");
    wire.send(&request.bytes()).await;
    eventually(PATIENCE, "the edge takes all hints", async || match far.times("all hints") {
        0 => Err("some are still to come"),
        _ => Ok(()),
    })
    .await;
    let grown = peak_rss(edge.pid()).saturating_sub(before);
    assert!(grown < 16 << 20, "64 MiB of hints made the edge grow by {} KiB", grown >> 10);
    let answer = wire.read(&request).await.expect("the answer that the hints came before");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert!((1..HINTS).contains(&answer.interim.len()), "{} hints passed", answer.interim.len());
}

#[tokio::test]
async fn what_makes_no_sense_before_the_answer_is_taken_off_hints() {
    let far = saying(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nSet-Cookie: a=1; Domain=localhost\r\n\
          Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let edge = Edge::start(&file(&[far.app("far")])).await;
    let mut wire = edge.wire().await;
    for _ in 0..2 {
        let answer = wire.ask(&Request::get("far", "/")).await.expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        let names: Vec<_> = answer.interim[0].headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["link"]);
    }
}

/// Asks for `/end`, at which the app closes, when this many connections to it are kept.
async fn times_asked_to_end(method: &str, kept: usize) -> usize {
    let all_here = Arc::new(Barrier::new(kept.max(1)));
    let far = Upstream::playing(move |mut far: Far| {
        let all_here = Arc::clone(&all_here);
        async move {
            while let Some(head) = far.head().await? {
                if head.contains("/end") {
                    break;
                }
                if head.contains("/keep") {
                    all_here.wait().await;
                }
                far.say(OK).await?;
            }
            Ok(())
        }
    })
    .await;
    // Each thread keeps connections of its own: with one alone it is certain that the last request meets all of them.
    let edge = Edge::start(&(file(&[far.app("far")]) + "[gateway]\nthreads = 1\n")).await;
    edge.wake("far").await;
    for answer in join_all((0..kept).map(|_| edge.ask(Request::get("far", "/keep")))).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let end = Request::new(method, "far.localhost", "/end");
    let end = if method == "POST" { end.body("x") } else { end };
    edge.ask(end).await.assert_refused(502, "upstream-reset");
    far.times(&format!("{method} /end"))
}

#[tokio::test]
async fn an_app_that_ends_at_a_request_gets_it_no_oftener_than_is_safe() {
    for kept in [0, 20] {
        for (method, most) in [("GET", 2), ("DELETE", 2), ("POST", 1)] {
            let asked = times_asked_to_end(method, kept).await;
            assert!((1..=most).contains(&asked), "{method} with {kept} kept connections: {asked} times");
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_refused_early_is_seen_as_refused() {
    const ROUNDS: usize = 20;
    // Closing with most of the upload unread is a reset.
    let far = Upstream::playing(|mut far: Far| async move {
        far.head().await?;
        far.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig").await
    })
    .await;
    let edge = Edge::start(&file(&[far.app("far")])).await;
    let request = Request::post("far", "/", vec![b'x'; 8 << 20]);
    let mut others = Vec::new();
    for _ in 0..ROUNDS {
        match edge.try_ask(&request).await {
            Ok(answer) if answer.status == 413 && answer.text() == "big" => {}
            other => others.push(other),
        }
    }
    // What a reset destroys before it is read, nobody can pass on.
    assert!(others.len() <= ROUNDS / 10, "{} of {ROUNDS}: {others:?}", others.len());
}

#[tokio::test]
async fn a_response_that_ends_right_after_its_head_is_cut_and_not_missing() {
    for begun in ["", "ab"] {
        let far = Upstream::playing(move |mut far: Far| async move {
            while let Some(head) = far.head().await? {
                if head.starts_with("POST") {
                    far.until("x").await?;
                    let cut = format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{begun}");
                    return far.say(cut.as_bytes()).await;
                }
                far.say(OK).await?;
            }
            Ok(())
        })
        .await;
        let edge = Edge::start(&file(&[far.app("far")])).await;
        for round in 0..20 {
            let mut wire = edge.wire().await;
            wire.ask(&Request::get("far", "/")).await.expect("an answer");
            // Were there no byte of an answer, a client might send it again on another connection.
            match wire.ask(&Request::post("far", "/", "x")).await {
                Err(Broken::Cut(answer)) => {
                    assert_eq!((answer.status, answer.text().as_str()), (200, begun), "round {round}");
                }
                other => panic!("round {round}, {begun:?} of 5 bytes: {other:?}"),
            }
        }
        assert_eq!(far.times("POST"), 20);
    }
}

#[tokio::test]
async fn a_response_whose_length_is_in_doubt_is_no_response() {
    for (what, answer) in [
        (
            "length and chunked",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        (
            "chunked and length",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        (
            "chunked twice",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        ("another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        (
            "a coding after chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        ("a listed length", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
        ("a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"),
    ] {
        let far = saying(answer.as_bytes()).await;
        let edge = Edge::start(&file(&[far.app("far")])).await;
        let answer = edge.ask(Request::get("far", "/")).await;
        assert_eq!(answer.status, 502, "{what}: {answer:?}");
        answer.assert_refused(502, "upstream-malformed");
    }
}

/// What a client gets of an app that says this: over HTTP/1.1, which cannot be misread, and over HTTP/2.
async fn answers_of(method: &str, far: &Upstream) -> [Answer; 2] {
    let edge = Edge::start(&(file(&[far.app("far")]) + "[gateway]\nthreads = 1\n")).await;
    let request = Request::new(method, "far.localhost", "/");
    let first = edge.try_ask(&request).await.expect("an answer");
    [first, Http2::connect(edge.listen()).await.ask(&request).await]
}

#[tokio::test]
async fn a_length_that_is_said_twice_is_passed_on_once() {
    for method in ["GET", "HEAD"] {
        let body = if method == "GET" { "ok" } else { "" };
        let far = Upstream::playing(move |mut far: Far| async move {
            while far.head().await?.is_some() {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n";
                far.say(format!("{head}{body}").as_bytes()).await?;
            }
            Ok(())
        })
        .await;
        for answer in answers_of(method, &far).await {
            assert_eq!((answer.status, answer.text().as_str()), (200, body), "{method}: {answer:?}");
            assert_eq!(answer.all("content-length"), ["2"], "{method}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn no_content_announces_none_and_what_may_follow_is_nobodys_answer() {
    for announced in ["Content-Length: 2", "Transfer-Encoding: chunked"] {
        let far = Upstream::playing(move |mut far: Far| async move {
            far.hear("connected");
            while far.head().await?.is_some() {
                far.say(format!("HTTP/1.1 204 No Content\r\n{announced}\r\n\r\n").as_bytes()).await?;
            }
            Ok(())
        })
        .await;
        for answer in answers_of("GET", &far).await {
            assert_eq!((answer.status, answer.header("content-length")), (204, None), "{answer:?}");
        }
        assert_eq!(far.times("connected"), 2, "{announced}: the connection was used again");
    }
}

#[tokio::test]
async fn hints_without_end_are_no_answer() {
    // On a thread of its own it says them faster than anybody can read.
    let far = Upstream::playing(|mut far: Far| async move {
        far.head().await?;
        let mut stream = far.stream.into_std()?;
        stream.set_nonblocking(false)?;
        let hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(40_000);
        tokio::task::spawn_blocking(move || {
            loop {
                stream.write_all(hints.as_bytes())?;
            }
        })
        .await?
    })
    .await;
    let edge = Edge::start(&file(&[far.app("far").line("response_timeout = \"300ms\"")])).await;
    let mut wire = edge.wire().await;
    wire.send(&Request::get("far", "/").bytes()).await;
    let answer = wire.head().await.expect("a refusal");
    assert_eq!(answer.status, 504, "{answer:?}");
}
