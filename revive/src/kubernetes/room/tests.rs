#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use serde_json::{Value, json};

use super::*;

fn pod(spec: Value) -> PodSpec {
    serde_json::from_value(spec).unwrap()
}

fn container(requests: &Value) -> Value {
    json!({ "name": "c", "resources": { "requests": requests } })
}

#[test]
fn a_pod_asks_for_what_all_its_containers_do_and_for_more_where_one_before_them_does() {
    let spec = pod(json!({
        "overhead": { "cpu": "10m" },
        "containers": [
            container(&json!({ "cpu": "100m", "memory": "64Mi" })),
            container(&json!({ "cpu": "0.2", "memory": "1Mi" })),
        ],
        "initContainers": [
            { "name": "beside", "restartPolicy": "Always", "resources": { "requests": { "cpu": "50m" } } },
            container(&json!({ "memory": "1Gi" })),
        ],
    }));
    assert_eq!(requests(&spec, &[]), Resources { cpu: 360, memory: 1 << 30, pods: 1 });
}

#[test]
fn what_a_container_does_not_say_is_its_limit_or_the_namespace_s_default() {
    let range: LimitRange = serde_json::from_value(json!({
        "spec": { "limits": [
            { "type": "Pod", "max": { "cpu": "1" } },
            { "type": "Container", "defaultRequest": { "cpu": "30m" }, "default": { "memory": "32Mi" } },
        ] },
    }))
    .unwrap();
    let limited = json!({ "name": "a", "resources": { "limits": { "cpu": "70m" } } });
    let spec = pod(json!({ "containers": [limited, { "name": "b" }] }));
    assert_eq!(requests(&spec, &[range]), Resources { cpu: 100, memory: 64 << 20, pods: 1 });
    assert_eq!(requests(&spec, &[]), Resources { cpu: 70, memory: 0, pods: 1 });
}

#[test]
fn a_node_that_is_cordoned_or_not_ready_takes_nobody() {
    let of = |spec: Value, ready: &str| -> ApiNode {
        serde_json::from_value(json!({
            "metadata": { "labels": { "zone": "x" } },
            "spec": spec,
            "status": {
                "allocatable": { "cpu": "2", "memory": "1Gi", "pods": "110" },
                "conditions": [{ "type": "Ready", "status": ready }],
            },
        }))
        .unwrap()
    };
    let up = node(&of(json!({}), "True"));
    assert_eq!(up.allocatable, Resources { cpu: 2_000, memory: 1 << 30, pods: 110 });
    assert_eq!((up.taints.len(), up.labels.len()), (0, 1));
    for (spec, ready) in [(json!({ "unschedulable": true }), "True"), (json!({}), "False")] {
        let down = node(&of(spec, ready));
        assert!(Placement::default().admits(&down).is_err());
    }
}

#[test]
fn a_quota_says_which_resource_is_used_up() {
    let quota = |hard: Value, used: Value| -> ResourceQuota {
        let metadata = json!({ "name": "small" });
        serde_json::from_value(json!({ "metadata": metadata, "status": { "hard": hard, "used": used } }))
            .unwrap()
    };
    let spec = pod(json!({ "containers": [container(&json!({ "cpu": "100m" }))] }));
    let two = wanted(&spec, 2, &[]);
    let room = quota(json!({ "requests.cpu": "1", "pods": "5", "services": "0" }), json!({ "pods": "3" }));
    assert_eq!(within_quotas(&two, &[room]), Ok(()));
    let full = quota(json!({ "requests.cpu": "1" }), json!({ "requests.cpu": "850m" }));
    let told = within_quotas(&two, &[full]).unwrap_err();
    assert_eq!(told.to_string(), "the quota small has 850m of 1 requests.cpu in use");
    assert!(within_quotas(&two, &[quota(json!({ "pods": "4" }), json!({ "pods": "3" }))]).is_err());
}

#[test]
fn a_pod_runs_where_its_template_says() {
    let spec = pod(json!({
        "containers": [],
        "nodeSelector": { "disk": "fast" },
        "tolerations": [
            { "key": "a", "operator": "Exists", "effect": "NoSchedule" },
            { "key": "b", "value": "1" },
        ],
        "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": [{ "key": "n", "operator": "Gt", "values": ["3"] }] }],
        } } },
    }));
    let placement = wanted(&spec, 1, &[]).placement;
    let labels = |disk: &str, n: &str| {
        HashMap::from([("disk".to_owned(), disk.to_owned()), ("n".to_owned(), n.to_owned())])
    };
    let node = |labels| Node { labels, ..Node::default() };
    assert_eq!(placement.admits(&node(labels("fast", "4"))), Ok(()));
    assert!(placement.admits(&node(labels("fast", "3"))).is_err());
    assert!(placement.admits(&node(labels("slow", "4"))).is_err());
    let mut tainted = node(labels("fast", "4"));
    tainted.taints.push(Taint { key: "b".into(), value: "1".into(), effect: Effect::NoExecute });
    assert_eq!(placement.admits(&tainted), Ok(()));
    tainted.taints.push(Taint { key: "a".into(), value: String::new(), effect: Effect::NoExecute });
    assert!(placement.admits(&tainted).is_err());
}
