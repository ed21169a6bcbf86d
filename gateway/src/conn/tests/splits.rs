//! However the bytes are cut into packets, the requests are the same.

use config::settings::Gateway;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use super::support::{Server, get, post, run};
use crate::conn::framing::Framing;
use crate::conn::head::{HeadScan, Progress, Sizes};

const CHUNKED: &str = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                       3;x\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: 1\r\n\r\n";

/// Sends the parts, each in a packet of its own, and gives what the handler saw.
async fn seen(server: &Server, parts: &[&[u8]]) -> Vec<String> {
    let mut client = server.connect().await;
    client.0.set_nodelay(true).unwrap();
    for part in parts {
        client.send(part).await;
        // So that the server reads this part before the next is there.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
    client.send(get("/last")).await;
    client.rest().await;
    server.app.seen.take()
}

#[test]
fn at_every_byte() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let all = post("/p", "body") + &get("/g") + CHUNKED;
        let whole = seen(&server, &[all.as_bytes()]).await;
        assert_eq!(whole.len(), 4, "{whole:?}");
        for split in 0..all.len() {
            let (before, after) = all.as_bytes().split_at(split);
            assert_eq!(seen(&server, &[before, after]).await, whole, "split at {split}");
        }
        let bytes: Vec<&[u8]> = all.as_bytes().chunks(1).collect();
        assert_eq!(seen(&server, &bytes).await, whole);
    });
}

fn request() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..20_u8).prop_map(|name| get(&format!("/{name}"))),
        (0..20_000_usize).prop_map(|length| post("/p", &"b".repeat(length))),
        vec(1..3000_usize, 0..6).prop_map(|chunks| {
            let head = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
            let chunks = chunks.iter().map(|size| format!("{size:x}\r\n{}\r\n", "c".repeat(*size)));
            head + &chunks.collect::<String>() + "0\r\n\r\n"
        }),
        (1..31_000_usize)
            .prop_map(|length| format!("GET /h HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "h".repeat(length))),
    ]
}

#[test]
fn anywhere() {
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let cases = (vec(request(), 1..6), vec(any::<proptest::sample::Index>(), 0..8));
    let outcome = runner.run(&cases, |(requests, cuts)| {
        run(async {
            let server = Server::start(Gateway::default()).await;
            let all = requests.concat();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len())).collect();
            cuts.sort_unstable();
            let mut rest = all.as_bytes();
            let mut parts = Vec::new();
            let mut at = 0;
            for cut in cuts {
                let (part, after) = rest.split_at(cut - at);
                parts.push(part);
                rest = after;
                at = cut;
            }
            parts.push(rest);
            let one_by_one: Vec<&[u8]> = requests.iter().map(String::as_bytes).collect();
            assert_eq!(seen(&server, &parts).await, seen(&server, &one_by_one).await);
        });
        Ok(())
    });
    outcome.unwrap();
}

/// Bytes that are nearly requests.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..20),
        proptest::sample::select(vec![
            "GET ",
            "POST ",
            "/",
            " HTTP/1.1",
            " HTTP/1.0",
            "\r\n",
            "\r\n\r\n",
            "\n",
            "Host: a\r\n",
            "Host:",
            "Content-Length: 5\r\n",
            "Content-Length:",
            "Transfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
            "5\r\nabcde\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "Expect: 100-continue\r\n",
            "Upgrade: x\r\n",
            "..",
            "%2e",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

#[test]
fn garbage_ends() {
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&garbage(), |bytes| {
        run(async {
            let mut server = Server::start(Gateway::default()).await;
            let mut client = server.connect().await;
            client.send(&bytes).await;
            // The server may answer, refuse or be waiting; the clocks end what nothing else does.
            let _answers_or_reset = client.try_rest().await;
            server.end().await;
        });
        Ok(())
    });
    outcome.unwrap();
}

/// What came of bytes that are nearly requests, each part of them in a packet of its own.
async fn outcome(parts: &[&[u8]]) -> (Vec<String>, Vec<crate::conn::Violation>, crate::conn::End) {
    let mut server = Server::start(Gateway::default()).await;
    let mut client = server.connect().await;
    for part in parts {
        client.send(part).await;
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
    // What waits for more is ended by the clocks.
    let _answers_or_reset = client.try_rest().await;
    let end = server.end().await;
    (server.app.seen.take(), server.app.refused.take(), end)
}

/// Requests, and what follows them is nearly one.
fn nearly_requests() -> impl Strategy<Value = Vec<u8>> {
    let good = prop_oneof![
        (0..20_u8).prop_map(|name| get(&format!("/{name}"))),
        (0..40_usize).prop_map(|length| post("/p", &"b".repeat(length))),
        proptest::strategy::Just(CHUNKED.to_owned()),
    ];
    (vec(good, 0..3), garbage()).prop_map(|(good, garbage)| [good.concat().as_bytes(), &garbage].concat())
}

#[test]
fn what_is_nearly_a_request_ends_the_same_anywhere() {
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let cases = (nearly_requests(), vec(any::<proptest::sample::Index>(), 1..5));
    let result = runner.run(&cases, |(bytes, cuts)| {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let starts = [&[0], &cuts[..]].concat();
        let ends = [&cuts[..], &[bytes.len()]].concat();
        let parts: Vec<&[u8]> = starts.iter().zip(ends).map(|(start, end)| &bytes[*start..end]).collect();
        let (mut whole, mut split) = (None, None);
        run(async { whole = Some(outcome(&[&bytes]).await) });
        run(async { split = Some(outcome(&parts).await) });
        proptest::prop_assert_eq!(split, whole);
        Ok(())
    });
    result.unwrap();
}

/// Heads by which others are led to read something else: what we take, a second parser must take for the same.
#[test]
fn a_head_that_passes_is_read_the_same_by_others() {
    const SIZES: Sizes = Sizes { line: 200, head: 1000, lines: 30 };
    let piece = proptest::sample::select(vec![
        "Host: a\r\n",
        "Host: a\n",
        "X: 1\r\n",
        "X : 1\r\n",
        "X:\t1 \r\n",
        ": 1\r\n",
        "X\r\n",
        " X: 1\r\n",
        "X: 1\r\r\n",
        "X: 1\rY: 2\r\n",
        "X: \0\r\n",
        "X: \u{b}\r\n",
        "\r",
        "\n",
        "Content-Length: 3\r\n",
        "Content-Length: 3\r\r\n",
        "content-length:3\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: \u{c}chunked\r\n",
        "Transfer-Encoding:chunked\t\r\n",
        "Transfer-Encoding: chunked\r\n identity\r\n",
    ]);
    let lines = (
        proptest::sample::select(vec![
            "GET / HTTP/1.1\r\n",
            "GET /\u{e9} HTTP/1.1\n",
            "G\"T / HTTP/1.0\r\n",
            "POST http://b HTTP/1.1\r\n",
        ]),
        vec(piece, 0..6),
    );
    let mut runner = TestRunner::new(Config { cases: 4_000, failure_persistence: None, ..Config::default() });
    let result = runner.run(&lines, |(first, lines)| {
        let bytes = format!("{first}Host: a\r\n{}\r\n", lines.concat().replace("Host: a", "Hosts: a"));
        let Ok(Progress::Complete(head)) = HeadScan::new().follow(bytes.as_bytes(), SIZES) else {
            return Ok(());
        };
        let Some(made) = crate::conn::http1::read_head(bytes.as_bytes(), head) else { return Ok(()) };
        let mut room = [httparse::EMPTY_HEADER; 40];
        let mut theirs = httparse::Request::new(&mut room);
        proptest::prop_assert_eq!(theirs.parse(bytes.as_bytes()), Ok(httparse::Status::Complete(head.len)));
        proptest::prop_assert_eq!(theirs.method, Some(made.method().as_str()));
        let fields = |name: &str, value: &[u8]| (name.to_ascii_lowercase(), value.to_vec());
        let mut theirs: Vec<_> = theirs.headers.iter().map(|line| fields(line.name, line.value)).collect();
        let mut ours: Vec<_> =
            made.headers().iter().map(|(name, value)| fields(name.as_str(), value.as_bytes())).collect();
        // A map keeps the order of one name's lines only.
        theirs.sort();
        ours.sort();
        proptest::prop_assert_eq!(ours, theirs);
        Ok(())
    });
    result.unwrap();
}

#[test]
fn a_verdict_is_the_same_however_much_has_come() {
    const SIZES: Sizes = Sizes { line: 20, head: 100, lines: 10 };
    let line = |length: usize| format!("GET /{} HTTP/1.1", "a".repeat(length - 14));
    let garbage = format!(" {}\r\n", "a".repeat(30));
    let heads = [
        line(20) + "\r\nHost: a\r\n\r\n",
        line(21) + "\r\nHost: a\r\n\r\n",
        garbage.clone(),
        garbage.repeat(4),
    ];
    for head in heads {
        let whole = format!("{:?}", HeadScan::new().follow(head.as_bytes(), SIZES));
        let mut scan = HeadScan::new();
        let by_bytes = (1..=head.len()).map(|length| scan.follow(&head.as_bytes()[..length], SIZES));
        let end = by_bytes.into_iter().find(|progress| *progress != Ok(Progress::Partial));
        assert_eq!(format!("{:?}", end.unwrap()), whole, "{head:?}");
    }
}

#[test]
fn scans_go_on_where_they_stopped() {
    const SIZES: Sizes = Sizes { line: 200, head: 1000, lines: 10 };
    /// The outcome for bytes that come in two parts.
    fn scan(bytes: &[u8], split: usize) -> (String, usize) {
        let mut scan = HeadScan::new();
        let mut progress = scan.follow(&bytes[..split], SIZES);
        if progress == Ok(Progress::Partial) {
            progress = scan.follow(bytes, SIZES);
        }
        let claimed = match progress {
            Ok(Progress::Complete(head)) => {
                let mut framing = Framing::of(&head, SIZES.lines, SIZES.head);
                let body = &bytes[head.len..];
                let split = split.saturating_sub(head.len).min(body.len());
                match framing.claim(&body[..split]) {
                    Ok(first) if first == split => {
                        first + framing.claim(&body[split..]).unwrap_or(usize::MAX / 2)
                    }
                    Ok(first) => first,
                    Err(_) => usize::MAX / 2,
                }
            }
            Ok(Progress::Partial) | Err(_) => 0,
        };
        // A body refused in its second part counts as refused.
        (format!("{progress:?}"), claimed.min(usize::MAX / 2))
    }
    let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(garbage(), any::<proptest::sample::Index>()), |(bytes, split)| {
        let split = split.index(bytes.len() + 1);
        proptest::prop_assert_eq!(scan(&bytes, split), scan(&bytes, bytes.len()));
        Ok(())
    });
    outcome.unwrap();
}
