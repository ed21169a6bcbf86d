//! Where a workload is, and what its record is called.

use std::fmt;
use std::sync::Arc;

use config::model::{App, Source, Workload, WorkloadKind};
use kube::api::ApiResource;

/// A workload of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its kind and name.
    pub workload: Workload,
}

impl Place {
    /// What runs an app, if that is one workload.
    pub fn of(app: &App) -> Option<Self> {
        match &app.source {
            Source::Service(service) => {
                let workload = service.workload.clone()?;
                Some(Self { namespace: (&*service.namespace).into(), workload })
            }
            Source::Process(_) | Source::Upstreams(_) => None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.workload.name
    }

    /// Its record's name.
    pub fn record(&self) -> String {
        format!("{}-{}", self.workload.kind.as_str().to_ascii_lowercase(), self.workload.name)
    }

    /// What the API calls its kind.
    pub(super) fn resource(&self) -> ApiResource {
        let (kind, plural) = match self.workload.kind {
            WorkloadKind::Deployment => ("Deployment", "deployments"),
            WorkloadKind::StatefulSet => ("StatefulSet", "statefulsets"),
        };
        ApiResource {
            group: "apps".to_owned(),
            version: "v1".to_owned(),
            api_version: "apps/v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        }
    }

    /// What requests about it are counted as.
    pub(super) fn plural(&self) -> &'static str {
        match self.workload.kind {
            WorkloadKind::Deployment => "deployments",
            WorkloadKind::StatefulSet => "statefulsets",
        }
    }
}

/// `NAMESPACE/deployment-NAME`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.record())
    }
}
