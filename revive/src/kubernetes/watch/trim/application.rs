//! loco's Applications.

use std::borrow::Cow;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::Deserialize;

use super::{Keeps, Watched, meta};
use crate::kubernetes::index::application::{Application, ApplicationHealth, Mark};
use crate::kubernetes::index::{Key, Seen, Update};

/// Those words of an Application that matter to us.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::kubernetes::watch) struct ApplicationObject {
    metadata: ObjectMeta,
    spec: Spec,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    resource_id: i64,
    workspace_id: i64,
    #[serde(default)]
    region: String,
    /// Of an app that is no service there is none.
    service_spec: Option<Service>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Service {
    deployment: Deployment,
    resources: Resources,
    routing: Routing,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Deployment {
    health_check: Health,
}

/// Seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Health {
    path: String,
    interval: i64,
    timeout: i64,
    fail_threshold: i64,
    startup_grace_period: i64,
}

/// loco's own.
impl Default for Health {
    fn default() -> Self {
        Self { path: String::new(), interval: 30, timeout: 5, fail_threshold: 3, startup_grace_period: 15 }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    replicas: Replicas,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Replicas {
    min: i32,
}

impl Default for Replicas {
    fn default() -> Self {
        Self { min: 1 }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Routing {
    host_name: String,
    path_prefix: String,
    idle_timeout: i64,
}

/// loco's own.
impl Default for Routing {
    fn default() -> Self {
        Self { host_name: String::new(), path_prefix: String::new(), idle_timeout: 60 }
    }
}

impl Resource for ApplicationObject {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Application".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "infra.loco.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "applications".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Watched for ApplicationObject {
    type Kept = Application;

    /// Its controller writes the status of each, about once a second.
    const RESTLESS: bool = true;

    /// What has no Deployment is no app of ours.
    fn trimmed(self, keeps: &Keeps) -> Option<Application> {
        let Service { deployment, resources, routing } = self.spec.service_spec?;
        let (resource, workspace) = (self.spec.resource_id, self.spec.workspace_id);
        let meta = meta(self.metadata, keeps)?;
        let annotation = |name: &str| meta.annotations.get(name).map(|value| &**value);
        Some(Application {
            mark: Mark::read(meta.generation, annotation),
            place: Key::new(&format!("wks-{workspace}-res-{resource}"), &format!("resource-{resource}")),
            resource,
            workspace,
            region: self.spec.region.into(),
            host: routing.host_name.into(),
            path: routing.path_prefix.into(),
            idle_after: (routing.idle_timeout > 0).then(|| seconds(routing.idle_timeout)),
            health: health(deployment.health_check),
            replicas: resources.replicas.min,
            meta,
        })
    }

    fn update(seen: Seen<Application>) -> Update {
        Update::Application(seen)
    }
}

/// The kubelet asks first after `startupGracePeriod`, then every `interval`, and ends what has failed so often in a row.
fn health(of: Health) -> ApplicationHealth {
    let grace = of
        .startup_grace_period
        .max(0)
        .saturating_add(of.interval.max(1).saturating_mul(of.fail_threshold.max(1)));
    ApplicationHealth { path: of.path.into(), timeout: seconds(of.timeout.max(1)), grace: seconds(grace) }
}

/// Up to a year: what is longer comes out the same, and can be reckoned with.
fn seconds(of: i64) -> Duration {
    Duration::from_secs(of.clamp(0, 366 * 24 * 60 * 60).unsigned_abs())
}
