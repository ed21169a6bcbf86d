//! Nothing is written where nothing has changed, and nothing of others.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where it is wrong")]

use serde_json::{Value, json};

use super::{Kind, Write, writes};
use crate::kubernetes::compile::compile;
use crate::kubernetes::fixtures::{GATEWAY, app, index, objects, route, settings};
use crate::kubernetes::index::Index;
use crate::kubernetes::index::route::RouteKind;
use crate::kubernetes::read;

const THEN: &str = "2026-01-01T00:00:00Z";
const NOW: &str = "2026-02-02T00:00:00Z";

fn due(index: &Index) -> Vec<Write> {
    writes(index, &compile(index, &settings(), None).statuses, &settings().controller)
}

/// The objects, with what is to be written of them written at this time.
fn written(text: &str, writes: &[Write], now: &str) -> Index {
    let mut index = Index::default();
    for mut object in objects(text) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let kind = object["kind"].as_str().unwrap().to_owned();
        let meant = |write: &&Write| *write.key.name == *name && api_kind(write.kind) == kind;
        if let Some(write) = writes.iter().find(meant) {
            object["status"] = write.at(now);
        }
        index.apply(read(object, &settings()).unwrap());
    }
    index
}

fn api_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Class => "GatewayClass",
        Kind::Gateway => "Gateway",
        Kind::Route(kind) => kind.as_str(),
        Kind::SleepPolicy => "SleepPolicy",
        Kind::LimitPolicy => "LimitPolicy",
    }
}

fn world() -> String {
    let spec = "  rules: [{backendRefs: [{name: web, port: 80}]}]";
    let policy = "\n---\napiVersion: edge.loco.io/v1alpha1\nkind: SleepPolicy\nmetadata: {name: p, namespace: shop}\nspec: {targetRefs: [{kind: Namespace}], idleAfter: 5m}";
    [GATEWAY, &app("shop", "web"), &route("HTTPRoute", "shop", "r", spec), policy].concat()
}

#[test]
fn all_is_written_once() {
    let text = world();
    let first = due(&index(&text));
    let kinds: Vec<Kind> = first.iter().map(|write| write.kind).collect();
    assert_eq!(kinds, [Kind::Class, Kind::Gateway, Kind::Route(RouteKind::Http), Kind::SleepPolicy]);
    assert_eq!(first[2].at(NOW)["parents"][0]["conditions"][0]["lastTransitionTime"], NOW);
    assert_eq!(due(&written(&text, &first, NOW)), [], "what is shown is what is to be said");
}

#[test]
fn a_time_moves_with_the_status_only() {
    let text = world();
    let first = due(&index(&text));
    let broken = text
        .replace("name: web, port: 80}]}]", "name: web, port: 81}]}]")
        .replace("generation: 3", "generation: 4");
    let again = due(&written(&broken, &first, THEN));
    assert_eq!(again.len(), 2, "the route, and the policy that no longer has an app: {again:#?}");
    let conditions = again[0].at(NOW)["parents"][0]["conditions"].clone();
    let shown = |at: usize| {
        let of = |field: &str| conditions[at][field].clone();
        (of("type"), of("status"), of("lastTransitionTime"), of("observedGeneration"))
    };
    assert_eq!(shown(0), (json!("Accepted"), json!("True"), json!(THEN), json!(4)));
    assert_eq!(shown(1), (json!("ResolvedRefs"), json!("False"), json!(NOW), json!(4)));
}

#[test]
fn what_others_say_stays() {
    let theirs = json!({
        "parentRef": { "name": "other" }, "controllerName": "example.com/other",
        "conditions": [{ "type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": THEN }]
    });
    let with = |text: &str, parents: Value| {
        let mut index = Index::default();
        for mut object in objects(text) {
            if object["kind"] == "HTTPRoute" {
                object["status"] = json!({ "parents": parents.clone() });
            }
            index.apply(read(object, &settings()).unwrap());
        }
        due(&index).into_iter().find(|write| matches!(write.kind, Kind::Route(_)))
    };
    let write = with(&world(), json!([theirs])).unwrap();
    assert_eq!(write.status["parents"].as_array().unwrap().len(), 2);
    assert_eq!(write.status["parents"][0]["controllerName"], "example.com/other");
    // It no longer names us: what we said is taken back, what they said is not.
    let ours = write.at(THEN)["parents"][1].clone();
    let elsewhere = world().replace("parentRefs: [{name: edge,", "parentRefs: [{name: other,");
    let write = with(&elsewhere, json!([theirs, ours])).unwrap();
    assert_eq!(write.status["parents"].as_array().map(Vec::len), Some(1));
    assert_eq!(with(&elsewhere, json!([theirs])), None);
}

/// What an edge of this name would write of the policy, if it shows this.
fn of_policy(text: &str, shown: &Value, controller: &str) -> Option<Value> {
    let mut index = Index::default();
    for mut object in objects(text) {
        if object["kind"] == "SleepPolicy" {
            object["status"] = shown.clone();
        }
        index.apply(read(object, &settings()).unwrap());
    }
    let compiled = compile(&index, &settings(), None);
    let policy = |write: &Write| write.kind == Kind::SleepPolicy;
    writes(&index, &compiled.statuses, controller).into_iter().find(policy).map(|write| write.at(NOW))
}

#[test]
fn of_two_edges_the_one_with_more_apps_speaks_of_a_policy() {
    let (has_it, has_none) =
        (world(), world().replace("parentRefs: [{name: edge,", "parentRefs: [{name: other,"));
    let apart = json!({ "conditions": [] });
    let (most, none) = (of_policy(&has_it, &apart, "b").unwrap(), of_policy(&has_none, &apart, "a").unwrap());
    assert_eq!((&most["apps"], &none["apps"]), (&json!(1), &json!(0)));
    assert_eq!(of_policy(&has_none, &most, "a"), None, "it has none: the other one's word stays");
    assert_eq!(of_policy(&has_it, &none, "b").unwrap()["controller"], "b");
    assert_eq!(of_policy(&has_none, &none, "b"), None, "of equals, the first by name");
    let old = json!({ "apps": 7, "controller": "b", "conditions": [{ "type": "Accepted", "status": "True", "reason": "Accepted",
        "message": "", "observedGeneration": -1, "lastTransitionTime": THEN }] });
    assert!(of_policy(&has_none, &old, "a").is_some(), "what was said of an earlier policy binds nobody");
}
