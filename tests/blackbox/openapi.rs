//! The OpenAPI file, held against the server: what it says of each answer is how the answer is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::admin_tokens::{secret, with_tokens};
use crate::harness::{Answer, App, Edge, Request, file, resolved, violations};

/// What cannot be brought about here: faults of the edge, its end, gateways that are slow to follow, and what takes
/// a thousand limits or a minute. `(operation, status)`, where `*` is all operations.
const UNSEEN: [(&str, &str); 10] = [
    ("*", "500"),
    ("*", "503"),
    ("*", "429"),
    ("setLimit", "202"),
    ("deleteLimit", "202"),
    ("restoreLimit", "202"),
    ("setLimit", "409"),
    ("deleteLimit", "409"),
    ("readyz", "503"),
    // Of a cluster: `tests/cluster` holds it.
    ("capacity", "200"),
];

struct Checked {
    openapi: Value,
    seen: BTreeSet<(String, String)>,
}

impl Checked {
    /// Holds an answer against what the file says of this operation and status.
    fn hold(&mut self, method: &str, path: &str, answer: &Answer) {
        let operation = &self.openapi["paths"][path][method.to_ascii_lowercase()];
        let id =
            operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} is not described"));
        let status = answer.status.to_string();
        let said = &operation["responses"][&status];
        assert!(said.is_object(), "{id} answers {status}, which is not described: {answer:?}");
        let described = resolved(&self.openapi, said);
        for name in described["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
            // A limit that is gone has no tag.
            let gone =
                name == "ETag" && answer.json()["limit"].is_null() && !answer.json()["changed"].is_null();
            assert!(gone || answer.header(&name.to_ascii_lowercase()).is_some(), "{id} {status}: no {name}");
        }
        let content = described["content"].as_object().expect("content");
        let kind = answer.header("content-type").expect("a content type");
        let schema = &content.get(kind).unwrap_or_else(|| panic!("{id} {status} is {kind}, not {content:?}"))
            ["schema"];
        if kind.ends_with("json") {
            let wrong = violations(&self.openapi, schema, &answer.json());
            assert!(wrong.is_empty(), "{id} {status}: {wrong:#?}\n{}", answer.json());
        }
        self.seen.insert((id.to_owned(), status));
    }

    /// What the file describes and nobody has seen.
    fn unseen(&self) -> Vec<(String, String)> {
        let paths = self.openapi["paths"].as_object().expect("paths");
        let operations = paths.values().flat_map(|path| path.as_object().expect("operations").values());
        let described = operations.flat_map(|operation| {
            let id = operation["operationId"].as_str().expect("an id");
            let statuses = operation["responses"].as_object().expect("responses").keys();
            statuses.map(move |status| (id.to_owned(), status.clone()))
        });
        let excused = |(id, status): &(String, String)| {
            UNSEEN.iter().any(|(of, s)| s == status && (*of == "*" || of == id))
        };
        described.filter(|one| !self.seen.contains(one) && !excused(one)).collect()
    }
}

#[tokio::test]
async fn every_answer_is_as_the_file_says() {
    let limit = "\n[[limit]]\nname = \"deploys\"\nkey = \"client\"\nrate = \"5/min\"\n";
    let edge = Edge::start(&(file(&[App::named("hello"), App::running("broken", &["false"])]) + limit)).await;
    let openapi = edge.tell("GET", "/v1/openapi.json").await.json();
    let mut checked = Checked { openapi, seen: BTreeSet::new() };
    // A wake, a failure and a brake, so that there is something to describe.
    edge.wake("hello").await;
    edge.tell("POST", "/v1/apps/broken/wake").await;
    edge.until("broken", "failed").await;
    let words = json!({ "key": "app", "rate": "1/s", "match": { "hosts": ["*.localhost"] } }).to_string();
    let large = format!("{{\"key\": \"{}\"}}", "x".repeat(70_000));
    for (method, path, target, status, body) in [
        ("GET", "/livez", "/livez", 200, ""),
        ("GET", "/readyz", "/readyz", 200, ""),
        ("GET", "/metrics", "/metrics", 200, ""),
        ("GET", "/v1/openapi.json", "/v1/openapi.json", 200, ""),
        ("GET", "/v1/apps", "/v1/apps", 200, ""),
        ("GET", "/v1/apps/{name}", "/v1/apps/hello", 200, ""),
        ("GET", "/v1/apps/{name}", "/v1/apps/broken", 200, ""),
        ("GET", "/v1/apps/{name}", "/v1/apps/%ff", 400, ""),
        ("GET", "/v1/apps/{name}", "/v1/apps/nobody", 404, ""),
        ("POST", "/v1/apps/{name}/wake", "/v1/apps/hello/wake", 200, ""),
        ("POST", "/v1/apps/{name}/wake", "/v1/apps/%ff/wake", 400, ""),
        ("POST", "/v1/apps/{name}/wake", "/v1/apps/nobody/wake", 404, ""),
        ("POST", "/v1/apps/{name}/sleep", "/v1/apps/hello/sleep", 200, ""),
        ("POST", "/v1/apps/{name}/sleep", "/v1/apps/hello/sleep?depth=0", 400, ""),
        ("POST", "/v1/apps/{name}/sleep", "/v1/apps/nobody/sleep", 404, ""),
        ("POST", "/v1/sleep/pause", "/v1/sleep/pause", 200, ""),
        ("POST", "/v1/sleep/pause", "/v1/sleep/pause?workspace=", 400, ""),
        ("POST", "/v1/sleep/pause", "/v1/sleep/pause?workspace=nobodys", 404, ""),
        ("GET", "/v1/sleep", "/v1/sleep", 200, ""),
        ("POST", "/v1/sleep/resume", "/v1/sleep/resume?workspace=", 400, ""),
        ("POST", "/v1/sleep/resume", "/v1/sleep/resume?workspace=nobodys", 404, ""),
        ("POST", "/v1/sleep/resume", "/v1/sleep/resume", 200, ""),
        ("PUT", "/v1/limits/{name}", "/v1/limits/new", 201, &words),
        ("PUT", "/v1/limits/{name}", "/v1/limits/new", 200, &words),
        ("PUT", "/v1/limits/{name}", "/v1/limits/deploys", 200, &words),
        ("PUT", "/v1/limits/{name}", "/v1/limits/deploys", 400, "no JSON"),
        ("PUT", "/v1/limits/{name}", "/v1/limits/deploys", 413, &large),
        ("PUT", "/v1/limits/{name}", "/v1/limits/deploys", 422, "{\"rate\": 5}"),
        ("GET", "/v1/limits", "/v1/limits", 200, ""),
        ("GET", "/v1/limits/{name}", "/v1/limits/deploys", 200, ""),
        ("GET", "/v1/limits/{name}", "/v1/limits/%20", 400, ""),
        ("GET", "/v1/limits/{name}", "/v1/limits/nobodys", 404, ""),
        ("DELETE", "/v1/limits/{name}", "/v1/limits/deploys", 200, ""),
        ("GET", "/v1/limits/{name}", "/v1/limits/deploys", 200, ""),
        ("DELETE", "/v1/limits/{name}", "/v1/limits/%20", 400, ""),
        ("DELETE", "/v1/limits/{name}", "/v1/limits/nobodys", 404, ""),
        ("POST", "/v1/limits/{name}/restore", "/v1/limits/deploys/restore", 200, ""),
        ("POST", "/v1/limits/{name}/restore", "/v1/limits/%20/restore", 400, ""),
        ("POST", "/v1/limits/{name}/restore", "/v1/limits/nobodys/restore", 404, ""),
        ("POST", "/v1/limits/{name}/restore", "/v1/limits/new/restore", 409, ""),
        ("DELETE", "/v1/limits/{name}", "/v1/limits/new", 200, ""),
        ("GET", "/v1/capacity", "/v1/capacity?cpu=500m", 501, ""),
        ("GET", "/v1/capacity", "/v1/capacity?cpu=much", 400, ""),
        ("GET", "/v1/config", "/v1/config", 200, ""),
        ("GET", "/v1/audit", "/v1/audit", 200, ""),
        ("GET", "/v1/audit", "/v1/audit?limit=x", 400, ""),
    ] {
        let answer = edge.tell_this(&edge.to_admin(method, target).body(body)).await;
        assert_eq!(answer.status, status, "{method} {target}: {answer:?}");
        checked.hold(method, path, &answer);
    }
    for (method, rest) in [("PUT", ""), ("DELETE", ""), ("POST", "/restore")] {
        let target = format!("/v1/limits/deploys{rest}");
        let request = edge.to_admin(method, &target).header("If-Match", "\"another\"").body(words.clone());
        let answer = edge.tell_this(&request).await;
        assert_eq!(answer.status, 412, "{method}: {answer:?}");
        checked.hold(method, &format!("/v1/limits/{{name}}{rest}"), &answer);
    }
    let asleep = edge.tell("POST", "/v1/apps/hello/wake").await;
    assert_eq!(asleep.status, 200, "{asleep:?}");
    edge.until("hello", "awake").await;
    let mut open = edge.wire().await;
    let request = Request::get("hello", "/?delay=5s");
    open.send(&request.bytes()).await;
    edge.until_open("hello", 1).await;
    let busy = edge.tell("POST", "/v1/apps/hello/sleep").await;
    assert_eq!(busy.status, 409, "{busy:?}");
    checked.hold("POST", "/v1/apps/{name}/sleep", &busy);
    drop(open);
    checked.refusals().await;
    assert_eq!(checked.unseen(), [], "described, and never seen");
}

impl Checked {
    /// Of an edge that asks who one is: 401 and 403 of everything, as far as the file says so.
    async fn refusals(&mut self) {
        let edge = Edge::start(&with_tokens()).await;
        let paths: Vec<(String, Value)> = {
            let paths = self.openapi["paths"].as_object().expect("paths");
            paths.iter().map(|(path, operations)| (path.clone(), operations.clone())).collect()
        };
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().expect("operations") {
                let (method, target) = (method.to_ascii_uppercase(), path.replace("{name}", "nobody"));
                let foreign = edge.to_admin(&method, &target).header("Origin", "http://evil.example");
                self.hold(&method, &path, &edge.tell_this(&foreign).await);
                if operation["responses"].get("401").is_some() {
                    self.hold(&method, &path, &edge.tell(&method, &target).await);
                    self.hold(&method, &path, &edge.tell_as(Some(&secret("viewer")), &method, &target).await);
                }
            }
        }
    }
}
