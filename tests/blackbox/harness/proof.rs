//! The client sees a broken answer as broken: else the tests that rely on it could not fail.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::apps::{App, file, test_app};
use super::message::{Answer, Request};
use super::wait::eventually;
use super::wire::{Broken, Wire};
use super::{process, rss};

/// The test app, with no edge before it.
struct Bare {
    child: Child,
    address: SocketAddr,
}

impl Bare {
    fn start(environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(test_app());
        command.env("PORT", "0").envs(environment.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the app starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
        let address = line.trim().rsplit(' ').next().expect("a word").parse().expect("an address");
        Self { child, address }
    }

    async fn ask(&self, request: Request) -> Result<Answer, Broken> {
        Wire::connect(self.address).await.ask(&request).await
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }
}

#[tokio::test]
async fn a_cut_answer_is_cut() {
    let app = Bare::start(&[]);
    let cut = app.ask(Request::get("x", "/cut")).await;
    assert!(matches!(&cut, Err(Broken::Cut(answer)) if answer.text() == "the first half\n"), "{cut:?}");
    let cut = app.ask(Request::get("x", "/crash-mid?after=10")).await;
    assert!(matches!(&cut, Err(Broken::Cut(answer)) if answer.body.len() == 10), "{cut:?}");
}

#[tokio::test]
async fn no_answer_is_none() {
    let app = Bare::start(&[]);
    let none = app.ask(Request::get("x", "/crash")).await;
    assert!(matches!(none, Err(Broken::Unanswered | Broken::Reset(_))), "{none:?}");
}

#[tokio::test]
async fn whole_answers_are_whole() {
    let app = Bare::start(&[]);
    let mut wire = Wire::connect(app.address).await;
    let head = wire.ask(&Request::new("HEAD", "x", "/huge?size=10")).await.expect("a head");
    assert_eq!((head.header("content-length"), head.body.len()), (Some("10"), 0));
    let huge = wire.ask(&Request::get("x", "/huge?size=200000")).await.expect("a body");
    assert_eq!(huge.body.len(), 200_000);
    let trailers =
        wire.ask(&Request::get("x", "/?trailers=1").header("TE", "trailers")).await.expect("trailers");
    assert_eq!(trailers.trailers, [("x-trailer".to_owned(), "the end".to_owned())]);
    let seen = wire.ask(&Request::post("x", "/", "abc").header("X-A", "b")).await.expect("an answer").seen();
    assert_eq!((seen.header("x-a").as_deref(), seen.field("length")), (Some("b"), &3.into()));
}

#[tokio::test]
async fn interim_answers_are_seen() {
    let raw = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let answer = Bare::start(&[("RAW", raw)]).ask(Request::get("x", "/")).await.expect("an answer");
    assert_eq!((answer.interim.len(), answer.interim[0].status, answer.status), (1, 103, 200));
}

#[tokio::test]
async fn what_lives_in_a_directory_is_found() {
    let directory = tempfile::TempDir::with_prefix("loco-edge-").expect("a directory");
    assert_eq!(process::of(directory.path()), Vec::<u32>::new());
    let path = directory.path().to_str().expect("an ASCII path");
    let app = Bare::start(&[("LOCO_TEST_DIRECTORY", path)]);
    assert_eq!(process::of(directory.path()), [app.child.id()]);
    assert!(rss(app.child.id()) > 1 << 20);
}

#[tokio::test]
#[should_panic(expected = "not within 20ms: never; last seen: no")]
async fn waiting_ends() {
    eventually(Duration::from_millis(20), "never", async || Err::<(), _>("no")).await;
}

#[test]
fn the_file_is_toml() {
    let app = App::named("hello").line("max_held = 3").env("RAW", "a\r\n\"b\\");
    let text = file(&[app, App::elsewhere("far")]);
    let end = "env = { STARTS_FILE = \"{dir}/hello.starts\", REQUESTS_FILE = \"{dir}/hello.requests\", \
               RAW = \"a\\r\\n\\\"b\\\\\" }\n\n[[app]]\nname = \"far\"\n";
    assert!(text.ends_with(end), "{text}\n{end}");
}
