#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use config::link::{Depth, Status};
use prometheus_client::registry::Registry;

use super::*;
use crate::app::{App, Open, Place};
use crate::note::Notes;
use crate::tenant;
use crate::tests::fakes;

const TENANT: &str = r#"org="acme",workspace="shop",app_id="a",app="a",region="local",environment="dev""#;

/// One app, and what a registry says of it.
struct Shown {
    app: Arc<App>,
    refusals: Arc<Refusals>,
    registry: Registry,
}

impl Shown {
    fn new() -> Self {
        let model = fakes::app("a");
        let asleep = Status::Asleep { depth: Depth::Deep };
        let app = App::new(model.id.clone(), 0, asleep, Notes::channel().0);
        let identity = tenant::identity(&model).unwrap();
        let route = Arc::new(Route::new(app.clone(), Arc::new(model), identity));
        let table =
            Arc::new(ArcSwap::from_pointee(Table::build(vec![route], Vec::new(), &Table::default()).table));
        let limits = Arc::new(Limits::new(&config::settings::Gateway::default()));
        let refusals = Arc::new(Refusals::default());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(GatewayMetrics { table, limits, refusals: refusals.clone() }));
        Self { app, refusals, registry }
    }

    /// The samples of a metric, without its name and the tenant's labels.
    fn samples(&self, name: &str) -> Vec<String> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let own = text.lines().filter_map(|line| line.strip_prefix(name));
        let mut samples: Vec<_> =
            own.map(|line| line.replace(&format!("{TENANT},"), "").replace(TENANT, "")).collect();
        samples.sort();
        samples
    }
}

#[test]
fn answers_are_counted_by_class_and_by_how_they_ended() {
    let shown = Shown::new();
    let ms = Duration::from_millis;
    for (status, ending) in [
        (200, Ending::Complete),
        (204, Ending::Complete),
        (101, Ending::ClientLeft),
        (404, Ending::AppBrokeOff),
        (999, Ending::Complete),
    ] {
        shown.app.stats.record(StatusCode::from_u16(status).unwrap(), ending, ms(1));
    }
    assert_eq!(
        shown.samples("loco_edge_requests_total"),
        [r#"{class="1xx"} 1"#, r#"{class="2xx"} 2"#, r#"{class="4xx"} 1"#, r#"{class="5xx"} 1"#]
    );
    assert_eq!(shown.samples("loco_edge_broken_off_total"), [r#"{by="app"} 1"#, r#"{by="client"} 1"#]);
}

#[test]
fn durations_fall_into_the_bucket_whose_bound_they_do_not_pass() {
    let shown = Shown::new();
    for micros in [1_000, 1_001, 60_000_000, 60_000_001] {
        shown.app.stats.record(StatusCode::OK, Ending::Complete, Duration::from_micros(micros));
    }
    let buckets = shown.samples("loco_edge_request_duration_seconds_bucket");
    for (bound, count) in [("0.001", 1), ("0.0025", 2), ("10.0", 2), ("60.0", 3), ("+Inf", 4)] {
        let bucket = buckets.iter().find(|line| line.contains(&format!(r#"le="{bound}""#)));
        assert!(bucket.is_some_and(|line| line.ends_with(&format!(" {count}"))), "{bound}: {buckets:?}");
    }
    assert_eq!(shown.samples("loco_edge_request_duration_seconds_count"), ["{} 4"]);
    assert_eq!(shown.samples("loco_edge_request_duration_seconds_sum"), ["{} 120.002002"]);
}

#[test]
fn refusals_are_counted_by_code_with_their_app_or_without_one() {
    let shown = Shown::new();
    shown.refusals.count(&Refusal::UnknownHost);
    shown.app.stats.refusals.count(&Refusal::AppBusy);
    shown.app.stats.refusals.count(&Refusal::HoldTimeout);
    shown.app.stats.refusals.count(&Refusal::AppBusy);
    assert_eq!(
        shown.samples("loco_edge_refusals_total"),
        [r#"{code="app-busy"} 2"#, r#"{code="hold-timeout"} 1"#, r#"{code="unknown-host"} 1"#]
    );
}

#[test]
fn what_is_open_and_held_is_shown_while_it_is() {
    let shown = Shown::new();
    let gauges = || [shown.samples("loco_edge_open"), shown.samples("loco_edge_held")].concat();
    let open = [Open::enter(&shown.app, true, None), Open::enter(&shown.app, false, None)];
    let place = Place::take(&shown.app, 1);
    assert_eq!(gauges(), ["{} 2", "{} 1"]);
    drop((open, place));
    assert_eq!(gauges(), ["{} 0", "{} 0"]);
}

#[test]
fn what_has_not_happened_takes_no_series() {
    let shown = Shown::new();
    for name in
        ["loco_edge_requests", "loco_edge_request_duration", "loco_edge_broken_off", "loco_edge_foreign"]
    {
        assert_eq!(shown.samples(name), Vec::<String>::new());
    }
    shown.app.stats.foreign_cookies.fetch_add(3, Relaxed);
    assert_eq!(shown.samples("loco_edge_foreign_cookies_dropped_total"), ["{} 3"]);
}
