//! Objects as they are written, and where.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use revive::kubernetes::index::Key;
use serde_json::Value;

use super::finding::{At, Findings};
use super::kinds;
use crate::check::input::Text;
use crate::check::yaml::{self, Document, Inner, Node, Place};

/// Kinds that the edge reads and that are in no namespace.
const OF_THE_CLUSTER: [&str; 2] = ["GatewayClass", "Namespace"];

/// An object.
#[derive(Debug)]
pub(super) struct Object {
    text: usize,
    node: Node,
    /// Its API group and version.
    pub(super) version: String,
    /// Its kind.
    pub(super) kind: String,
    /// Its namespace and name.
    pub(super) key: Key,
    /// It as it would come from the API server, its namespace said.
    pub(super) value: Value,
}

impl Object {
    /// Where a field is, or the last on the way to it that is there.
    pub(super) fn at(&self, path: &str) -> At {
        At { text: self.text, place: self.node.place_of(path) }
    }

    /// Where its name is.
    pub(super) fn named(&self) -> At {
        self.at("metadata.name")
    }

    /// It, with places.
    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// A place in its text.
    pub(super) fn there(&self, place: Place) -> At {
        At { text: self.text, place }
    }

    /// Such as `Deployment shop/cart`.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.kind, self.key)
    }
}

/// All objects, in their order, each kind and name once.
#[derive(Debug, Default)]
pub(super) struct Objects {
    all: Vec<Object>,
    by_key: BTreeMap<(String, Key), usize>,
}

impl Objects {
    /// All objects of these texts; what says no namespace is in `namespace`.
    pub(super) fn of(texts: &[Text], namespace: &str, findings: &mut Findings<'_>) -> Self {
        let mut objects = Self::default();
        for (number, text) in texts.iter().enumerate() {
            for document in yaml::documents(&text.text) {
                objects.document(number, document, namespace, findings);
            }
        }
        objects
    }

    fn document(
        &mut self,
        text: usize,
        document: Document<'_>,
        namespace: &str,
        findings: &mut Findings<'_>,
    ) {
        if is_secret(&document) {
            findings.hide(text, document.before + 1..document.before + document.text.lines().count() + 1);
        }
        match document.node {
            Ok(node) => self.node(text, node, namespace, findings),
            Err(broken) => {
                let help = broken
                    .message
                    .contains("{{")
                    .then(|| "a Helm template? Give what `helm template` prints".to_owned());
                findings.error(
                    At { text, place: broken.place },
                    format!("no YAML: {}", broken.message),
                    help,
                );
            }
        }
    }

    fn node(&mut self, text: usize, node: Node, namespace: &str, findings: &mut Findings<'_>) {
        let (Some(version), Some(kind)) = (said(&node, "apiVersion"), said(&node, "kind")) else {
            let help = "an object begins with `apiVersion` and `kind`".to_owned();
            findings.error(At { text, place: node.place }, "this is no Kubernetes object", Some(help));
            return;
        };
        if version == "v1" && kind == "List" {
            let items = node.at("items").map(Node::items).unwrap_or_default();
            items.iter().for_each(|item| self.node(text, item.clone(), namespace, findings));
            return;
        }
        let metadata = node.at("metadata");
        let Some(name) = metadata.and_then(|metadata| said(metadata, "name")) else {
            let at = At { text, place: metadata.map_or(node.place, |metadata| metadata.place) };
            findings.error(
                at,
                format!("this {kind} has no name"),
                Some("add `metadata: {name: …}`".to_owned()),
            );
            return;
        };
        let namespace = if OF_THE_CLUSTER.contains(&&*kind) {
            String::new()
        } else {
            metadata.and_then(|metadata| said(metadata, "namespace")).unwrap_or_else(|| namespace.to_owned())
        };
        let key = Key::new(&namespace, &name);
        let value = settled(node.json(), &namespace);
        self.add(Object { text, node, version, kind, key, value }, findings);
    }

    fn add(&mut self, object: Object, findings: &mut Findings<'_>) {
        let place = (object.kind.clone(), object.key.clone());
        match self.by_key.get(&place).and_then(|at| self.all.get_mut(*at)) {
            Some(first) if first.version == object.version => {
                let help = "the later one holds: take one out".to_owned();
                findings.warning(object.named(), format!("{} is there twice", object.shown()), Some(help));
                *first = object;
            }
            Some(_) | None => {
                self.by_key.insert(place, self.all.len());
                self.all.push(object);
            }
        }
    }

    /// Says what is not of the form of its kind, and leaves it out.
    pub(super) fn formed(&mut self, findings: &mut Findings<'_>) {
        let all = std::mem::take(&mut self.all);
        self.all = all.into_iter().filter(|object| kinds::is_formed(object, findings)).collect();
        let place = |(at, object): (usize, &Object)| ((object.kind.clone(), object.key.clone()), at);
        self.by_key = self.all.iter().enumerate().map(place).collect();
    }

    /// All.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Object> {
        self.all.iter()
    }

    /// All, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Object> {
        self.all.iter_mut()
    }

    /// All of a kind.
    pub(super) fn of_kind<'o>(&'o self, kind: &'o str) -> impl Iterator<Item = &'o Object> {
        self.all.iter().filter(move |object| object.kind == kind)
    }

    /// This one.
    pub(super) fn find(&self, kind: &str, key: &Key) -> Option<&Object> {
        self.by_key.get(&(kind.to_owned(), key.clone())).and_then(|at| self.all.get(*at))
    }
}

fn said(node: &Node, name: &str) -> Option<String> {
    node.at(name)?.text().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Also of what is no YAML.
fn is_secret(document: &Document<'_>) -> bool {
    document.text.lines().any(|line| {
        let line: String = line.chars().filter(|c| !c.is_whitespace() && !"\"',{".contains(*c)).collect();
        line.contains("kind:Secret")
    })
}

/// What the API server makes of it: the namespace is said, quantities are texts, and a Secret's texts are data.
fn settled(mut value: Value, namespace: &str) -> Value {
    if value["kind"] == "Secret" {
        encode(&mut value);
    }
    if let Some(metadata) = value["metadata"].as_object_mut().filter(|_| !namespace.is_empty()) {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    quantities(&mut value);
    value
}

fn encode(secret: &mut Value) {
    let texts = secret.as_object_mut().and_then(|secret| secret.remove("stringData"));
    for (name, text) in texts.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let bytes = ByteString(text.as_str().unwrap_or_default().as_bytes().to_vec());
        secret["data"][name] = serde_json::to_value(bytes).unwrap_or_default();
    }
}

fn quantities(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value {
                    Value::Object(amounts) if ["requests", "limits"].contains(&&**name) => {
                        amounts.values_mut().filter(|amount| amount.is_number()).for_each(|amount| {
                            *amount = Value::String(amount.to_string());
                        });
                    }
                    Value::Number(number) if name == "sizeLimit" => {
                        *value = Value::String(number.to_string())
                    }
                    _ => quantities(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(quantities),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether there is anything.
pub(super) fn is_empty(node: &Node) -> bool {
    match &node.inner {
        Inner::Scalar(value) => value.is_null(),
        Inner::List(list) => list.is_empty(),
        Inner::Map(map) => map.is_empty(),
    }
}
