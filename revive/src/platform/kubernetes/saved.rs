//! What is kept of a workload that is about to go, and how it is given back. Pure: JSON in, JSON out, because our types
//! would drop fields that they do not know.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::cluster::Identity;
use crate::kubernetes::MANAGER;
use crate::kubernetes::crd::FieldManager;

/// What the API server gives an object, and would not take from us.
const GIVEN: [&str; 6] =
    ["uid", "resourceVersion", "creationTimestamp", "generation", "selfLink", "deletionGracePeriodSeconds"];

/// All of a workload but for what the API server gives it. Its field managers are in it, but for those of its status,
/// which is not.
pub(super) fn saved(object: &Value) -> Value {
    let mut saved = object.clone();
    let Some(fields) = saved.as_object_mut() else { return saved };
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !GIVEN.contains(&key.as_str()) && key != "deletionTimestamp");
        if let Some(managers) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
            managers.retain(|manager| subresource(manager) != Some("status"));
        }
    }
    saved
}

/// What to apply, to make a workload again with so many replicas.
pub(super) fn made_again(saved: &Value, replicas: i32) -> Value {
    let mut body = saved.clone();
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    body["spec"]["replicas"] = json!(replicas);
    body
}

/// What is asked for, as a hash, but for the replicas.
pub(super) fn spec_hash(object: &Value) -> String {
    let mut spec = object["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("replicas");
    }
    let digest = Sha256::digest(spec.to_string());
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Which object it is, in this version.
pub(super) fn identity(object: &Value) -> Option<Identity> {
    let uid = object["metadata"]["uid"].as_str()?.to_owned();
    let version = object["metadata"]["resourceVersion"].as_str().map(str::to_owned);
    Some(Identity { uid, version })
}

/// How many replicas it asks for (`spec.replicas`, 1 unless said).
pub(super) fn replicas(object: &Value) -> i32 {
    object["spec"]["replicas"].as_i64().map_or(1, |n| i32::try_from(n).unwrap_or(i32::MAX))
}

/// Whether it is being deleted.
pub(super) fn leaving(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Its generation: it grows with each change of its spec.
pub(super) fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap_or_default()
}

/// Who says how many replicas it has.
pub(super) fn replicas_by(object: &Value) -> Vec<FieldManager> {
    managers(object).iter().filter(|manager| owns_replicas(manager)).map(named).collect()
}

/// Whether we made it, or changed it last, and have not yet given it back.
pub(super) fn ours(object: &Value) -> bool {
    managers(object).iter().any(|manager| manager["manager"] == MANAGER)
}

/// The field managers of a workload that we have made again: those that it had. Whoever has changed it meanwhile stays
/// as he is. `None` if nothing is to be changed.
pub(super) fn given_back(saved: &Value, now: &Value) -> Option<Vec<Value>> {
    if !ours(now) {
        return None;
    }
    let mut back: Vec<Value> =
        managers(now).iter().filter(|manager| manager["manager"] != MANAGER).cloned().collect();
    let before = managers(saved).iter().filter(|manager| manager["manager"] != MANAGER);
    let absent: Vec<Value> =
        before.filter(|was| !back.iter().any(|is| named(is) == named(was))).cloned().collect();
    back.splice(0..0, absent);
    Some(back)
}

/// The field managers of a workload that we have scaled: who had said how many replicas it has, says so again, unless
/// somebody else has meanwhile. `None` if nothing is to be changed.
pub(super) fn replicas_given_back(by: &[FieldManager], now: &Value) -> Option<Vec<Value>> {
    let others = |manager: &Value| manager["manager"] != MANAGER;
    if managers(now).iter().any(|manager| others(manager) && owns_replicas(manager)) {
        return None;
    }
    let mut back: Vec<Value> = managers(now).iter().filter(|manager| others(manager)).cloned().collect();
    own_replicas(&mut back, by);
    (back != managers(now)).then_some(back)
}

/// Who had said how many replicas it has, before light sleep took that from him, says so in what is saved of it, too:
/// unless somebody else has meanwhile.
pub(super) fn replicas_owned(saved: &mut Value, by: &[FieldManager]) {
    if !managers(saved).iter().any(owns_replicas)
        && let Some(managers) = saved["metadata"]["managedFields"].as_array_mut()
    {
        own_replicas(managers, by);
    }
}

fn own_replicas(managers: &mut [Value], by: &[FieldManager]) {
    let theirs = managers.iter_mut().filter(|manager| by.contains(&named(manager)));
    for fields in theirs.filter_map(|manager| manager["fieldsV1"].as_object_mut()) {
        let spec = fields.entry("f:spec").or_insert_with(|| Value::Object(Map::new()));
        spec["f:replicas"] = json!({});
    }
}

fn managers(object: &Value) -> &[Value] {
    object["metadata"]["managedFields"].as_array().map_or(&[], Vec::as_slice)
}

fn owns_replicas(manager: &Value) -> bool {
    manager["fieldsV1"]["f:spec"].get("f:replicas").is_some()
}

fn subresource(manager: &Value) -> Option<&str> {
    manager["subresource"].as_str().filter(|name| !name.is_empty())
}

fn named(manager: &Value) -> FieldManager {
    let text = |key: &str| manager[key].as_str().unwrap_or_default().to_owned();
    FieldManager {
        manager: text("manager"),
        operation: text("operation"),
        subresource: subresource(manager).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests;
