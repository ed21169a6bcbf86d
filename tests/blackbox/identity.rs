//! Who a request is for, and what nobody but the edge may say.

use std::collections::HashSet;

use serde_json::Value;

use crate::harness::{App, Edge, Request, file};

fn owned(name: &str, org: &str, workspace: &str) -> App {
    App::named(name).line(&format!("tenant = {{ org = {org:?}, workspace = {workspace:?} }}"))
}

async fn hello() -> Edge {
    Edge::start(&file(&[owned("hello", "acme", "shop")])).await
}

#[tokio::test]
async fn the_app_hears_from_the_edge_whose_it_is_and_from_nobody_else() {
    let edge = hello().await;
    let mut request = Request::get("hello", "/");
    for name in [
        "loco-tenant-id",
        "Loco-Org-Id",
        "LOCO-WORKSPACE-ID",
        "loco-app-id",
        "loco-app-name",
        "loco-anything",
        "loco_tenant_id",
        "Loco_Org_Id",
        "x-loco-tenant-id",
        "X-Loco-Anything",
    ] {
        request = request.header(name, "evil");
    }
    let seen = edge.ask(request).await.seen();
    let app = edge.app("hello").await;
    for (name, value) in [
        ("loco-tenant-id", "shop"),
        ("loco-org-id", "acme"),
        ("loco-workspace-id", "shop"),
        ("loco-app-id", app["id"].as_str().expect("an id")),
        ("loco-app-name", "hello"),
    ] {
        assert_eq!(seen.all(name), [value], "{name}: {seen:?}");
    }
    let ours = ["loco-tenant-id", "loco-org-id", "loco-workspace-id", "loco-app-id", "loco-app-name"];
    let like_ours = |name: &String| name.starts_with("loco") || name.starts_with("x-loco");
    let others: Vec<_> =
        seen.names().into_iter().filter(like_ours).filter(|n| !ours.contains(&n.as_str())).collect();
    assert_eq!(others, Vec::<String>::new());
}

#[tokio::test]
async fn a_client_cannot_have_the_identity_dropped_as_hop_by_hop() {
    let edge = hello().await;
    let request = Request::get("hello", "/")
        .header("Connection", "loco-tenant-id, loco-app-name, x-forwarded-for, host");
    let seen = edge.ask(request).await.seen();
    assert_eq!(seen.all("loco-tenant-id"), ["shop"]);
    assert_eq!(seen.all("loco-app-name"), ["hello"]);
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.field("host"), "hello.localhost");
}

#[tokio::test]
async fn an_app_cannot_answer_as_the_edge() {
    let edge = hello().await;
    let target =
        "/?header=loco-tenant-id:x&header=Loco-Anything:x&header=x-loco-a:x&header=loco_b:x&header=x-fine:1";
    let answer = edge.ask(Request::get("hello", target)).await;
    let like_ours = |name: &str| name.starts_with("loco") || name.starts_with("x-loco");
    let left: Vec<_> = answer.headers.iter().filter(|(name, _)| like_ours(name)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(answer.header("x-fine"), Some("1"));
}

/// The trace id and parent id of a `traceparent` (W3C Trace Context, section 3.2).
fn trace(traceparent: &str) -> (String, String) {
    let parts: Vec<_> = traceparent.split('-').collect();
    assert!(
        matches!(parts.as_slice(), ["00", id, parent, flags]
        if id.len() == 32 && parent.len() == 16 && flags.len() == 2),
        "{traceparent}"
    );
    assert!(traceparent.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    assert_ne!(parts[1], "0".repeat(32));
    assert_ne!(parts[2], "0".repeat(16));
    (parts[1].to_owned(), parts[2].to_owned())
}

#[tokio::test]
async fn a_trace_is_kept_or_begun() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let edge = hello().await;
    let traced =
        |value: &str| Request::get("hello", "/").header("traceparent", value).header("tracestate", "a=b");
    let kept = edge.ask(traced(&format!("00-{TRACE}-00f067aa0ba902b7-01"))).await.seen();
    assert_eq!(trace(&kept.header("traceparent").expect("one")).0, TRACE);
    assert_eq!(kept.all("tracestate"), ["a=b"]);

    let mut begun = HashSet::new();
    for _ in 0..3 {
        let seen = edge.ask(Request::get("hello", "/")).await.seen();
        begun.insert(trace(&seen.header("traceparent").expect("one")).0);
    }
    assert_eq!(begun.len(), 3, "the same trace for different requests");

    for bad in
        ["00-xyz-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "garbage"]
    {
        let seen = edge.ask(traced(bad)).await.seen();
        trace(&seen.header("traceparent").expect("one"));
        // Section 3.3.1.1: with a bad traceparent, tracestate goes.
        assert_eq!(seen.all("tracestate"), Vec::<String>::new(), "{bad}");
    }
}

#[tokio::test]
async fn forwarding_headers_are_the_edges_own() {
    let edge = hello().await;
    let request = Request::get("hello", "/")
        .header("X-Forwarded-For", "6.6.6.6")
        .header("X-Forwarded-For", "6.6.6.7")
        .header("X-Forwarded-Proto", "https-6.6.6.6")
        .header("X-Forwarded-Host", "6.6.6.6")
        .header("X-Forwarded-Port", "6.6.6.6")
        .header("X-Forwarded-Prefix", "/6.6.6.6")
        .header("X-Real-IP", "6.6.6.6")
        .header("Forwarded", "for=6.6.6.6;host=6.6.6.6");
    let seen = edge.ask(request).await.seen();
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.all("x-forwarded-proto"), ["http"]);
    assert!(seen.header("x-forwarded-host").expect("one").starts_with("hello.localhost"));
    assert!(!seen.field("headers").to_string().contains("6.6.6."), "a client's word passed: {seen:?}");
}

#[tokio::test]
async fn a_cookie_for_a_parent_domain_is_dropped() {
    let edge = hello().await;
    let cookies = [
        ("own=1", true),
        ("host=1; Domain=hello.localhost; Path=/", true),
        ("dotted=1; Domain=.hello.localhost", true),
        ("parent=1; Domain=localhost", false),
        ("parent2=1; Path=/; domain=.LOCALHOST; Secure", false),
        ("sibling=1; Domain=other.localhost", false),
    ];
    let target: String = cookies
        .iter()
        .map(|(cookie, _)| format!("&header=set-cookie:{}", cookie.replace(' ', "%20").replace(';', "%3B")))
        .collect();
    let answer = edge.ask(Request::get("hello", &format!("/?{}", &target[1..]))).await;
    let expected: Vec<_> = cookies.iter().filter(|(_, kept)| *kept).map(|(cookie, _)| *cookie).collect();
    assert_eq!(answer.all("set-cookie"), expected);
}

#[tokio::test]
async fn an_app_knows_itself_and_its_neighbours() {
    let mine = owned("hello", "acme", "shop").env("GREETING", "hi");
    let edge =
        Edge::start(&file(&[mine, owned("my-api", "acme", "shop"), owned("far", "acme", "bank")])).await;
    let environment: Value = edge.ask(Request::get("hello", "/env")).await.json();
    assert_eq!(environment["GREETING"], "hi");
    assert_eq!(environment["LOCO_APP_NAME"], "hello");
    for name in ["LOCO_DEPLOYMENT_ID", "LOCO_PROFILE", "LOCO_VERSION"] {
        assert!(environment[name].as_str().is_some_and(|value| !value.is_empty()), "{name}: {environment}");
    }
    assert!(environment["PORT"].as_str().is_some_and(|port| port.parse::<u16>().is_ok()), "{environment}");
    assert_eq!(environment["LOCO_MY_API_URL"], format!("http://{}", edge.port("my-api")));
    assert_eq!(environment["LOCO_HELLO_URL"], format!("http://{}", edge.port("hello")));
    assert_eq!(environment["LOCO_FAR_URL"], Value::Null, "an app of another workspace");
}
