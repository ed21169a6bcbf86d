#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use super::*;
use crate::kubernetes::fixtures::index;

const NODE: &str = "
apiVersion: v1
kind: Node
metadata: {name: one, labels: {disk: slow}}
status: {allocatable: {cpu: '2', memory: 4Gi, pods: '110'}}
";

/// A pod on that node.
fn pod(name: &str, cpu: &str, rest: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop{rest}}}
spec:
  nodeName: one
  priority: {}
  containers: [{{name: c, resources: {{requests: {{cpu: {cpu}}}}}}}]
",
        if name == "filler" { -10 } else { 0 },
    )
}

fn needs(cpu: u64) -> Needs {
    let said = Amounts { cpu: Some(cpu), memory: None };
    Needs { containers: vec![(crate::kubernetes::index::room::Role::Main, said)], ..Needs::default() }
}

/// Why pods of a namespace have no room, if they have none.
fn told(index: &Index, needs: &Needs, replicas: u64) -> Option<String> {
    let asked = Asked::of(index, &"shop".into(), needs, replicas);
    fits(index, &asked, &[], Nodes::Count).err().map(|lacks| lacks.to_string())
}

#[test]
fn pods_that_run_take_their_room_and_those_that_end_give_it_back() {
    let full = index(&(NODE.to_owned() + &pod("a", "1500m", "")));
    let why = "no room for 1 of 1 pods that each ask for 1 CPU and 0 B: 1 nodes may take them, and the roomiest has 0.5 CPU and 4 GiB for 109 pods";
    assert_eq!(told(&full, &needs(1_000), 1).as_deref(), Some(why));
    let ending = pod("a", "1500m", ", deletionTimestamp: '2026-01-01T00:00:00Z'");
    assert_eq!(told(&index(&(NODE.to_owned() + &ending)), &needs(1_000), 1), None);
}

#[test]
fn a_pod_that_is_taken_in_twice_counts_once_and_one_that_is_gone_not_at_all() {
    let mut index = index(&(NODE.to_owned() + &pod("a", "1", "") + &pod("a", "1500m", "")));
    assert_eq!(index.usage.on("one", 0).cpu, 1_500);
    index.apply(crate::kubernetes::index::Update::Pod(crate::kubernetes::index::Seen::All(Vec::new())));
    assert_eq!(index.usage.on("one", i32::MIN), Resources::default());
}

#[test]
fn pods_of_lesser_priority_make_room() {
    let filled = NODE.to_owned() + &pod("filler", "2", "");
    assert_eq!(told(&index(&filled), &needs(1_000), 1), None);
    let meek = "
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: meek}
value: 0
preemptionPolicy: Never
";
    let index = index(&(filled + meek));
    let of_class = |class: &str| Needs { priority_class: class.into(), ..needs(1_000) };
    assert!(told(&index, &of_class("meek"), 1).is_some());
    assert_eq!(told(&index, &of_class("unknown"), 1), None, "nobody knows whom it throws out");
}

#[test]
fn what_is_not_known_refuses_nothing() {
    assert_eq!(told(&index(""), &needs(1_000_000), 1), None, "no node is known");
    let index = index(NODE);
    let elsewhere = Needs { scheduled_by: Scheduler::Other, ..needs(1_000_000) };
    assert_eq!(told(&index, &elsewhere, 1), None);
    let asked = Asked::of(&index, &"shop".into(), &needs(1_000_000), 1);
    assert_eq!(fits(&index, &asked, &[], Nodes::Grow), Ok(()));
    assert_eq!(fits(&index, &asked, &[], Nodes::Count).unwrap_err().failure(), Failure::Unschedulable);
}

#[test]
fn a_quota_counts_whatever_nodes_there_are() {
    let quota = "
apiVersion: v1
kind: ResourceQuota
metadata: {name: small, namespace: shop}
status: {hard: {requests.cpu: '1', pods: '5'}, used: {requests.cpu: 850m, pods: '3'}}
";
    let ranges = "
---
apiVersion: v1
kind: LimitRange
metadata: {name: defaults, namespace: shop}
spec: {limits: [{type: Container, defaultRequest: {cpu: 200m}}]}
";
    let index_of = |more: &str| index(&(quota.to_owned() + more));
    let why = "quota small of namespace shop: 0.85 of 1 requests.cpu are in use, and 0.2 more are asked for";
    assert_eq!(told(&index_of(""), &needs(200), 1).as_deref(), Some(why));
    assert_eq!(told(&index_of(""), &needs(100), 1), None);
    let unsaid = Needs {
        containers: vec![(crate::kubernetes::index::room::Role::Main, Amounts::default())],
        ..needs(0)
    };
    assert_eq!(told(&index_of(ranges), &unsaid, 1).as_deref(), Some(why), "the namespace's default counts");
    assert_eq!(told(&index_of(""), &unsaid, 2), None);
    assert!(told(&index_of(""), &unsaid, 3).unwrap().contains("3 of 5 pods"));
    let ending = pod("old", "800m", ", deletionTimestamp: '2026-01-01T00:00:00Z'");
    assert_eq!(told(&index_of(&ending), &needs(200), 1), None, "what ends will soon not count");
    let index = index_of("");
    let wanted = Wanted { replicas: 1, each: Resources::pod(100, 0), ..Wanted::default() };
    let promised = Promised { namespace: "shop".into(), wanted, unmade: 1 };
    let asked = Asked::of(&index, &"shop".into(), &needs(100), 1);
    let refused = fits(&index, &asked, &[promised], Nodes::Grow).unwrap_err();
    assert_eq!(refused.failure(), Failure::Quota, "{refused}");
}
