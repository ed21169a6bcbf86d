#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn of<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap()
}

fn trimmed<K: Watched>(mut object: Value) -> Option<K::Kept> {
    object["metadata"]["name"] = "small".into();
    of::<K>(object).trimmed(&Keeps::with([]))
}

fn container(requests: &Value) -> Value {
    json!({ "name": "c", "resources": { "requests": requests } })
}

#[test]
fn a_pod_asks_for_what_all_its_containers_do_and_for_more_where_one_before_them_does() {
    let spec = json!({
        "overhead": { "cpu": "10m" },
        "containers": [
            container(&json!({ "cpu": "100m", "memory": "64Mi" })),
            container(&json!({ "cpu": "0.2", "memory": "1Mi" })),
        ],
        "initContainers": [
            { "name": "beside", "restartPolicy": "Always", "resources": { "requests": { "cpu": "50m" } } },
            container(&json!({ "memory": "1Gi" })),
        ],
    });
    let each = needs(&of(spec.clone())).each(Amounts::default());
    assert_eq!(each, Resources { cpu: 360, memory: 1 << 30, pods: 1 });
    let mut whole = spec;
    whole["resources"] = json!({ "requests": { "cpu": "1" } });
    assert_eq!(needs(&of(whole)).each(Amounts::default()).cpu, 1_010, "what is said for the pod counts");
}

#[test]
fn what_a_container_does_not_say_is_its_limit_or_the_namespace_s_default() {
    let range = trimmed::<v1::LimitRange>(json!({
        "spec": { "limits": [
            { "type": "Pod", "max": { "cpu": "1" } },
            { "type": "Container", "defaultRequest": { "cpu": "30m" }, "default": { "memory": "32Mi" } },
        ] },
    }));
    let limited = json!({ "name": "a", "resources": { "limits": { "cpu": "70m" } } });
    let needs = needs(&of(json!({ "containers": [limited, { "name": "b" }] })));
    assert_eq!(needs.each(range.unwrap().defaults), Resources { cpu: 100, memory: 64 << 20, pods: 1 });
    assert_eq!(needs.each(Amounts::default()), Resources { cpu: 70, memory: 0, pods: 1 });
}

#[test]
fn a_node_that_is_cordoned_takes_nobody_and_else_its_taints_decide() {
    let node = |spec: Value, ready: &str| {
        trimmed::<v1::Node>(json!({
            "metadata": { "labels": { "zone": "x" } },
            "spec": spec,
            "status": {
                "allocatable": { "cpu": "2", "memory": "1Gi", "pods": "110" },
                "conditions": [{ "type": "Ready", "status": ready }],
            },
        }))
        .unwrap()
        .node
    };
    let up = node(json!({}), "False");
    assert_eq!(up.allocatable, Resources { cpu: 2_000, memory: 1 << 30, pods: 110 });
    assert_eq!((up.taints.len(), up.labels.len()), (0, 1));
    assert!(Placement::default().admits(&node(json!({ "unschedulable": true }), "True")).is_err());
}

#[test]
fn a_quota_is_what_it_counts_and_one_with_scopes_is_left_to_the_api_server() {
    let quota = |spec: Value| {
        let status = json!({
            "hard": { "requests.cpu": "1", "memory": "1Gi", "services": "0" },
            "used": { "requests.cpu": "850m" },
        });
        trimmed::<v1::ResourceQuota>(json!({ "metadata": {}, "spec": spec, "status": status }))
    };
    let bounds = quota(json!({ "hard": { "requests.cpu": "2" } })).unwrap().bounds;
    let said: Vec<_> = bounds.iter().map(|one| (&*one.resource, one.hard, one.used)).collect();
    assert_eq!(
        said,
        [("memory", 1 << 30, 0), ("requests.cpu", 2_000, 850)],
        "what was just raised is raised"
    );
    assert_eq!(quota(json!({ "scopes": ["BestEffort"] })), None);
}

#[test]
fn a_pod_runs_where_its_template_says() {
    let placement = needs(&of(json!({
        "containers": [],
        "nodeSelector": { "disk": "fast" },
        "tolerations": [
            { "key": "a", "operator": "Exists", "effect": "NoSchedule" },
            { "key": "b", "value": "1" },
            { "key": "c", "operator": "Gt", "value": "5" },
        ],
        "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": [{ "key": "n", "operator": "Gt", "values": ["3"] }] }],
        } } },
    })))
    .placement;
    let labels = |disk: &str, n: &str| {
        HashMap::from([("disk".to_owned(), disk.to_owned()), ("n".to_owned(), n.to_owned())])
    };
    let node = |labels| Described { labels, ..Described::default() };
    assert_eq!(placement.admits(&node(labels("fast", "4"))), Ok(()));
    assert!(placement.admits(&node(labels("fast", "3"))).is_err());
    assert!(placement.admits(&node(labels("slow", "4"))).is_err());
    let mut tainted = node(labels("fast", "4"));
    let taint =
        |key: &str, value: &str| Taint { key: key.into(), value: value.into(), effect: Effect::NoExecute };
    tainted.taints = vec![taint("b", "1"), taint("c", "9")];
    assert_eq!(placement.admits(&tainted), Ok(()), "an operator that is not known may bear it");
    tainted.taints.push(taint("a", ""));
    assert!(placement.admits(&tainted).is_err());
}

#[test]
fn what_is_asked_for_in_words_that_are_not_known_may_be_so() {
    let placement = needs(&of(json!({
        "containers": [],
        "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": [{ "key": "n", "operator": "Resembles" }] }],
        } } },
    })))
    .placement;
    assert_eq!(placement.admits(&Described::default()), Ok(()));
}
