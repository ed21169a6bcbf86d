//! Values that people write, and what comes of them.

use serde_json::json;

use crate::helm::{self, of_kind, one, rendered};
use crate::sets::SETS;

#[test]
fn values_that_people_write_are_right() {
    if !helm::is_there() {
        return;
    }
    for (name, values) in SETS {
        helm::lint(values).unwrap_or_else(|said| panic!("{name}: {said}"));
        let objects = rendered(values);
        assert!(of_kind(&objects, "Deployment").len() == 2, "{name}");
    }
}

#[test]
fn a_slip_is_named() {
    if !helm::is_there() {
        return;
    }
    for (values, said) in [
        ("gatway: {}", "'gatway' not allowed"),
        ("gateway: { replicas: 0 }", "/gateway/replicas"),
        (
            "gateway: { ports: [{ name: http, port: 80, containerPort: 80 }] }",
            "/gateway/ports/0/containerPort",
        ),
        ("rbac: { secrets: [{ namespace: a, names: [] }] }", "/rbac/secrets/0/names"),
        ("link: { certificates: magic }", "/link/certificates"),
        ("link: { certificates: certManager }", "link.certManager.issuerRef.name"),
        ("link: { certificates: existing }", "link.existing"),
        ("admin: { existingSecret: x }", "admin.adminSha256"),
    ] {
        let error = helm::template(values).expect_err(values);
        assert!(error.contains(said), "{values}: {error}");
    }
}

/// The file that the chart writes is one that the edge reads, in the words of its settings.
#[test]
fn the_file_is_one_that_the_edge_reads() {
    if !helm::is_there() {
        return;
    }
    for (name, values) in SETS {
        let objects = rendered(values);
        let file = one(&objects, "ConfigMap", "loco-edge")["data"]["loco-edge.toml"].as_str().unwrap();
        let environment = environment(&objects, "revive");
        let loaded = config::load::parse_platform("loco-edge.toml", file, &environment);
        let loaded = loaded.unwrap_or_else(|mistakes| panic!("{name}: {mistakes:?}\n{file}"));
        let roles: Vec<&str> = loaded.tokens.iter().map(|token| token.role.as_str()).collect();
        assert_eq!(roles, ["admin", "viewer"], "{name}");
        let listens =
            one(&objects, "Deployment", "-gateway")["spec"]["template"]["spec"]["containers"][0]["args"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|argument| {
                    argument.as_str()?.strip_prefix("--listen=")?.split_once('=')?.0.parse().ok()
                });
        assert_eq!(loaded.settings.kubernetes.ports, listens.collect::<Vec<u16>>(), "{name}");
    }
}

/// The variables of a half that have a value of their own.
fn environment(objects: &[serde_json::Value], half: &str) -> Vec<(String, String)> {
    let pod = &one(objects, "Deployment", half)["spec"]["template"]["spec"];
    let variables = pod["containers"][0]["env"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    variables.filter_map(|variable| text(&variable["name"]).zip(text(&variable["value"]))).collect()
}

/// Two things that must agree: how long the edge drains, and how long the kubelet lets it.
#[test]
fn the_kubelet_waits_for_the_drain() {
    if !helm::is_there() {
        return;
    }
    for (name, values) in SETS {
        let objects = rendered(values);
        let pod = &one(&objects, "Deployment", "-gateway")["spec"]["template"]["spec"];
        let environment = environment(&objects, "gateway");
        let drain = environment.iter().find(|(name, _)| name == "LOCO_EDGE__GATEWAY__DRAIN_TIMEOUT").unwrap();
        let drain = config::load::span(&drain.1, std::time::Duration::ZERO).unwrap().as_secs();
        let sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(sleep >= 5 && grace >= sleep + drain + 5, "{name}: {sleep} + {drain} in {grace}");
    }
}

/// An autoscaler's number is not taken back by the next upgrade.
#[test]
fn an_autoscaler_says_alone_how_many_there_are() {
    if !helm::is_there() {
        return;
    }
    let objects = rendered("gateway: { autoscaling: { enabled: true } }");
    assert_eq!(one(&objects, "Deployment", "-gateway")["spec"]["replicas"], json!(null));
    assert_eq!(of_kind(&objects, "HorizontalPodAutoscaler").len(), 1);
    assert_eq!(one(&rendered("{}"), "Deployment", "-gateway")["spec"]["replicas"], json!(2));
}
