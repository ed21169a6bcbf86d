//! What the API server lets each half do, by the chart's own roles.

use std::time::Duration;

use crate::cluster::{Namespace, chart, helm, is_there, kubectl, run};

/// What of the chart is about rights.
const RIGHTS: [&str; 3] = [
    "templates/revive/rbac.yaml",
    "templates/revive/secrets-rbac.yaml",
    "templates/gateway/service-account.yaml",
];

/// Whether a half may do something about a resource, written `TYPE`, `TYPE/NAME` or `TYPE#SUBRESOURCE`.
async fn may(account: (&Namespace, &str), verb: &str, resource: &str, namespace: Option<&str>) -> bool {
    let (home, name) = account;
    let who = format!("--as=system:serviceaccount:{}:edge-loco-edge-{name}", home.name());
    let (resource, subresource) = resource.split_once('#').unwrap_or((resource, ""));
    let subresource = format!("--subresource={subresource}");
    let mut words = vec!["auth", "can-i", verb, resource, &subresource, &who];
    match namespace {
        Some(namespace) => words.extend(["--namespace", namespace]),
        None => words.push("--all-namespaces"),
    }
    // «no» is exit status 1; anything else that goes wrong says neither.
    match kubectl(&words).await {
        Ok(said) if said.trim() == "yes" => true,
        Err(said) if said.lines().any(|line| line.trim().ends_with("no")) => false,
        other => panic!("{words:?}: {other:?}"),
    }
}

#[tokio::test]
async fn revive_may_what_it_must_and_a_gateway_nothing() {
    if !is_there() {
        return;
    }
    let home = Namespace::new("rights").await;
    let tenant = Namespace::new("tenant").await;
    let values = format!("rbac: {{ secrets: [{{ namespace: {}, names: [cert] }}] }}", tenant.name());
    let chart = chart();
    let mut words = vec!["template", "edge", &chart, "--namespace", home.name(), "--values", "-"];
    RIGHTS.iter().for_each(|template| words.extend(["--show-only", template]));
    let yaml = helm(&words, &values, Duration::from_secs(30)).await.unwrap_or_else(|error| panic!("{error}"));
    let limit = Duration::from_secs(60);
    run("kubectl", &["apply", "-f", "-"], &yaml, limit).await.unwrap_or_else(|error| panic!("{error}"));

    let (revive, gateway) = ((&home, "revive"), (&home, "gateway"));
    let there = Some(tenant.name());
    for (verb, resource) in [
        ("patch", "deployments.apps"),
        ("delete", "statefulsets.apps"),
        ("patch", "deployments.apps#scale"),
        ("watch", "httproutes.gateway.networking.k8s.io"),
        ("patch", "gateways.gateway.networking.k8s.io#status"),
        ("create", "sleeprecords.edge.loco.io"),
        ("list", "nodes"),
        ("watch", "resourcequotas"),
        ("list", "priorityclasses.scheduling.k8s.io"),
        ("create", "events.events.k8s.io"),
    ] {
        assert!(may(revive, verb, resource, None).await, "revive cannot {verb} {resource}");
        assert!(!may(gateway, verb, resource, None).await, "a gateway can {verb} {resource}");
    }
    for (verb, resource) in [
        ("get", "secrets"),
        ("create", "pods"),
        ("create", "pods#exec"),
        ("patch", "httproutes.gateway.networking.k8s.io"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("impersonate", "users"),
        ("create", "serviceaccounts#token"),
        ("get", "leases.coordination.k8s.io"),
    ] {
        assert!(!may(revive, verb, resource, there).await, "revive can {verb} {resource}");
        assert!(!may(gateway, verb, resource, there).await, "a gateway can {verb} {resource}");
    }
    assert!(may(revive, "get", "secrets/cert", there).await, "the one that was named");
    assert!(!may(revive, "get", "secrets/other", there).await);
    assert!(!may(revive, "list", "secrets", there).await, "all of them");
    assert!(may(revive, "update", "leases.coordination.k8s.io/loco-edge-revive", Some(home.name())).await);
    assert!(!may(revive, "update", "leases.coordination.k8s.io/other", Some(home.name())).await);
    for verb in ["get", "patch"] {
        assert!(may(revive, verb, "configmaps/loco-edge-said", Some(home.name())).await, "{verb}");
        assert!(!may(revive, verb, "configmaps/loco-edge-said", there).await, "{verb}");
        assert!(!may(revive, verb, "configmaps/other", Some(home.name())).await, "{verb}");
        assert!(!may(gateway, verb, "configmaps/loco-edge-said", Some(home.name())).await, "{verb}");
    }
    // A server-side apply of what is not there yet is a create too.
    assert!(may(revive, "create", "configmaps", Some(home.name())).await);
    assert!(!may(revive, "create", "configmaps", there).await);

    run("kubectl", &["delete", "--ignore-not-found", "-f", "-"], &yaml, limit)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}
