//! Who asks, as the edge understands it from what they say they can read.

use crate::harness::{App, Edge, Request, file};

#[tokio::test]
async fn a_refusal_is_html_for_who_wants_html() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    for (accept, kind) in [
        ("text/html", "text/html"),
        ("TEXT/HTML", "text/html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("application/json, text/html;q=0", "application/problem+json"),
        ("application/json, text/html; q=0.0", "application/problem+json"),
        ("application/json", "application/problem+json"),
        ("text/htmlx", "application/problem+json"),
        ("*/*", "application/problem+json"),
    ] {
        let answer = edge.ask(Request::get("nobody", "/").header("Accept", accept)).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        let said = answer.header("content-type").expect("a type");
        assert!(said.starts_with(kind), "Accept: {accept} got {said}");
    }
    let lines = Request::get("nobody", "/").header("Accept", "image/*").header("Accept", "text/html");
    let answer = edge.ask(lines).await;
    assert!(answer.header("content-type").expect("a type").starts_with("text/html"), "{answer:?}");
}

#[tokio::test]
async fn a_page_in_a_frame_is_held_and_not_given_one_that_cannot_be_framed() {
    let app = App::named("slow").line(r#"wake = "page""#).env("START_DELAY", "1s");
    let edge = Edge::start(&file(&[app])).await;
    let framed = Request::get("slow", "/")
        .header("Accept", "text/html")
        .header("Sec-Fetch-Mode", "navigate")
        .header("Sec-Fetch-Dest", "iframe");
    assert_eq!(edge.ask(framed).await.seen().field("served"), 1);
    edge.put_to_sleep("slow", "deep").await;
    let page = edge.ask(Request::get("slow", "/").navigation()).await;
    assert_eq!(page.status, 503, "{page:?}");
    assert!(page.header("content-type").expect("a type").starts_with("text/html"), "{page:?}");
}

#[tokio::test]
async fn crawlers_monitors_and_health_checks_share_a_budget_and_then_are_told_that_it_sleeps() {
    let app = App::named("hello").line(r#"health = { http = "/healthz" }"#);
    let edge = Edge::start(&file(&[app])).await;
    let of = |agent| Request::get("hello", "/").header("User-Agent", agent);
    assert_eq!(
        edge.ask(of("Mozilla/5.0 (compatible; Googlebot/2.1)")).await.status,
        200,
        "the first one wakes it"
    );
    edge.put_to_sleep("hello", "deep").await;
    for request in [
        of("Mozilla/5.0 (compatible; bingbot/2.0)"),
        of("UptimeRobot/2.0"),
        Request::get("hello", "/healthz"),
    ] {
        edge.ask(request).await.assert_refused(503, "asleep");
    }
    let call = of("Mozilla/5.0 (compatible; GPTBot/1.2)").header("Content-Type", "application/grpc");
    assert_eq!(edge.ask(call).await.header("grpc-status"), Some("14"));
    assert!(edge.state("hello").await.starts_with("asleep"));
    assert_eq!(edge.ask(of("curl/8.5.0")).await.status, 200, "a program wakes it at any time");
}

#[tokio::test]
async fn each_kind_gets_what_the_file_says() {
    let app = App::named("hello").line(r#"health = { http = "/healthz" }"#);
    let app = app
        .line(r#"passersby = { health_checks = "answer-200", monitors = "answer-503", crawlers = "wake" }"#);
    let edge = Edge::start(&file(&[app])).await;
    let check = edge.ask(Request::get("hello", "/healthz")).await;
    assert_eq!((check.status, check.text().as_str()), (200, "asleep\n"));
    assert_eq!(check.header("proxy-status"), Some("loco-edge; details=\"asleep-ok\""));
    let of = |agent| Request::get("hello", "/").header("User-Agent", agent);
    edge.ask(of("UptimeRobot/2.0")).await.assert_refused(503, "asleep");
    assert_eq!(edge.starts("hello"), 0, "it slept on");
    for starts in 1..=2 {
        assert_eq!(edge.ask(of("Googlebot/2.1")).await.status, 200);
        assert_eq!(edge.starts("hello"), starts);
        edge.put_to_sleep("hello", "deep").await;
    }
}
