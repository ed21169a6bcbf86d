//! From the types to what is applied to a cluster.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use super::{LimitPolicy, SleepPolicy, SleepRecord};

/// The definitions of all of our resources.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![LimitPolicy::crd(), SleepPolicy::crd(), SleepRecord::crd()]
}

/// A definition as it is written down. `nullable` is taken out: it comes of Rust's `Option`, while here a `null` means
/// what it means everywhere in Kubernetes, that the field is not there; the API server then takes it out before rules
/// see it.
///
/// # Errors
/// Where it is no JSON, which cannot be.
pub fn stripped(definition: &CustomResourceDefinition) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(definition)?;
    strip(&mut value);
    Ok(value)
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("nullable") == Some(&Value::Bool(true)) {
                map.remove("nullable");
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
