//! Waiting pages that follow a wake.

use std::time::{Duration, SystemTime};

use config::link::{Failure, Phase, Status, ToRevive};
use config::model::WakeMode;
use config::settings::Gateway;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fakes::{ASLEEP, CREATING, Edge, Upstream, app, id, run, settle, soon};
use crate::redirect::{Link, PAGE_LIFE, Purpose};

const QUEUED: Status = queued(3, 9);

const fn queued(position: u32, estimate: u64) -> Status {
    Status::Waking {
        phase: Phase::Queued,
        elapsed: Duration::ZERO,
        estimate: Some(Duration::from_secs(estimate)),
        position: Some(position),
        probe: None,
    }
}

/// A page that reads events.
struct Page {
    stream: TcpStream,
    seen: String,
}

impl Page {
    async fn open(edge: &Edge, query: &str) -> Self {
        let mut stream = TcpStream::connect(edge.address(0)).await.unwrap();
        let request = format!("GET /.loco/events?{query} HTTP/1.1\r\nHost: a.localhost:80\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        settle().await;
        Self { stream, seen: String::new() }
    }

    async fn of(edge: &Edge, asked: &str) -> Self {
        let link = Link { app: "a".to_owned(), asked: asked.to_owned() };
        let keys = &edge.worker(0).keys;
        Self::open(edge, &link.query(Purpose::Follow, keys, SystemTime::now(), PAGE_LIFE)).await
    }

    /// All that has come since the last time.
    async fn hears(&mut self) -> String {
        settle().await;
        let before = self.seen.len();
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = self.stream.try_read(&mut buffer) {
            self.seen.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            settle().await;
        }
        self.seen[before..].to_owned()
    }

    /// What comes before the connection is done with this answer.
    async fn last_words(mut self) -> String {
        let mut said = self.hears().await;
        assert!(said.ends_with("0\r\n\r\n"), "the stream goes on: {said}");
        said.truncate(said.len() - 5);
        said
    }
}

#[test]
fn a_page_follows_a_wake_to_its_end() {
    run(async {
        let mut edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let mut upstream = Upstream::start().await;
        edge.change("a", QUEUED).await;
        let mut page = Page::of(&edge, "").await;
        let first = page.hears().await;
        for expected in [
            "HTTP/1.1 200 OK\r\n",
            "content-type: text/event-stream\r\n",
            "cache-control: no-store\r\n",
            "x-accel-buffering: no\r\n",
            "retry: 2000\nevent: progress\ndata: <ol",
            "3 are before it.",
        ] {
            assert!(first.contains(expected), "no {expected} in {first}");
        }
        let app = edge.app("a");
        assert_eq!((app.following(), app.open(), app.held()), (1, 0, 0));
        edge.change("a", queued(1, 9)).await;
        assert!(page.hears().await.contains("One is before it."));
        edge.change("a", CREATING).await;
        assert!(page.hears().await.contains("Getting ready<small>now</small>"));
        edge.change("a", CREATING).await;
        assert_eq!(page.hears().await, "", "it is no news");
        edge.change("a", upstream.awake()).await;
        assert!(page.last_words().await.contains("event: awake\ndata: \n\n"));
        assert_eq!((app.following(), app.open()), (0, 0));
        assert!(upstream.arrived().await.is_empty());
        assert_eq!(edge.said()[0], ToRevive::Wake { app: id("a") });
    });
}

#[test]
fn a_page_of_another_host_is_told_what_to_open() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let upstream = Upstream::start().await;
        edge.change("a", CREATING).await;
        let mut page = Page::of(&edge, "http://a.localhost:80/x?y=1").await;
        page.hears().await;
        edge.change("a", upstream.awake()).await;
        assert!(page.last_words().await.contains("event: awake\ndata: //a.localhost:80/x?y=1\n\n"));
    });
}

#[test]
fn a_failure_is_the_last_word() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        edge.change("a", CREATING).await;
        let mut page = Page::of(&edge, "").await;
        page.hears().await;
        let retry_after = Duration::from_secs(5);
        edge.change("a", Status::Failed { failure: Failure::ExitedEarly, retry_after }).await;
        let said = page.last_words().await;
        assert!(said.contains("event: failed\ndata: <header>") && said.contains("exited-early"), "{said}");
    });
}

#[test]
fn a_page_keeps_a_wake_wanted_until_it_is_closed() {
    run(async {
        let mut edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let held = edge.ask(0, "a", "/").await;
        assert_eq!(edge.says().await, ToRevive::Wake { app: id("a") });
        edge.change("a", QUEUED).await;
        let page = Page::of(&edge, "").await;
        assert_eq!(edge.says().await, ToRevive::Wake { app: id("a") });
        held.leave().await;
        assert_eq!(edge.said(), [], "somebody still wants it");
        drop(page);
        settle().await;
        assert_eq!(edge.said(), [ToRevive::Unwanted { app: id("a") }]);
        assert_eq!(edge.app("a").following(), 0);
    });
}

#[test]
fn events_wake_nothing() {
    run(async {
        let mut edge = Edge::with_a(app("a"), &Gateway::default()).await;
        for status in [ASLEEP, Status::Draining { round: config::link::Round(1) }] {
            edge.change("a", status).await;
            let mut page = Page::of(&edge, "").await;
            assert!(page.hears().await.contains("event: progress"));
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert!(page.last_words().await.contains("event: again\ndata: \n\n"));
        }
        let said = edge.said();
        let wakes = |word: &&ToRevive| matches!(word, ToRevive::Wake { .. });
        assert_eq!(said.iter().filter(wakes).count(), 0, "{said:?}");
    });
}

#[test]
fn events_are_for_whoever_has_a_page() {
    run(async {
        let mut edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let keys = &edge.worker(0).keys;
        let link = Link { app: "a".to_owned(), asked: String::new() };
        let revive = link.query(Purpose::Revive, keys, SystemTime::now(), PAGE_LIFE);
        let old = link.query(Purpose::Follow, keys, SystemTime::now() - PAGE_LIFE, PAGE_LIFE);
        let gone = Link { app: "b".to_owned(), asked: String::new() };
        let gone = gone.query(Purpose::Follow, keys, SystemTime::now(), PAGE_LIFE);
        for (query, code) in
            [("", "link-forged"), (&revive, "link-forged"), (&old, "link-expired"), (&gone, "unknown-host")]
        {
            let said = Page::open(&edge, query).await.hears().await;
            assert!(said.contains(&format!("\"code\":\"{code}\"")), "{code}: {said}");
        }
        assert_eq!(edge.said(), []);
    });
}

#[test]
fn a_reader_hears_every_ten_seconds_that_it_goes_on_and_is_sent_away_in_the_end() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        edge.change("a", CREATING).await;
        let mut page = Page::of(&edge, "").await;
        page.hears().await;
        for _ in 0..59 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let said = page.hears().await;
            assert!(said.contains(":\nevent: progress") && said.matches("event").count() == 1, "{said}");
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(page.last_words().await.contains("event: again"));
    });
}

#[test]
fn the_line_is_told_of_when_it_moves() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        edge.change("a", queued(3, 9)).await;
        let mut page = Page::of(&edge, "").await;
        page.hears().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        edge.change("a", queued(3, 8)).await;
        assert_eq!(page.hears().await, "", "time has passed, as was to be expected");
        edge.change("a", queued(3, 12)).await;
        assert!(page.hears().await.contains("12 seconds"));
    });
}

#[test]
fn streams_end_when_serving_does() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        edge.change("a", CREATING).await;
        let mut page = Page::of(&edge, "").await;
        page.hears().await;
        edge.worker(0).end();
        assert!(page.last_words().await.contains("event: again"));
        let late = Page::of(&edge, "").await.hears().await;
        assert!(late.contains("shutting-down"), "{late}");
    });
}

#[test]
fn streams_end_with_their_app() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        edge.change("a", CREATING).await;
        let mut page = Page::of(&edge, "").await;
        page.hears().await;
        edge.use_table([(app("b"), ASLEEP)]).await;
        assert!(page.last_words().await.contains("event: again"));
    });
}

#[test]
fn so_many_follow_and_no_more() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let app = edge.app("a");
        let few: Vec<_> = (0..3).map(|_| crate::app::Follower::of(&app, 3)).collect();
        assert!(few.iter().all(Option::is_some) && crate::app::Follower::of(&app, 3).is_none());
        drop(few);
        assert!(crate::app::Follower::of(&app, 3).is_some());
        assert_eq!(app.following(), 0);
    });
}

#[test]
fn what_is_kept_for_the_edge_reaches_no_app() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let mut upstream = Upstream::start().await;
        edge.change("a", upstream.awake()).await;
        for path in ["/.loco", "/.loco/", "/.loco/x", "/.loco/events/x", "/.loco?x"] {
            assert_eq!(edge.ask(0, "a", path).await.answer().await, "404 reserved-path", "{path}");
        }
        let other = edge.ask(0, "a", "/.locomotive").await;
        upstream.arrived().await.pop().unwrap().answer().await;
        assert_eq!(other.answer().await, "200");
    });
}

/// The `Location` of a 307.
async fn location(edge: &Edge, host: &str, target: &str) -> Option<String> {
    let mut stream = TcpStream::connect(edge.address(0)).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    let line = answer.lines().find_map(|line| line.strip_prefix("location: "));
    line.filter(|_| answer.starts_with("HTTP/1.1 307")).map(str::to_owned)
}

fn redirected() -> config::model::App {
    let mut app = app("a");
    app.wake.mode = WakeMode::Redirect;
    app
}

#[test]
fn a_visitor_is_sent_to_be_revived_and_back() {
    run(async {
        let mut edge = Edge::with_a(redirected(), &Gateway::default()).await;
        let upstream = Upstream::start().await;
        let there = location(&edge, "a.localhost:80", "/x?y=1").await.unwrap();
        let query = there.strip_prefix("//revive.localhost:80/revive-app?").unwrap();
        assert!(query.starts_with("app-name=a&og_url=http://a.localhost:80/x%3Fy%3D1&expires="), "{there}");
        assert_eq!(edge.said(), [], "the link alone wakes nothing");
        let target = format!("/revive-app?{query}");
        let waits = async { location(&edge, "revive.localhost:80", &target).await };
        let wakes = async {
            settle().await;
            edge.change("a", upstream.awake()).await;
        };
        let (back, ()) = tokio::join!(waits, wakes);
        assert_eq!(back.unwrap(), "//a.localhost:80/x?y=1");
        assert!(edge.said().contains(&ToRevive::Wake { app: id("a") }));
    });
}

#[test]
fn who_comes_back_to_an_app_that_fell_asleep_at_once_is_held() {
    run(async {
        let edge = Edge::with_a(redirected(), &Gateway::default()).await;
        let mut upstream = Upstream::start().await;
        edge.change("a", upstream.awake()).await;
        edge.change("a", ASLEEP).await;
        let held = edge.ask(0, "a", "/").await;
        assert!(!held.is_answered() && edge.app("a").held() == 1);
        edge.change("a", upstream.awake()).await;
        upstream.arrived().await.pop().unwrap().answer().await;
        assert_eq!(held.answer().await, "200");
        edge.change("a", ASLEEP).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(location(&edge, "a.localhost:80", "/").await.is_some());
    });
}
