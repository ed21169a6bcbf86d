//! The conditions that revive would set, as mistakes.

use revive::kubernetes::compile::said::{GatewaySaid, ListenerSaid, PolicySaid, RouteSaid, Said};
use revive::kubernetes::crd::Mistake;
use revive::kubernetes::index::Key;
use revive::kubernetes::index::route::{ParentRef, RouteKind};
use serde_json::Value;

use super::Known;
use super::assumed::{Assumed, Missing};
use super::finding::Findings;
use super::object::{Object, Objects};

/// Says every condition that is not as one would have it.
pub(super) fn say(
    known: &Known,
    objects: &Objects,
    assumed: &Assumed,
    missing: &Missing,
    findings: &mut Findings<'_>,
) {
    let statuses = &known.compiled.statuses;
    for (key, said) in &statuses.classes {
        for (object, said) in
            objects.find("GatewayClass", key).iter().zip(said.conditions.iter().filter(|one| !one.holds))
        {
            findings.error(object.at("spec"), said.message.clone(), None);
        }
    }
    for (key, said) in &statuses.gateways {
        if let Some(object) = objects.find("Gateway", key) {
            gateway(object, said, assumed, missing, findings);
        }
    }
    for ((kind, key), said) in &statuses.routes {
        if let Some(object) = objects.find(kind.as_str(), key) {
            route(known, objects, object, *kind, said, findings);
        }
    }
    for (key, said) in &statuses.sleep_policies {
        let wrong = known.index.sleep_policies.find(key).and_then(|policy| policy.says.as_ref().err());
        policy(objects.find("SleepPolicy", key), wrong, said, findings);
    }
    for (key, said) in &statuses.limit_policies {
        let wrong = known.index.limit_policies.find(key).and_then(|policy| policy.says.as_ref().err());
        policy(objects.find("LimitPolicy", key), wrong, said, findings);
    }
}

fn gateway(
    object: &Object,
    said: &GatewaySaid,
    assumed: &Assumed,
    missing: &Missing,
    findings: &mut Findings<'_>,
) {
    for one in said.conditions.iter().filter(|one| !one.holds) {
        match one.reason {
            // Its listeners say why.
            "ListenersNotValid" | "Invalid" => {}
            "AddressNotUsable" if assumed.addresses => {}
            _ => findings.error(object.at("spec.addresses"), one.message.clone(), None),
        }
    }
    for one in &said.listeners {
        listener(object, one, missing, findings);
    }
}

fn listener(object: &Object, said: &ListenerSaid, missing: &Missing, findings: &mut Findings<'_>) {
    let at = object.at(&format!("spec.listeners[{}].name", said.name));
    for one in &said.conditions {
        let message = format!("listener {}: {}", said.name, one.message);
        match (one.r#type, one.holds) {
            ("Accepted", false) => findings.error(at, message, None),
            ("ResolvedRefs", false) => {
                let secret = certificates(object, &said.name).find(|key| missing.has(key));
                match (one.reason, secret) {
                    ("InvalidCertificateRef", Some(secret)) => {
                        let help = "taken to have the certificate".to_owned();
                        findings.warning(
                            at,
                            format!("listener {}: Secret {secret} is not in these files", said.name),
                            Some(help),
                        );
                    }
                    ("RefNotPermitted", _) => findings.warning(at, message, in_these_files()),
                    _ => findings.error(at, message, None),
                }
            }
            // `Accepted` says it too; `Programmed` follows from the others.
            _ => {}
        }
    }
}

fn in_these_files() -> Option<String> {
    Some("there is none in these files".to_owned())
}

/// The Secrets that a listener names.
fn certificates<'o>(gateway: &'o Object, listener: &'o str) -> impl Iterator<Item = Key> + 'o {
    let listeners = gateway.value["spec"]["listeners"].as_array().into_iter().flatten();
    let own = listeners.filter(move |one| one["name"] == listener);
    let references = own.flat_map(|one| one["tls"]["certificateRefs"].as_array().into_iter().flatten());
    references.filter_map(|one| {
        Some(Key::new(one["namespace"].as_str().unwrap_or(&gateway.key.namespace), one["name"].as_str()?))
    })
}

fn route(
    known: &Known,
    objects: &Objects,
    object: &Object,
    kind: RouteKind,
    said: &RouteSaid,
    findings: &mut Findings<'_>,
) {
    let Some(written) = known.index.routes(kind).find(&object.key) else { return };
    for parent in &said.parents {
        let number =
            written.spec.parent_refs.iter().position(|one| *one == parent.parent).unwrap_or_default();
        for one in parent.conditions.iter().filter(|one| !one.holds) {
            let place = match one.message.split_once(": ") {
                Some((rule, _)) if rule.starts_with("rules[") => format!("spec.{rule}"),
                _ if one.r#type == "Accepted" => format!("spec.parentRefs[{number}].name"),
                _ => "spec.rules".to_owned(),
            };
            refused(objects, object, &parent.parent, &place, one, findings);
        }
    }
}

fn refused(
    objects: &Objects,
    object: &Object,
    parent: &ParentRef,
    place: &str,
    said: &Said,
    findings: &mut Findings<'_>,
) {
    let at = object.at(place);
    match said.reason {
        // Each Service that is missing is named where it is named.
        "BackendNotFound" if missing_services(objects, object).next().is_some() => {}
        "RefNotPermitted" => findings.warning(at, said.message.clone(), in_these_files()),
        "NotAllowedByListeners" if goes_by_labels(objects, object, parent) => {
            let help =
                format!("Namespace {} is not in these files: its labels may let it in", object.key.namespace);
            findings.warning(at, said.message.clone(), Some(help));
        }
        _ => findings.error(at, said.message.clone(), None),
    }
}

/// Whether labels that are in no file could let a route in.
fn goes_by_labels(objects: &Objects, route: &Object, parent: &ParentRef) -> bool {
    let own = &route.key.namespace;
    let gateway = Key::new(parent.namespace.as_deref().unwrap_or(own), &parent.name);
    let listeners = objects.find("Gateway", &gateway).map(|gateway| &gateway.value["spec"]["listeners"]);
    let mut listeners = listeners.and_then(Value::as_array).into_iter().flatten();
    let selects = listeners.any(|one| one["allowedRoutes"]["namespaces"]["from"] == "Selector");
    selects && objects.find("Namespace", &Key::new("", own)).is_none()
}

/// The Services that a route names and no file has, each with where it is named.
pub(super) fn missing_services<'o>(
    objects: &'o Objects,
    route: &'o Object,
) -> impl Iterator<Item = (Key, String)> + 'o {
    let rules = route.value["spec"]["rules"].as_array().into_iter().flatten().enumerate();
    let named = rules.flat_map(|(rule, written)| {
        let backends = written["backendRefs"].as_array().into_iter().flatten().enumerate();
        backends.map(move |(number, one)| (format!("spec.rules[{rule}].backendRefs[{number}].name"), one))
    });
    named.filter_map(move |(place, one)| {
        let service = one["group"].as_str().unwrap_or_default().is_empty() && is_service(one);
        let key = Key::new(one["namespace"].as_str().unwrap_or(&route.key.namespace), one["name"].as_str()?);
        (service && objects.find("Service", &key).is_none()).then_some((key, place))
    })
}

fn is_service(reference: &Value) -> bool {
    reference["kind"].as_str().unwrap_or("Service") == "Service"
}

fn policy(
    object: Option<&Object>,
    wrong: Option<&Vec<Mistake>>,
    said: &PolicySaid,
    findings: &mut Findings<'_>,
) {
    let Some(object) = object else { return };
    for mistake in wrong.into_iter().flatten() {
        let at = object.at(&format!("spec.{}", mistake.field));
        findings.error(
            at,
            format!("`{}` cannot be used as it is", mistake.field),
            Some(mistake.help.clone()),
        );
    }
    let at = object.at("spec.targetRefs");
    for one in said.conditions.iter().filter(|_| wrong.is_none()) {
        match (one.holds, one.reason) {
            (true, _) if one.message.is_empty() => {}
            (true, _) => findings.warning(at, one.message.clone(), None),
            (false, "TargetNotFound") => {
                let help = "it says nothing of what is in these files".to_owned();
                findings.warning(at, one.message.replacen("not there", "not in these files", 1), Some(help));
            }
            (false, _) => findings.error(at, one.message.clone(), None),
        }
    }
}
