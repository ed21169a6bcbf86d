//! `loco-edge dev`: both halves in one process, the link between them a channel, apps as local programs.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use config::link::{self};
use config::load::{self, Colours, Loaded};
use config::model::{App, AppId, Source};
use gateway::Gateway;
use prometheus_client::registry::Registry;
use revive::admin::{self, Admin, Readiness};
use revive::brakes::{RemovalGuard, RemovalLimits};
use revive::driver::{Driver, Parts};
use revive::metrics::Metrics;
use revive::platform::process::{Options, ProcessPlatform, Records, Variables, leftovers};
use revive::store::{Store, Writer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::files::{self, Addresses};
use crate::ports::{self, Ports};
use crate::{cli, logging};

/// Instance numbers taken at the start, so that a wake depends on no disk: more wakes than a run will see.
const INSTANCES: u32 = 1 << 20;
/// How long the last writes may take.
const FLUSH: Duration = Duration::from_secs(5);
/// On one machine with few apps, a handful of removals is no accident.
const REMOVALS: usize = 1_000;

/// Runs until it is told to stop.
pub(crate) fn run(args: &cli::Dev) -> ExitCode {
    let loaded = match load::load(&args.file, &files::variables()) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            let colours = if files::colourful(&std::io::stderr()) { Colours::Ansi } else { Colours::Plain };
            return fail(&mistakes.render(colours));
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}\n")),
    };
    let _flushed_at_the_end = logging::start();
    match runtime.block_on(dev(args, loaded)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&format!("loco-edge: {why}\n")),
    }
}

fn fail(why: &str) -> ExitCode {
    // Nobody is left to tell if standard error is closed.
    let _closed = std::io::stderr().write_all(why.as_bytes());
    ExitCode::FAILURE
}

async fn dev(args: &cli::Dev, mut loaded: Loaded) -> Result<(), String> {
    let state = args.state.clone().unwrap_or_else(|| files::default_state(&args.file));
    let started = Instant::now();
    let mut stop = Stop::listen()?;
    let records = Records::open(&state).map_err(|error| error.to_string())?;
    end_leftovers(&records, &loaded).await?;
    let mut store = Store::open(&state).map_err(|error| error.to_string())?;
    let stored = store.load_apps().map_err(|error| error.to_string())?;
    for rejected in &stored.rejected {
        tracing::warn!(app = rejected.id, why = rejected.why, "forgotten: its record cannot be understood");
    }
    let brakes = store.brakes().map_err(|error| error.to_string())?.into_iter().collect();
    let instances = store.reserve_instances(INSTANCES).map_err(|error| error.to_string())?;
    let writer = Writer::spawn(store).map_err(|error| format!("cannot start the store's thread: {error}"))?;
    let ports = Ports::bind(args.listen, &loaded.apps, &stored.apps)?;
    let admin_listener = admin::bind(args.admin).await;
    let admin_listener = admin_listener.map_err(|error| ports::taken("--admin", args.admin, &error))?;
    let admin_address = admin_listener.local_addr().map_err(|error| error.to_string())?;
    loaded.settings.gateway.max_connections =
        affordable(loaded.settings.gateway.max_connections, descriptors(&loaded));

    let (reports_tx, reports) = mpsc::unbounded_channel();
    let options =
        Options { variables: variables(&loaded, &ports), stop_timeout: loaded.settings.revive.stop_timeout };
    let platform = ProcessPlatform::new(options, records, reports_tx)
        .map_err(|error| format!("cannot run processes: {error}"))?;
    let mut registry = Registry::default();
    let limits = RemovalLimits { stop_floor: REMOVALS, ..RemovalLimits::default() };
    let (driver, handle) = Driver::new(Parts {
        apps: loaded.apps.clone(),
        stored,
        ports: ports.apps.clone(),
        urls: urls(&loaded.apps, ports.listen.port()),
        settings: loaded.settings.revive.clone(),
        platform: Box::new(platform.clone()),
        reports,
        instances,
        brakes,
        guard: RemovalGuard::new(limits, started, SystemTime::now().into()),
        store: writer.clone(),
        metrics: Metrics::register(&mut registry),
        wall: Box::new(SystemTime::now),
    });
    let driving = tokio::spawn(driver.run());
    let (gateway_end, revive_end) = link::channel();
    let (gateway, is_ready) = Gateway::start(&loaded.settings.gateway, &ports.listeners, gateway_end)
        .map_err(|error| error.to_string())?;
    gateway.register(&mut registry);
    handle.attach(revive_end).await.map_err(|error| error.to_string())?;
    let ready = Readiness::default();
    let api = Admin { handle, store: writer.clone(), registry: Arc::new(registry), ready: ready.clone() };
    let serving = tokio::spawn(admin::serve(admin_listener, api));
    is_ready.await.map_err(|_| "the gateway ended before it was ready".to_owned())?;

    let addresses =
        Addresses { listen: ports.listen, admin: admin_address, apps: ports.addresses(&loaded.apps) };
    addresses.write(&state).map_err(|error| format!("cannot write {}: {error}", state.display()))?;
    ready.set(true);
    announce(&loaded, &addresses);

    stop.asked().await;
    ready.set(false);
    tracing::info!("stopping; once more Ctrl-C stops without waiting for open requests");
    gateway.shut_down(loaded.settings.gateway.drain_timeout, stop.asked()).await;
    // The driver ends with the last who can ask it; what it would make of its apps' ends is of no interest.
    serving.abort();
    let _aborted = serving.await;
    let _ended = driving.await;
    platform.shutdown().await;
    if let Err(error) = writer.flush(FLUSH).await {
        tracing::error!(%error, "not everything could be written down");
    }
    Addresses::remove(&state).map_err(|error| format!("cannot clear {}: {error}", state.display()))
}

/// Where visitors find each app: its first host and path.
fn urls(apps: &[Arc<App>], port: u16) -> HashMap<AppId, String> {
    let url = |app: &Arc<App>| {
        let route = app.routes.first()?;
        Some((app.id.clone(), format!("http://{}:{port}{}", route.host, route.path)))
    };
    apps.iter().filter_map(url).collect()
}

async fn end_leftovers(records: &Records, loaded: &Loaded) -> Result<(), String> {
    let left = leftovers::end(records, loaded.settings.revive.stop_timeout).await;
    let left = left.map_err(|error| error.to_string())?;
    if left.ended > 0 {
        let apps: Vec<&str> = left.recorded.iter().map(|(app, _)| app.as_str()).collect();
        tracing::info!(processes = left.ended, ?apps, "ended what an edge that was killed had left");
    }
    if !left.left.is_empty() {
        tracing::error!(pids = ?left.left, "these processes of an earlier run do not end, even by SIGKILL");
    }
    Ok(())
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

/// As many connections as there are descriptors for: each may need two, and some are for everything else.
fn affordable(wanted: usize, others: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let descriptors = match raised {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(descriptors) = descriptors.and_then(|count| usize::try_from(count).ok()) else { return wanted };
    let most = (descriptors.saturating_sub(others) / 2).max(16);
    if most < wanted {
        tracing::warn!(
            connections = most,
            descriptors,
            "fewer connections than `max_connections`: raise `ulimit -n`"
        );
    }
    wanted.min(most)
}

/// Descriptors for all but connections: 512, and for each app its listener on every thread and its output.
fn descriptors(loaded: &Loaded) -> usize {
    let threads = match loaded.settings.gateway.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    512 + loaded.apps.len() * (threads + 4)
}

/// The signals that end a run.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Says what is served, and where.
fn announce(loaded: &Loaded, addresses: &Addresses) {
    let mut text = format!("\n  loco-edge serves on http://{}\n\n", addresses.listen);
    let width = loaded.apps.iter().map(|app| app.name.as_str().len()).max().unwrap_or(0);
    for app in &loaded.apps {
        let name = app.name.as_str();
        let state = match app.source {
            Source::Process(_) => "asleep",
            Source::Upstreams(_) => "always up",
        };
        let own = addresses.apps.get(name).map(ToString::to_string).unwrap_or_default();
        for (index, route) in app.routes.iter().enumerate() {
            let url = format!("http://{}:{}{}", route.host, addresses.listen.port(), route.path);
            let line = if index == 0 {
                format!("  {name:width$}  {url}  (also http://{own}, {state})\n")
            } else {
                format!("  {:width$}  {url}\n", "")
            };
            text.push_str(&line);
        }
    }
    text.push_str(&format!(
        "\n  admin API on http://{}/v1/apps; Ctrl-C stops everything\n\n",
        addresses.admin
    ));
    if !loaded.warnings.is_empty() {
        text.push_str(&loaded.warnings.render(Colours::Plain));
    }
    // A closed standard output is no reason not to serve.
    let _closed = std::io::stdout().write_all(text.as_bytes());
}
