//! The two halves, put together and taken apart.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use config::link;
use config::load::Loaded;
use config::model::{App, AppId};
use gateway::Gateway;
use prometheus_client::registry::Registry;
use revive::admin::{self, Admin, Counts, Readiness, Tokens};
use revive::brakes::{RemovalGuard, RemovalLimits};
use revive::driver::{Driver, Handle, Parts};
use revive::metrics::Metrics;
use revive::platform::process::{Options, ProcessPlatform, Variables};
use revive::store::Writer;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::announce::announce;
use super::kept::{Kept, remove_addresses};
use super::room;
use crate::cli;
use crate::files::Addresses;
use crate::ports::{self, Ports};

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
        if !args.admin.ip().is_loopback() && loaded.tokens.is_empty() {
            return Err(unguarded(args.admin));
        }
        let admin = TcpListener::bind(args.admin).await;
        let admin = admin.map_err(|error| ports::taken("--admin", args.admin, &error))?;
        let admin_address = admin.local_addr().map_err(|error| error.to_string())?;
        Ok(Self { ports, admin, admin_address })
    }
}

/// A running edge.
pub(super) struct Edge {
    state: PathBuf,
    drain_timeout: Duration,
    gateway: Gateway,
    driving: JoinHandle<()>,
    handle: Handle,
    platform: ProcessPlatform,
    serving: JoinHandle<()>,
    ready: Readiness,
    writer: Writer,
}

impl Edge {
    /// Starts both halves and says so when requests are served.
    pub(super) async fn start(mut loaded: Loaded, kept: Kept, sockets: Sockets) -> Result<Self, String> {
        let Sockets { ports, admin, admin_address } = sockets;
        loaded.settings.gateway.max_connections = room::connections(&loaded);
        let (state, writer) = (kept.dir.clone(), kept.writer.clone());
        let mut registry = Registry::default();
        let (driver, handle, platform) = revive(&loaded, kept, &ports, &mut registry)?;
        let driving = tokio::spawn(driver.run());
        let (gateway_end, revive_end) = link::channel();
        let (gateway, is_ready) = Gateway::start(&loaded.settings.gateway, &ports.listeners, gateway_end)
            .map_err(|error| error.to_string())?;
        gateway.register(&mut registry);
        handle.attach(revive_end).await.map_err(|error| error.to_string())?;
        let counts = Counts::register(&mut registry);
        let figures = (Arc::new(registry), counts);
        let api = Admin::new(handle.clone(), writer.clone(), figures, Tokens::new(loaded.tokens.clone()));
        let ready = api.ready.clone();
        let serving = tokio::spawn(admin::serve(admin, api));
        is_ready.await.map_err(|_| "the gateway ended before it was ready".to_owned())?;
        let apps = ports.addresses(&loaded.apps);
        let addresses = Addresses { listen: ports.listen, admin: admin_address, apps };
        addresses.write(&state).map_err(|error| format!("cannot write {}: {error}", state.display()))?;
        ready.set(true);
        announce(&loaded, &addresses);
        let drain_timeout = loaded.settings.gateway.drain_timeout;
        Ok(Self { state, drain_timeout, gateway, driving, handle, platform, serving, ready, writer })
    }

    /// Lets open requests finish, at most for the drain timeout or until `hurry`; then ends everything it has started.
    pub(super) async fn stop(self, hurry: impl Future<Output = ()>) -> Result<(), String> {
        self.ready.set(false);
        self.gateway.shut_down(self.drain_timeout, hurry).await;
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

/// Why the admin API does not answer there.
fn unguarded(address: SocketAddr) -> String {
    format!(
        "--admin {address}: without tokens, whoever reaches this address could end apps; add an [[admin.token]] to the \
         file, or keep to loopback, for example --admin 127.0.0.1:{}",
        address.port()
    )
}

/// The control plane, ready to run.
fn revive(
    loaded: &Loaded,
    kept: Kept,
    ports: &Ports,
    registry: &mut Registry,
) -> Result<(Driver, Handle, ProcessPlatform), String> {
    let (reports_tx, reports) = mpsc::unbounded_channel();
    let settings = loaded.settings.revive.clone();
    let options = Options { variables: variables(loaded, ports), stop_timeout: settings.stop_timeout };
    let platform = ProcessPlatform::new(options, kept.records, reports_tx)
        .map_err(|error| format!("cannot run processes: {error}"))?;
    let limits = RemovalLimits { stop_floor: REMOVALS, ..RemovalLimits::default() };
    let (driver, handle) = Driver::new(Parts {
        apps: loaded.apps.clone(),
        stored: kept.apps,
        ports: ports.apps.clone(),
        urls: urls(&loaded.apps, ports.listen.port()),
        settings,
        platform: Box::new(platform.clone()),
        reports,
        instances: kept.instances,
        brakes: kept.brakes,
        limits: loaded.limits.clone(),
        limits_said: kept.limits,
        guard: RemovalGuard::new(limits, Instant::now(), SystemTime::now().into()),
        store: kept.writer,
        metrics: Metrics::register(registry),
        wall: Box::new(SystemTime::now),
    });
    Ok((driver, handle, platform))
}

/// Where visitors find each app: its first host and path.
fn urls(apps: &[Arc<App>], port: u16) -> HashMap<AppId, String> {
    let url = |app: &Arc<App>| {
        let route = app.routes.first()?;
        Some((app.id.clone(), format!("http://{}:{port}{}", route.host, route.path)))
    };
    apps.iter().filter_map(url).collect()
}

/// What an app's program is told beside its port.
fn variables(loaded: &Loaded, ports: &Ports) -> Variables {
    let apps: Vec<Arc<App>> = loaded.apps.clone();
    let ports: HashMap<AppId, u16> = ports.apps.clone();
    let profile = loaded.environment.to_string();
    Box::new(move |app, instance| {
        let neighbours = apps.iter().filter(|other| other.tenant.workspace == app.tenant.workspace);
        let urls = neighbours.filter_map(|other| {
            let name = other.name.as_str().to_ascii_uppercase().replace('-', "_");
            Some((format!("LOCO_{name}_URL"), format!("http://127.0.0.1:{}", ports.get(&other.id)?)))
        });
        let own = [
            ("LOCO_APP_NAME", app.name.to_string()),
            ("LOCO_DEPLOYMENT_ID", format!("{}-{instance}", app.name)),
            ("LOCO_PROFILE", profile.clone()),
            ("LOCO_VERSION", profile.clone()),
        ];
        urls.chain(own.map(|(name, value)| (name.to_owned(), value))).collect()
    })
}
