//! The chart on the cluster.

use std::time::Duration;

use serde_json::Value;

#[path = "../chart/sets.rs"]
mod sets;

use crate::cluster::{Namespace, chart, helm, is_there, kubectl, object, run};
use crate::edge::{Edge, HOME, RELEASE};

/// What of a set of values the cluster has no kind for: what is installed by somebody else, if at all.
const FOREIGN: [&str; 2] = ["cert-manager.io", "monitoring.coreos.com"];

#[tokio::test]
async fn the_api_server_takes_all_that_the_chart_makes() {
    if !is_there() {
        return;
    }
    for (about, values) in sets::SETS {
        let home = Namespace::new("dry").await;
        let chart = chart();
        let words = ["template", "edge", &chart, "--namespace", home.name(), "--values", "-"];
        let yaml =
            helm(&words, values, Duration::from_secs(30)).await.unwrap_or_else(|error| panic!("{error}"));
        let objects: Vec<Value> = serde_saphyr::from_multiple(&yaml).expect("YAML");
        let ours = objects.iter().filter(|object| {
            let group = object["apiVersion"].as_str().unwrap_or_default();
            !object.is_null() && !FOREIGN.iter().any(|foreign| group.starts_with(foreign))
        });
        // Tenants' namespaces are not there: whether their objects are right is not a matter of where they are.
        let here = ours.map(|object| {
            let mut object = object.clone();
            if object["metadata"]["namespace"].is_string() {
                object["metadata"]["namespace"] = home.name().into();
            }
            object.to_string()
        });
        let json = here.collect::<Vec<_>>().join("\n---\n");
        let dry = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
        let said = run("kubectl", &dry, &json, Duration::from_secs(60)).await;
        said.unwrap_or_else(|error| panic!("{about}: {error}"));
    }
}

#[tokio::test]
async fn it_becomes_ready_and_says_so() {
    if !is_there() {
        return;
    }
    let _edge = Edge::installed().await;
    for half in ["gateway", "revive"] {
        let name = format!("{RELEASE}-loco-edge-{half}");
        let deployment = object(HOME, "deployment", &name).await.expect("the Deployment");
        assert_eq!(deployment["status"]["availableReplicas"], 2, "{half}");
    }
    for (kind, name, condition) in
        [("gatewayclass", "edge-test", "Accepted"), ("gateway", "edge", "Programmed")]
    {
        let for_ = format!("--for=condition={condition}");
        let waited = kubectl(&["wait", kind, name, &for_, "--namespace", HOME, "--timeout=30s"]).await;
        waited.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// What revive asks for, the chart lets it.
#[tokio::test]
async fn nothing_that_revive_asks_for_is_forbidden() {
    if !is_there() {
        return;
    }
    let _edge = Edge::installed().await;
    let pods = format!("--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=revive");
    let logs = kubectl(&["logs", &pods, "--namespace", HOME, "--tail=-1"]).await;
    let logs = logs.unwrap_or_else(|error| panic!("{error}"));
    let refused: Vec<&str> = logs.lines().filter(|line| line.to_lowercase().contains("forbidden")).collect();
    assert!(!logs.is_empty() && refused.is_empty(), "{refused:#?}");
}

/// An upgrade that changes nothing keeps keys, tokens and certificates, and restarts nobody.
#[tokio::test]
async fn an_upgrade_keeps_what_was_made() {
    if !is_there() {
        return;
    }
    let _edge = Edge::installed().await;
    let secrets = async || {
        let names = ["admin", "pages", "link-ca", "link-gateway", "link-revive"];
        let mut data = Vec::new();
        for name in names {
            let secret = object(HOME, "secret", &format!("{RELEASE}-loco-edge-{name}")).await;
            data.push(secret.unwrap_or_else(|| panic!("no Secret {name}"))["data"].clone());
        }
        for half in ["gateway", "revive"] {
            let deployment = object(HOME, "deployment", &format!("{RELEASE}-loco-edge-{half}")).await;
            data.push(deployment.expect("the Deployment")["spec"]["template"].clone());
        }
        data
    };
    let before = secrets().await;
    let chart = chart();
    let words = ["upgrade", RELEASE, &chart, "--namespace", HOME, "--reuse-values"];
    let upgraded = helm(&words, "", Duration::from_secs(60)).await;
    upgraded.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(secrets().await, before);
}
