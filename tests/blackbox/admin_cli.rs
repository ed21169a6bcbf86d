//! `loco-edge admin`, as people and programs use it.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::admin_tokens::{secret, with_tokens};
use crate::harness::{App, Edge, Request, command, ended, file};

impl Edge {
    /// `loco-edge admin …` in the edge's directory: its status, what it wrote to stdout and to stderr.
    async fn admin_cli(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let arguments = [&["admin", "--state", "state"], arguments].concat();
        let mut command = command(self.path(), &arguments);
        command.env_remove("LOCO_EDGE_ADMIN").env_remove("LOCO_EDGE_ADMIN_TOKEN");
        ended(command).await
    }

    /// The same, which is to succeed: what it wrote to stdout.
    async fn said(&self, arguments: &[&str]) -> String {
        let (status, said, wrong) = self.admin_cli(arguments).await;
        assert_eq!((status, wrong.as_str()), (Some(0), ""), "{arguments:?}: {said}");
        assert!(!said.contains('\x1b'), "colours on no terminal: {said:?}");
        said
    }

    /// The same, which is to fail: what it wrote to stderr.
    async fn refused(&self, arguments: &[&str]) -> String {
        let (status, said, wrong) = self.admin_cli(arguments).await;
        assert_eq!((status, said.as_str()), (Some(1), ""), "{arguments:?}: {wrong}");
        wrong
    }
}

/// Words of a line, whatever is between.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[tokio::test]
async fn apps_are_shown_woken_and_put_to_sleep() {
    let edge = Edge::start(&file(&[App::named("hello"), App::named("another")])).await;
    let table = edge.said(&["apps"]).await;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(words(lines[0]), ["NAME", "STATE", "SINCE", "OPEN", "HELD", "USED", "URL"], "{table}");
    let column = lines[0].find("STATE").expect("a column");
    for (line, name) in lines[1..].iter().zip(["another", "hello"]) {
        assert!(line.starts_with(name) && line[column..].starts_with("asleep deep"), "{table}");
        assert!(line.ends_with(&format!("http://{name}.localhost:{}/", edge.listen().port())), "{table}");
    }
    assert_eq!(words(&edge.said(&["wake", "hello", "--wait"]).await), ["hello", "awake"]);
    assert_eq!(words(&edge.said(&["sleep", "hello"]).await), ["hello", "asleep", "light"]);
    assert_eq!(words(&edge.said(&["sleep", "hello", "--deep"]).await), ["hello", "asleep", "deep"]);
    let app = edge.said(&["apps", "hello"]).await;
    let wake = app.lines().find(|line| line.starts_with("last wake")).expect("a line");
    assert!(wake.contains("ok, ") && wake.contains("(queued "), "{app}");
    assert!(app.contains("local / local / local / dev"), "{app}");
    let audit = edge.said(&["audit", "--limit", "2"]).await;
    let rows: Vec<Vec<&str>> = audit.lines().skip(1).map(|line| words(line)[2..].to_vec()).collect();
    assert_eq!(
        rows[0],
        ["local", "app.sleep", "hello", "ok", "asleep", "light", "→", "asleep", "deep"],
        "{audit}"
    );
    assert_eq!(rows.len(), 2, "{audit}");
    // To programs it says just what the API says.
    let json: Value = serde_json::from_str(&edge.said(&["apps", "--json"]).await).expect("JSON");
    assert_eq!(json, edge.tell("GET", "/v1/apps").await.json());
}

#[tokio::test]
async fn limits_are_changed_field_by_field() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    assert_eq!(edge.said(&["limits"]).await, "there are no limits\n");
    let incomplete = edge.refused(&["limits", "set", "deploys", "--rate", "5/m"]).await;
    assert!(incomplete.contains("\n  key: is missing") && incomplete.contains("\"5/min\""), "{incomplete}");
    let set = ["limits", "set", "deploys", "--key", "credential", "--rate", "5/min", "--burst", "2"];
    let set = [&set[..], &["--method", "POST", "--host", "hello.localhost", "--path", "/deploy"]].concat();
    assert_eq!(edge.said(&set).await, "deploys lets through 5/min (2 at once) by credential\n");
    edge.said(&["limits", "set", "deploys", "--rate", "9/min", "--concurrency", "3", "--host", "any"]).await;
    let limit: Value =
        serde_json::from_str(&edge.said(&["limits", "show", "deploys", "--json"]).await).expect("JSON");
    let only = json!({ "hosts": [], "paths": ["/deploy"], "methods": ["POST"] });
    assert_eq!(
        (&limit["match"], &limit["rate"], &limit["burst"]),
        (&only, &json!("9/min"), &json!(2)),
        "{limit}"
    );
    let table = edge.said(&["limits", "list"]).await;
    let row = table.lines().nth(1).expect("a row");
    assert!(row.contains("9/min (2 at once), 3 open") && row.contains("POST /deploy"), "{table}");
    let typo = edge.refused(&["limits", "show", "deplyos"]).await;
    assert!(typo.contains("did you mean deploys?"), "{typo}");
    assert_eq!(edge.said(&["limits", "delete", "deploys"]).await, "deploys is gone\n");
    let audit = edge.said(&["audit"]).await;
    assert!(audit.lines().nth(1).is_some_and(|line| line.contains("limit.delete")), "{audit}");
    assert!(audit.contains("5/min (2 at once) → 9/min (2 at once), 3 open"), "{audit}");
}

#[tokio::test]
async fn sleep_is_paused_and_resumed() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    assert_eq!(edge.said(&["pause"]).await, "sleep of all apps is paused\n");
    assert_eq!(edge.said(&["pause"]).await, "sleep of all apps is paused already\n");
    assert!(edge.said(&["brakes"]).await.contains("sleep-paused: local has paused sleep for all apps"));
    assert_eq!(edge.said(&["resume"]).await, "sleep of all apps is not paused\n");
    let other = edge.refused(&["pause", "--workspace", "no where"]).await;
    assert!(other.contains("without spaces"), "{other}");
}

#[tokio::test]
async fn what_is_wrong_says_what_to_do() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let typo = edge.refused(&["wake", "helo"]).await;
    assert_eq!(typo, "loco-edge: there is no app \"helo\": did you mean hello?\n");
    let (status, json, _) = edge.admin_cli(&["apps", "helo", "--json"]).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((status, &json["code"]), (Some(1), &json!("unknown-app")));
    for arguments in [&["apps", "--hello"][..], &["limits", "set", "x", "--concurrency", "few"], &["fly"]] {
        let (status, _, wrong) = edge.admin_cli(arguments).await;
        assert_eq!(status, Some(2), "{arguments:?}: {wrong}");
    }
    let elsewhere = TempDir::with_prefix("loco-edge-").expect("a directory");
    for (arguments, says) in [
        (&["admin", "--admin", "127.0.0.1:1", "apps"][..], "nothing listens at 127.0.0.1:1"),
        (&["admin", "--state", "state", "apps"], "no edge runs with the state directory state"),
        (&["admin", "--admin", "here", "apps"], "write host and port"),
        (&["admin", "--admin", "127.0.0.1:1", "--token-file", "none", "apps"], "cannot read none"),
    ] {
        let mut command = command(elsewhere.path(), arguments);
        command.env_remove("LOCO_EDGE_ADMIN").env_remove("LOCO_EDGE_ADMIN_TOKEN");
        let (status, _, said) = ended(command).await;
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(says), "{said}");
    }
    // At the tenants' port somebody else answers.
    let tenants = edge.listen().to_string();
    let wrong = edge.refused(&["--admin", &tenants, "apps"]).await;
    assert!(wrong.contains("not the admin API's") || wrong.contains("no app"), "{wrong}");
}

#[tokio::test]
async fn a_failed_wake_is_a_failure() {
    let edge = Edge::start(&file(&[App::running("broken", &["false"])])).await;
    let failed = edge.refused(&["wake", "broken", "--wait"]).await;
    assert!(failed.contains("broken did not come up: exited-early"), "{failed}");
}

#[tokio::test]
async fn the_edge_of_this_directory_is_found_and_a_secret_is_said() {
    let edge = Edge::start(&with_tokens()).await;
    // As `dev` without `--state` does it.
    let state = edge.path().join(".loco-edge/apps");
    std::fs::create_dir_all(&state).expect("a directory");
    std::fs::copy(edge.path().join("state/edge.json"), state.join("edge.json")).expect("a copy");
    let ask = async |secret: Option<&str>, more: &[&str]| {
        let mut command = command(edge.path(), &[&["admin"], more].concat());
        command.env_remove("LOCO_EDGE_ADMIN").env_remove("LOCO_EDGE_ADMIN_TOKEN");
        if let Some(secret) = secret {
            command.env("LOCO_EDGE_ADMIN_TOKEN", secret);
        }
        let (status, said, wrong) = ended(command).await;
        (status, said + &wrong)
    };
    let (status, said) = ask(None, &["apps"]).await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("set LOCO_EDGE_ADMIN_TOKEN"), "{said}");
    let (_, said) = ask(Some("not-the-right-secret"), &["apps"]).await;
    assert!(said.contains("no token's of this edge"), "{said}");
    let (status, said) = ask(Some(&secret("viewer")), &["apps"]).await;
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = ask(Some(&secret("viewer")), &["pause"]).await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("has the role viewer, and this needs admin"), "{said}");
    std::fs::write(edge.path().join("secret"), secret("admin") + "\n").expect("a file");
    let (status, said) = ask(None, &["--token-file", "secret", "pause"]).await;
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(edge.ask(Request::get("hello", "/")).await.status, 200);
}
