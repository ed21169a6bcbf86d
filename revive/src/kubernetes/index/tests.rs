//! What is known follows what is seen.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where it is wrong")]

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Change, Due, Effect, Index, Key, Labels, Seen, Update};
use crate::kubernetes::fixtures::settings;
use crate::kubernetes::read;

fn seen(object: Value) -> Update {
    read(object, &settings()).unwrap()
}

fn apply(index: &mut Index, object: Value) -> Effect {
    index.apply(seen(object))
}

fn pod(name: &str, version: &str, labels: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "shop", "resourceVersion": version, "labels": labels } })
}

fn route(version: &str, generation: i64, parents: Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": "r", "namespace": "shop", "resourceVersion": version, "generation": generation,
            "managedFields": [{ "manager": "x", "time": "2026-01-01T00:00:00Z" }], "annotations": { "kubectl.kubernetes.io/last": version } },
        "spec": {}, "status": { "parents": parents }
    })
}

fn labels(of: &[(&str, &str)]) -> Labels {
    of.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

#[test]
fn what_changes_nothing_that_is_read_is_stored_and_not_told() {
    let mut index = Index::default();
    assert_eq!(apply(&mut index, route("1", 1, json!([]))).due, Due::Compile);
    assert_eq!(apply(&mut index, route("2", 1, json!([]))).due, Due::Nothing, "only what nobody reads");
    let stored = index.http_routes.find(&Key::new("shop", "r")).unwrap();
    assert_eq!(&*stored.meta.version.0, "2", "what is written next is written to this one");
    assert!(stored.meta.annotations.is_empty());
    let parents = json!([{ "controllerName": "x", "parentRef": { "name": "g" }, "conditions": [] }]);
    assert_eq!(apply(&mut index, route("3", 1, parents.clone())).due, Due::Statuses, "only its status");
    assert_eq!(apply(&mut index, route("4", 2, parents)).due, Due::Compile);
}

#[test]
fn a_list_takes_away_what_is_no_longer_there() {
    let mut index = Index::default();
    for name in ["a", "b", "c"] {
        apply(&mut index, pod(name, "1", json!({ "app": "x" })));
    }
    let listed = ["b", "d"].map(|name| match seen(pod(name, "2", json!({ "app": "x" }))) {
        Update::Pod(Seen::Applied(pod)) => pod,
        _ => unreachable!(),
    });
    let effect = index.apply(Update::Pod(Seen::All(listed.into())));
    let mut told: Vec<String> = effect.changes.iter().map(shown).collect();
    told.sort();
    assert_eq!(told, ["a gone", "c gone", "d new"], "b is as it was");
    assert_eq!(effect.due, Due::Compile.min(effect.due), "pods make no table");
    let names: Vec<_> = index.pods.iter().map(|pod| pod.meta.key.name.to_string()).collect();
    assert_eq!(names, ["b", "d"]);
}

fn shown(change: &Change) -> String {
    let Change::Pod(changed) = change else { unreachable!() };
    match (&changed.old, &changed.new) {
        (None, Some(new)) => format!("{} new", new.meta.key.name),
        (Some(old), None) => format!("{} gone", old.meta.key.name),
        (Some(old), Some(_)) => format!("{} changed", old.meta.key.name),
        (None, None) => unreachable!(),
    }
}

#[test]
fn pods_are_found_by_labels_they_have_now() {
    let mut index = Index::default();
    let shop: Arc<str> = "shop".into();
    apply(&mut index, pod("a", "1", json!({ "app": "x", "tier": "web" })));
    apply(&mut index, pod("b", "1", json!({ "app": "x" })));
    let found = |index: &Index, wanted: &[(&str, &str)]| {
        let pods = index.pods.selected(&shop, &labels(wanted));
        pods.iter().map(|pod| pod.meta.key.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found(&index, &[("app", "x")]), "a b");
    assert_eq!(found(&index, &[("app", "x"), ("tier", "web")]), "a");
    assert_eq!(found(&index, &[("app", "x"), ("tier", "db")]), "");
    assert_eq!(found(&index, &[]), "", "who asks for nothing means nobody");
    assert!(index.pods.selected(&"other".into(), &labels(&[("app", "x")])).is_empty());
    apply(&mut index, pod("a", "2", json!({ "app": "y" })));
    assert_eq!((found(&index, &[("app", "x")]), found(&index, &[("app", "y")])), ("b".into(), "a".into()));
    index.apply(Update::Pod(Seen::Deleted(Key::new("shop", "a"))));
    assert_eq!(found(&index, &[("app", "y")]), "");
}

#[test]
fn slices_are_their_services_also_when_they_change_it() {
    let mut index = Index::default();
    let slice = |service: &str, ready: bool| {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": { "name": "s", "namespace": "shop", "labels": { "kubernetes.io/service-name": service } },
            "endpoints": [{ "addresses": ["10.0.0.1"], "conditions": { "ready": ready } }], "ports": []
        })
    };
    let count = |index: &Index, service: &str| index.slices_of(&Key::new("shop", service)).count();
    assert_eq!(apply(&mut index, slice("web", false)).due, Due::Compile);
    let effect = apply(&mut index, slice("web", true));
    assert_eq!((effect.due, effect.changes.len()), (Due::Compile, 1), "now somebody is ready");
    apply(&mut index, slice("api", true));
    assert_eq!((count(&index, "web"), count(&index, "api")), (0, 1));
    index.apply(Update::Slice(Seen::Deleted(Key::new("shop", "s"))));
    assert_eq!(count(&index, "api"), 0);
}

#[test]
fn a_snapshot_stays_as_it_is() {
    let mut index = Index::default();
    apply(&mut index, pod("a", "1", json!({})));
    let snapshot = index.clone();
    apply(&mut index, pod("b", "1", json!({})));
    assert_eq!((snapshot.pods.len(), index.pods.len()), (1, 2));
}
