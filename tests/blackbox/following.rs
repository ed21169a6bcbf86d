//! The events of a wake, over real sockets.

use std::time::Duration;

use crate::harness::{App, Edge, PATIENCE, Request, Signal, Wire, file, within};

/// The URL of the events that a waiting page asks for.
async fn events(edge: &Edge, app: &str) -> String {
    let page = edge.ask(Request::get(app, "/").navigation()).await;
    assert_eq!(page.status, 503, "{page:?}");
    let text = page.text();
    let (_, rest) = text.split_once("data-events=\"").expect("a page that follows");
    rest.split('"').next().expect("an end").replace("&amp;", "&")
}

async fn until(wire: &mut Wire, what: &str) -> String {
    let mut said = String::new();
    let reading = async {
        while !said.contains(what) {
            let piece = wire.data().await.expect("more").unwrap_or_else(|| panic!("no {what} in {said}"));
            said.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    within(PATIENCE, what, reading).await;
    said
}

async fn follow(edge: &Edge, app: &str) -> Wire {
    let url = events(edge, app).await;
    let mut wire = edge.wire().await;
    wire.send(&Request::get(app, &url).bytes()).await;
    let head = wire.head().await.expect("a head");
    assert_eq!(head.status, 200, "{head:?}");
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    wire
}

#[tokio::test]
async fn a_wake_is_followed_to_its_end_and_is_no_use_of_the_app() {
    let slow = App::named("slow").env("START_DELAY", "2s").line(r#"wake = "page""#);
    let edge = Edge::start(&file(&[slow])).await;
    let mut wire = follow(&edge, "slow").await;
    assert!(until(&mut wire, "Starting<small>now").await.contains("retry: "));
    let app = edge.app("slow").await;
    assert_eq!((&app["open"], &app["held"]), (&0.into(), &0.into()), "{app}");
    until(&mut wire, "event: awake\ndata: \n\n").await;
    assert!(wire.data().await.expect("an end").is_none());
    assert!(edge.requests("slow").is_empty());
}

#[tokio::test]
async fn a_failure_is_told_with_its_code() {
    let broken = App::named("broken").env("START_DELAY", "600s").env("FAIL", "exit-after-1s");
    let edge = Edge::start(&file(&[broken.line(r#"wake = "page""#)])).await;
    let mut wire = follow(&edge, "broken").await;
    assert!(until(&mut wire, "event: failed").await.contains("exited-early"));
}

#[tokio::test]
async fn nothing_below_loco_reaches_an_app_or_wakes_it() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    for path in ["/.loco", "/.loco/", "/.loco/anything?x=y", "/.loco/events/"] {
        edge.ask(Request::get("hello", path)).await.assert_refused(404, "reserved-path");
    }
    edge.ask(Request::post("hello", "/.loco/events", "x")).await.assert_refused(404, "reserved-path");
    edge.ask(Request::get("hello", "/.loco/events")).await.assert_refused(400, "link-forged");
    assert_eq!(edge.starts("hello"), 0);
    edge.wake("hello").await;
    edge.ask(Request::get("hello", "/.loco/x")).await.assert_refused(404, "reserved-path");
    assert!(edge.requests("hello").is_empty());
}

/// Else a tab that somebody forgot would hold up every shutdown for as long as requests may.
#[tokio::test]
async fn streams_do_not_hold_up_the_end() {
    let endless = App::named("slow").env("START_DELAY", "600s").line(r#"wake = "page""#);
    let mut edge = Edge::start(&(file(&[endless]) + "[gateway]\ndrain_timeout = \"20s\"\n")).await;
    let mut wire = follow(&edge, "slow").await;
    until(&mut wire, "event: progress").await;
    let begin = std::time::Instant::now();
    let end = edge.end(Signal::TERM);
    let (_, said) = tokio::join!(end, until(&mut wire, "event: again"));
    assert!(said.contains("event: again"));
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}
