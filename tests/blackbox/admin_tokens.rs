//! Who may use the admin API.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Answer, App, Edge, command, ended, file, scaled};

const ROLES: [&str; 3] = ["viewer", "operator", "admin"];

pub(crate) fn secret(role: &str) -> String {
    format!("{role}-secret-of-this-test")
}

/// An app, and a token of each role; that of the admin has a second secret.
pub(crate) fn with_tokens() -> String {
    let token = |role: &str| {
        let second = if role == "admin" { ", \"the-next-secret-of-admin\"" } else { "" };
        format!(
            "\n[[admin.token]]\nname = \"the-{role}\"\nrole = \"{role}\"\nsecrets = [\"{}\"{second}]\n",
            secret(role)
        )
    };
    file(&[App::named("hello")]) + &ROLES.map(token).concat()
}

impl Edge {
    pub(crate) async fn tell_as(&self, secret: Option<&str>, method: &str, target: &str) -> Answer {
        let request = self.to_admin(method, target);
        let request = match secret {
            Some(secret) => request.header("Authorization", &format!("Bearer {secret}")),
            None => request,
        };
        self.tell_this(&request).await
    }
}

/// The operations of the API that the edge serves: method, a path of it, and the least role; `None` if it is open.
fn operations(openapi: &Value) -> Vec<(String, String, Option<String>)> {
    let paths = openapi["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, operations)| {
        operations.as_object().expect("operations").iter().map(move |(method, operation)| {
            let security = operation["security"].as_array().expect("security");
            let role = security.iter().find_map(|way| way["token"][0].as_str()).map(str::to_owned);
            (method.to_ascii_uppercase(), path.replace("{name}", "nobody"), role)
        })
    });
    each.collect()
}

#[tokio::test]
async fn each_role_may_what_it_may_and_nothing_more() {
    let edge = Edge::start(&with_tokens()).await;
    let openapi = edge.tell("GET", "/v1/openapi.json").await.json();
    let operations = operations(&openapi);
    assert!(operations.len() >= 17, "{operations:?}");
    let rank = |role: &str| ROLES.iter().position(|one| *one == role).expect("a role");
    for (method, path, needed) in &operations {
        let silent = edge.tell_as(None, method, path).await;
        let Some(needed) = needed else {
            assert_eq!(silent.status, 200, "{method} {path} is open: {silent:?}");
            continue;
        };
        assert_eq!((silent.status, &silent.json()["code"]), (401, &"unauthorized".into()), "{method} {path}");
        assert_eq!(silent.header("www-authenticate"), Some("Bearer realm=\"loco-edge\""));
        for role in ROLES {
            let answer = edge.tell_as(Some(&secret(role)), method, path).await;
            if rank(role) >= rank(needed) {
                assert!(!matches!(answer.status, 401 | 403), "{role}: {method} {path}: {answer:?}");
            } else {
                let said = answer.json();
                assert_eq!(
                    (answer.status, &said["code"]),
                    (403, &"role-needed".into()),
                    "{role}: {method} {path}"
                );
                assert_eq!(&said["needed"], needed);
            }
        }
    }
    let audit = edge.tell_as(Some(&secret("viewer")), "GET", "/v1/audit").await.json();
    let actors = audit["entries"].as_array().expect("entries").iter().map(|entry| entry["actor"].as_str());
    assert_eq!(actors.collect::<Vec<_>>(), [Some("the-admin"), Some("the-admin")], "{audit}");
}

/// Target 27: no 401 with either secret.
#[tokio::test]
async fn both_secrets_of_a_token_are_right_while_much_is_asked() {
    let edge = Edge::start(&with_tokens()).await;
    let each = scaled(2_000);
    let ask = async |secret: &str| {
        for n in 0..each {
            let target = if n % 8 == 0 { "/v1/apps" } else { "/v1/apps/hello" };
            let answer = edge.tell_as(Some(secret), "GET", target).await;
            assert_eq!(answer.status, 200, "{secret}: {answer:?}");
        }
    };
    let (first, next) = (secret("admin"), "the-next-secret-of-admin");
    tokio::join!(ask(&first), ask(next), ask(&first), ask(next));
    let both = edge.tell_as(Some(next), "POST", "/v1/apps/hello/wake").await;
    assert_eq!(both.status, 200, "{both:?}");
    let audit = edge.tell_as(Some(&first), "GET", "/v1/audit").await.json();
    assert_eq!(audit["entries"][0]["actor"], "the-admin", "{audit}");
}

#[tokio::test]
async fn guessing_is_slowed_and_logged_and_locks_nobody_out() {
    let edge = Edge::start(&with_tokens()).await;
    let mut statuses = Vec::new();
    for n in 0..13 {
        let answer = edge.tell_as(Some(&format!("a-guess-of-a-secret-{n}")), "GET", "/v1/apps").await;
        if answer.status == 401 {
            let challenge = "Bearer realm=\"loco-edge\", error=\"invalid_token\"";
            assert_eq!(answer.header("www-authenticate"), Some(challenge));
        } else {
            let retry: u64 =
                answer.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
            assert!((1..=60).contains(&retry), "{answer:?}");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 3]].concat());
    assert_eq!(edge.tell_as(Some(&secret("viewer")), "GET", "/v1/apps").await.status, 200);
    let log = edge.log();
    let said =
        |words: &str| log.lines().filter(|line| line.contains(words) && line.contains("127.0.0.1")).count();
    assert_eq!((said("a wrong secret"), said("too many wrong secrets")), (1, 1), "{log}");
    assert!(
        !log.contains("a-guess-of-a-secret") && !log.contains("secret-of-this-test"),
        "a secret is in the log"
    );
}

#[tokio::test]
async fn beyond_loopback_it_does_not_answer_everybody() {
    let directory = TempDir::with_prefix("loco-edge-").expect("a directory");
    let open = "[[app]]\nname = \"hello\"\ncommand = [\"true\"]\n";
    fs::write(directory.path().join("apps.toml"), open).expect("the file is written");
    let arguments = ["dev", "apps.toml", "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"];
    let (status, _, said) = ended(command(directory.path(), &arguments)).await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("[[admin.token]]"), "{said}");
}
