//! The test app does what the tests of the edge rely on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The app under test; ends with this.
struct App {
    child: Child,
    address: SocketAddr,
}

impl App {
    fn start(environment: &[(&str, &str)]) -> Self {
        let mut child = command(environment).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("the address").parse().unwrap();
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends a request that ends the connection and returns all that comes back.
    fn ask(&self, head: &str, body: &[u8]) -> String {
        let mut stream = self.connect();
        stream
            .write_all(format!("{head}\r\nHost: app.test\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        // A reset is one of the ways in which an answer may break off.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, target: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1"), b"")
    }

    fn json(&self, target: &str) -> Value {
        let answer = self.get(target);
        serde_json::from_str(body(&answer)).expect(&answer)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-app"));
    command.env("PORT", "0").envs(environment.iter().copied()).stdin(Stdio::null());
    command
}

fn ended(environment: &[(&str, &str)]) -> ExitStatus {
    command(environment).stdout(Stdio::null()).status().unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[test]
fn describes_a_request() {
    let app = App::start(&[]);
    let answer = app.ask("PUT /a/b?c=d HTTP/1.1\r\nX-One: 1\r\nX-One: 2\r\nContent-Length: 6", b"foobar");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let seen: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(seen["method"], "PUT");
    assert_eq!(seen["path"], "/a/b");
    assert_eq!(seen["query"], "c=d");
    assert_eq!(seen["host"], "app.test");
    assert_eq!(seen["length"], 6);
    assert_eq!(seen["checksum"], "85944171f73967e8");
    assert_eq!(seen["served"], 1);
    assert_eq!(seen["pid"], app.child.id());
    let headers = seen["headers"].as_array().unwrap();
    assert!(headers.contains(&serde_json::json!(["x-one", "1"])), "{headers:?}");
    assert!(headers.contains(&serde_json::json!(["x-one", "2"])), "{headers:?}");
    assert_eq!(app.json("/")["served"], 2);
}

#[test]
fn does_what_the_query_asks_for() {
    let app = App::start(&[]);
    let answer = app.get("/x?status=418&size=5&header=x-a:1&header=x-a:2&delay=1ms");
    assert!(answer.starts_with("HTTP/1.1 418 "), "{answer}");
    assert!(answer.contains("x-a: 1\r\nx-a: 2\r\n"), "{answer}");
    assert_eq!(body(&answer), "00000");
    let trailers = app.ask("GET /x?size=5&trailers=1 HTTP/1.1\r\nTE: trailers", b"");
    assert!(trailers.ends_with("5\r\n00000\r\n0\r\nx-trailer: the end\r\n\r\n"), "{trailers}");
}

#[test]
fn bodies_come_back_and_are_counted() {
    let app = App::start(&[]);
    let chunked = b"3\r\nfoo\r\n3\r\nbar\r\n0\r\n\r\n";
    let echo = app.ask("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked", chunked);
    assert!(body(&echo).contains("foo") && body(&echo).contains("bar"), "{echo}");
    let upload = app.ask("POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked", chunked);
    assert!(upload.contains(r#""checksum":"85944171f73967e8","length":6"#), "{upload}");
    let huge = app.get("/huge?size=200000");
    // Replacement characters stand for bytes from 128, so that characters count what bytes were.
    assert_eq!(body(&huge).chars().filter(|c| *c == '\u{7f}').count(), 200_000_usize.div_ceil(251));
}

#[test]
fn streams_say_one_thing_at_a_time() {
    let app = App::start(&[]);
    let slow = app.get("/slow?n=3&every=1ms");
    assert!(slow.contains("chunk 0\n") && slow.contains("chunk 2\n") && !slow.contains("chunk 3"), "{slow}");
    let events = app.get("/sse?n=2&every=1ms");
    assert!(events.contains("content-type: text/event-stream"), "{events}");
    assert!(events.contains("id: 1\ndata: event 1\n\n"), "{events}");
}

#[test]
fn breaks_off_in_three_ways() {
    let app = App::start(&[]);
    let cut = app.get("/cut");
    assert!(cut.contains("the first half") && !cut.ends_with("0\r\n\r\n"), "{cut}");
    let mut mid = App::start(&[]);
    let answer = mid.get("/crash-mid?after=7");
    assert!(answer.contains("content-length: 14\r\n"), "{answer}");
    assert_eq!(body(&answer), "xxxxxxx");
    assert!(!mid.child.wait().unwrap().success());
    let mut app = app;
    assert_eq!(app.get("/crash"), "");
    assert!(!app.child.wait().unwrap().success());
}

#[test]
fn answers_n_requests_and_health_checks_between_them_then_crashes() {
    let mut app = App::start(&[("FAIL", "crash-after-2")]);
    for _ in 0..2 {
        assert!(app.get("/").starts_with("HTTP/1.1 200"));
        assert!(app.get("/healthz").starts_with("HTTP/1.1 200"));
    }
    assert_eq!(app.get("/"), "");
    assert!(!app.child.wait().unwrap().success());
}

#[test]
fn exits_as_asked_and_notes_its_starts() {
    let directory = std::env::temp_dir().join(format!("test-app-{}", std::process::id()));
    let starts = directory.to_str().unwrap();
    assert_eq!(ended(&[("FAIL", "exit"), ("STARTS_FILE", starts)]).code(), Some(3));
    assert_eq!(ended(&[("FAIL", "exit-after-10ms"), ("STARTS_FILE", starts)]).code(), Some(3));
    assert_eq!(ended(&[("FAIL", "explode"), ("STARTS_FILE", starts)]).code(), Some(1));
    let noted = std::fs::read_to_string(&directory).unwrap();
    std::fs::remove_file(&directory).unwrap();
    assert_eq!(noted.lines().count(), 2);
}

#[test]
fn health_is_as_asked() {
    let app = App::start(&[("HEALTH_STATUS", "500"), ("READY_DELAY", "3600s")]);
    assert!(app.get("/healthz").starts_with("HTTP/1.1 500 "));
    assert!(app.get("/readyz").starts_with("HTTP/1.1 503 "));
    assert!(App::start(&[]).get("/readyz").starts_with("HTTP/1.1 200 "));
}

#[test]
fn sigterm_ends_it_at_once_also_with_an_open_connection() {
    let mut app = App::start(&[]);
    let _open = app.connect();
    let killed = Command::new("kill").args(["-TERM", &app.child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(app.child.wait().unwrap().code(), Some(0));
}

#[test]
fn its_grandchild_outlives_its_group() {
    let app = App::start(&[("SPAWN_CHILD", "1")]);
    let grandchild = app.json("/")["child"].as_u64().unwrap().to_string();
    let stat = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap();
    // After the name: state, parent, group, session (proc_pid_stat(5)).
    let session = stat.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap();
    assert_ne!(session, app.child.id().to_string());
    assert!(Command::new("kill").arg(&grandchild).status().unwrap().success());
}

#[test]
fn raw_answers_are_sent_as_they_are() {
    let raw = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let app = App::start(&[("RAW", raw)]);
    let mut stream = app.connect();
    for _ in 0..2 {
        stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        let mut answer = vec![0; raw.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, raw.as_bytes());
    }
}

#[test]
fn websockets_echo_on_any_path() {
    let app = App::start(&[]);
    let mut stream = app.connect();
    let head = "GET /any HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // RFC 6455, section 1.3.
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    // A masked text frame "hi" with mask 0 (RFC 6455, section 5.2); the server's has none.
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).unwrap();
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(&frame, &[0x81, 2, b'h', b'i']);
}
