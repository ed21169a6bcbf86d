//! The two halves, put together and taken apart.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use config::link;
use config::load::Loaded;
use config::settings;
use gateway::Gateway;
use gateway::attach;
use gateway::session::Revive;
use prometheus_client::registry::Registry;
use revive::admin::{self, Admin, Configuration, Counts, Readiness, Tokens};
use revive::brakes::{RemovalGuard, RemovalLimits};
use revive::driver::{Driver, Handle, Parts};
use revive::metrics::Metrics;
use revive::platform::process::{Options, ProcessPlatform};
use revive::publish::Attachment;
use revive::store::{Keep, Writer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::announce::announce;
use super::kept::{Kept, remove_addresses};
use super::neighbours::Neighbours;
use super::reload::{self, Figures, Reloader};
use crate::cli;
use crate::files::Addresses;
use crate::ports::{self, Ports};
use crate::room;

/// How long the last writes may take.
const FLUSH: Duration = Duration::from_secs(5);
/// On one machine with few apps, a handful of removals is no accident.
const REMOVALS: usize = 1_000;

/// All sockets of a run, bound before anything is started: what is taken is said at once.
pub(super) struct Sockets {
    ports: Ports,
    admin: TcpListener,
    admin_address: SocketAddr,
}

impl Sockets {
    pub(super) async fn bind(args: &cli::Dev, loaded: &Loaded, kept: &Kept) -> Result<Self, String> {
        let ports = Ports::bind(args.listen, &loaded.apps, &kept.apps.apps)?;
        ports::guarded(args.admin, loaded)?;
        let admin = TcpListener::bind(args.admin).await;
        let admin = admin.map_err(|error| ports::taken("--admin", args.admin, &error))?;
        let admin_address = admin.local_addr().map_err(|error| error.to_string())?;
        Ok(Self { ports, admin, admin_address })
    }
}

/// A running edge.
pub(super) struct Edge {
    state: PathBuf,
    gateway: Gateway,
    driving: JoinHandle<()>,
    handle: Handle,
    platform: ProcessPlatform,
    serving: JoinHandle<()>,
    ready: Readiness,
    writer: Writer,
    admin_address: SocketAddr,
    reloader: Reloader,
}

impl Edge {
    /// Starts both halves and says so when requests are served.
    pub(super) async fn start(
        file: &Path,
        loaded: Loaded,
        kept: Kept,
        sockets: Sockets,
    ) -> Result<Self, String> {
        let Sockets { mut ports, admin, admin_address } = sockets;
        let (state, writer, keys) = (kept.dir.clone(), kept.writer.clone(), kept.keys.clone());
        let mut registry = Registry::default();
        let neighbours = Neighbours::of(&loaded, &ports.apps);
        let figures = Figures::register(&mut registry);
        let (driver, handle, platform) = revive(&loaded, kept, &ports, &neighbours, &mut registry)?;
        let driving = tokio::spawn(driver.run());
        let (gateway_end, revive_end) = link::channel();
        let max_connections = room::connections(&loaded);
        let settings = settings::Gateway { max_connections, ..loaded.settings.gateway.clone() };
        let started = Gateway::start(
            &settings,
            &ports.listeners,
            (Revive::Within(gateway_end), attach::Figures::default()),
            keys,
        );
        let (gateway, is_ready) = started.map_err(|error| error.to_string())?;
        // The threads have them now: one that nobody accepts from must not be kept open.
        ports.listeners.clear();
        gateway.register(&mut registry);
        handle.attach(revive_end, Attachment::InProcess).await.map_err(|error| error.to_string())?;
        let configuration = Configuration::of(file.display().to_string(), &loaded.warnings);
        let tokens = Tokens::new(loaded.tokens.clone());
        let known = (tokens.clone(), configuration.clone());
        let api = api(handle.clone(), writer.clone(), registry, known);
        let ready = api.ready.clone();
        let serving = tokio::spawn(admin::serve(admin, api));
        is_ready.await.map_err(|_| "the gateway ended before it was ready".to_owned())?;
        let addresses = written(&state, admin_address, &ports, &loaded)?;
        ready.set(true);
        announce(&loaded, &addresses);
        let reloader = Reloader {
            file: file.to_owned(),
            loaded,
            ports,
            neighbours,
            handle: handle.clone(),
            configuration,
            figures,
            tokens,
            admin: admin_address,
        };
        Ok(Self {
            state,
            gateway,
            driving,
            handle,
            platform,
            serving,
            ready,
            writer,
            admin_address,
            reloader,
        })
    }

    /// Reads the file again.
    pub(super) async fn reload(&mut self) {
        self.reloader.reload(&self.gateway).await;
        let Reloader { ports, loaded, .. } = &self.reloader;
        if let Err(error) = written(&self.state, self.admin_address, ports, loaded) {
            tracing::warn!("{error}");
        }
    }

    /// Lets open requests finish, at most for the drain timeout or until `hurry`; then ends everything it has started.
    pub(super) async fn stop(self, hurry: impl Future<Output = ()>) -> Result<(), String> {
        self.ready.set(false);
        let drain_timeout = self.reloader.loaded.settings.gateway.drain_timeout;
        self.gateway.shut_down(drain_timeout, hurry).await;
        self.serving.abort();
        // First the driver: what it would make of its apps' ends is of no interest.
        self.handle.stop().await;
        if self.driving.await.is_err() {
            tracing::error!("the driver had panicked");
        }
        self.platform.shutdown().await;
        if let Err(error) = self.writer.flush(FLUSH).await {
            tracing::error!(%error, "not everything could be written down");
        }
        remove_addresses(&self.state)
    }
}

/// Writes down where everything is.
fn written(state: &Path, admin: SocketAddr, ports: &Ports, loaded: &Loaded) -> Result<Addresses, String> {
    let addresses = Addresses { listen: ports.listen, admin, apps: ports.addresses(&loaded.apps) };
    addresses.write(state).map_err(|error| format!("cannot write {}: {error}", state.display()))?;
    Ok(addresses)
}

/// The admin API, ready to serve; `known` is what a new file replaces.
fn api(handle: Handle, writer: Writer, mut registry: Registry, known: (Tokens, Configuration)) -> Admin {
    let counts = Counts::register(&mut registry);
    let (tokens, configuration) = known;
    Admin::new(handle, Arc::new(writer), (Arc::new(registry), counts), tokens, configuration)
}

/// The control plane, ready to run.
fn revive(
    loaded: &Loaded,
    kept: Kept,
    ports: &Ports,
    neighbours: &Neighbours,
    registry: &mut Registry,
) -> Result<(Driver, Handle, ProcessPlatform), String> {
    let (reports_tx, reports) = mpsc::unbounded_channel();
    let stop_timeout = loaded.settings.revive.stop_timeout;
    let options = Options { variables: neighbours.variables(), stop_timeout };
    let platform = ProcessPlatform::new(options, kept.records, reports_tx)
        .map_err(|error| format!("cannot run processes: {error}"))?;
    let limits = RemovalLimits { stop_floor: REMOVALS, ..RemovalLimits::default() };
    let (driver, handle) = Driver::new(Parts {
        model: reload::model(loaded, ports),
        stored: kept.apps,
        platform: Box::new(platform.clone()),
        reports,
        instances: kept.instances,
        brakes: kept.brakes,
        limits: loaded.limits.clone(),
        limits_said: kept.limits,
        guard: RemovalGuard::new(limits, Instant::now(), SystemTime::now().into()),
        store: Arc::new(kept.writer),
        sleepless: Duration::ZERO,
        metrics: Metrics::register(registry),
        wall: Box::new(SystemTime::now),
    });
    Ok((driver, handle, platform))
}
