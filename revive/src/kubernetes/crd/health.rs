//! When an app is up, as a SleepPolicy says it.

use std::time::Duration;

use config::load::span;
use config::model::{Check, Health};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::SPAN;
use super::mistake::Mistakes;

/// No question to an app takes less.
const MOMENT: Duration = Duration::from_millis(1);

/// When an app is up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.http) ? 1 : 0) + (has(self.grpc) ? 1 : 0) + (has(self.tcp) ? 1 : 0) <= 1")
        .message("a health check is one of http, grpc and tcp: keep one")
)]
pub struct HealthSpec {
    /// It answers `GET` of this path with a status from 200 to 399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/[!-\"$-~]*$"))]
    pub http: Option<String>,
    /// Its gRPC health service says `SERVING` for this service; "" is the server as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = "^[!-.0-~]*$"))]
    pub grpc: Option<String>,
    /// It accepts a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("true, or leave it out"))]
    pub tcp: Option<bool>,
    /// How long one question may take, such as `1s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = SPAN))]
    pub timeout: Option<String>,
    /// How long a start may take in all, such as `60s`; after it the wake has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = SPAN))]
    pub grace: Option<String>,
}

/// What policies say of an app's health; what they do not, its own readiness probe does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthSaid {
    /// What is asked.
    pub check: Option<Check>,
    /// How long one question may take.
    pub timeout: Option<Duration>,
    /// How long a start may take.
    pub grace: Option<Duration>,
}

impl HealthSpec {
    pub(super) fn parsed(&self, mistakes: &mut Mistakes) -> HealthSaid {
        let http = mistakes.read("health.http", self.http.as_deref(), Check::http);
        let grpc = mistakes.read("health.grpc", self.grpc.as_deref(), Check::grpc);
        let tcp = self.tcp.filter(|tcp| *tcp).map(|_| Check::Tcp);
        let moment = |text: &str| span(text, MOMENT);
        HealthSaid {
            check: http.or(grpc).or(tcp),
            timeout: mistakes.read("health.timeout", self.timeout.as_deref(), moment),
            grace: mistakes.read("health.grace", self.grace.as_deref(), moment),
        }
    }
}

impl HealthSaid {
    pub(super) fn or(self, farther: &Self) -> Self {
        Self {
            check: self.check.or_else(|| farther.check.clone()),
            timeout: self.timeout.or(farther.timeout),
            grace: self.grace.or(farther.grace),
        }
    }

    /// With `fallback` for what is not said: what the app's own readiness probe asks, or [`Health::default`].
    pub fn over(self, fallback: Health) -> Health {
        Health {
            check: self.check.unwrap_or(fallback.check),
            timeout: self.timeout.unwrap_or(fallback.timeout),
            grace: self.grace.unwrap_or(fallback.grace),
        }
    }
}
