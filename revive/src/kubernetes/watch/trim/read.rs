//! Objects as files have them.

use gateway_api::gatewayclasses::GatewayClass;
use gateway_api::gateways::Gateway;
use gateway_api::grpcroutes::GrpcRoute;
use gateway_api::httproutes::HttpRoute;
use gateway_api::referencegrants::ReferenceGrant;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{LimitRange, Namespace, Node, Pod, ResourceQuota, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::core::{ObjectMeta, TypeMeta};
use serde::Deserialize;
use serde_json::Value;

use super::{ApplicationObject, Keeps, RecordObject, RouteObject, Watched};
use crate::kubernetes::crd::{LimitPolicy, SleepPolicy};
use crate::kubernetes::index::{Key, Seen, Update};
use crate::kubernetes::settings::Settings;

/// Why an object could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It is none, or not of the form of its kind.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// It is of a kind that the edge does not read.
    #[error("{kind} ({group_version}) is nothing that the edge reads")]
    OtherKind {
        /// The kind.
        kind: String,
        /// Its API group and version.
        group_version: String,
    },
    /// It says too little to be of use, such as a slice of no Service.
    #[error("the edge can make nothing of it")]
    Useless,
}

/// What a watch would tell the index of this object.
///
/// # Errors
/// Where it would tell nothing.
pub fn read(object: Value, settings: &Settings) -> Result<Update, Unread> {
    let keeps = &Keeps::with(settings.annotations());
    let types = TypeMeta::deserialize(&object)?;
    match (&*types.api_version, &*types.kind) {
        ("v1", "Secret") => return secret(object, keeps),
        ("v1", "Namespace") => return as_kind::<Namespace>(object, keeps),
        ("v1", "Pod") => return as_kind::<Pod>(object, keeps),
        ("v1", "Node") => return as_kind::<Node>(object, keeps),
        ("v1", "ResourceQuota") => return as_kind::<ResourceQuota>(object, keeps),
        ("v1", "LimitRange") => return as_kind::<LimitRange>(object, keeps),
        ("scheduling.k8s.io/v1", "PriorityClass") => return as_kind::<PriorityClass>(object, keeps),
        ("v1", "Service") => return as_kind::<Service>(object, keeps),
        ("apps/v1", "Deployment") => return as_kind::<Deployment>(object, keeps),
        ("apps/v1", "StatefulSet") => return as_kind::<StatefulSet>(object, keeps),
        ("discovery.k8s.io/v1", "EndpointSlice") => return as_kind::<EndpointSlice>(object, keeps),
        _ => {}
    }
    match (types.api_version.split('/').next().unwrap_or_default(), &*types.kind) {
        ("gateway.networking.k8s.io", "GatewayClass") => as_kind::<GatewayClass>(object, keeps),
        ("gateway.networking.k8s.io", "Gateway") => as_kind::<Gateway>(object, keeps),
        ("gateway.networking.k8s.io", "HTTPRoute") => as_kind::<RouteObject<HttpRoute>>(object, keeps),
        ("gateway.networking.k8s.io", "GRPCRoute") => as_kind::<RouteObject<GrpcRoute>>(object, keeps),
        ("gateway.networking.k8s.io", "ReferenceGrant") => as_kind::<ReferenceGrant>(object, keeps),
        ("edge.loco.io", "SleepPolicy") => as_kind::<SleepPolicy>(object, keeps),
        ("edge.loco.io", "LimitPolicy") => as_kind::<LimitPolicy>(object, keeps),
        ("edge.loco.io", "SleepRecord") => as_kind::<RecordObject>(object, keeps),
        ("infra.loco.io", "Application") if settings.loco.is_some() => {
            as_kind::<ApplicationObject>(object, keeps)
        }
        _ => Err(Unread::OtherKind { kind: types.kind, group_version: types.api_version }),
    }
}

/// What is not said to be elsewhere is in `default`, as with `kubectl apply`; those without a namespace have none.
fn as_kind<K: Watched>(mut object: Value, keeps: &Keeps) -> Result<Update, Unread> {
    settle::<K>(&mut object);
    let kept = serde_json::from_value::<K>(object)?.trimmed(keeps).ok_or(Unread::Useless)?;
    Ok(K::update(Seen::Applied(kept)))
}

fn settle<K: Watched>(object: &mut Value) {
    const CLUSTER: [&str; 4] = ["GatewayClass", "Namespace", "Node", "PriorityClass"];
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata.filter(|_| !CLUSTER.contains(&&*K::kind(&()))) {
        metadata.entry("namespace").or_insert_with(|| "default".into());
    }
}

fn secret(object: Value, keeps: &Keeps) -> Result<Update, Unread> {
    let secret: Secret = serde_json::from_value(object)?;
    let ObjectMeta { namespace, name, .. } = &secret.metadata;
    let key = Key::new(namespace.as_deref().unwrap_or("default"), name.as_deref().unwrap_or_default());
    Ok(Update::Secret(key, super::secret(secret, keeps)))
}

#[cfg(test)]
mod tests;
