//! What an owner might want to know of an app that sleeps.

use config::model::{After, App, Source};
use revive::kubernetes::index::Key;
use revive::platform::kubernetes::{Allowed, Why, allowed};
use serde_json::Value;

use super::Known;
use super::finding::Findings;
use super::object::{Object, Objects};

/// Seconds between two questions of the kubelet that one would notice.
const LONG: i64 = 5;
/// What the kubelet does if nobody says it (core/v1, `Probe.periodSeconds`).
const UNSAID_PERIOD: i64 = 10;
const POD: &str = "spec.template.spec";

/// Says it of every app that these files put to sleep.
pub(super) fn say(known: &Known, objects: &Objects, findings: &mut Findings<'_>) {
    for app in &known.compiled.apps {
        let Some(workload) = workload(app, objects) else { continue };
        if app.sleep.idle_after == After::Never {
            continue;
        }
        loss(app, workload, findings);
        token(workload, objects, findings);
        readiness(workload, findings);
    }
}

/// What runs an app.
pub(super) fn workload<'o>(app: &App, objects: &'o Objects) -> Option<&'o Object> {
    let Source::Service(service) = &app.source else { return None };
    let workload = service.workload.as_ref()?;
    objects.find(workload.kind.as_str(), &Key::new(&service.namespace, &workload.name))
}

/// What sleep would lose is not put to sleep, whatever a policy says.
fn loss(app: &App, workload: &Object, findings: &mut Findings<'_>) {
    let at = workload.at("spec");
    let deep = app.sleep.remove_after != After::Never;
    match allowed(&workload.value) {
        Allowed::Any => {}
        Allowed::Nothing(what) => {
            findings.warning(
                at,
                format!("{} never sleeps", workload.shown()),
                Some(format!("sleep would lose {what}")),
            );
        }
        Allowed::Light(why) if deep => {
            let why = match why {
                Why::WouldLoseData(what) => format!("deep sleep would lose {what}"),
                Why::Managed(who) => format!("{who} made it, and would make it again"),
            };
            findings.warning(at, format!("{} sleeps lightly only", workload.shown()), Some(why));
        }
        Allowed::Light(_) => {}
    }
}

fn token(workload: &Object, objects: &Objects, findings: &mut Findings<'_>) {
    let pod = &workload.value["spec"]["template"]["spec"];
    let account = pod["serviceAccountName"].as_str().unwrap_or("default");
    let of_account = objects.find("ServiceAccount", &workload.key.beside(account));
    let mounts = pod["automountServiceAccountToken"]
        .as_bool()
        .or_else(|| of_account.and_then(|account| account.value["automountServiceAccountToken"].as_bool()));
    if mounts != Some(false) {
        let message = "each wake waits about 0.25 s for the volume with the service account's token";
        let help = "if the app asks the API server nothing: automountServiceAccountToken: false";
        findings.hint(workload.at(POD), message, Some(help.to_owned()));
    }
}

fn readiness(workload: &Object, findings: &mut Findings<'_>) {
    let containers = workload.value["spec"]["template"]["spec"]["containers"].as_array();
    for (number, container) in containers.into_iter().flatten().enumerate() {
        let probe = &container["readinessProbe"];
        let at = workload.at(&format!("{POD}.containers[{number}].readinessProbe"));
        if probe["exec"].is_object() {
            let message =
                "the edge cannot run this readiness probe: the app is up once it accepts a connection";
            let help = "say `health: {http: /path}` in a SleepPolicy, if it can be asked so";
            findings.hint(at, message, Some(help.to_owned()));
        } else if let Some(wait) = wait(probe) {
            let message = format!("the kubelet asks this readiness probe only {wait}");
            let help = "no request waits for that: the edge asks by itself as soon as the app listens";
            findings.hint(at, message, Some(help.to_owned()));
        }
    }
}

/// What is long about a probe.
fn wait(probe: &Value) -> Option<String> {
    probe.as_object()?;
    let delay = probe["initialDelaySeconds"].as_i64().unwrap_or_default();
    let period = probe["periodSeconds"].as_i64().unwrap_or(UNSAID_PERIOD);
    match (delay >= LONG, period > LONG) {
        (true, true) => Some(format!("after {delay} s, then every {period} s")),
        (true, false) => Some(format!("after {delay} s")),
        (false, true) => Some(format!("every {period} s")),
        (false, false) => None,
    }
}
