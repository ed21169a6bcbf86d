//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

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
    Check(Check),
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

/// Look for mistakes in a file of apps, all at once
///
/// Each is shown with its line and what would be right.
///
/// Exit status: 0 if the file can be used (there may be warnings), 1 if not.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The file of apps
    pub file: PathBuf,
    /// As JSON, for editors and scripts
    #[arg(long)]
    pub json: bool,
}
