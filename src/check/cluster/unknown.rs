//! Fields that a kind does not have: what is not there any more once an object has been read and written again.

use revive::kubernetes::crd;
use serde_json::Value;

use super::finding::Findings;
use super::object::{Object, is_empty};
use crate::check::yaml::{Inner, Node};

/// Letters in which a misspelt name may differ.
const NEAR: usize = 3;

/// Says which fields are unknown. Ours are known for good; of other kinds there may be later versions.
pub(super) fn say(object: &Object, kept: &Value, findings: &mut Findings<'_>) {
    let mut unknown = Vec::new();
    collect(object.node(), kept, "", &mut unknown);
    if unknown.is_empty() {
        return;
    }
    let schema = schema(&object.kind);
    for (path, node) in unknown {
        let at = object.there(node.place);
        let name = path.rsplit('.').next().unwrap_or(&path);
        let message = format!("a {} has no `{}`", object.kind, path.trim_start_matches('.'));
        if let Some(schema) = &schema {
            let help = near(schema, &path, name).unwrap_or_else(|| "take it out".to_owned());
            findings.error(at, message, Some(help));
        } else {
            let help = if object.version.starts_with("gateway.networking") {
                "a misspelt name, or a field of the experimental channel, which the edge does not read"
            } else {
                "a misspelt name, or a field that is newer than the edge"
            };
            findings.warning(at, message, Some(help.to_owned()));
        }
    }
}

/// What is empty may be left out by who writes it again.
fn collect<'n>(node: &'n Node, kept: &Value, path: &str, unknown: &mut Vec<(String, &'n Node)>) {
    match (&node.inner, kept) {
        (Inner::Map(map), Value::Object(kept)) => {
            for (name, node) in map.iter().filter(|(_, node)| !is_empty(node)) {
                let path = format!("{path}.{name}");
                match kept.get(name) {
                    Some(kept) => collect(node, kept, &path, unknown),
                    // `stringData` has become `data`.
                    None if is_false(node) || path == ".stringData" => {}
                    None => unknown.push((path, node)),
                }
            }
        }
        (Inner::List(list), Value::Array(kept)) => {
            for (number, (node, kept)) in list.iter().zip(kept).enumerate() {
                collect(node, kept, &format!("{path}[{number}]"), unknown);
            }
        }
        _ => {}
    }
}

fn is_false(node: &Node) -> bool {
    node.inner == Inner::Scalar(Value::Bool(false))
}

/// Of a kind of ours, what it may have.
fn schema(kind: &str) -> Option<Value> {
    let definition = crd::definitions().into_iter().find(|one| one.spec.names.kind == kind)?;
    let version = definition.spec.versions.into_iter().next()?;
    serde_json::to_value(version.schema?.open_api_v3_schema?).ok()
}

/// The name that is meant.
fn near(schema: &Value, path: &str, name: &str) -> Option<String> {
    let mut steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
    steps.pop();
    let mut schema = schema;
    for step in steps {
        let (name, items) = step.split_once('[').map_or((step, false), |(name, _)| (name, true));
        schema = &schema["properties"][name];
        if items {
            schema = &schema["items"];
        }
    }
    let names = schema["properties"].as_object()?.keys();
    let distance = |other: &&String| strsim::damerau_levenshtein(&other.to_lowercase(), &name.to_lowercase());
    let nearest = names.min_by_key(distance).filter(|other| distance(other) <= NEAR)?;
    Some(format!("did you mean `{nearest}`?"))
}
