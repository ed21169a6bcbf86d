#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use config::model::{Workload, WorkloadKind};

use super::*;
use crate::kubernetes::fixtures::{index, updates};

/// A node of two cores.
const NODE: &str = "
apiVersion: v1
kind: Node
metadata: {name: one}
status: {allocatable: {cpu: '2', memory: 4Gi, pods: '110'}}
";

/// A Deployment without replicas, whose pods ask for a core and a half.
fn asleep(name: &str) -> String {
    format!(
        "
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: shop}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: c, resources: {{requests: {{cpu: 1500m}}}}}}]}}
"
    )
}

fn pod_of(name: &str, node: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: {name}-1, namespace: shop, labels: {{app: {name}}}}}
spec: {{{node} containers: [{{name: c, resources: {{requests: {{cpu: 1500m}}}}}}]}}
"
    )
}

fn place(name: &str) -> Place {
    Place {
        namespace: "shop".into(),
        workload: Workload { kind: WorkloadKind::Deployment, name: name.into() },
    }
}

fn room(nodes: Nodes) -> (View, Room) {
    let view = View::of(index(&(NODE.to_owned() + &asleep("a") + &asleep("b"))));
    (view.clone(), Room::new(view, nodes))
}

#[tokio::test(start_paused = true)]
async fn what_is_promised_is_taken_until_it_is_seen_on_a_node() {
    let (view, room) = room(Nodes::Count);
    assert_eq!(room.admit(&place("a")), Ok(()));
    assert_eq!(room.admit(&place("a")), Ok(()), "its own promise is not in its way");
    assert!(room.admit(&place("b")).is_err(), "promised to another");
    for update in updates(&pod_of("a", "")) {
        view.apply(update);
    }
    assert!(room.admit(&place("b")).is_err(), "made, and on no node");
    for update in updates(&pod_of("a", "nodeName: one,")) {
        view.apply(update);
    }
    assert!(room.admit(&place("b")).is_err(), "taken");
    assert!(room.promises.lock().unwrap().is_empty(), "and counted once");
}

#[tokio::test(start_paused = true)]
async fn a_promise_ends_with_its_wake_or_its_time() {
    let (_view, room) = room(Nodes::Count);
    assert_eq!(room.admit(&place("a")), Ok(()));
    room.release(&place("a"));
    assert_eq!(room.admit(&place("b")), Ok(()));
    assert!(room.admit(&place("a")).is_err());
    tokio::time::advance(PROMISED).await;
    assert_eq!(room.admit(&place("a")), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_knows_is_admitted_and_so_is_all_where_nodes_come_on_demand() {
    let (_view, room) = room(Nodes::Count);
    assert_eq!(room.admit(&place("a")), Ok(()));
    assert_eq!(room.admit(&place("unknown")), Ok(()));
    let (_view, room) = self::room(Nodes::Grow);
    assert_eq!(room.admit(&place("a")).and(room.admit(&place("b"))), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_beside_what_is_promised_and_promises_nothing() {
    let (_view, room) = room(Nodes::Count);
    let question = Question { needs: Needs::default(), replicas: 110, namespace: "".into() };
    assert!(room.ask(&question).fits.is_ok());
    assert_eq!(room.admit(&place("a")), Ok(()));
    let answer = room.ask(&question);
    assert!(answer.fits.is_err(), "one pod less");
    assert_eq!((answer.free.nodes, answer.free.free.cpu, answer.free.free.pods), (1, 500, 109));
}
