//! When an app sleeps and how it wakes: a SleepPolicy.

use config::load::shown_span;
use config::model::{
    After, App, Check, Health, Passersby, SleepPolicy as Sleep, Source, Treatment, WakeMode, WakePolicy,
};
use revive::kubernetes::crd::{
    HealthSpec, PassersbySpec, SleepPolicy, SleepPolicySpec, SleepTarget, SleepTargetKind, TreatmentSpec,
    WakeModeSpec, WakeSpec,
};

use super::left::Left;
use super::place::Place;

/// `maxHeld` of a SleepPolicy.
const MOST_HELD: u32 = 10_000_000;

/// The policy of an app; `None` where it would say nothing.
pub(super) fn of(app: &App, name: &str, place: Place<'_>, left: &mut Left) -> Option<SleepPolicy> {
    if app.wake.max_held > MOST_HELD {
        left.app(&app.name, format_args!("its `max_held` is {MOST_HELD} there, which is the most"));
    }
    let kind = match &app.source {
        Source::Process(_) => SleepTargetKind::Deployment,
        Source::Upstreams(_) | Source::Service(_) => SleepTargetKind::Service,
    };
    let runs = kind == SleepTargetKind::Deployment;
    let target = SleepTarget { group: None, kind, name: Some(name.to_owned()) };
    let (idle_after, remove_after) = if runs { ages(app.sleep) } else { (None, None) };
    let spec = SleepPolicySpec {
        target_refs: vec![target],
        idle_after,
        remove_after,
        depth: None,
        wake: Some(wake(&app.wake)).filter(|wake| runs && *wake != WakeSpec::default()),
        health: Some(health(&app.health, runs)).filter(|health| *health != HealthSpec::default()),
        wake_with: None,
        schedule: None,
    };
    let says = spec.idle_after.is_some() || spec.wake.is_some() || spec.health.is_some();
    says.then(|| SleepPolicy { metadata: place.metadata(name), spec, status: None })
}

/// Written out, whatever the platform's defaults are. What is never idle is never removed.
fn ages(sleep: Sleep) -> (Option<String>, Option<String>) {
    let after = |after: After| match after {
        After::Never => "never".to_owned(),
        After::Elapsed(span) => shown_span(span),
    };
    match sleep.idle_after {
        After::Never => (Some("never".to_owned()), None),
        idle @ After::Elapsed(_) => (Some(after(idle)), Some(after(sleep.remove_after))),
    }
}

/// `value`, unless it is the default.
fn unlike<T: PartialEq>(value: T, default: &T) -> Option<T> {
    (value != *default).then_some(value)
}

fn wake(policy: &WakePolicy) -> WakeSpec {
    let default = WakePolicy::default();
    WakeSpec {
        mode: unlike(policy.mode, &default.mode).map(mode),
        page_after: unlike(policy.page_after, &default.page_after).map(shown_span),
        hold_timeout: unlike(policy.hold_timeout, &default.hold_timeout).map(shown_span),
        max_held: unlike(policy.max_held, &default.max_held)
            .map(|held| i32::try_from(held).unwrap_or(i32::MAX)),
        passersby: Some(passersby(&policy.passersby)).filter(|says| *says != PassersbySpec::default()),
    }
}

fn passersby(of: &Passersby) -> PassersbySpec {
    let default = Passersby::default();
    PassersbySpec {
        health_checks: unlike(of.health_checks, &default.health_checks).map(treatment),
        monitors: unlike(of.monitors, &default.monitors).map(treatment),
        crawlers: unlike(of.crawlers, &default.crawlers).map(treatment),
        budget: unlike(of.budget, &default.budget).map(shown_span),
    }
}

/// What a pod's readiness probe asks, the edge asks too; what it cannot say is said here.
fn health(health: &Health, probed: bool) -> HealthSpec {
    let default = Health::default();
    let mut spec = HealthSpec {
        timeout: unlike(health.timeout, &default.timeout).map(shown_span),
        grace: unlike(health.grace, &default.grace).map(shown_span),
        ..HealthSpec::default()
    };
    match &health.check {
        Check::Tcp => {}
        Check::Http { path } => spec.http = (!probed).then(|| path.clone()),
        Check::Grpc { service } => spec.grpc = (!probed).then(|| service.clone()),
    }
    spec
}

fn mode(mode: WakeMode) -> WakeModeSpec {
    match mode {
        WakeMode::Auto => WakeModeSpec::Auto,
        WakeMode::Hold => WakeModeSpec::Hold,
        WakeMode::Page => WakeModeSpec::Page,
        WakeMode::Redirect => WakeModeSpec::Redirect,
    }
}

fn treatment(treatment: Treatment) -> TreatmentSpec {
    match treatment {
        Treatment::Wake => TreatmentSpec::Wake,
        Treatment::Budget => TreatmentSpec::Budget,
        Treatment::Answer200 => TreatmentSpec::Answer200,
        Treatment::Answer503 => TreatmentSpec::Answer503,
    }
}
