//! What is not in the files and is taken to be on the cluster: the Gateway that routes name, its class, certificates.
//! Who writes an app's files seldom has those of the platform.

use std::collections::{BTreeMap, BTreeSet};

use revive::kubernetes::Settings;
use revive::kubernetes::compile::compile;
use revive::kubernetes::index::{Key, Seen, Update};
use revive::kubernetes::settings::Addresses;
use serde_json::{Value, json};

use super::Known;
use super::finding::{At, Findings};
use super::object::{Object, Objects};

const GATEWAY_API: &str = "gateway.networking.k8s.io";
/// The class of Gateways that are not in the files. No object can have this name.
const CLASS: &str = "(the edge's)";

/// What is taken to be there.
#[derive(Debug)]
pub(super) struct Assumed {
    gateways: BTreeSet<Key>,
    classes: BTreeSet<String>,
    controller: String,
    port: u16,
    /// Whether nobody said where gateways are reached.
    pub(super) addresses: bool,
}

impl Assumed {
    /// Finds out what is missing, and says it. Routes are let in at any listener of a Gateway whose listeners nobody knows.
    pub(super) fn of(objects: &mut Objects, settings: &mut Settings, findings: &mut Findings<'_>) -> Self {
        let addresses = matches!(&settings.addresses, Addresses::Fixed(all) if all.is_empty());
        if addresses {
            settings.addresses = Addresses::Fixed(vec!["edge.invalid".into()]);
        }
        let there: BTreeSet<Key> = objects.of_kind("Gateway").map(|gateway| gateway.key.clone()).collect();
        let mut missing: BTreeMap<Key, At> = BTreeMap::new();
        for object in objects.iter_mut() {
            for (key, at) in gateways_of(object) {
                if !there.contains(&key) {
                    loosen(object, &key);
                    missing.entry(key).or_insert(at);
                }
            }
        }
        let port = settings.ports.http.first().copied().unwrap_or(80);
        for (key, at) in &missing {
            let message = format!("Gateway {key} is not in these files");
            let help =
                format!("taken to be the edge's, on port {port}, for any host, open to all namespaces");
            findings.warning(*at, message, Some(help));
        }
        let classes = missing_classes(objects, findings);
        let controller = settings.controller.to_string();
        Self { gateways: missing.into_keys().collect(), classes, controller, port, addresses }
    }

    /// The objects.
    pub(super) fn objects(&self) -> impl Iterator<Item = Value> {
        let class = |name: &str| {
            json!({
                "apiVersion": format!("{GATEWAY_API}/v1"), "kind": "GatewayClass", "metadata": {"name": name},
                "spec": {"controllerName": self.controller},
            })
        };
        let gateway = |key: &Key| {
            json!({
                "apiVersion": format!("{GATEWAY_API}/v1"), "kind": "Gateway",
                "metadata": {"namespace": &*key.namespace, "name": &*key.name},
                "spec": {"gatewayClassName": CLASS, "listeners": [
                    {"name": "http", "port": self.port, "protocol": "HTTP",
                     "allowedRoutes": {"namespaces": {"from": "All"}}},
                ]},
            })
        };
        let classes = self.classes.iter().map(String::as_str).chain([CLASS]).map(class);
        classes.chain(self.gateways.iter().map(gateway)).collect::<Vec<_>>().into_iter()
    }

    /// Whether this Gateway is in no file.
    pub(super) fn has_gateway(&self, key: &Key) -> bool {
        self.gateways.contains(key)
    }
}

/// The Gateways that a route or a policy names, and where.
fn gateways_of(object: &Object) -> Vec<(Key, At)> {
    let (field, fallback) = match &*object.kind {
        "HTTPRoute" | "GRPCRoute" => ("parentRefs", "Gateway"),
        "LimitPolicy" => ("targetRefs", ""),
        _ => return Vec::new(),
    };
    let references = object.value["spec"][field].as_array().into_iter().flatten().enumerate();
    let of_gateways = references.filter(|(_, one)| is_gateway(one, fallback));
    let named = of_gateways.filter_map(|(number, one)| {
        let place = one["namespace"].as_str().unwrap_or(&object.key.namespace);
        Some((Key::new(place, one["name"].as_str()?), object.at(&format!("spec.{field}[{number}].name"))))
    });
    named.collect()
}

fn is_gateway(reference: &Value, fallback: &str) -> bool {
    reference["group"].as_str().unwrap_or(GATEWAY_API) == GATEWAY_API
        && reference["kind"].as_str().unwrap_or(fallback) == "Gateway"
}

/// Lets a route in at any listener of this Gateway.
fn loosen(object: &mut Object, gateway: &Key) {
    let own = object.key.namespace.clone();
    let parents = object.value["spec"]["parentRefs"].as_array_mut().into_iter().flatten();
    let same = |parent: &&mut Value| {
        parent["namespace"].as_str().unwrap_or(&own) == &*gateway.namespace
            && parent["name"].as_str() == Some(&gateway.name)
    };
    for parent in parents.filter(same).filter_map(Value::as_object_mut) {
        parent.remove("sectionName");
        parent.remove("port");
    }
}

fn missing_classes(objects: &Objects, findings: &mut Findings<'_>) -> BTreeSet<String> {
    let mut missing = BTreeSet::new();
    for gateway in objects.of_kind("Gateway") {
        let name = gateway.value["spec"]["gatewayClassName"].as_str().unwrap_or_default();
        if objects.find("GatewayClass", &Key::new("", name)).is_none() && missing.insert(name.to_owned()) {
            let message = format!("GatewayClass {name} is not in these files");
            findings.warning(
                gateway.at("spec.gatewayClassName"),
                message,
                Some("taken to be the edge's".to_owned()),
            );
        }
    }
    missing
}

/// Certificates that listeners name and no file has.
#[derive(Debug)]
pub(super) struct Missing(BTreeSet<Key>);

impl Missing {
    /// Lets it be known that they are not there.
    pub(super) fn of(known: &mut Known) -> Self {
        let named = compile(&known.index, &known.settings, None).secrets;
        let missing: BTreeSet<Key> =
            named.into_iter().filter(|key| !known.index.secrets.contains_key(key)).collect();
        missing.iter().for_each(|key| known.apply(Update::Secret(key.clone(), None)));
        Self(missing)
    }

    /// Whether this Secret is in no file.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.0.contains(key)
    }

    /// What there would be with them. A port that lacks one is taken as one in the clear: for which app a request is
    /// does not depend on it.
    pub(super) fn supplied(&self, mut known: Known) -> Known {
        if self.0.is_empty() {
            return known;
        }
        let gateways: Vec<_> = known.index.gateways.iter().cloned().collect();
        for gateway in gateways {
            let mut changed = (*gateway).clone();
            let own = &gateway.meta.key.namespace;
            let lacks = |listener: &gateway_api::gateways::GatewayListeners| {
                let references = listener.tls.iter().flat_map(|tls| tls.certificate_refs.iter().flatten());
                references
                    .into_iter()
                    .any(|one| self.has(&Key::new(one.namespace.as_deref().unwrap_or(own), &one.name)))
            };
            let ports: BTreeSet<i32> =
                changed.spec.listeners.iter().filter(|one| lacks(one)).map(|one| one.port).collect();
            for listener in changed.spec.listeners.iter_mut().filter(|one| ports.contains(&one.port)) {
                if listener.protocol == "HTTPS" {
                    listener.protocol = "HTTP".to_owned();
                    listener.tls = None;
                }
            }
            known.apply(Update::Gateway(Seen::Applied(changed)));
        }
        let https = known.settings.ports.https.clone();
        known.settings.ports.http.extend(https);
        known.compiled = compile(&known.index, &known.settings, None);
        known
    }
}
