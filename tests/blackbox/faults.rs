//! Apps that do not come up, and apps that break off.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::{Answer, App, Broken, Edge, PATIENCE, Request, eventually, file, let_pass};

/// Long enough to be sure that no test outlasts it.
const LONG_BACKOFF: &str = "[revive]\nbackoff_first = \"600s\"\nbackoff_max = \"600s\"\n";

/// Fails unless this is the answer to a wake that failed so.
fn assert_failed(answer: &Answer, code: &str) {
    assert!(matches!(answer.status, 502..=504), "expecting {code}: {answer:?}");
    answer.assert_refused(answer.status, code);
    assert!(answer.header("retry-after").is_some(), "when may one try again? {answer:?}");
}

/// An app that cannot come up: typed at first, and at once, without another try, on the next request.
async fn assert_fails(app: App, name: &str, code: &str, starts: usize) {
    let edge = Edge::start(&(file(&[app]) + LONG_BACKOFF)).await;
    let begin = Instant::now();
    assert_failed(&edge.ask(Request::get(name, "/")).await, code);
    let first = begin.elapsed();
    assert_eq!(edge.state(name).await, "failed");
    let app = edge.app(name).await;
    assert_eq!(app["last_failure"]["code"], code, "{app}");
    assert!(app["last_failure"]["at"].is_string(), "{app}");
    edge.until_nothing_runs("what failed is ended").await;
    for request in [
        Request::get(name, "/"),
        Request::post(name, "/", "x"),
        Request::get(name, "/").header("Accept", "*/*"),
    ] {
        let begin = Instant::now();
        assert_failed(&edge.ask(request).await, code);
        // Not a figure but a bound: waiting for another try would take as long as the first.
        assert!(begin.elapsed() < first.max(Duration::from_secs(1)), "{code}: not answered at once");
    }
    assert_eq!(edge.starts(name), starts, "tried again while backoff lasts");
}

#[tokio::test]
async fn a_program_that_is_not_there() {
    let app = App::running("lost", &["no-such-program-anywhere", "$PORT"]);
    assert_fails(app, "lost", "program-not-found", 0).await;
}

#[tokio::test]
async fn an_app_that_ends_at_once() {
    assert_fails(App::named("exits").env("FAIL", "exit"), "exits", "exited-early", 1).await;
}

#[tokio::test]
async fn an_app_that_ends_before_it_listens() {
    let app = App::named("exits").env("FAIL", "exit-after-300ms").env("START_DELAY", "600s");
    assert_fails(app, "exits", "exited-early", 1).await;
}

#[tokio::test]
async fn an_app_that_never_listens() {
    let health = r#"health = { tcp = true, grace = "1s" }"#;
    let app = App::named("deaf").env("FAIL", "never-listen").line(health).env("SPAWN_CHILD", "1");
    assert_fails(app, "deaf", "never-listened", 1).await;
}

#[tokio::test]
async fn an_app_whose_health_check_says_500() {
    let health = r#"health = { http = "/healthz", grace = "1s" }"#;
    assert_fails(App::named("ill").env("HEALTH_STATUS", "500").line(health), "ill", "unhealthy", 1).await;
}

#[tokio::test]
async fn an_app_that_listens_late_is_waited_for() {
    let edge = Edge::start(&file(&[App::named("late").env("START_DELAY", "1.5s")])).await;
    assert_eq!(edge.ask(Request::get("late", "/")).await.seen().field("served"), 1);
    let phases = edge.app("late").await["last_wake"]["phases"].clone();
    let names: Vec<_> =
        phases.as_array().expect("phases").iter().filter_map(|phase| phase["phase"].as_str()).collect();
    assert!(names.contains(&"starting"), "{phases}");
}

#[tokio::test]
async fn an_app_that_listens_before_it_is_ready_gets_no_request_before() {
    let app = App::named("late").env("READY_DELAY", "1s").line(r#"health = { http = "/readyz" }"#);
    let edge = Edge::start(&file(&[app])).await;
    let begin = Instant::now();
    assert_eq!(edge.ask(Request::get("late", "/")).await.seen().field("served"), 1);
    assert!(begin.elapsed() >= Duration::from_secs(1), "asked before it was ready");
}

#[tokio::test]
async fn after_the_backoff_the_next_request_tries_again() {
    let directory = TempDir::with_prefix("loco-edge-").expect("a directory");
    let program = directory.path().join("late-program");
    let app = App::running("late", &["{dir}/late-program"]);
    let edge = Edge::start_in(directory, &(file(&[app]) + "[revive]\nbackoff_first = \"300ms\"\n")).await;
    assert_failed(&edge.ask(Request::get("late", "/")).await, "program-not-found");
    fs::write(&program, "#!/bin/sh\nexec python3 -m http.server \"$PORT\" --bind 127.0.0.1\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    eventually(PATIENCE, "the app, now that its program is there", async || {
        let answer = edge.ask(Request::get("late", "/")).await;
        if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
    assert_eq!(edge.app("late").await["last_wake"]["result"], "ok");
}

#[tokio::test]
async fn a_response_that_breaks_off_is_seen_as_broken_off() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.wake("hello").await;
    match edge.try_ask(&Request::get("hello", "/crash-mid?after=1000")).await {
        Err(Broken::Cut(answer)) => {
            assert_eq!((answer.status, answer.body.len()), (200, 1_000), "{answer:?}")
        }
        other => panic!("a response of 2,000 bytes of which 1,000 came: {other:?}"),
    }
    assert_eq!(edge.requests("hello"), ["GET /crash-mid?after=1000"], "asked again in mid-response");
}

#[tokio::test]
async fn a_change_of_protocol_in_the_middle_of_a_request_is_an_apps_mistake() {
    let raw = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let edge = Edge::start(&file(&[App::named("raw").env("RAW", raw)])).await;
    let head = "GET / HTTP/1.1\r\nHost: raw.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n";
    let unfinished = format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    // What follows of the body would be taken for the other protocol's (RFC 9110, section 7.8).
    let answer = edge.ask_raw(&unfinished).await.expect("an answer");
    answer.assert_refused(502, "upstream-malformed");
    let finished = format!("{head}Content-Length: 3\r\n\r\nabc");
    assert_eq!(edge.ask_raw(&finished).await.expect("an answer").status, 101);
}

#[tokio::test]
async fn chunks_without_an_end_are_seen_as_cut() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    for _ in 0..5 {
        match edge.try_ask(&Request::get("hello", "/cut")).await {
            Err(Broken::Cut(answer)) => assert_eq!(answer.text(), "the first half\n"),
            other => panic!("chunks without the last one: {other:?}"),
        }
    }
    assert_eq!(edge.starts("hello"), 1);
}

#[tokio::test]
async fn an_app_that_crashes_on_a_post_gets_it_once() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.wake("hello").await;
    // On a connection that has been used, which is when a retry tempts.
    edge.ask(Request::post("hello", "/", "x")).await;
    edge.ask(Request::post("hello", "/crash", "x")).await.assert_refused(502, "upstream-reset");
    let asked = edge.requests("hello");
    assert_eq!(asked.iter().filter(|line| line.contains("/crash")).count(), 1, "{asked:?}");
}

#[tokio::test]
async fn an_app_that_crashes_on_a_get_gets_it_no_more_than_twice() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.wake("hello").await;
    let answer = edge.ask(Request::get("hello", "/crash")).await;
    assert!(matches!(answer.status, 502..=504), "{answer:?}");
    let asked = edge.requests("hello");
    assert!(matches!(asked.len(), 1 | 2), "{asked:?}");
}

#[tokio::test]
async fn an_app_that_crashed_is_there_again() {
    let edge = Edge::start(&(file(&[App::named("hello")]) + "[revive]\nbackoff_first = \"200ms\"\n")).await;
    let first = edge.ask(Request::get("hello", "/")).await.seen().pid();
    edge.ask(Request::post("hello", "/crash", "x")).await.assert_refused(502, "upstream-reset");
    let second = eventually(PATIENCE, "an answer after the crash", async || {
        let answer = edge.ask(Request::get("hello", "/")).await;
        if answer.status == 200 { Ok(answer.seen().pid()) } else { Err(format!("{answer:?}")) }
    })
    .await;
    assert_ne!(first, second);
    assert_eq!(edge.starts("hello"), 2);
}

#[tokio::test]
async fn an_app_that_crashes_again_and_again_is_given_up_for_a_while() {
    let app = App::named("hello").env("FAIL", "exit-after-200ms");
    let edge = Edge::start(&(file(&[app]) + LONG_BACKOFF)).await;
    edge.ask(Request::get("hello", "/")).await.seen();
    edge.until("hello", "failed").await;
    let failed = edge.ask(Request::get("hello", "/")).await;
    assert_failed(&failed, "crashed");
    let starts = edge.starts("hello");
    let_pass(Duration::from_millis(600), "that it is not started again shows only in time").await;
    assert_failed(&edge.ask(Request::get("hello", "/")).await, "crashed");
    assert_eq!(edge.starts("hello"), starts, "held traffic keeps a crash loop going");
}

#[tokio::test]
async fn whoever_comes_while_the_rest_of_a_crashed_app_is_being_ended_waits_for_the_next() {
    let helper = "(trap '' TERM; while :; do sleep 1; done) & exec {app}";
    let app = App::running("hello", &["sh", "-c", helper]);
    let edge = Edge::start(&(file(&[app]) + "[revive]\nstop_timeout = \"1500ms\"\n")).await;
    let first = edge.ask(Request::get("hello", "/")).await.seen().pid();
    edge.ask(Request::post("hello", "/crash", "x")).await.assert_refused(502, "upstream-reset");
    assert_ne!(edge.ask(Request::get("hello", "/")).await.seen().pid(), first);
    let failure = edge.app("hello").await["last_failure"].clone();
    assert_eq!((&failure["code"], &failure["exit"]), (&"crashed".into(), &"signal 6".into()), "{failure}");
}

/// Answers with its pid; `/deaf/SECONDS` makes it stop listening for so long.
const DEAF: &str = r#"
import http.server, os, time
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.deaf = self.path.removeprefix("/deaf/") if self.path.startswith("/deaf/") else ""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())
while True:
    with http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), App) as server:
        server.deaf = ""
        while not server.deaf:
            server.handle_request()
    time.sleep(float(server.deaf))
"#;

#[tokio::test]
async fn an_app_that_stops_listening_is_waited_for_as_if_it_were_starting() {
    let edge = Edge::start(&file(&[App::running("deaf", &["python3", "-c", DEAF])])).await;
    let first = edge.ask(Request::get("deaf", "/deaf/1.5")).await;
    for _ in 0..3 {
        let next = edge.ask(Request::get("deaf", "/")).await;
        assert_eq!((next.status, next.text()), (200, first.text()), "it is the same run: {next:?}");
    }
}

#[tokio::test]
async fn an_app_that_listens_no_more_is_ended_and_started_again() {
    let health = r#"health = { tcp = true, grace = "1s" }"#;
    let app = App::running("deaf", &["python3", "-c", DEAF]).line(health);
    let edge = Edge::start(&(file(&[app]) + "[revive]\nbackoff_first = \"300ms\"\n")).await;
    let first = edge.ask(Request::get("deaf", "/deaf/600")).await;
    assert_failed(&edge.ask(Request::get("deaf", "/")).await, "crashed");
    edge.until("deaf", "awake").await;
    let next = edge.ask(Request::get("deaf", "/")).await;
    assert!(next.status == 200 && next.text() != first.text(), "another run: {next:?}");
}

#[tokio::test]
async fn an_app_that_crashes_while_paused_is_started_anew() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let first = edge.ask(Request::get("hello", "/")).await.seen().pid();
    edge.put_to_sleep("hello", "light").await;
    crate::harness::signal(first, rustix::process::Signal::KILL);
    eventually(PATIENCE, "the dead sleeper is replaced", async || {
        let answer = edge.ask(Request::get("hello", "/")).await;
        if answer.status == 200 { Ok(answer.seen().pid()) } else { Err(format!("{answer:?}")) }
    })
    .await;
    assert_eq!(edge.starts("hello"), 2);
}

#[tokio::test]
async fn connections_that_the_app_closes_lose_no_get() {
    let raw = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let edge = Edge::start(&file(&[App::named("raw").env("RAW", raw).env("RAW_CLOSE", "1")])).await;
    let mut wire = edge.wire().await;
    for round in 0..100 {
        let answer = wire.ask(&Request::get("raw", &format!("/{round}"))).await.expect("an answer");
        assert_eq!(answer.status, 200, "round {round}: {answer:?}");
    }
}
