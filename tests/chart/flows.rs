//! Who may open a connection to whom, by the chart's NetworkPolicies as [`crate::network`] reads them.

use serde_json::{Value, json};

use crate::helm::{self, NAMESPACE, of_kind, one, rendered};
use crate::network::{End, Pod, lets_through};

const ADMIN: &str = "networkPolicy: { admin: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: monitoring } } }] }";

fn pod(namespace: &str, namespace_labels: Value, labels: Value) -> End {
    let mut namespace_labels = namespace_labels;
    namespace_labels["kubernetes.io/metadata.name"] = json!(namespace);
    let pod = Pod { namespace: namespace.to_owned(), namespace_labels, labels };
    End { address: [10, 244, 0, 9], pod: Some(pod) }
}

fn outside(address: [u8; 4]) -> End {
    End { address, pod: None }
}

/// A pod of a half, with the labels that its Deployment gives it.
fn half(objects: &[Value], name: &str) -> End {
    let template = &one(objects, "Deployment", name)["spec"]["template"];
    pod(NAMESPACE, json!({}), template["metadata"]["labels"].clone())
}

fn app(namespace: &str) -> End {
    pod(namespace, json!({}), json!({"app": "shop"}))
}

#[test]
fn a_gateway_reaches_apps_and_revive_and_visitors_reach_it() {
    if !helm::is_there() {
        return;
    }
    let objects = rendered(ADMIN);
    let policies = of_kind(&objects, "NetworkPolicy");
    let (gateway, revive) = (half(&objects, "-gateway"), half(&objects, "-revive"));
    let through = |from: &End, to: &End, port| lets_through(&policies, from, to, "TCP", port);
    let dns = pod("kube-system", json!({}), json!({"k8s-app": "kube-dns"}));

    assert!(through(&outside([192, 0, 2, 1]), &gateway, 8080), "visitors");
    assert!(!through(&outside([192, 0, 2, 1]), &gateway, 9901), "visitors at the admin port");
    assert!(through(&gateway, &app("shop"), 3000), "apps");
    assert!(through(&gateway, &revive, 9902), "the link");
    assert!(!through(&gateway, &revive, 9901), "the admin API");
    assert!(lets_through(&policies, &gateway, &dns, "UDP", 53), "names");
    assert!(!through(&gateway, &dns, 8080), "the cluster's own pods");
    assert!(!through(&gateway, &outside([10, 246, 0, 2]), 6443), "the API server");
    assert!(!through(&gateway, &outside([169, 254, 169, 254]), 80), "the cloud's own addresses");
    assert!(through(&pod("monitoring", json!({}), json!({})), &gateway, 9901), "metrics");
}

#[test]
fn revive_reaches_the_api_server_and_only_gateways_reach_it() {
    if !helm::is_there() {
        return;
    }
    let objects = rendered(ADMIN);
    let policies = of_kind(&objects, "NetworkPolicy");
    let (gateway, revive) = (half(&objects, "-gateway"), half(&objects, "-revive"));
    let through = |from: &End, to: &End, port| lets_through(&policies, from, to, "TCP", port);

    assert!(through(&revive, &outside([10, 246, 0, 2]), 6443), "the API server");
    assert!(!through(&revive, &outside([10, 246, 0, 2]), 22), "another port");
    assert!(through(&gateway, &revive, 9902));
    for other in [app("shop"), pod(NAMESPACE, json!({}), json!({"app": "x"})), outside([192, 0, 2, 1])] {
        assert!(!through(&other, &revive, 9902), "{other:?}");
        assert!(!through(&other, &revive, 9901), "{other:?}");
    }
    assert!(!through(&revive, &app("shop"), 3000), "apps are the gateways' matter");
    assert!(through(&pod("monitoring", json!({}), json!({})), &revive, 9901), "metrics");
}

#[test]
fn the_api_server_can_be_named() {
    if !helm::is_there() {
        return;
    }
    let objects = rendered("networkPolicy: { apiServer: { cidrs: [10.246.0.2/32], ports: [6443] } }");
    let policies = of_kind(&objects, "NetworkPolicy");
    let revive = half(&objects, "-revive");
    let through = |to: [u8; 4], port| lets_through(&policies, &revive, &outside(to), "TCP", port);
    assert!(through([10, 246, 0, 2], 6443));
    assert!(!through([10, 246, 0, 3], 6443));
    assert!(!through([10, 246, 0, 2], 443));
}

#[test]
fn workspaces_are_kept_apart() {
    if !helm::is_there() {
        return;
    }
    let objects =
        rendered("networkPolicy: { workspaces: { '7': [wks-7-res-1, wks-7-res-2], '8': [wks-8-res-3] } }");
    let policies = of_kind(&objects, "NetworkPolicy");
    let of = |workspace: &str, namespace: &str| {
        pod(namespace, json!({"loco.dev/workspace-id": workspace}), json!({"app": "x"}))
    };
    let (one, two, other) = (of("7", "wks-7-res-1"), of("7", "wks-7-res-2"), of("8", "wks-8-res-3"));
    let through = |from: &End, to: &End| lets_through(&policies, from, to, "TCP", 3000);

    assert!(through(&one, &two) && through(&two, &one) && through(&one, &one), "the same workspace");
    assert!(!through(&other, &one) && !through(&one, &other), "another one");
    assert!(!through(&app("shop"), &one), "a namespace without a workspace");
    assert!(!through(&outside([192, 0, 2, 1]), &one), "outside");
    assert!(through(&half(&objects, "-gateway"), &one), "the gateway");
    assert!(!through(&half(&objects, "-revive"), &one), "revive");
    let impostor = pod("shop", json!({}), json!({"app.kubernetes.io/component": "gateway"}));
    assert!(!through(&impostor, &one), "a pod that calls itself a gateway, elsewhere");
}

/// A test of the evaluator: it must be able to say no, and yes, by each of its words.
#[test]
fn the_evaluator_reads_each_word() {
    let policy = |spec: Value| json!({"metadata": {"namespace": "a"}, "spec": spec});
    let (a, b) = (app("a"), app("b"));
    let through =
        |spec: Value, from: &End, to: &End, port| lets_through(&[&policy(spec)], from, to, "TCP", port);
    let none = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    assert!(!through(none.clone(), &b, &a, 1) && through(none, &a, &b, 1), "isolated, one way");
    let same = json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]});
    assert!(!through(same.clone(), &b, &a, 1) && through(same, &a, &a, 1), "its own namespace");
    let block = json!({"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}], "policyTypes": ["Egress"]});
    assert!(through(block.clone(), &a, &outside([10, 2, 0, 1]), 1));
    assert!(
        !through(block.clone(), &a, &outside([10, 1, 0, 1]), 1)
            && !through(block, &a, &outside([11, 0, 0, 1]), 1)
    );
    let ports = json!({"podSelector": {}, "ingress": [{"ports": [{"port": 80, "endPort": 90}]}]});
    assert!(through(ports.clone(), &b, &a, 85) && !through(ports, &b, &a, 91), "ports");
    let other_pods = json!({"podSelector": {"matchLabels": {"app": "else"}}, "policyTypes": ["Ingress"]});
    assert!(through(other_pods, &b, &a, 1), "a policy for other pods");
    for (operator, values, expected) in [
        ("In", json!(["shop"]), true),
        ("NotIn", json!(["shop"]), false),
        ("Exists", json!(null), true),
        ("DoesNotExist", json!(null), false),
    ] {
        let expression = json!({"key": "app", "operator": operator, "values": values});
        let spec = json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchExpressions": [expression]}}]}]});
        assert_eq!(through(spec, &a, &a, 1), expected, "{operator}");
    }
}
