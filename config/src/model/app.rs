//! An app: where its requests come in, what runs it, when it sleeps and how it wakes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{AppId, AppName, HostPattern, Tenant};

/// One tenant app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its identity.
    pub id: AppId,
    /// Its name, unique in the file.
    pub name: AppName,
    /// Whose it is.
    pub tenant: Tenant,
    /// Where visitors reach it: hosts × paths, at least one. Which requests it gets is the rules' word ([`super::Rule`]).
    pub routes: Vec<RouteMatch>,
    /// What runs it.
    pub source: Source,
    /// What its endpoints speak.
    pub protocol: Protocol,
    /// When it is up.
    pub health: Health,
    /// When it sleeps.
    pub sleep: SleepPolicy,
    /// What a request meets while it sleeps.
    pub wake: WakePolicy,
    /// How long the app may take to begin its response, once it has the request; of a body, how long it may take nothing.
    pub response_timeout: Duration,
}

impl App {
    /// What every metric about the app says of it: whose it is, and where it runs.
    pub fn labels(&self) -> Vec<(&'static str, String)> {
        vec![
            ("org", self.tenant.org.to_string()),
            ("workspace", self.tenant.workspace.to_string()),
            ("app_id", self.id.to_string()),
            ("app", self.name.to_string()),
            ("region", self.tenant.region.to_string()),
            ("environment", self.tenant.environment.to_string()),
        ]
    }
}

/// A host pattern and a path prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// The hosts.
    pub host: HostPattern,
    /// The paths below.
    pub path: PathPrefix,
}

/// A path prefix that matches whole segments: `/a` matches `/a` and `/a/b`, not `/ab` (Gateway API, `PathPrefix`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathPrefix(Box<str>);

/// Why a text is no [`PathPrefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a path prefix begins with '/', has no '//', '/.' or '/..' segment, also not percent-encoded, and no '?', '#', space or control character"
)]
pub struct PathPrefixError;

impl PathPrefix {
    /// Parses a prefix; a trailing slash means nothing and is taken off.
    ///
    /// # Errors
    /// Where the text could never match a normal path.
    pub fn parse(text: &str) -> Result<Self, PathPrefixError> {
        let inner = text.strip_prefix('/').ok_or(PathPrefixError)?;
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        // A percent-encoded dot is a dot (RFC 3986, section 6.2.2.2), and no path that is passed on has such a segment.
        let plain = |s: &str| s.replace("%2e", ".").replace("%2E", ".");
        let segment = |s: &str| !s.is_empty() && !matches!(&*plain(s), "." | "..");
        let character = |b: u8| b.is_ascii_graphic() && b != b'?' && b != b'#';
        let right = inner.is_empty() || (inner.split('/').all(segment) && inner.bytes().all(character));
        if right { Ok(Self(format!("/{inner}").into())) } else { Err(PathPrefixError) }
    }

    /// Whether `path`, the path of a request without its query, lies below.
    pub fn matches(&self, path: &str) -> bool {
        if self.0.len() == 1 {
            return true;
        }
        path.strip_prefix(&*self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The prefix, without trailing slash except for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What runs an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The edge starts and stops it.
    Process(ProcessSpec),
    /// Somebody else runs it at these addresses; it never sleeps.
    Upstreams(Vec<Endpoint>),
    /// A Service of a Kubernetes cluster. Its endpoints come and go; they are told as the app's state.
    Service(Service),
}

/// A Service of a Kubernetes cluster (core/v1), by one of its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Its cluster IP and port: what a gateway dials that nobody keeps up to date. A headless Service has none.
    pub cluster: Option<SocketAddr>,
    /// What the Service selects, if that is one workload and nothing else; else its endpoints are somebody else's
    /// matter, and the app never sleeps.
    pub workload: Option<Workload>,
}

/// What runs an app on Kubernetes (apps/v1), in the namespace of its Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Workload {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: Box<str>,
}

/// A kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
}

impl WorkloadKind {
    /// The kind as Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
        }
    }
}

/// Where an app listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: SocketAddr,
    /// Its part of the requests, against the others' (Gateway API, `HTTPBackendRef.weight`); 0 gets none.
    pub weight: u32,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { address, weight: 1 }
    }
}

/// What an app's endpoints speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Found out once per instance, and remembered.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 in the clear, with prior knowledge (RFC 9113, section 3.3).
    H2c,
}

/// A local program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSpec {
    /// Program and arguments, at least the program; `$PORT` and `${PORT}` stand for the port it must listen on.
    pub command: Vec<String>,
    /// Working directory, absolute.
    pub dir: PathBuf,
    /// Variables it gets beside those of the edge's own environment; the edge's `PORT` and `LOCO_…` win over them.
    pub env: BTreeMap<String, String>,
}

/// When an app counts as up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What is asked.
    pub check: Check,
    /// How long one such question may take.
    pub timeout: Duration,
    /// How long a start may take until the app is up; then it has failed.
    pub grace: Duration,
}

/// A readiness check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// A TCP connection is accepted.
    Tcp,
    /// `GET` of this path (with query, if any) is answered with a status from 200 to 399.
    Http {
        /// Begins with `/`.
        path: String,
    },
    /// `grpc.health.v1.Health/Check` of this service is answered with `SERVING`.
    Grpc {
        /// Empty for the server as a whole.
        service: String,
    },
}

impl Default for Health {
    /// A TCP connection, within a second, a minute for the whole start.
    fn default() -> Self {
        Self { check: Check::Tcp, timeout: Duration::from_secs(1), grace: Duration::from_secs(60) }
    }
}

/// Why a text is no path of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a path that begins with '/', without spaces, such as \"/healthz\"")]
pub struct CheckPathError;

/// Why a text is no service of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a service's full name, such as \"shop.v1.Cart\", or \"\" for the server as a whole")]
pub struct CheckServiceError;

impl Check {
    /// A `GET` of this path.
    ///
    /// # Errors
    /// Where it could not stand in a request's head as it is.
    pub fn http(path: &str) -> Result<Self, CheckPathError> {
        let right = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        right.then(|| Self::Http { path: path.to_owned() }).ok_or(CheckPathError)
    }

    /// A question about this service.
    ///
    /// # Errors
    /// Where no service of gRPC is called so.
    pub fn grpc(service: &str) -> Result<Self, CheckServiceError> {
        let right = service.len() <= 256 && service.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
        right.then(|| Self::Grpc { service: service.to_owned() }).ok_or(CheckServiceError)
    }
}

/// A span of time, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Not at all.
    Never,
    /// When this much time has passed.
    Elapsed(Duration),
}

/// When an app sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SleepPolicy {
    /// Idle for this long: light sleep (a process is paused; a Deployment has no replicas).
    pub idle_after: After,
    /// Idle for this long: deep sleep (the process, the Deployment, is gone).
    pub remove_after: After,
}

/// What a request meets while its app sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakePolicy {
    /// Held, or shown a page.
    pub mode: WakeMode,
    /// With `auto`, how long a browser's navigation is held before it gets the waiting page.
    pub page_after: Duration,
    /// How long any request is held before it gets 504.
    pub hold_timeout: Duration,
    /// How many requests are held at once; the next gets 503.
    pub max_held: u32,
    /// What those get who only look whether the app is there.
    pub passersby: Passersby,
}

impl Default for WakePolicy {
    fn default() -> Self {
        Self {
            mode: WakeMode::Auto,
            page_after: Duration::from_secs(2),
            hold_timeout: Duration::from_secs(30),
            max_held: 10_000,
            passersby: Passersby::default(),
        }
    }
}

/// How visitors are treated that never keep an app awake, by their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passersby {
    /// Requests for the app's health check.
    pub health_checks: Treatment,
    /// Monitors.
    pub monitors: Treatment,
    /// Search engines and other robots.
    pub crawlers: Treatment,
    /// How often those of `Treatment::Budget` may wake the app: all kinds together, once in so long.
    pub budget: Duration,
}

impl Default for Passersby {
    fn default() -> Self {
        Self {
            health_checks: Treatment::Budget,
            monitors: Treatment::Budget,
            crawlers: Treatment::Budget,
            budget: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// What a passerby gets of an app that sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It wakes the app, and waits.
    Wake,
    /// The same as long as there is budget, then 503.
    Budget,
    /// 200, and the app sleeps on.
    Answer200,
    /// 503, and the app sleeps on.
    Answer503,
}

/// How requests to a sleeping app are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeMode {
    /// Browsers' navigations are held for `page_after`, then get the page; all else is held.
    Auto,
    /// All is held.
    Hold,
    /// Browsers' navigations get the page at once; all else is held.
    Page,
    /// GET and HEAD are sent to the page that revives apps, and from there back; all else is held.
    Redirect,
}
