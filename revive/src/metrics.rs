//! What is counted of sleeping and waking.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use config::link::{Depth, Failure, Phase};
use config::model::App;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::brakes::Brake;
use crate::lifecycle::WakeEnded;

type Labels = Vec<(&'static str, String)>;

/// Upper bounds of a phase's buckets, in seconds.
const BOUNDS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0];

/// The figures of the control plane.
#[derive(Debug)]
pub struct Metrics {
    wakes: Family<Labels, Counter>,
    phases: Family<Labels, Histogram, fn() -> Histogram>,
    sleeps: Family<Labels, Counter>,
    crashes: Family<Labels, Counter>,
    apps: Family<Labels, Gauge>,
    brakes: Family<Labels, Gauge>,
    queued: Gauge,
    starting: Gauge,
    failed_writes: Counter,
    lost_writes: Counter,
}

/// How things are at a moment, as far as nothing that happens counts it.
#[derive(Debug, Default)]
pub struct Standing {
    /// Each app's state, and its depth of sleep, or nothing.
    pub apps: Vec<(&'static str, &'static str)>,
    /// The codes of the brakes that are on.
    pub brakes: Vec<&'static str>,
    /// Wakes that wait for their turn.
    pub queued: usize,
    /// Starts under way.
    pub starting: usize,
    /// Of the store, since the start.
    pub failed_writes: u64,
    /// Of the store, since the start.
    pub lost_writes: u64,
}

/// All that an app can be, with its depth of sleep.
const STATES: [(&str, &str); 7] = [
    ("awake", ""),
    ("draining", ""),
    ("asleep", "light"),
    ("asleep", "deep"),
    ("waking", ""),
    ("failed", ""),
    ("gone", ""),
];

impl Metrics {
    /// Figures that a registry shows.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self {
            wakes: Family::default(),
            phases: Family::new_with_constructor(|| Histogram::new(BOUNDS)),
            sleeps: Family::default(),
            crashes: Family::default(),
            apps: Family::default(),
            brakes: Family::default(),
            queued: Gauge::default(),
            starting: Gauge::default(),
            failed_writes: Counter::default(),
            lost_writes: Counter::default(),
        };
        metrics.show(registry);
        Arc::new(metrics)
    }

    fn show(&self, registry: &mut Registry) {
        registry.register("loco_edge_wakes", "Wakes that have ended, by result", self.wakes.clone());
        let help = "How long each phase of a wake took";
        registry.register("loco_edge_wake_phase_seconds", help, self.phases.clone());
        registry.register("loco_edge_sleeps", "Apps put to sleep, by depth", self.sleeps.clone());
        registry.register("loco_edge_crashes", "Apps that ended while awake", self.crashes.clone());
        registry.register("loco_edge_apps", "Apps by state, and depth of sleep", self.apps.clone());
        registry.register("loco_edge_brakes", "Brakes on sleep and removal that are on", self.brakes.clone());
        registry.register("loco_edge_wakes_queued", "Wakes that wait for their turn", self.queued.clone());
        registry.register("loco_edge_starts_under_way", "Starts that hold a slot", self.starting.clone());
        let help = "Writes to the store that failed; one that is tried again and fails again counts again";
        registry.register("loco_edge_store_failed_writes", help, self.failed_writes.clone());
        let help = "Writes to the store that were given up";
        registry.register("loco_edge_store_lost_writes", help, self.lost_writes.clone());
    }

    /// How things are.
    pub fn measured(&self, standing: &Standing) {
        for state in STATES {
            let labels = vec![("state", state.0.to_owned()), ("depth", state.1.to_owned())];
            let labels = labels.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            let count = standing.apps.iter().filter(|app| **app == state).count();
            self.apps.get_or_create(&labels).set(gauged(count));
        }
        for code in Brake::CODES {
            let count = standing.brakes.iter().filter(|brake| **brake == code).count();
            self.brakes.get_or_create(&vec![("brake", code.to_owned())]).set(gauged(count));
        }
        self.queued.set(gauged(standing.queued));
        self.starting.set(gauged(standing.starting));
        // Counted elsewhere, and never going back.
        self.failed_writes.inner().store(standing.failed_writes, Relaxed);
        self.lost_writes.inner().store(standing.lost_writes, Relaxed);
    }

    /// A wake has ended.
    pub fn wake_ended(&self, app: &App, ended: &WakeEnded, at: Instant) {
        let result = ended.result.map_or_else(|failure| failure.code(), |()| "ok");
        self.wakes.get_or_create(&labels(app, Some(("result", result)))).inc();
        for (phase, took) in ended.phases(at) {
            let labels = labels(app, Some(("phase", phase.as_str())));
            self.phases.get_or_create(&labels).observe(took.as_secs_f64());
        }
    }

    /// An app fell asleep.
    pub fn slept(&self, app: &App, depth: Depth) {
        self.sleeps.get_or_create(&labels(app, Some(("depth", depth.as_str())))).inc();
    }

    /// An app ended while it was awake.
    pub fn crashed(&self, app: &App) {
        self.crashes.get_or_create(&labels(app, None)).inc();
    }

    /// An app is gone: nothing is shown of it any more.
    pub fn forget(&self, app: &App) {
        let failures = Failure::ALL.map(Failure::code);
        for result in failures.into_iter().chain(["ok"]) {
            self.wakes.remove(&labels(app, Some(("result", result))));
        }
        for phase in Phase::ALL {
            self.phases.remove(&labels(app, Some(("phase", phase.as_str()))));
        }
        for depth in [Depth::Light, Depth::Deep] {
            self.sleeps.remove(&labels(app, Some(("depth", depth.as_str()))));
        }
        self.crashes.remove(&labels(app, None));
    }
}

fn gauged(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn labels(app: &App, own: Option<(&'static str, &str)>) -> Labels {
    let mut labels = app.labels();
    labels.extend(own.map(|(key, value)| (key, value.to_owned())));
    labels
}
