//! What objects name and these files do not have.

use std::collections::BTreeSet;

use config::model::WorkloadKind;
use revive::kubernetes::index::Key;

use super::Known;
use super::conditions::missing_services;
use super::finding::Findings;
use super::object::{Object, Objects};

/// Says what is named and is not there.
pub(super) fn say(known: &Known, objects: &Objects, findings: &mut Findings<'_>) {
    for route in ["HTTPRoute", "GRPCRoute"].iter().flat_map(|kind| objects.of_kind(kind)) {
        for (service, place) in missing_services(objects, route) {
            let help = "without it, its part of the requests gets 500".to_owned();
            findings.warning(
                route.at(&place),
                format!("Service {service} is not in these files"),
                Some(help),
            );
        }
    }
    let named: BTreeSet<&Key> = known.compiled.targets.values().flat_map(|target| &target.services).collect();
    for service in named {
        if let Some(object) = objects.find("Service", service) {
            workload(known, object, findings);
        }
    }
    for policy in objects.of_kind("SleepPolicy") {
        companions(objects, policy, findings);
    }
}

/// What a Service selects is one workload, or somebody else's matter.
fn workload(known: &Known, object: &Object, findings: &mut Findings<'_>) {
    let Some(service) = known.index.services.find(&object.key) else { return };
    if service.selector.is_empty() {
        return;
    }
    let kinds = [WorkloadKind::Deployment, WorkloadKind::StatefulSet];
    let selected = kinds.into_iter().flat_map(|kind| {
        let found = known.index.workloads(kind).selected(&object.key.namespace, &service.selector);
        found.into_iter().map(move |workload| format!("{} {}", kind.as_str(), workload.meta.key.name))
    });
    let selected: Vec<String> = selected.collect();
    let sleeping = !known.index.records.selected(&object.key.namespace, &service.selector).is_empty();
    let at = object.at("spec.selector");
    match &*selected {
        [_] => {}
        [] if sleeping => {}
        [] => {
            let help = "without it the app is taken never to sleep".to_owned();
            findings.warning(
                at,
                format!("what Service {} selects is not in these files", object.key),
                Some(help),
            );
        }
        several => {
            let message = format!("Service {} selects {}", object.key, several.join(" and "));
            let help = "an app is one workload: this one never sleeps, and nobody can wake it".to_owned();
            findings.warning(at, message, Some(help));
        }
    }
}

fn companions(objects: &Objects, policy: &Object, findings: &mut Findings<'_>) {
    let needed = policy.value["spec"]["wakeWith"].as_array().into_iter().flatten();
    for (number, one) in needed.enumerate() {
        let (Some(kind), Some(name)) = (one["kind"].as_str(), one["name"].as_str()) else { continue };
        let key = Key::new(one["namespace"].as_str().unwrap_or(&policy.key.namespace), name);
        if objects.find(kind, &key).is_none() {
            let at = policy.at(&format!("spec.wakeWith[{number}].name"));
            let help = "what is no app of the same workspace is not woken".to_owned();
            findings.warning(at, format!("{kind} {key} is not in these files"), Some(help));
        }
    }
}
