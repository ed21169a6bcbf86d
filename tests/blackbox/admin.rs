//! The admin API.

use serde_json::{Value, json};

use crate::harness::{App, Edge, PATIENCE, Request, Wire, eventually, file};

async fn two() -> Edge {
    let tenant = r#"tenant = { org = "acme", workspace = "shop" }"#;
    Edge::start(&file(&[App::named("hello").line(tenant), App::named("other").line(tenant)])).await
}

#[tokio::test]
async fn an_app_is_described() {
    let edge = two().await;
    let app = edge.app("hello").await;
    for (field, value) in [
        ("name", "hello"),
        ("org", "acme"),
        ("workspace", "shop"),
        ("region", "local"),
        ("environment", "dev"),
        ("state", "asleep"),
        ("depth", "deep"),
    ] {
        assert_eq!(app[field], value, "{field} in {app}");
    }
    for field in ["phase", "last_activity", "last_wake", "last_failure", "instance", "pid"] {
        let there = app.as_object().expect("an object").get(field);
        assert!(there.is_some_and(serde_json::Value::is_null), "{field} of an app never woken in {app}");
    }
    assert_eq!((&app["open"], &app["held"]), (&0.into(), &0.into()), "{app}");
    let since = app["since"].as_str().expect("since");
    assert!(since.len() >= 20 && since.as_bytes()[10] == b'T', "{since} is not RFC 3339");
    let url = app["url"].as_str().expect("a url");
    assert!(url.starts_with(&format!("http://hello.localhost:{}", edge.listen().port())), "{url}");
    assert_eq!(app["port"], edge.port("hello").port());
}

#[tokio::test]
async fn a_wake_is_told_with_its_phases() {
    let edge = two().await;
    let pid = edge.ask(Request::get("hello", "/")).await.seen().pid();
    let app = edge.app("hello").await;
    assert_eq!((&app["state"], &app["pid"]), (&"awake".into(), &pid.into()), "{app}");
    let wake = &app["last_wake"];
    assert_eq!(wake["result"], "ok", "{wake}");
    let total = wake["total_ms"].as_f64().expect("a duration");
    let phases = wake["phases"].as_array().expect("phases");
    let sum: f64 = phases.iter().map(|phase| phase["ms"].as_f64().expect("a duration")).sum();
    assert!(!phases.is_empty() && phases.iter().all(|phase| phase["phase"].is_string()), "{wake}");
    // Each may be rounded.
    assert!((total - sum).abs() <= 1.0 + phases.len() as f64, "phases make {sum} of {total} ms: {wake}");
}

#[tokio::test]
async fn all_apps_are_listed() {
    let edge = two().await;
    let list = edge.tell("GET", "/v1/apps").await.json();
    let names: Vec<_> =
        list["apps"].as_array().expect("apps").iter().map(|app| app["name"].as_str()).collect();
    assert_eq!(names, [Some("hello"), Some("other")]);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_the_wrong_method_405() {
    let edge = two().await;
    for (method, target, status) in [
        ("GET", "/v1/apps/nobody", 404),
        ("POST", "/v1/apps/nobody/wake", 404),
        ("POST", "/v1/apps/nobody/sleep", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/apps/hello/wake", 405),
        ("GET", "/v1/sleep/pause", 405),
        ("POST", "/v1/apps/hello/sleep?depth=bottomless", 400),
    ] {
        let answer = edge.tell(method, target).await;
        assert_eq!(answer.status, status, "{method} {target}: {answer:?}");
    }
    assert_eq!(edge.starts("hello"), 0);
}

#[tokio::test]
async fn what_makes_no_sense_is_a_problem_too() {
    let edge = two().await;
    for (method, target, status, code) in [
        ("POST", "/v1/apps/hello/sleep?depht=deep", 400, "bad-request"),
        ("POST", "/v1/apps/hello/sleep?depth=light&depth=deep", 400, "bad-request"),
        ("POST", "/v1/apps/%ff/wake", 400, "bad-request"),
        ("GET", "/v1/apps/Not%20A%20Name", 404, "unknown-app"),
        ("GET", "/v1/audit?limit=many", 400, "bad-request"),
        ("POST", "/v1/sleep/pause?workspace=shpo", 404, "unknown-workspace"),
        ("POST", "/v1/sleep/resume?workspace=shpo", 404, "unknown-workspace"),
        ("POST", "/v1/sleep/pause?workspace=", 400, "bad-request"),
    ] {
        let answer = edge.tell(method, target).await;
        assert_eq!(answer.status, status, "{method} {target}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {target}");
        assert_eq!(answer.json()["code"], code, "{method} {target}: {answer:?}");
    }
}

#[tokio::test]
async fn pauses_are_shown_and_said_again_after_a_restart() {
    let mut edge = two().await;
    assert_eq!(edge.tell("GET", "/v1/sleep").await.json()["pauses"], json!([]));
    assert_eq!(edge.tell("POST", "/v1/sleep/pause?workspace=shop").await.status, 200);
    // Lines of the log are written behind, and a kill would take them along.
    eventually(PATIENCE, "the pause is in the log", async || {
        let log = edge.log();
        if log.contains("sleep is paused") { Ok(()) } else { Err(log) }
    })
    .await;
    edge.kill();
    edge.restart().await;
    let sleep = edge.tell("GET", "/v1/sleep").await.json();
    let pause = &sleep["pauses"][0];
    assert_eq!((&pause["workspace"], &pause["by"]), (&json!("shop"), &json!("local")), "{sleep}");
    assert_eq!(pause["brake"]["code"], "workspace-sleep-paused", "{sleep}");
    assert_eq!(sleep["removals"], json!({ "within_the_hour": 0, "brake": null }));
    let said = |level: &str| {
        edge.log().lines().filter(|line| line.contains("workspace shop") && line.contains(level)).count()
    };
    assert_eq!((said("INFO"), said("WARN")), (1, 1), "{}", edge.log());
}

#[tokio::test]
async fn the_audit_says_who_did_what_and_what_came_of_it() {
    let edge = two().await;
    edge.wake("hello").await;
    edge.put_to_sleep("hello", "light").await;
    edge.tell("POST", "/v1/sleep/pause").await;
    let entries = edge.tell("GET", "/v1/audit").await.json()["entries"].clone();
    let entries = entries.as_array().expect("entries");
    let done = |entry: &Value| format!("{} {} {}", entry["actor"], entry["action"], entry["after"]["result"]);
    assert_eq!(done(&entries[0]), r#""local" "sleep.pause" "ok""#, "{entries:?}");
    assert_eq!(done(&entries[1]), r#""local" "app.sleep" "ok""#, "{entries:?}");
    assert_eq!(entries[1]["before"]["state"], "awake", "{entries:?}");
    assert_eq!(
        (&entries[1]["after"]["state"], &entries[1]["after"]["depth"]),
        (&json!("asleep"), &json!("light"))
    );
    assert_eq!(entries.last().expect("an entry")["action"], "app.wake", "{entries:?}");
    let newest = edge.tell("GET", "/v1/audit?limit=1").await.json()["entries"].clone();
    assert_eq!(newest.as_array().expect("entries"), &entries[..1]);
}

#[tokio::test]
async fn a_web_page_from_elsewhere_is_refused() {
    let edge = two().await;
    let own = edge.admin().to_string();
    let ask = async |request: Request| {
        Wire::connect(edge.admin()).await.ask(&request).await.expect("an answer").status
    };
    // What a page gets at by DNS rebinding says its own name.
    for host in ["evil.example", "evil.example:9901", "hello.localhost", "127.0.0.1.evil.example"] {
        let status = ask(Request::new("GET", host, "/v1/apps")).await;
        assert!(matches!(status, 400 | 403 | 421), "Host {host}: {status}");
        let status = ask(Request::new("POST", host, "/v1/apps/hello/wake")).await;
        assert!(matches!(status, 400 | 403 | 421), "Host {host}: {status}");
    }
    for origin in ["http://evil.example", "null", "http://hello.localhost:8080"] {
        for (method, target) in
            [("POST", "/v1/apps/hello/wake"), ("POST", "/v1/sleep/pause"), ("GET", "/v1/apps")]
        {
            let status = ask(Request::new(method, &own, target).header("Origin", origin)).await;
            assert_eq!(status, 403, "{method} {target} from {origin}");
        }
    }
    let port = edge.admin().port();
    assert_eq!(ask(Request::new("GET", &format!("localhost:{port}"), "/v1/apps")).await, 200);
    assert_eq!(
        ask(Request::new("GET", &own, "/v1/apps").header("Origin", &format!("http://{own}"))).await,
        200
    );
    assert_eq!(edge.starts("hello"), 0, "a foreign page woke an app");
}

#[tokio::test]
async fn probes_and_metrics_answer() {
    let edge = two().await;
    edge.ask(Request::get("hello", "/")).await.seen();
    edge.ask(Request::get("hello", "/?status=500")).await;
    assert_eq!(edge.tell("GET", "/livez").await.status, 200);
    assert_eq!(edge.tell("GET", "/readyz").await.status, 200);
    let metrics = edge.tell("GET", "/metrics").await;
    assert!(metrics.header("content-type").is_some_and(|kind| kind.contains("text")), "{metrics:?}");
    let text = metrics.text();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let about = |words: &[&str]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    let owner = ["\"hello\"", "\"acme\"", "\"shop\"", "\"local\"", "\"dev\""];
    for (what, words) in [("requests", "request"), ("durations", "duration"), ("wakes", "wake")] {
        let all: Vec<_> = owner.iter().copied().chain([words]).collect();
        assert!(about(&all), "{what} of the app, with its owner, in:\n{text}");
    }
    for (what, words) in
        [("answers of class 2xx", ["request", "2xx"]), ("answers of class 5xx", ["request", "5xx"])]
    {
        assert!(about(&words), "{what} in:\n{text}");
    }
    for line in [
        r#"loco_edge_apps{state="awake"} 1"#,
        r#"loco_edge_apps{state="asleep",depth="deep"} 1"#,
        r#"loco_edge_brakes{brake="sleep-paused"} 0"#,
        "loco_edge_wakes_queued 0",
        "loco_edge_starts_under_way 0",
        "loco_edge_store_failed_writes_total 0",
        "loco_edge_store_lost_writes_total 0",
    ] {
        assert!(lines.contains(&line), "{line} in:\n{text}");
    }
    assert!(about(&["held"]), "held requests in:\n{text}");
}

#[tokio::test]
async fn the_admin_api_is_not_on_the_tenants_port() {
    let edge = two().await;
    for host in ["127.0.0.1", "localhost", "nobody.localhost"] {
        let answer = edge.ask(Request::new("GET", host, "/v1/apps")).await;
        assert_eq!(answer.status, 404, "{host}: {answer:?}");
    }
    // An app's own path of that name is the app's.
    let answer = edge.ask(Request::get("hello", "/v1/apps")).await;
    assert_eq!(answer.seen().field("path"), "/v1/apps");
}
