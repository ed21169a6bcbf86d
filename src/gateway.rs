//! `loco-edge gateway`: the data plane alone, told what to do by a revive elsewhere.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use config::link::tls::{Current, Files};
use config::load::{self, Loaded, Mistakes};
use config::settings;
use gateway::Gateway;
use gateway::admin::{self, Readiness};
use gateway::attach::{self, Attachment};
use gateway::listen::{Entry, Listener};
use gateway::redirect::Keys;
use gateway::session::Revive;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::files::{self, fail};
use crate::stop::{Asked, Stop};
use crate::{cli, keys, logging, ports, room};

/// Runs until it is told to stop.
pub(crate) fn run(args: &cli::Gateway) -> ExitCode {
    let loaded = match loaded(args) {
        Ok(loaded) => loaded,
        Err(mistakes) => return fail(&files::shown(&mistakes)),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}\n")),
    };
    let _flushed_at_the_end = logging::start();
    match runtime.block_on(serve(args, loaded)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&format!("loco-edge: {why}\n")),
    }
}

fn loaded(args: &cli::Gateway) -> Result<Loaded, Mistakes> {
    match &args.config {
        Some(file) => load::load_platform(file, &files::variables()),
        None => load::parse_platform("(no file)", "", &files::variables()),
    }
}

/// A run from beginning to end.
async fn serve(args: &cli::Gateway, loaded: Loaded) -> Result<(), String> {
    let mut stop = Stop::listen()?;
    if !loaded.warnings.is_empty() {
        tracing::warn!("in the settings:\n{}", loaded.warnings.render(load::Colours::Plain));
    }
    // All that can be wrong is said before anything is started.
    let listeners = listeners(&args.listen)?;
    let admin = TcpListener::bind(args.admin).await;
    let admin = admin.map_err(|error| ports::taken("--admin", args.admin, &error))?;
    let admin_address = admin.local_addr().map_err(|error| error.to_string())?;
    tracing::info!(address = %admin_address, "health and figures");
    let attachment = attachment(args)?;
    let max_connections = room::connections(&loaded);
    let settings = settings::Gateway { max_connections, ..loaded.settings.gateway };

    let figures = attachment.figures.clone();
    let (links_tx, links) = mpsc::channel(1);
    let started =
        Gateway::start(&settings, &listeners, (Revive::Beyond(links), figures.clone()), link_keys(args)?);
    let (gateway, is_ready) = started.map_err(|error| error.to_string())?;
    // The threads have them now: one that nobody accepts from must not be kept open.
    drop(listeners);
    let (mut registry, ready) = (Registry::default(), Readiness::default());
    gateway.register(&mut registry);
    figures.register(&mut registry);
    let attaching = tokio::spawn(attach::run(attachment, links_tx));
    let telling = tokio::spawn(admin::serve(admin, Arc::new(registry), ready.clone()));
    let is_told = ready.clone();
    let becoming_ready = tokio::spawn(async move {
        if is_ready.await.is_ok() {
            is_told.set(true);
            tracing::info!("ready");
        }
    });

    while stop.next().await == Asked::Reload {
        tracing::info!("there is nothing to be read again: revive tells what changes");
    }
    tracing::info!("stopping; once more Ctrl-C stops without waiting for open requests");
    becoming_ready.abort();
    ready.set(false);
    gateway.shut_down(settings.drain_timeout, stop.asked()).await;
    attaching.abort();
    telling.abort();
    Ok(())
}

/// All listeners, each with its port by the Gateway.
fn listeners(listen: &[(u16, SocketAddr)]) -> Result<Vec<Listener>, String> {
    let bind = |(port, address): &(u16, SocketAddr)| {
        let bound = Listener::bind(*address, Entry::Hosts { port: Some(*port) }).and_then(|listener| {
            let address = listener.address()?;
            Ok((listener, address))
        });
        let (listener, real) = bound.map_err(|error| ports::taken("--listen", *address, &error))?;
        tracing::info!(port, address = %real, "listening");
        Ok(listener)
    };
    listen.iter().map(bind).collect()
}

fn attachment(args: &cli::Gateway) -> Result<Attachment, String> {
    let files = Files {
        certificate: args.tls_cert.clone(),
        key: args.tls_key.clone(),
        authority: args.tls_ca.clone(),
    };
    Ok(Attachment {
        name: args.name.clone().unwrap_or_else(machine),
        addresses: args.revive.clone(),
        tls: Current::client(files).map_err(|error| error.to_string())?,
        state: args.state.clone(),
        patience: args.saved_after,
        figures: attach::Figures::default(),
    })
}

/// The machine's name; a pod's is the pod's.
fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The keys that links of pages are signed with. Without a place for them they are of this run only.
fn link_keys(args: &cli::Gateway) -> Result<Keys, String> {
    match (&args.link_keys, &args.state) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            Keys::parse(&text).map_err(|error| format!("cannot use {}: {error}", file.display()))
        }
        (None, Some(state)) => {
            std::fs::create_dir_all(state)
                .map_err(|error| format!("cannot make {}: {error}", state.display()))?;
            keys::open(state)
        }
        (None, None) => Keys::random().map_err(|error| error.to_string()),
    }
}
