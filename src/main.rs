//! `loco-edge`: an edge gateway with scale-to-zero built in.
//!
//! ```text
//!   loco-edge dev apps.toml      both halves in one process, apps are local programs
//!   loco-edge revive             the control plane of a Kubernetes cluster
//!   loco-edge gateway            the data plane alone, told by a revive elsewhere
//!   loco-edge check apps.toml    every mistake in a file at once
//!   loco-edge export apps.toml   its apps as Kubernetes YAML
//!   loco-edge admin apps         look at a running edge, and tell it what to do
//! ```

mod admin;
mod check;
mod cli;
mod dev;
mod export;
mod files;
mod gateway;
mod keys;
mod logging;
mod ports;
mod revive;
mod room;
mod stop;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Dev(args) => dev::run(&args),
        Command::Gateway(args) => gateway::run(&args),
        Command::Revive(args) => revive::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Admin(args) => admin::run(&args),
    }
}
