//! `wake = "redirect"`: to the page that revives apps, and back.

use futures_util::future::join_all;

use crate::harness::{Answer, App, Edge, Request, Wire, file};

fn redirected(name: &str) -> App {
    App::named(name).line(r#"wake = "redirect""#)
}

/// Asks with the port, as browsers do.
fn at(edge: &Edge, method: &str, host: &str, target: &str) -> Request {
    Request::new(method, &format!("{host}:{}", edge.listen().port()), target)
}

/// Where a 307 leads: a host of this edge, and a target.
fn sent(edge: &Edge, answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 307, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.body.is_empty() && answer.header("proxy-status").is_some(), "{answer:?}");
    let location = answer.header("location").expect("a Location").to_owned();
    let rest = location.strip_prefix("//").unwrap_or_else(|| panic!("a scheme of its own: {location}"));
    let (authority, target) = rest.split_at(rest.find('/').expect("a path"));
    let port = format!(":{}", edge.listen().port());
    let host = authority.strip_suffix(&port).unwrap_or_else(|| panic!("another port: {location}"));
    (host.to_owned(), target.to_owned())
}

#[tokio::test]
async fn a_client_is_sent_to_be_revived_and_back_with_its_query() {
    let edge = Edge::start(&file(&[redirected("hello")])).await;
    let asked = format!("http://hello.localhost:{}/a%2520b%3Fq%3D1%26q%3D2", edge.listen().port());
    let mut links = Vec::new();
    for method in ["HEAD", "GET"] {
        let there = edge.ask(at(&edge, method, "hello.localhost", "/a%20b?q=1&q=2")).await;
        let (host, target) = sent(&edge, &there);
        assert_eq!(host, "revive.localhost");
        let begin = format!("/revive-app?app-name=hello&og_url={asked}&expires=");
        assert!(target.starts_with(&begin), "{target}");
        links.push((method, target));
    }
    assert_eq!(edge.starts("hello"), 0, "the link alone wakes nothing");
    for (method, target) in links {
        let back = edge.ask(at(&edge, method, "revive.localhost", &target)).await;
        assert_eq!(sent(&edge, &back), ("hello.localhost".to_owned(), "/a%20b?q=1&q=2".to_owned()));
    }
    let seen = edge.ask(at(&edge, "GET", "hello.localhost", "/a%20b?q=1&q=2")).await;
    assert_eq!(seen.seen().field("target"), "/a%20b?q=1&q=2");
    edge.put_to_sleep("hello", "deep").await;
    let again = edge.ask(at(&edge, "GET", "hello.localhost", "/")).await;
    assert_eq!(again.status, 200, "who has just been sent back is held, not sent again");
}

#[tokio::test]
async fn what_cannot_be_sent_elsewhere_is_held() {
    // All at once, before it has ever been up: afterwards nobody is sent away for some time.
    let edge = Edge::start(&file(&[redirected("hello").env("START_DELAY", "3s")])).await;
    let parts = [
        ("Sec-Fetch-Mode", "cors"),
        ("Sec-Fetch-Dest", "image"),
        ("Sec-Fetch-Dest", "iframe"),
        ("Upgrade", "websocket"),
    ];
    let gets = parts.map(|(name, value)| Request::get("hello", "/").header(name, value));
    let long = Request::get("hello", &format!("/{}", "a".repeat(5_000)));
    let body = Request::get("hello", "/").body("x");
    let others =
        [Request::post("hello", "/", "x"), Request::new("DELETE", "hello.localhost", "/"), body, long];
    let held = gets.into_iter().chain(others).map(async |request| (edge.ask(request.clone()).await, request));
    let own = async {
        let mut wire = Wire::connect(edge.port("hello")).await;
        wire.ask(&Request::new("GET", "127.0.0.1", "/")).await.expect("an answer")
    };
    let sent = edge.ask(Request::get("hello", "/"));
    let (held, own, sent) = tokio::join!(join_all(held), own, sent);
    for (answer, request) in held {
        assert_eq!(answer.status, 200, "{request:?}");
    }
    assert_eq!(own.status, 200);
    assert_eq!(sent.status, 307, "or it had been up before");
}

#[tokio::test]
async fn a_link_that_is_not_right_wakes_nothing_and_says_where_the_app_is() {
    let edge = Edge::start(&file(&[redirected("hello"), App::named("other")])).await;
    let there = edge.ask(at(&edge, "GET", "hello.localhost", "/")).await;
    let (_, target) = sent(&edge, &there);
    let home = format!("href=\"//hello.localhost:{}/\"", edge.listen().port());
    let changes = [
        ("http://hello.localhost", "http://evil.test"),
        ("app-name=hello", "app-name=other"),
        ("signature=", "signature=0"),
        ("expires=", "expires=9"),
        ("app-name=hello", "app-name=hello&app-name=other"),
        ("og_url=", "og_url=//evil.test&og_url="),
    ];
    for (from, to) in changes {
        let changed = target.replacen(from, to, 1);
        assert_ne!(changed, target);
        let answer = edge.ask(at(&edge, "GET", "revive.localhost", &changed)).await;
        answer.assert_refused(400, "link-forged");
        assert_eq!(answer.header("location"), None);
    }
    let changed = target.replacen("signature=", "signature=0", 1);
    let page = edge.ask(at(&edge, "GET", "revive.localhost", &changed).navigation()).await;
    assert!(page.status == 400 && page.text().contains(&home), "{page:?}");
    for nobody in ["/revive-app?app-name=nobody", "/revive-app", "/revive-app?app-name=%FF"] {
        let page = edge.ask(at(&edge, "GET", "revive.localhost", nobody).navigation()).await;
        assert!(page.status == 400 && !page.text().contains("href="), "{page:?}");
    }
    for app in ["hello", "other"] {
        assert_eq!(edge.starts(app), 0, "{app}");
    }
    for (method, target, code) in [
        ("GET", "/", "unknown-path"),
        ("POST", target.as_str(), "unknown-path"),
        ("GET", "/.loco/x", "reserved-path"),
    ] {
        edge.ask(at(&edge, method, "revive.localhost", target)).await.assert_refused(404, code);
    }
}

/// A link is ours whatever was asked for: here somebody has one made for a `Host` of their own choice.
#[tokio::test]
async fn a_link_of_ours_leads_nowhere_else_either() {
    let edge =
        Edge::start(&file(&[redirected("hello").line(r#"hosts = ["*.hello.test", "hello.localhost"]"#)]))
            .await;
    let mut links = Vec::new();
    for (host, target, back) in [
        ("x.hello.test:6666", "/a?b", ("x.hello.test", "/a?b")),
        ("hello.localhost", "//evil.test/a", ("hello.localhost", "//evil.test/a")),
        ("hello.localhost", "/a/b/../x", ("hello.localhost", "/")),
        ("hello.localhost", "/a/%2e%2e/x", ("hello.localhost", "/")),
        ("hello.localhost", "/a/..%2f", ("hello.localhost", "/a/..%2f")),
        ("hello.localhost", "/\\evil.test", ("hello.localhost", "/")),
    ] {
        let there = edge.ask(Request::new("GET", host, target)).await;
        let location = there.header("location").unwrap_or_else(|| panic!("{host}{target}: {there:?}"));
        let query = location.split_once("/revive-app").expect("the page").1.to_owned();
        links.push((format!("/revive-app{query}"), back));
    }
    for (link, (host, target)) in links {
        let answer = edge.ask(at(&edge, "GET", "revive.localhost", &link)).await;
        assert_eq!(sent(&edge, &answer), (host.to_owned(), target.to_owned()), "{link}");
    }
}

#[tokio::test]
async fn a_link_outlives_a_restart_and_its_key_is_kept_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut edge = Edge::start(&file(&[redirected("hello")])).await;
    let there = edge.ask(at(&edge, "GET", "hello.localhost", "/")).await;
    let (_, target) = sent(&edge, &there);
    edge.kill();
    edge.restart().await;
    let back = edge.ask(at(&edge, "GET", "revive.localhost", &target)).await;
    assert_eq!(sent(&edge, &back).0, "hello.localhost");
    let key = edge.path().join("state/link.keys");
    let mode = std::fs::metadata(&key).expect("the key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = std::fs::read_to_string(&key).expect("the key");
    assert!(!edge.log().contains(secret.trim()));
}

#[tokio::test]
async fn the_platform_may_have_a_page_of_its_own() {
    let url = "[gateway]\nrevive_url = \"https://platform.example/console/\"\n";
    let edge = Edge::start(&(file(&[redirected("hello"), App::named("revive")]) + url)).await;
    let there = edge.ask(Request::get("hello", "/")).await;
    let location = there.header("location").expect("a Location");
    assert!(
        location.starts_with("https://platform.example/console/revive-app?app-name=hello&og_url="),
        "{location}"
    );
    assert_eq!(edge.ask(Request::get("revive", "/")).await.status, 200, "the host is anybody's then");
}
