//! The kinds that the edge reads, and whether objects are of their form.

use gateway_api::gatewayclasses::GatewayClass;
use gateway_api::gateways::Gateway;
use gateway_api::grpcroutes::GrpcRoute;
use gateway_api::httproutes::HttpRoute;
use gateway_api::referencegrants::ReferenceGrant;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use revive::kubernetes::crd::{GROUP, LimitPolicy, SleepPolicy, SleepRecord};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::finding::Findings;
use super::object::Object;
use super::unknown;

/// A kind that the edge reads.
#[derive(Debug)]
pub(super) struct Kind {
    group: &'static str,
    /// The version that it reads; `None`: any.
    version: Option<&'static str>,
    name: &'static str,
    /// What its type keeps of an object.
    again: fn(&Value) -> Result<Value, Trouble>,
}

/// What is not of a kind's form.
#[derive(Debug)]
pub(super) struct Trouble {
    path: String,
    message: String,
}

const GATEWAY_API: &str = "gateway.networking.k8s.io";

static KINDS: &[Kind] = &[
    Kind { group: "", version: Some("v1"), name: "Namespace", again: again::<Namespace> },
    Kind { group: "", version: Some("v1"), name: "Pod", again: again::<Pod> },
    Kind { group: "", version: Some("v1"), name: "Secret", again: again::<Secret> },
    Kind { group: "", version: Some("v1"), name: "Service", again: again::<Service> },
    Kind { group: "apps", version: Some("v1"), name: "Deployment", again: again::<Deployment> },
    Kind { group: "apps", version: Some("v1"), name: "StatefulSet", again: again::<StatefulSet> },
    Kind {
        group: "discovery.k8s.io",
        version: Some("v1"),
        name: "EndpointSlice",
        again: again::<EndpointSlice>,
    },
    Kind { group: GATEWAY_API, version: None, name: "GatewayClass", again: again::<GatewayClass> },
    Kind { group: GATEWAY_API, version: None, name: "Gateway", again: again::<Gateway> },
    Kind { group: GATEWAY_API, version: None, name: "HTTPRoute", again: again::<HttpRoute> },
    Kind { group: GATEWAY_API, version: None, name: "GRPCRoute", again: again::<GrpcRoute> },
    Kind { group: GATEWAY_API, version: None, name: "ReferenceGrant", again: again::<ReferenceGrant> },
    Kind { group: GROUP, version: Some("v1alpha1"), name: "SleepPolicy", again: again::<SleepPolicy> },
    Kind { group: GROUP, version: Some("v1alpha1"), name: "LimitPolicy", again: again::<LimitPolicy> },
    Kind { group: GROUP, version: Some("v1alpha1"), name: "SleepRecord", again: again::<SleepRecord> },
];

fn again<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, Trouble> {
    let read: T = serde_path_to_error::deserialize(object)
        .map_err(|error| Trouble { path: error.path().to_string(), message: error.inner().to_string() })?;
    serde_json::to_value(read).map_err(|error| Trouble { path: String::new(), message: error.to_string() })
}

/// API group and version.
fn split(version: &str) -> (&str, &str) {
    version.split_once('/').unwrap_or(("", version))
}

/// Whether the edge reads objects of this kind.
pub(super) fn is_read(object: &Object) -> bool {
    find(object).is_some()
}

fn find(object: &Object) -> Option<&'static Kind> {
    let (group, version) = split(&object.version);
    let same = |kind: &&Kind| kind.group == group && kind.name == object.kind;
    KINDS.iter().find(same).filter(|kind| kind.version.is_none_or(|read| read == version))
}

/// Whether the object is of its kind's form; says what is not, and what its kind does not have.
pub(super) fn is_formed(object: &Object, findings: &mut Findings<'_>) -> bool {
    let Some(kind) = find(object) else {
        say_strange(object, findings);
        return true;
    };
    match (kind.again)(&object.value) {
        Ok(kept) => {
            unknown::say(object, &kept, findings);
            true
        }
        Err(Trouble { path, message }) => {
            let (at, field) = (object.at(&path), path.trim_start_matches('.'));
            let place = if field.is_empty() || field == "." { object.shown() } else { field.to_owned() };
            findings.error(at, format!("{place}: {message}"), None);
            false
        }
    }
}

/// Says of what the edge does not read that it looks as if it were meant for it.
fn say_strange(object: &Object, findings: &mut Findings<'_>) {
    let (group, _) = split(&object.version);
    let named = KINDS.iter().find(|kind| kind.name == object.kind);
    if group == GROUP {
        let ours = KINDS.iter().filter(|kind| kind.group == GROUP).map(|kind| kind.name);
        let help = format!("{GROUP}/v1alpha1 has {}", ours.collect::<Vec<_>>().join(", "));
        findings.error(
            object.at("kind"),
            format!("there is no {} in {}", object.kind, object.version),
            Some(help),
        );
    } else if let Some(kind) = named.filter(|kind| kind.group == group || group == "extensions") {
        let version = kind.version.unwrap_or("v1");
        let help = format!("did you mean `{}/{version}`?", kind.group);
        findings.error(
            object.at("apiVersion"),
            format!("the edge does not read {} of {}", object.kind, object.version),
            Some(help),
        );
    } else if object.kind == "Ingress" {
        let help = "write an HTTPRoute that names a Gateway of the edge".to_owned();
        findings.warning(
            object.at("kind"),
            "the edge serves HTTPRoutes and GRPCRoutes, and no Ingress",
            Some(help),
        );
    }
}
