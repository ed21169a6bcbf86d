#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use serde_json::json;

use super::*;

fn policy(limits: serde_json::Value) -> LimitPolicySpec {
    let spec = json!({"targetRefs": [{"kind": "Gateway", "name": "edge"}], "limits": limits});
    serde_json::from_value(spec).unwrap()
}

#[test]
fn a_limit_is_that_of_the_file() {
    let written = policy(json!([{
        "name": "deploys", "key": "header:X-Api-Key", "rate": "10/30s", "burst": 2, "concurrency": 3,
        "match": {"hosts": ["*.example.com"], "paths": ["/api/"], "methods": ["POST"]},
    }]));
    let limits = written.limits("shop", "front").unwrap();
    let file = config::load::parse(
        "apps.toml",
        r#"
        [[app]]
        name = "a"
        upstreams = ["127.0.0.1:9000"]
        [[limit]]
        name = "shop.front.deploys"
        key = "header:x-api-key"
        rate = "10/30s"
        burst = 2
        concurrency = 3
        match = { hosts = ["*.example.com"], paths = ["/api"], methods = ["POST"] }
        "#,
        std::path::Path::new("/"),
        &[],
    );
    assert_eq!(limits, [(*file.unwrap().limits[0]).clone()]);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let wrong = policy(json!([
        {"name": "a", "key": "ip", "rate": "5/m"},
        {"name": "b", "key": "client", "match": {"paths": ["/x", "/../y"], "methods": ["post"]}},
    ]));
    let said: Vec<String> = wrong.limits("n", "p").unwrap_err().iter().map(ToString::to_string).collect();
    let fields: Vec<&str> =
        said.iter().filter_map(|line| line.split_once(": ").map(|(field, _)| field)).collect();
    let expected = [
        "spec.limits[a].key",
        "spec.limits[a].rate",
        "spec.limits[b].rate",
        "spec.limits[b].match.paths[1]",
        "spec.limits[b].match.methods[0]",
    ];
    assert_eq!(fields, expected);
    assert_eq!(said[1], "spec.limits[a].rate: did you mean \"5/min\"?");
}

#[test]
fn a_name_too_long_for_headers_is_refused() {
    let limit = policy(json!([{"name": "x", "key": "client", "concurrency": 1}]));
    let mistakes = limit.limits("n", &"p".repeat(100)).unwrap_err();
    assert_eq!(mistakes[0].field, "limits[x].name");
}
