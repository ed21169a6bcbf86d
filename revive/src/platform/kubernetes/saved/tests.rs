#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use serde_json::{Value, json};

use super::{given_back, made_again, replicas_by, replicas_given_back, replicas_owned, saved, spec_hash};
use crate::kubernetes::MANAGER;

fn manager(name: &str, subresource: Option<&str>, fields: Value) -> Value {
    let mut manager = json!({ "manager": name, "operation": "Update", "fieldsV1": fields });
    if let Some(subresource) = subresource {
        manager["subresource"] = json!(subresource);
    }
    manager
}

fn replicas() -> Value {
    json!({ "f:spec": { "f:replicas": {} } })
}

fn object(managers: Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "metadata": {
            "name": "w", "uid": "u", "resourceVersion": "7", "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": { "a": "b" }, "managedFields": managers,
        },
        "spec": { "replicas": 2, "what": { "we": ["do", "not", "know"] } },
        "status": { "replicas": 2 },
    })
}

#[test]
fn all_is_saved_but_what_the_server_gives() {
    let saved =
        saved(&object(json!([manager("o", None, replicas()), manager("k", Some("status"), json!({}))])));
    assert_eq!(
        saved,
        json!({
            "apiVersion": "apps/v1",
            "metadata": { "name": "w", "labels": { "a": "b" }, "managedFields": [manager("o", None, replicas())] },
            "spec": { "replicas": 2, "what": { "we": ["do", "not", "know"] } },
        })
    );
    let again = made_again(&saved, 5);
    assert_eq!((&again["spec"]["replicas"], again["metadata"].get("managedFields")), (&json!(5), None));
}

#[test]
fn replicas_are_no_part_of_a_version() {
    let mut other = object(json!([]));
    other["spec"]["replicas"] = json!(9);
    assert_eq!(spec_hash(&other), spec_hash(&object(json!([]))));
    other["spec"]["what"] = json!(1);
    assert_ne!(spec_hash(&other), spec_hash(&object(json!([]))));
}

#[test]
fn what_was_made_again_belongs_to_who_had_it_and_to_who_came_since() {
    let before = object(json!([manager("o", None, replicas())]));
    let status = manager("k", Some("status"), json!({}));
    let since = manager("new", None, json!({ "f:spec": {} }));
    let now = object(json!([manager(MANAGER, None, replicas()), status.clone(), since.clone()]));
    let back = given_back(&before, &now).unwrap();
    assert_eq!(back, [manager("o", None, replicas()), status.clone(), since]);
    assert_eq!(given_back(&before, &object(json!([status]))), None, "there is nothing of ours");
}

#[test]
fn replicas_go_back_to_who_had_them_unless_somebody_else_has_them_now() {
    let by = replicas_by(&object(json!([manager("o", None, replicas()), manager("x", None, json!({}))])));
    assert_eq!(by.len(), 1);
    let now = object(json!([
        manager("o", None, json!({ "f:spec": { "f:what": {} } })),
        manager("x", None, json!({}))
    ]));
    let back = replicas_given_back(&by, &now).unwrap();
    assert_eq!(back[0]["fieldsV1"], json!({ "f:spec": { "f:what": {}, "f:replicas": {} } }));
    assert_eq!(back[1], manager("x", None, json!({})));
    let taken = object(json!([manager("y", None, replicas())]));
    assert_eq!(replicas_given_back(&by, &taken), None);
}

#[test]
fn what_goes_from_light_sleep_to_deep_is_saved_with_who_had_its_replicas() {
    let by = replicas_by(&object(json!([manager("o", None, replicas())])));
    let mut asleep = object(json!([manager("o", None, json!({ "f:spec": { "f:what": {} } }))]));
    replicas_owned(&mut asleep, &by);
    let fields = json!({ "f:spec": { "f:what": {}, "f:replicas": {} } });
    assert_eq!(asleep["metadata"]["managedFields"][0]["fieldsV1"], fields);
    let mut taken = object(json!([manager("o", None, json!({})), manager("y", None, replicas())]));
    let before = taken.clone();
    replicas_owned(&mut taken, &by);
    assert_eq!(taken, before);
}
