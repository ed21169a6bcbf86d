//! The replica that leads: the driver on this cluster.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use config::model::{App, AppId, Label, Limit};
use config::settings;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::compile::Compiled;
use super::compiler::View;
use super::crd::Hours;
use super::keep::Before;
use crate::brakes::{RemovalGuard, RemovalLimits};
use crate::driver::reload::Model;
use crate::driver::{Ask, Driver, Handle, Parts};
use crate::link::Attached;
use crate::metrics::Metrics;
use crate::platform::kubernetes::room::Room;
use crate::platform::kubernetes::{self as platform, Access, KubernetesPlatform, Requests, Teller, indexed};
use crate::publish::Attachment;
use crate::schedule;
use crate::store::{Keep, LoadedApps};

/// For so long nobody is put to sleep by a new leader: gateways may rely on a lease of the one before.
const SLEEPLESS: Duration = Duration::from_secs(12);
/// Instances of one leader: their numbers begin with its epoch, so that no two leaders give one twice.
const INSTANCES: u32 = 32;

/// What a leader is made of.
pub struct Office {
    /// The API server.
    pub client: Client,
    /// What is known of the cluster.
    pub view: View,
    /// Whether there is room for what is woken.
    pub room: Arc<Room>,
    /// What it says.
    pub compiled: watch::Receiver<Option<Arc<Compiled>>>,
    /// The leader's number.
    pub epoch: u64,
    /// How apps are put to sleep and woken.
    pub settings: settings::Revive,
    /// How the platform behaves.
    pub platform: platform::Settings,
    /// How long what is open may take to end.
    pub drain: Duration,
    /// The limits of the settings' file, beside the cluster's.
    pub limits: Vec<Arc<Limit>>,
    /// What outlives us, and what was said before.
    pub keep: (Arc<dyn Keep>, Before),
}

/// A leader at work; it ends when it is dropped, and everything stays as it is.
pub struct Leader {
    /// How to ask it.
    pub handle: Handle,
    compiled: watch::Receiver<Option<Arc<Compiled>>>,
    teller: Teller,
    settings: settings::Revive,
    drain: Duration,
    limits: Vec<Arc<Limit>>,
    _tasks: JoinSet<()>,
}

impl Leader {
    /// Takes over. Must be called within a tokio runtime, once the watches have listed everything.
    pub fn begin(office: Office, registry: &mut Registry) -> Self {
        let Office { client, view, room, mut compiled, epoch, settings, platform, drain, limits, keep } =
            office;
        view.register(registry);
        let changes = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(indexed::follow(view.clone(), Arc::clone(&changes)));
        let sight = Arc::new(indexed::Indexed::new(view, compiled.clone()));
        let requests = Requests::default();
        requests.register(registry);
        let (reports_tx, reports) = mpsc::unbounded_channel();
        let runs = KubernetesPlatform::new(
            client,
            platform::View { sight, changes, room },
            Access { requests, ..Access::default() },
            platform,
            i64::try_from(epoch).unwrap_or(i64::MAX),
            reports_tx,
        );
        let teller = runs.teller();
        let now = compiled.borrow_and_update().clone().unwrap_or_default();
        let (store, before) = keep;
        let (driver, handle) = Driver::new(Parts {
            model: model(&now, &settings, drain),
            stored: LoadedApps::default(),
            platform: Box::new(runs),
            reports,
            instances: (epoch << INSTANCES)..((epoch + 1) << INSTANCES),
            brakes: before.brakes,
            guard: RemovalGuard::new(RemovalLimits::default(), Instant::now(), SystemTime::now().into()),
            limits: all_limits(&limits, &now),
            limits_said: before.limits,
            store,
            metrics: Metrics::register(registry),
            wall: Box::new(SystemTime::now),
            sleepless: SLEEPLESS,
        });
        tasks.spawn(driver.run());
        teller.know(now.apps.clone());
        Self { handle, compiled, teller, settings, drain, limits, _tasks: tasks }
    }

    /// Takes gateways in, and follows what the cluster says, until `attached` ends or the driver does.
    pub async fn work(&mut self, attached: &mut mpsc::Receiver<Attached>) {
        loop {
            tokio::select! {
                gateway = attached.recv() => {
                    let Some(Attached { name, version, peer, end, .. }) = gateway else { return };
                    tracing::info!(gateway = name, version, %peer, "a gateway has attached");
                    if self.handle.attach(end, Attachment::Leased).await.is_err() {
                        return;
                    }
                }
                changed = self.compiled.changed() => {
                    if changed.is_err() || self.reload().await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    async fn reload(&mut self) -> Option<()> {
        let now = self.compiled.borrow_and_update().clone()?;
        let limits = all_limits(&self.limits, &now);
        self.handle.ask(|reply| Ask::LimitsOfFile(limits, reply)).await.ok()?;
        let model = Box::new(model(&now, &self.settings, self.drain));
        self.handle.ask(|reply| Ask::Reload(model, reply)).await.ok()?;
        self.teller.know(now.apps.clone());
        Some(())
    }
}

fn model(compiled: &Compiled, settings: &settings::Revive, drain: Duration) -> Model {
    Model {
        apps: compiled.apps.clone(),
        ports: HashMap::new(),
        urls: urls(&compiled.apps),
        standings: compiled.standings.iter().map(|(id, standing)| (id.clone(), standing.clone())).collect(),
        rules: compiled.rules.clone(),
        companions: compiled.companions.iter().map(|(id, needs)| (id.clone(), needs.clone())).collect(),
        hours: compiled.hours.iter().map(|(id, hours)| (id.clone(), reckoned(id, hours))).collect(),
        settings: settings.clone(),
        drain,
    }
}

fn reckoned(id: &AppId, hours: &[Hours]) -> Vec<schedule::Hours> {
    let one = |hours: &Hours| hours.reckoned().inspect_err(|error| tracing::warn!(app = %id, "{error}")).ok();
    hours.iter().filter_map(one).collect()
}

/// Where visitors find each app: its first host and path. Behind a load balancer only the host is sure.
fn urls(apps: &[Arc<App>]) -> HashMap<AppId, String> {
    let url = |app: &Arc<App>| {
        let route = app.routes.first()?;
        Some((app.id.clone(), format!("http://{}{}", route.host, route.path)))
    };
    apps.iter().filter_map(url).collect()
}

/// The file's and the cluster's; of two with one name the file's holds.
fn all_limits(file: &[Arc<Limit>], compiled: &Compiled) -> Vec<Arc<Limit>> {
    let of_file: Vec<&Label> = file.iter().map(|limit| &limit.name).collect();
    let others = compiled.limits.iter().filter(|limit| !of_file.contains(&&limit.name));
    file.iter().chain(others).cloned().collect()
}
