//! What sleep would lose for good, and therefore is not done. Pure.

use config::link::Depth;
use serde_json::Value;

/// Says of a workload that another operator has made that it may be deleted all the same.
pub const DEEP_SLEEP: &str = "edge.loco.io/deep-sleep";

/// How deep a workload may sleep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// As deep as is wanted.
    Any,
    /// Its replicas may go, it may not: why.
    Light(Why),
    /// Not at all: what would be lost.
    Nothing(String),
}

/// Why a workload sleeps lightly only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// This would be lost.
    WouldLoseData(String),
    /// Somebody else made it, and would make it again.
    Managed(String),
}

/// How deep this workload may sleep. An `emptyDir` goes with every restart of a pod, so its owner counts on that.
pub fn allowed(object: &Value) -> Allowed {
    if let Some(volume) = ephemeral(object) {
        return Allowed::Nothing(format!(
            "the generic ephemeral volume {volume}, whose claim goes with its pod"
        ));
    }
    let retention = &object["spec"]["persistentVolumeClaimRetentionPolicy"];
    let claims = object["spec"]["volumeClaimTemplates"].as_array().is_some_and(|claims| !claims.is_empty());
    if claims && retention["whenScaled"] == "Delete" {
        return Allowed::Nothing(
            "its volume claims, which go when it has fewer pods (persistentVolumeClaimRetentionPolicy.whenScaled)".to_owned(),
        );
    }
    if claims && retention["whenDeleted"] == "Delete" {
        return Allowed::Light(Why::WouldLoseData(
            "its volume claims, which go when it is deleted (persistentVolumeClaimRetentionPolicy.whenDeleted)".to_owned(),
        ));
    }
    match manager(object) {
        Some(manager) if object["metadata"]["annotations"][DEEP_SLEEP] != "true" => {
            Allowed::Light(Why::Managed(manager))
        }
        Some(_) | None => Allowed::Any,
    }
}

impl Allowed {
    /// The deepest sleep, not deeper than is wanted.
    pub fn of(&self, wanted: Depth) -> Option<Depth> {
        match self {
            Self::Any => Some(wanted),
            Self::Light(_) => Some(Depth::Light),
            Self::Nothing(_) => None,
        }
    }

    /// What would be lost.
    pub fn loss(&self) -> Option<&str> {
        match self {
            Self::Nothing(what) | Self::Light(Why::WouldLoseData(what)) => Some(what),
            Self::Any | Self::Light(Why::Managed(_)) => None,
        }
    }
}

fn ephemeral(object: &Value) -> Option<&str> {
    let volumes = object["spec"]["template"]["spec"]["volumes"].as_array()?;
    volumes.iter().find(|volume| volume["ephemeral"].is_object())?["name"].as_str()
}

/// The operator that made it.
fn manager(object: &Value) -> Option<String> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    Some(format!(
        "{} {}",
        owner["kind"].as_str().unwrap_or_default(),
        owner["name"].as_str().unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests;
