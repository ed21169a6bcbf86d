//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::admin::Admin;

/// An edge gateway with scale-to-zero: apps sleep when nobody asks for them, and wake when somebody does.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Start with: loco-edge dev examples/apps.toml, then: loco-edge admin apps"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dev(Dev),
    Gateway(Gateway),
    Revive(Revive),
    Check(Check),
    Export(Export),
    Admin(Admin),
}

/// Run the apps of a file on this machine
///
/// Each is started when it is first asked for, paused when it has been idle,
/// and resumed by the next request. `http://NAME.localhost:8080` in a browser asks for the app NAME.
///
/// Any setting of the file's [gateway] and [revive] tables can be given as a variable too, for example
/// LOCO_EDGE__GATEWAY__HEADER_TIMEOUT=5s. LOCO_EDGE_LOG=debug shows more of what goes on.
#[derive(Args, Debug)]
pub(crate) struct Dev {
    /// The file of apps
    #[arg(default_value = "apps.toml")]
    pub file: PathBuf,
    /// Where requests come in; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where the admin API answers; on loopback, unless the file has an [[admin.token]]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901")]
    pub admin: SocketAddr,
    /// What must outlive a run; by default .loco-edge/NAME beside the file NAME.toml
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Answer requests, as a revive elsewhere says
///
/// It attaches to revive over mutual TLS, again whenever that is gone, and serves on meanwhile. Sizes and clocks are those
/// of the table [gateway] of --config, and variables such as LOCO_EDGE__GATEWAY__HEADER_TIMEOUT=5s.
#[derive(Args, Debug)]
pub(crate) struct Gateway {
    /// Where requests come in: the port of a Gateway's listener, and the address that serves it; repeat it for more
    #[arg(long, value_name = "PORT=ADDRESS", default_value = "80=0.0.0.0:8080", value_parser = listener)]
    pub listen: Vec<(u16, SocketAddr)>,
    /// Where revive takes gateways; a name may have several addresses; repeat it for more
    #[arg(long, value_name = "HOST:PORT", required = true)]
    pub revive: Vec<String>,
    /// This gateway's certificate, with the DNS name gateway.edge.loco.io (PEM); the three files are read again when they
    /// change
    #[arg(long, value_name = "FILE")]
    pub tls_cert: PathBuf,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_key: PathBuf,
    /// Whom revive's certificate, with the DNS name revive.edge.loco.io, must be from (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_ca: PathBuf,
    /// Where the last good table is kept, from which the next start serves if revive is away
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// How long revive is looked for at the start, before the saved table is used
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    pub saved_after: Duration,
    /// Where /healthz, /readyz and /metrics answer
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901")]
    pub admin: SocketAddr,
    /// A file with sizes and clocks
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The keys that links of pages are signed with, the same for all gateways; else those of --state, made if need be
    #[arg(long, value_name = "FILE")]
    pub link_keys: Option<PathBuf>,
    /// What this gateway is called in revive's logs; by default the machine's name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// Put the apps of a Kubernetes cluster to sleep, and wake them
///
/// Reads the cluster's Gateways, routes, Services and policies, tells gateways where requests go, and, as the one replica
/// that holds the Lease, puts idle apps to sleep and wakes them when a gateway asks. The cluster is that of the pod's
/// service account, or of KUBECONFIG. Its settings are the tables kubernetes, revive and defaults of --config.
#[derive(Args, Debug)]
pub(crate) struct Revive {
    /// Where gateways attach
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9902")]
    pub link: SocketAddr,
    /// Where the other replicas tell gateways to find this one, HOST:PORT; by default POD_IP, or --link's address
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,
    /// Revive's certificate, with the DNS name revive.edge.loco.io (PEM); the three files are read again when they change
    #[arg(long, value_name = "FILE")]
    pub tls_cert: PathBuf,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_key: PathBuf,
    /// Whom gateways' certificates, with the DNS name gateway.edge.loco.io, must be from (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_ca: PathBuf,
    /// Where the admin API answers; on loopback, unless the file has an [[admin.token]]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901")]
    pub admin: SocketAddr,
    /// A file with settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The namespace of the Lease, and of what admins have said
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "loco-edge")]
    pub namespace: String,
    /// What this replica is called; by default the pod's name
    #[arg(long, value_name = "NAME", env = "POD_NAME", default_value = "revive")]
    pub name: String,
    /// The uid of its pod: who begins anew in the same pod need not wait for the end of the Lease
    #[arg(long, value_name = "UID", env = "POD_UID")]
    pub uid: Option<String>,
}

/// `80=0.0.0.0:8080`.
fn listener(text: &str) -> Result<(u16, SocketAddr), String> {
    let parse = || {
        let (port, address) = text.split_once('=')?;
        Some((port.parse().ok().filter(|port| *port > 0)?, address.parse().ok()?))
    };
    parse()
        .ok_or_else(|| "the port of a Gateway's listener and an address, such as 80=0.0.0.0:8080".to_owned())
}

/// Look for mistakes, all at once, in files of apps or in Kubernetes YAML
///
/// Each is shown with its line and what would be right.
///
/// Of Kubernetes objects it also tells what the edge would make of them: which apps, where they are reached, when
/// they sleep and how they wake; listeners, routes in their order, limits, and what is left alone. All files are
/// taken together. What they name and do not have is a warning, because the cluster may have it.
///
/// Exit status: 0 if all can be used (there may be warnings), 1 if not.
#[derive(Args, Debug)]
#[command(after_help = "For example: helm template ./my-app | loco-edge check -")]
pub(crate) struct Check {
    /// Files of apps (.toml), of Kubernetes objects (.yaml, .yml, .json), directories of these, or - for what comes by a pipe
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// As JSON, for editors and scripts
    #[arg(long)]
    pub json: bool,
    /// Of Kubernetes objects: where those are that do not say it
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// Of Kubernetes objects: the platform's file, as of `loco-edge revive --config`; without it, the defaults
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Print the Kubernetes YAML of a file of apps
///
/// An app with `command` becomes a Deployment, a Service, an HTTPRoute and a SleepPolicy; one with `upstreams`
/// a Service with its EndpointSlices, and an HTTPRoute. Limits become a LimitPolicy beside the Gateway.
/// What Kubernetes has no word for is said on stderr, with what to do about it.
///
/// Exit status: 0 if there is YAML (there may be warnings), 1 if not.
#[derive(Args, Debug)]
#[command(
    after_help = "For example: loco-edge export --namespace shop --image hello=example.com/hello:1 | kubectl apply -f -"
)]
pub(crate) struct Export {
    /// The file of apps
    #[arg(default_value = "apps.toml")]
    pub file: PathBuf,
    /// Where the objects are to be; without it, wherever they are applied
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The Gateway that lets requests in; without a namespace it is where the objects are
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "loco-edge/edge")]
    pub gateway: GatewayRef,
    /// The image of an app; once for each
    #[arg(long, value_name = "APP=IMAGE")]
    pub image: Vec<AppImage>,
}

/// A Gateway by its name.
#[derive(Clone, Debug)]
pub(crate) struct GatewayRef {
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl std::str::FromStr for GatewayRef {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
            None => (None, text.to_owned()),
        };
        let right = is_name(&name) && namespace.as_deref().is_none_or(is_name);
        if right { Ok(Self { namespace, name }) } else { Err("NAMESPACE/NAME, or NAME") }
    }
}

/// A name of Kubernetes (RFC 1123, section 2.1).
fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 253 && text.bytes().all(inner) && text.starts_with(end) && text.ends_with(end)
}

/// An app's image.
#[derive(Clone, Debug)]
pub(crate) struct AppImage {
    /// The app's name.
    pub app: String,
    /// The image.
    pub image: String,
}

impl std::str::FromStr for AppImage {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((app, image)) if !app.is_empty() && !image.is_empty() => {
                Ok(Self { app: app.to_owned(), image: image.to_owned() })
            }
            Some(_) | None => {
                Err("an app's name, '=' and its image, such as hello=registry.example.com/hello:1")
            }
        }
    }
}
