//! What is counted of sleeping and waking.

use std::sync::Arc;
use std::time::Instant;

use config::link::Depth;
use config::model::App;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

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
}

impl Metrics {
    /// Figures that a registry shows.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self {
            wakes: Family::default(),
            phases: Family::new_with_constructor(|| Histogram::new(BOUNDS)),
            sleeps: Family::default(),
            crashes: Family::default(),
        };
        registry.register("loco_edge_wakes", "Wakes that have ended, by result", metrics.wakes.clone());
        let help = "How long each phase of a wake took";
        registry.register("loco_edge_wake_phase_seconds", help, metrics.phases.clone());
        registry.register("loco_edge_sleeps", "Apps put to sleep, by depth", metrics.sleeps.clone());
        registry.register("loco_edge_crashes", "Apps that ended while awake", metrics.crashes.clone());
        Arc::new(metrics)
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
}

fn labels(app: &App, own: Option<(&'static str, &str)>) -> Labels {
    let tenant = &app.tenant;
    let mut labels = vec![
        ("org", tenant.org.to_string()),
        ("workspace", tenant.workspace.to_string()),
        ("app_id", app.id.to_string()),
        ("app", app.name.to_string()),
        ("region", tenant.region.to_string()),
        ("environment", tenant.environment.to_string()),
    ];
    labels.extend(own.map(|(key, value)| (key, value.to_owned())));
    labels
}
