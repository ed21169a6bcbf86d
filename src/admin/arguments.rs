//! The command line of `loco-edge admin`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

/// Look at a running edge, and tell it what to do
///
/// Asks the edge's admin API. Which edge: --admin or LOCO_EDGE_ADMIN; else --state; else the one that
/// `loco-edge dev` runs in this directory; else 127.0.0.1:9901.
///
/// Where the edge knows tokens, say yours in LOCO_EDGE_ADMIN_TOKEN or with --token-file.
///
/// Exit status: 0 if it is done, 1 if not, 2 if the command line is wrong.
#[derive(Args, Debug)]
pub(crate) struct Admin {
    #[command(flatten)]
    pub edge: WhichEdge,
    /// What the API answers, unchanged, for programs
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

/// Which edge is asked, and who asks.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which edge, and who asks")]
pub(crate) struct WhichEdge {
    /// Where its admin API answers, such as 127.0.0.1:9901
    #[arg(long, value_name = "ADDRESS", env = "LOCO_EDGE_ADMIN", global = true)]
    pub admin: Option<String>,
    /// Its state directory, where it says its address
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,
    /// A file with nothing but your secret
    #[arg(long, value_name = "FILE", global = true)]
    pub token_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All apps, or all about one
    Apps {
        /// This one
        name: Option<String>,
    },
    /// Begin a wake, whatever a failure's backoff says
    Wake {
        /// The app
        name: String,
        /// Until it is up, or has failed
        #[arg(long)]
        wait: bool,
        /// With --wait, at most for so many seconds
        #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
        timeout: Duration,
    },
    /// Put an app to sleep, however short it has been idle; what is open stops it
    Sleep {
        /// The app
        name: String,
        /// End it, rather than pause it
        #[arg(long)]
        deep: bool,
    },
    /// Which brakes keep apps awake
    Brakes,
    /// Nothing falls asleep of itself any more, also after a restart
    Pause(Scope),
    /// The contrary, for the same scope
    Resume(Scope),
    /// Limits: look, and change them while traffic flows
    Limits {
        #[command(subcommand)]
        command: Option<Limits>,
    },
    /// On a cluster: whether a deploy would have room
    Capacity(Capacity),
    /// What admins have asked for, newest first
    Audit {
        /// So many entries
        #[arg(long, value_name = "N", default_value_t = 30)]
        limit: u32,
    },
}

/// What is to be deployed.
#[derive(Args, Debug)]
#[command(
    after_help = "Example: loco-edge admin capacity --cpu 500m --memory 256Mi --replicas 2 --namespace shop"
)]
pub(crate) struct Capacity {
    /// What each pod asks for, such as 250m; unless said, the namespace's default
    #[arg(long)]
    pub cpu: Option<String>,
    /// The same, such as 256Mi
    #[arg(long)]
    pub memory: Option<String>,
    /// How many pods
    #[arg(long, value_name = "N")]
    pub replicas: Option<u32>,
    /// How many times as much is to be free; 2 unless said
    #[arg(long, value_name = "N")]
    pub factor: Option<u32>,
    /// Whose quotas and defaults count
    #[arg(long)]
    pub namespace: Option<String>,
    /// The pods' nodeSelector; several with commas between them
    #[arg(long, value_name = "LABEL=VALUE")]
    pub selector: Option<String>,
    /// The pods' priorityClassName
    #[arg(long, value_name = "NAME")]
    pub priority_class: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Scope {
    /// Of this workspace only
    #[arg(long)]
    pub workspace: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Limits {
    /// All of them, which is also what `limits` alone shows
    List,
    /// All about one
    Show {
        /// Which
        name: String,
    },
    /// Set one, whatever the file says; it holds for the very next request
    Set(SetLimit),
    /// Limit nothing under this name any more; one of the file is switched off
    Delete {
        /// Which
        name: String,
    },
    /// What the file says of it holds again
    Restore {
        /// Which
        name: String,
    },
}

/// What is not said stays as it is.
#[derive(Args, Debug)]
#[command(
    after_help = "Example: loco-edge admin limits set deploys --key credential --rate 5/min --burst 2 --method POST"
)]
pub(crate) struct SetLimit {
    /// Which; a new one needs --key, and --rate or --concurrency
    pub name: String,
    /// How many in how long, such as 5/min or 10/30s; or none
    #[arg(long)]
    pub rate: Option<String>,
    /// How many at once after a pause
    #[arg(long, value_name = "N")]
    pub burst: Option<u32>,
    /// How many may be open at once; or none
    #[arg(long, value_name = "N", value_parser = count)]
    pub concurrency: Option<Count>,
    /// What is counted by: credential, client, tenant, workspace, app, header:NAME, claim:NAME
    #[arg(long)]
    pub key: Option<String>,
    /// Of this host only; several times for several; or any
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// At or below this path only; several times for several; or any
    #[arg(long = "path", value_name = "PATH")]
    pub paths: Vec<String>,
    /// Of this method only; several times for several; or any
    #[arg(long = "method", value_name = "METHOD")]
    pub methods: Vec<String>,
}

/// A number, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    None,
    Some(u32),
}

fn count(text: &str) -> Result<Count, String> {
    match text {
        "none" => Ok(Count::None),
        _ => text.parse().map(Count::Some).map_err(|_| "a whole number, or none".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: u32 = text.parse().map_err(|_| "a whole number of seconds".to_owned())?;
    Ok(Duration::from_secs(seconds.into()))
}
