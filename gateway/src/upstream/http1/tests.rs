//! An app that says bytes, and what is made of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::pin::Pin;

use bytes::Bytes;
use http::Request;
use http::header::{HeaderName, HeaderValue};
use http_body::{Body, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::*;
use crate::forward::{Added, Ready};
use crate::trace::Trace;
use crate::{conn, hop};

/// How long a test waits for what must happen.
const SOON: Duration = Duration::from_secs(100);

/// A connection, and the app's end of it.
async fn connection() -> (Line, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (theirs, _) = listener.accept().await.unwrap();
    theirs.set_nodelay(true).unwrap();
    (Line::new(ours), theirs)
}

async fn send(line: &mut Line, method: &str) -> Result<Response<Coming>, Unanswered> {
    let mut request =
        Request::builder().method(method).uri("/x").header("host", "a").body(RequestBody::Empty).unwrap();
    let identity = Ready::new([(HeaderName::from_static("loco-app-id"), HeaderValue::from_static("a"))]);
    let (hop, trace) = (hop::forwarded([127, 0, 0, 1].into()), Trace::default());
    let added = Added { hop: &hop, identity: &identity, trace: &trace, asked_host: None, websocket: false };
    let client = conn::Exchange::of_nobody();
    let mut call = Call { request: &mut request, added };
    timeout(SOON, line.send(&mut call, &client, (SOON, Instant::now()))).await.unwrap()
}

/// A body's data, its trailers as text, and whether it came to its end.
async fn read(line: &mut Line, coming: &mut Coming) -> (String, String, bool) {
    let (mut data, mut trailers) = (Vec::new(), String::new());
    loop {
        match timeout(SOON, poll_fn(|cx| coming.poll(line, cx))).await.unwrap() {
            None => return (String::from_utf8(data).unwrap(), trailers, true),
            Some(Err(Broken)) => return (String::from_utf8(data).unwrap(), trailers, false),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => data.extend_from_slice(&bytes),
                Err(frame) => trailers = format!("{:?}", frame.into_trailers().unwrap()),
            },
        }
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// What is made of a response: status, data, trailers, and whether the connection can be used again.
#[derive(Debug, PartialEq, Eq)]
enum Made {
    Answer {
        status: u16,
        data: String,
        trailers: String,
        reusable: bool,
    },
    /// The head came, the body broke off after this.
    Cut(String),
    Fault(Fault),
}

/// The app says `parts`, each on its own, and then closes, if it `closes`.
async fn made_of(method: &str, parts: &[&[u8]], closes: bool) -> Made {
    let (mut line, mut app) = connection().await;
    let says = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            app.read_buf(&mut head).await.unwrap();
        }
        for part in parts {
            app.write_all(part).await.unwrap();
            // So that the parts are read one by one, where the kernel lets them.
            tokio::task::yield_now().await;
        }
        if closes {
            app.shutdown().await.unwrap();
        }
    };
    let reads = async {
        let response = match send(&mut line, method).await {
            Ok(response) => response,
            Err(Unanswered::Lost(fault)) => return Made::Fault(fault),
            Err(Unanswered::Unsent) => panic!("sent"),
        };
        let status = response.status().as_u16();
        let mut coming = response.into_body();
        let (data, trailers, complete) = read(&mut line, &mut coming).await;
        match complete {
            true => Made::Answer { status, data, trailers, reusable: line.is_reusable() },
            false => Made::Cut(data),
        }
    };
    tokio::join!(says, reads).1
}

fn answer(data: &str, trailers: &str, reusable: bool) -> Made {
    Made::Answer { status: 200, data: data.into(), trailers: trailers.into(), reusable }
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
    4;x=y\r\nabcd\r\nA\r\n0123456789\r\n0\r\nx-sum: 7\r\n\r\n";
const LENGTH: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nabcd0123456789";

#[test]
fn a_response_is_the_same_however_it_is_cut_into_pieces() {
    run(async {
        for (said, trailers) in [(CHUNKED, r#"{"x-sum": "7"}"#), (LENGTH, "")] {
            for at in 0..said.len() {
                let (one, other) = said.as_bytes().split_at(at);
                let made = made_of("GET", &[one, other], false).await;
                assert_eq!(made, answer("abcd0123456789", trailers, true), "{said:?} cut at {at}");
            }
            let bytes: Vec<&[u8]> = said.as_bytes().chunks(1).collect();
            assert_eq!(made_of("GET", &bytes, false).await, answer("abcd0123456789", trailers, true));
        }
    });
}

#[test]
fn where_a_response_ends_and_whether_its_connection_goes_on() {
    let cut = |data: &str| Made::Cut(data.into());
    let none = |status| Made::Answer { status, data: String::new(), trailers: String::new(), reusable: true };
    let malformed = Made::Fault(Fault::Malformed);
    run(async {
        for (method, said, closes, made) in [
            ("GET", "HTTP/1.1 200 OK\r\n\r\nall", true, answer("all", "", false)),
            ("GET", "HTTP/1.0 200 OK\r\n\r\nall", true, answer("all", "", false)),
            (
                "GET",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nall",
                true,
                Made::Fault(Fault::Malformed),
            ),
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nall", false, answer("all", "", true)),
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nal", true, cut("al")),
            (
                "GET",
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nallHTTP/1.1",
                false,
                answer("all", "", false),
            ),
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, none(200)),
            (
                "GET",
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: Close\r\n\r\nall",
                false,
                answer("all", "", false),
            ),
            (
                "GET",
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\nConnection: keep-alive\r\n\r\nall",
                false,
                answer("all", "", false),
            ),
            ("GET", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nall", false, answer("all", "", false)),
            (
                "GET",
                "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: Keep-Alive\r\n\r\nall",
                false,
                answer("all", "", true),
            ),
            (
                "GET",
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nall",
                false,
                answer("all", "", true),
            ),
            ("GET", "HTTP/1.1 204 No Content\r\n\r\n", false, none(204)),
            ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, none(304)),
            ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", false, none(200)),
            (
                "GET",
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                false,
                none(200),
            ),
            ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n", true, cut("all")),
            ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall", true, cut("all")),
            (
                "GET",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nall\r\n0\r\n\r\n",
                false,
                cut(""),
            ),
            ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false, cut("")),
            (
                "GET",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na b: c\r\n\r\n",
                false,
                cut(""),
            ),
            ("GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, malformed),
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", false, Made::Fault(Fault::Malformed)),
            ("GET", "HTTP/1.1 099 Low\r\n\r\n", false, Made::Fault(Fault::Malformed)),
            ("GET", "HTTP/2 200 OK\r\n\r\n", false, Made::Fault(Fault::Malformed)),
            ("GET", "HTTP/1.1 200 OK\r\nContent-Le", true, Made::Fault(Fault::Reset)),
            ("GET", "", true, Made::Fault(Fault::Reset)),
        ] {
            assert_eq!(made_of(method, &[said.as_bytes()], closes).await, made, "{method} {said:?}");
        }
    });
}

#[test]
fn a_head_without_end_is_no_head() {
    run(async {
        let line = format!("x: {}\r\n", "a".repeat(4_000));
        let head = format!("HTTP/1.1 200 OK\r\n{}", line.repeat(120));
        assert_eq!(made_of("GET", &[head.as_bytes()], false).await, Made::Fault(Fault::Malformed));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(257));
        assert_eq!(made_of("GET", &[many.as_bytes()], false).await, Made::Fault(Fault::Malformed));
    });
}

#[test]
fn a_few_empty_lines_may_come_before_a_head() {
    run(async {
        let response = |lines: usize| "\r\n".repeat(lines) + LENGTH;
        assert_eq!(
            made_of("GET", &[response(2).as_bytes()], false).await,
            answer("abcd0123456789", "", true)
        );
        // Not without end: each of them would cost a look at all before it.
        let many = response(1_000);
        assert_eq!(made_of("GET", &[many.as_bytes()], false).await, Made::Fault(Fault::Malformed));
    });
}

#[test]
fn an_idle_connection_that_was_closed_or_spoken_on_is_not_open() {
    run(async {
        for said in [&b""[..], b"HTTP/1.1 408 Request Timeout\r\n\r\n"] {
            let (line, mut app) = connection().await;
            assert!([Duration::ZERO, Duration::from_secs(1)].map(|idle| line.is_open(idle)) == [true; 2]);
            app.write_all(said).await.unwrap();
            drop(app);
            line.socket.readable().await.unwrap();
            assert!(
                [Duration::ZERO, Duration::from_secs(1)].map(|idle| line.is_open(idle)) == [false; 2],
                "{said:?}"
            );
        }
    });
}

type Part = Result<Frame<Bytes>, CutOff>;

/// The client did not finish its request.
#[derive(Debug)]
struct CutOff;

/// A body that a test gives.
struct Given(mpsc::UnboundedReceiver<Part>);

impl Body for Given {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Part>> {
        self.0.poll_recv(cx)
    }
}

fn data(text: &'static str) -> Part {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

/// Begins to send a body of unknown length; it is given through the channel.
fn begin_upload(line: &mut Line) -> mpsc::UnboundedSender<Part> {
    let (give, take) = mpsc::unbounded_channel();
    line.sending = Sending::begin(&line.socket, b"POST\r\n\r\n".to_vec(), Given(take));
    give
}

/// Waits for the response to what is being sent.
async fn response_to_upload(line: &mut Line) -> Result<Response<Coming>, Unanswered> {
    let mut request = Request::post("/x").body(RequestBody::Empty).unwrap();
    let ready = hop::forwarded([127, 0, 0, 1].into());
    let added =
        Added { hop: &ready, identity: &ready, trace: &Trace::default(), asked_host: None, websocket: false };
    let client = conn::Exchange::of_nobody();
    let mut call = Call { request: &mut request, added };
    let response =
        timeout(SOON, poll_fn(|cx| line.poll_response(&mut call, &client, None, cx))).await.unwrap();
    line.sending.detach(&line.socket);
    response
}

async fn hear(app: &mut TcpStream, end: &str) {
    let mut heard = Vec::new();
    while !heard.ends_with(end.as_bytes()) {
        assert!(timeout(SOON, app.read_buf(&mut heard)).await.unwrap().unwrap() > 0, "{heard:?}");
    }
}

#[test]
fn an_upload_goes_out_in_chunks_with_its_trailers() {
    run(async {
        let (mut line, mut app) = connection().await;
        let give = begin_upload(&mut line);
        for part in [data("abc"), data(""), data("0123456789")] {
            give.send(part).unwrap();
        }
        let trailers =
            HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("7"))]);
        give.send(Ok(Frame::trailers(trailers))).unwrap();
        let app = async {
            hear(&mut app, "POST\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\nx-sum: 7\r\n\r\n").await;
            app.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        };
        let (response, ()) = tokio::join!(response_to_upload(&mut line), app);
        assert_eq!(response.unwrap().status(), 200);
        assert!(line.sending.is_done());
    });
}

#[test]
fn an_upload_goes_on_when_the_response_has_begun_though_nobody_reads_that() {
    run(async {
        let (mut line, mut app) = connection().await;
        let give = begin_upload(&mut line);
        app.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").await.unwrap();
        let mut coming = response_to_upload(&mut line).await.unwrap().into_body();
        assert!(!line.sending.is_done());
        give.send(data("late")).unwrap();
        hear(&mut app, "4\r\nlate\r\n").await;
        drop(give);
        hear(&mut app, "0\r\n\r\n").await;
        app.write_all(b"ok").await.unwrap();
        assert_eq!(read(&mut line, &mut coming).await, ("ok".into(), String::new(), true));
        assert!(line.sending.is_done());
    });
}

#[test]
fn a_response_to_half_a_request_is_never_taken_for_whole() {
    run(async {
        let (mut line, mut app) = connection().await;
        let give = begin_upload(&mut line);
        give.send(Err(CutOff)).unwrap();
        assert_eq!(response_to_upload(&mut line).await.unwrap_err(), Unanswered::Lost(Fault::Reset));

        let (mut line, mut other) = connection().await;
        let give = begin_upload(&mut line);
        other.write_all(b"HTTP/1.1 200 OK\r\n\r\nso far").await.unwrap();
        let mut coming = response_to_upload(&mut line).await.unwrap().into_body();
        give.send(Err(CutOff)).unwrap();
        // It sees our end, and closes.
        let mut heard = Vec::new();
        timeout(SOON, other.read_to_end(&mut heard)).await.unwrap().unwrap();
        drop((app.shutdown().await, other));
        assert_eq!(read(&mut line, &mut coming).await, ("so far".into(), String::new(), false));
    });
}

#[test]
fn what_an_app_says_before_it_closes_on_an_upload_is_read() {
    run(async {
        let (mut line, mut app) = connection().await;
        let give = begin_upload(&mut line);
        app.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig").await.unwrap();
        // All that was sent is read, so that closing is no reset yet; the next write meets one.
        drop(app);
        for _ in 0..1_000 {
            give.send(data("more")).unwrap();
        }
        let response = response_to_upload(&mut line).await.unwrap();
        assert_eq!(response.status(), 413);
        assert_eq!(read(&mut line, &mut response.into_body()).await, ("big".into(), String::new(), true));
        assert!(!line.is_reusable());
    });
}
