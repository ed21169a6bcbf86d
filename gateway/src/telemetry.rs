//! What is counted, and how it is shown. Counting is an addition to a number of the app's own; all else happens
//! when somebody asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::answer::Refusal;
use crate::delivery::Ending;
use crate::limit::{Figures, Limits, Whose};
use crate::spans;
use crate::table::{Route, Table};

/// Upper bounds of the duration's buckets, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const ENDINGS: [(&str, Ending); 2] = [("app", Ending::AppBrokeOff), ("client", Ending::ClientLeft)];

/// What one app's requests came to.
#[derive(Debug, Default)]
pub struct AppStats {
    classes: [AtomicU64; CLASSES.len()],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
    broken_off: [AtomicU64; ENDINGS.len()],
    /// Answers of ours in its place.
    pub refusals: Refusals,
    /// `Set-Cookie` lines for a domain above its own.
    pub foreign_cookies: AtomicU64,
    /// Requests that were tried once more, and those that were not because too many were.
    pub retries: AtomicU64,
    /// See `retries`.
    pub retries_denied: AtomicU64,
    /// How often one of several endpoints was left out.
    pub ejections: AtomicU64,
}

impl AppStats {
    /// How many requests it has answered.
    pub fn answered(&self) -> u64 {
        self.classes.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// Records a response of the app's, at the end of its body.
    pub fn record(&self, status: StatusCode, ending: Ending, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.classes[class].fetch_add(1, Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.micros.fetch_add(spans::micros(took), Relaxed);
        if let Some(kind) = ENDINGS.iter().position(|(_, kind)| *kind == ending) {
            self.broken_off[kind].fetch_add(1, Relaxed);
        }
    }
}

/// How often each refusal was given. The codes are few and fixed, so a list will do.
#[derive(Debug, Default)]
pub struct Refusals(std::sync::Mutex<Vec<(&'static str, u64)>>);

impl Refusals {
    /// Counts one. Takes a lock: a refusal is not the warm path, and the lock is the app's own.
    pub fn count(&self, refusal: &Refusal) {
        let code = refusal.code();
        let mut counts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match counts.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => counts.push((code, 1)),
        }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// Shows the gateway's figures to a registry.
#[derive(Debug)]
pub struct GatewayMetrics {
    /// All apps.
    pub table: Arc<ArcSwap<Table>>,
    /// All limits.
    pub limits: Arc<Limits>,
    /// What was refused before it had an app.
    pub refusals: Arc<Refusals>,
}

type Labels = Vec<(&'static str, String)>;

impl Collector for GatewayMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let table = self.table.load();
        let routes: Vec<_> = table.routes().collect();
        requests(&routes, &mut encoder)?;
        durations(&routes, &mut encoder)?;
        broken_off(&routes, &mut encoder)?;
        cookies(&routes, &mut encoder)?;
        retries(&routes, &mut encoder)?;
        ejections(&routes, &mut encoder)?;
        gauge(
            &routes,
            &mut encoder,
            "loco_edge_open",
            "Requests, streams and upgraded connections open",
            |r| r.app.open(),
        )?;
        gauge(&routes, &mut encoder, "loco_edge_held", "Requests that wait for the app to wake", |r| {
            r.app.held()
        })?;
        limited(&self.limits.figures(), &mut encoder)?;
        self.refused(&routes, &mut encoder)
    }
}

impl GatewayMetrics {
    fn refused(&self, routes: &[&Arc<Route>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests that the edge answered in an app's place, by reason";
        let mut family = encoder.encode_descriptor("loco_edge_refusals", help, None, MetricType::Counter)?;
        for (code, count) in self.refusals.counts() {
            sample(&mut family, vec![("code", code.to_owned())], &ConstCounter::new(count))?;
        }
        for route in routes {
            for (code, count) in route.app.stats.refusals.counts() {
                sample(&mut family, with(route, "code", code), &ConstCounter::new(count))?;
            }
        }
        Ok(())
    }
}

/// What the limits have come to.
fn limited(limits: &[Figures], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let name = |figures: &Figures| vec![("limit", figures.limit.name.to_string())];
    let help = "Requests that a limit refused, by the workspace that they were for";
    let mut family = encoder.encode_descriptor("loco_edge_limited", help, None, MetricType::Counter)?;
    for figures in limits {
        for (whose, count) in &figures.refused {
            let labels = name(figures).into_iter().chain(whose_labels(whose)).collect();
            sample(&mut family, labels, &ConstCounter::new(*count))?;
        }
    }
    let help = "Requests whose key found no count of its own, and was estimated";
    let mut family =
        encoder.encode_descriptor("loco_edge_limit_overflows", help, None, MetricType::Counter)?;
    for figures in limits.iter().filter(|figures| figures.overflowed > 0) {
        sample(&mut family, name(figures), &ConstCounter::new(figures.overflowed))?;
    }
    let help = "Keys that a limit keeps a count of";
    let mut family = encoder.encode_descriptor("loco_edge_limit_keys", help, None, MetricType::Gauge)?;
    for figures in limits {
        let keys = i64::try_from(figures.keys).unwrap_or(i64::MAX);
        sample(&mut family, name(figures), &ConstGauge::new(keys))?;
    }
    Ok(())
}

/// Those that are counted together are marked as OpenTelemetry marks them.
fn whose_labels(whose: &Whose) -> Labels {
    match whose {
        Whose::Tenant(tenant) => {
            vec![("org", tenant.org.to_string()), ("workspace", tenant.workspace.to_string())]
        }
        Whose::Others => vec![("otel_metric_overflow", "true".to_owned())],
    }
}

fn requests(routes: &[&Arc<Route>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Requests that an app itself answered, by class of status; refusals are counted apart";
    counters(routes, encoder, ("loco_edge_requests", help), |stats| {
        CLASSES.iter().zip(&stats.classes).map(|(class, count)| (Some(("class", *class)), count)).collect()
    })
}

fn durations(routes: &[&Arc<Route>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "From the head of a request to the end of its response, holding included";
    let name = "loco_edge_request_duration_seconds";
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for route in routes {
        let stats = &route.app.stats;
        let counts: Vec<u64> = stats.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        let count = counts.iter().sum();
        if count == 0 {
            continue;
        }
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        #[expect(clippy::cast_precision_loss, reason = "285 years of microseconds are exact")]
        let sum = stats.micros.load(Relaxed) as f64 / 1e6;
        let labels = route.model.labels();
        family.encode_family(&labels)?.encode_histogram::<Labels>(sum, count, &buckets, None)?;
    }
    Ok(())
}

fn broken_off(routes: &[&Arc<Route>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Responses that did not reach their end, by who broke them off";
    counters(routes, encoder, ("loco_edge_broken_off", help), |stats| {
        ENDINGS.iter().zip(&stats.broken_off).map(|((by, _), count)| (Some(("by", *by)), count)).collect()
    })
}

fn cookies(routes: &[&Arc<Route>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Set-Cookie lines dropped because their Domain reaches other tenants";
    counters(routes, encoder, ("loco_edge_foreign_cookies_dropped", help), |stats| {
        vec![(None, &stats.foreign_cookies)]
    })
}

fn retries(routes: &[&Arc<Route>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Requests tried once more, and those that were not because too many were";
    counters(routes, encoder, ("loco_edge_retries", help), |stats| {
        vec![
            (Some(("result", "sent")), &stats.retries),
            (Some(("result", "over-budget")), &stats.retries_denied),
        ]
    })
}

fn ejections(routes: &[&Arc<Route>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "How often one of an app's endpoints was left out because it failed again and again";
    counters(routes, encoder, ("loco_edge_ejections", help), |stats| vec![(None, &stats.ejections)])
}

/// A count of an app's, and the label it has beside the app's own.
type Count<'a> = (Option<(&'static str, &'static str)>, &'a AtomicU64);

/// One counter of all apps; what has never happened is left out.
fn counters(
    routes: &[&Arc<Route>],
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    counts: impl Fn(&AppStats) -> Vec<Count<'_>>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for route in routes {
        for (label, count) in counts(&route.app.stats) {
            let count = count.load(Relaxed);
            if count > 0 {
                let mut labels = route.model.labels();
                labels.extend(label.map(|(key, value)| (key, value.to_owned())));
                sample(&mut family, labels, &ConstCounter::new(count))?;
            }
        }
    }
    Ok(())
}

fn gauge(
    routes: &[&Arc<Route>],
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: impl Fn(&Route) -> u32,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for route in routes {
        sample(&mut family, route.model.labels(), &ConstGauge::new(i64::from(value(route))))?;
    }
    Ok(())
}

fn sample(family: &mut MetricEncoder<'_>, labels: Labels, metric: &impl EncodeMetric) -> fmt::Result {
    metric.encode(family.encode_family(&labels)?)
}

fn with(route: &Route, key: &'static str, value: &str) -> Labels {
    let mut labels = route.model.labels();
    labels.push((key, value.to_owned()));
    labels
}

#[cfg(test)]
mod tests;
