//! Reading the file again while it runs: what is right holds from then on, what is wrong changes nothing.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use config::load::{self, Colours, Loaded, Mistakes};
use config::model::{App, AppId, Rule};
use gateway::Gateway;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use revive::admin::{Configuration, Tokens};
use revive::driver::reload::Model;
use revive::driver::{Ask, Handle};
use serde_json::{Value, json};

use super::neighbours::Neighbours;
use crate::files;
use crate::ports::{self, Ports};

/// Bytes of what is logged of a file's mistakes; `loco-edge check` shows all.
const MOST_LOGGED: usize = 16 << 10;

/// The last good file, and what is made of it.
pub(super) struct Reloader {
    pub(super) file: PathBuf,
    pub(super) loaded: Loaded,
    pub(super) ports: Ports,
    pub(super) neighbours: Neighbours,
    pub(super) handle: Handle,
    pub(super) configuration: Configuration,
    /// Who may use the admin API, and where it answers.
    pub(super) tokens: Tokens,
    pub(super) admin: SocketAddr,
    pub(super) figures: Figures,
}

/// What is counted of it.
pub(super) struct Figures {
    reloads: Family<Vec<(&'static str, &'static str)>, Counter>,
    generation: Gauge,
    loaded_at: Gauge<f64, AtomicU64>,
}

impl Figures {
    /// The first file is in use.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let figures =
            Self { reloads: Family::default(), generation: Gauge::default(), loaded_at: Gauge::default() };
        let help = "Times that the file was read again, by result";
        registry.register("loco_edge_config_reloads", help, figures.reloads.clone());
        let help = "How many files have been in use, this one included";
        registry.register("loco_edge_config_generation", help, figures.generation.clone());
        let help = "When the file in use was read, in seconds since 1970";
        registry.register("loco_edge_config_loaded_at_seconds", help, figures.loaded_at.clone());
        figures.in_use(1);
        figures
    }

    fn in_use(&self, generation: u64) {
        self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
        self.loaded_at.set(now.as_secs_f64());
    }

    fn count(&self, result: &'static str) {
        self.reloads.get_or_create(&vec![("result", result)]).inc();
    }
}

impl Reloader {
    /// Reads the file, and has what is right take effect; says what is not. Only the driver's end is an error.
    pub(super) async fn reload(&mut self, gateway: &Gateway) {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || load::load(&file, &files::variables())).await;
        match read {
            Ok(Ok(loaded)) => self.take(loaded, gateway).await,
            Ok(Err(mistakes)) => {
                let text = shortened(mistakes.render(Colours::Plain));
                tracing::error!("the file has mistakes; what was in use before stays so\n{text}");
                self.refused(&mistakes);
            }
            Err(error) => tracing::error!(%error, "the file could not be read"),
        }
    }

    fn refused(&self, mistakes: &Mistakes) {
        self.figures.count("refused");
        self.configuration.refused(mistakes);
    }

    async fn take(&mut self, mut loaded: Loaded, gateway: &Gateway) {
        let usable = ports::guarded(self.admin, &loaded).and_then(|()| self.listen(&loaded.apps, gateway));
        if let Err(why) = usable {
            tracing::error!("the file is right, but cannot be used; what was in use before stays so: {why}");
            return self.refused(&Mistakes::default());
        }
        if !loaded.warnings.is_empty() {
            tracing::warn!("in the file:\n{}", shortened(loaded.warnings.render(Colours::Plain)));
        }
        let later = at_next_start(&self.loaded, &loaded);
        for setting in &later {
            tracing::warn!(setting, "it is other than before, which takes effect at the next start");
        }
        self.neighbours.replace(&loaded, &self.ports.apps);
        let (limits, model) = (loaded.limits.clone(), Box::new(model(&loaded, &self.ports)));
        // The limits first: no request of a new app comes before them.
        let limited = self.handle.ask(|reply| Ask::LimitsOfFile(limits, reply)).await;
        if limited.is_err() || self.handle.ask(|reply| Ask::Reload(model, reply)).await.is_err() {
            // The edge is being ended: there is nobody to be told any more.
            return;
        }
        self.tokens.replace(loaded.tokens.clone());
        self.close_up(&loaded.apps, gateway);
        // What has not taken effect is still to be told when the file is read again.
        let of_this_run = self.loaded.settings.gateway.clone();
        let warnings = std::mem::take(&mut loaded.warnings);
        let drain_timeout = loaded.settings.gateway.drain_timeout;
        loaded.settings.gateway = config::settings::Gateway { drain_timeout, ..of_this_run };
        loaded.settings.revive.stop_timeout = self.loaded.settings.revive.stop_timeout;
        self.loaded = loaded;
        self.figures.count("ok");
        let generation = self.configuration.taken(&warnings, later);
        self.figures.in_use(generation);
    }

    /// Opens the ports of those that are new. Where one cannot be had, none is kept.
    fn listen(&mut self, apps: &[Arc<App>], gateway: &Gateway) -> Result<(), String> {
        let new: Vec<&Arc<App>> = apps.iter().filter(|app| !self.ports.apps.contains_key(&app.id)).collect();
        let bound = new.iter().map(|app| Ports::bind_own(app, None)).collect::<Result<Vec<_>, _>>()?;
        for (app, (listener, port)) in new.iter().zip(bound) {
            gateway.listen(&listener).map_err(|error| format!("app {}: {error}", app.name))?;
            self.ports.apps.insert(app.id.clone(), port);
        }
        Ok(())
    }

    /// Closes the ports of those that are gone.
    fn close_up(&mut self, apps: &[Arc<App>], gateway: &Gateway) {
        let there: BTreeSet<&AppId> = apps.iter().map(|app| &app.id).collect();
        self.ports.apps.retain(|id, _| {
            let stays = there.contains(id);
            if !stays {
                gateway.close_up(id);
            }
            stays
        });
    }
}

/// What the driver is told of a file.
pub(super) fn model(loaded: &Loaded, ports: &Ports) -> Model {
    Model {
        apps: loaded.apps.clone(),
        ports: ports.apps.clone(),
        urls: urls(&loaded.apps, ports.listen.port()),
        standings: HashMap::new(),
        companions: HashMap::new(),
        hours: HashMap::new(),
        rules: Rule::of_apps(loaded.apps.iter().map(|app| &**app)),
        settings: loaded.settings.revive.clone(),
        drain: loaded.settings.gateway.drain_timeout,
    }
}

/// Where visitors find each app: its first host and path.
fn urls(apps: &[Arc<App>], port: u16) -> HashMap<AppId, String> {
    let url = |app: &Arc<App>| {
        let route = app.routes.first()?;
        Some((app.id.clone(), format!("http://{}:{port}{}", route.host, route.path)))
    };
    apps.iter().filter_map(url).collect()
}

/// The settings that are other than before and that nothing can follow while it runs.
fn at_next_start(before: &Loaded, after: &Loaded) -> Vec<String> {
    let mut gateway = different(&json!(before.settings.gateway), &json!(after.settings.gateway));
    // Secrets are written into nothing, not even for comparing them.
    if before.settings.gateway.claim_secrets != after.settings.gateway.claim_secrets {
        gateway.push("claim_secrets".to_owned());
    }
    let revive = different(&json!(before.settings.revive), &json!(after.settings.revive));
    let gateway = gateway.into_iter().filter(|name| name != "drain_timeout");
    let revive = revive.into_iter().filter(|name| name == "stop_timeout");
    gateway.map(|name| format!("gateway.{name}")).chain(revive.map(|name| format!("revive.{name}"))).collect()
}

/// The keys whose values differ.
fn different(before: &Value, after: &Value) -> Vec<String> {
    let keys = after.as_object().into_iter().flat_map(|object| object.iter());
    keys.filter(|(key, value)| before.get(*key) != Some(*value)).map(|(key, _)| key.clone()).collect()
}

fn shortened(mut text: String) -> String {
    if text.len() > MOST_LOGGED {
        text.truncate(text.floor_char_boundary(MOST_LOGGED));
        text.push_str("…\n`loco-edge check` shows all");
    }
    text
}
