//! Sizes and clocks. The defaults are the product's promises towards hostile clients.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::model::Rate;

/// Settings of both halves.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Settings {
    /// Of the data plane: table `[gateway]` of the file.
    pub gateway: Gateway,
    /// Of the control plane: table `[revive]` of the file.
    pub revive: Revive,
    /// Of a cluster: table `[kubernetes]` of the file.
    pub kubernetes: Kubernetes,
}

/// What clients may send, and how long they may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gateway {
    /// Threads that serve; 0 means one for each core.
    pub threads: usize,
    /// Bytes of a request line; more gets 414.
    pub max_request_line: usize,
    /// Bytes of a request's head; more gets 431.
    pub max_head: usize,
    /// Header lines, and trailer lines, of a request; more gets 431.
    pub max_header_lines: usize,
    /// Bytes of a request's body; more gets 413.
    pub max_body: u64,
    /// From a request's first byte to the end of its head; then 408.
    pub header_timeout: Duration,
    /// A kept-alive connection without a request is closed after this.
    pub idle_timeout: Duration,
    /// A body must come at this many bytes a second, once it has been read for `body_rate_after`; else 408.
    pub min_body_rate: u64,
    /// See `min_body_rate`.
    pub body_rate_after: Duration,
    /// A client that takes nothing of its response for this long is cut off.
    pub write_timeout: Duration,
    /// Requests on one connection; the last is answered with `Connection: close`, or a GOAWAY.
    pub max_requests_per_connection: u32,
    /// Requests at once on one connection of HTTP/2.
    pub max_streams: u32,
    /// Bytes of one request's body that HTTP/2 may send before they are read; the connection's window is this for each
    /// of `max_streams`.
    pub stream_window: u32,
    /// Requests that one connection of HTTP/2 may take back in 30 s, or make us end for a fault of its own in all.
    pub max_stream_resets: u32,
    /// Bytes that clients of HTTP/2 may have sent for requests that are held, in all; one more with a body gets 503.
    pub max_held_bytes: u64,
    /// Client connections in all, and never more than (descriptors − 512) / 2.
    pub max_connections: usize,
    /// Requests in flight to one app; the next gets 503.
    pub max_open_per_app: u32,
    /// How long a connection to an endpoint may take.
    pub connect_timeout: Duration,
    /// One of several endpoints is left out after so many faults in a row.
    pub max_faults: u32,
    /// For how long it is left out.
    pub eject_time: Duration,
    /// How long one of several endpoints that comes, or comes back, gets less than its part.
    pub slow_start: Duration,
    /// Per cent of an app's requests that may be tried once more.
    pub retry_budget: u32,
    /// An idle connection to an endpoint is closed after this.
    pub upstream_idle_timeout: Duration,
    /// How long open requests may finish after SIGTERM.
    pub drain_timeout: Duration,
    /// Keys of each limit that have a count of their own.
    pub max_limit_keys: usize,
    /// Sleeping apps of one tenant that one client address may wake; `None`: as many as it likes.
    pub max_wakes_per_client: Option<Rate>,
    /// By which tokens are verified whose claims limits count by: none to two.
    #[serde(skip)]
    pub claim_secrets: Vec<Secret>,
    /// Where `wake = "redirect"` sends browsers.
    pub revive_url: ReviveUrl,
}

/// A secret; it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

/// Why a text is no [`Secret`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret has at least {} bytes (RFC 7518, section 3.2)", Secret::LEAST)]
pub struct SecretError;

impl Secret {
    /// Bytes of the shortest.
    pub const LEAST: usize = 32;

    /// Parses a secret.
    ///
    /// # Errors
    /// Where it is too short to be one.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        if text.len() >= Self::LEAST { Ok(Self(text.into())) } else { Err(SecretError) }
    }

    /// The secret.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Whose page revives apps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ReviveUrl {
    /// The edge's own, at this host (lower case, no port: that to which the request came), which is then no app's.
    Own(Box<str>),
    /// The platform's, below this URL, which does not end with a slash.
    Elsewhere(Box<str>),
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            threads: 0,
            max_request_line: 8 << 10,
            max_head: 32 << 10,
            max_header_lines: 100,
            max_body: 100 << 20,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            min_body_rate: 1 << 10,
            body_rate_after: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            max_requests_per_connection: 1_000,
            max_streams: 100,
            stream_window: 64 << 10,
            max_stream_resets: 200,
            max_held_bytes: 256 << 20,
            max_connections: 20_000,
            max_open_per_app: 1_024,
            connect_timeout: Duration::from_secs(1),
            max_faults: 5,
            eject_time: Duration::from_secs(30),
            slow_start: Duration::from_secs(10),
            retry_budget: 20,
            upstream_idle_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            max_limit_keys: 100_000,
            max_wakes_per_client: None,
            claim_secrets: Vec::new(),
            revive_url: ReviveUrl::below("localhost"),
        }
    }
}

impl ReviveUrl {
    /// The edge's own, of a platform whose apps are below this domain.
    pub fn below(domain: &str) -> Self {
        Self::Own(format!("revive.{domain}").into())
    }
}

impl Gateway {
    /// How many threads serve: `threads`, or one for each core.
    pub fn serving_threads(&self) -> usize {
        if self.threads == 0 { cores() } else { self.threads }
    }
}

/// How apps are put to sleep and woken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revive {
    /// Wakes from deep sleep under way at once; 0 means twice the cores. Resuming a paused app is free.
    pub max_concurrent_wakes: usize,
    /// How long an app may take to end after SIGTERM; then SIGKILL.
    pub stop_timeout: Duration,
    /// How long the first failure of an app is remembered; each further one in a row doubles it.
    pub backoff_first: Duration,
    /// Where that doubling ends.
    pub backoff_max: Duration,
}

impl Default for Revive {
    fn default() -> Self {
        Self {
            max_concurrent_wakes: 0,
            stop_timeout: Duration::from_secs(5),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
        }
    }
}

impl Revive {
    /// How many starts may be under way: `max_concurrent_wakes`, or twice the cores.
    pub fn wake_slots(&self) -> usize {
        if self.max_concurrent_wakes == 0 { 2 * cores() } else { self.max_concurrent_wakes }
    }
}

/// How a cluster is understood. Names are Kubernetes' own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kubernetes {
    /// The GatewayClasses with this `controllerName` are ours.
    pub controller: String,
    /// The ports of listeners that gateways serve: a Gateway's listener with another one is not programmed.
    pub ports: Vec<u16>,
    /// Where gateways are reached, addresses or host names: told in the status of Gateways.
    pub addresses: Vec<String>,
    /// Where no `addresses` are said: the Service of gateways, `NAMESPACE/NAME`, whose own addresses are told; or empty.
    pub service: String,
    /// The names of tenants' namespaces, with `{org}`, `{workspace}` and `{app}` for what they say; labels win over it.
    pub tenant_pattern: String,
    /// The label of a namespace with its organisation.
    pub org_label: String,
    /// The label with its workspace.
    pub workspace_label: String,
    /// Asked by POST to renew an image-pull secret whose `tokenExpiry` has passed; empty: nobody is.
    pub pull_secret_hook: String,
    /// Told by POST of each failure of an app; empty: nobody is.
    pub failure_webhook: String,
    /// Whether nodes are added when pods wait for room: then only quotas keep an app from being woken.
    pub trust_autoscaler: bool,
    /// Whether loco's Applications are apps.
    pub loco: bool,
    /// How loco's controller is told that an app sleeps.
    pub loco_sleep: LocoSleep,
}

/// How loco's controller is told that an app sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LocoSleep {
    /// By `replicas.min` of its Application, which any controller copies to the Deployment: light sleep only.
    #[default]
    Replicas,
    /// By an annotation, with which a controller that knows of it leaves the Deployment alone, or out.
    Agreement,
}

impl Default for Kubernetes {
    fn default() -> Self {
        Self {
            controller: "edge.loco.io/gateway-controller".to_owned(),
            ports: vec![80],
            addresses: Vec::new(),
            service: String::new(),
            tenant_pattern: "wks-{workspace}-res-{app}".to_owned(),
            org_label: "loco.dev/org-id".to_owned(),
            workspace_label: "loco.dev/workspace-id".to_owned(),
            pull_secret_hook: String::new(),
            failure_webhook: String::new(),
            trust_autoscaler: false,
            loco: false,
            loco_sleep: LocoSleep::default(),
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
