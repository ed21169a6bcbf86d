//! An app as the admin API shows it.

use std::time::{Duration, Instant, SystemTime};

use config::link::{Depth, Instance};
use serde::Serialize;
use serde_json::{Value, json};

use super::record::{LastFailure, Loss, Record, wall};
use crate::brakes::Sticks;
use crate::lifecycle::{State, WakeEnded};

/// See the API's description of `GET /v1/apps/{name}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppView {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub org: String,
    /// Whose it is.
    pub workspace: String,
    /// Where it runs.
    pub region: String,
    /// Where it runs.
    pub environment: String,
    /// awake, draining, asleep, absent, waking or failed.
    pub state: &'static str,
    /// Of sleep: light or deep.
    pub depth: Option<&'static str>,
    /// Of a wake.
    pub phase: Option<&'static str>,
    /// Since when it is in this state (RFC 3339).
    pub since: String,
    /// Requests that are open.
    pub open: u32,
    /// Requests that wait.
    pub held: u32,
    /// When it was last used.
    pub last_activity: Option<String>,
    /// Its last wake.
    pub last_wake: Option<WakeView>,
    /// Its last failure.
    pub last_failure: Option<FailureView>,
    /// What the platform says of why it does not come up, or did not.
    pub message: Option<String>,
    /// What keeps it from sleeping as its policy says.
    pub conditions: Vec<ConditionView>,
    /// The run, if there is one.
    pub instance: Option<u64>,
    /// The run's process, if it is one.
    pub pid: Option<u32>,
    /// Hosts and paths it answers for.
    pub routes: Vec<String>,
    /// Its own port at the edge, on loopback.
    pub port: Option<u16>,
    /// Where visitors find it.
    pub url: Option<String>,
}

/// A wake that has ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WakeView {
    /// `ok`, or the failure's code.
    pub result: &'static str,
    /// From the first request to up.
    pub total_ms: f64,
    /// How long each phase took.
    pub phases: Vec<PhaseView>,
}

/// A phase of a wake.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseView {
    /// Its name.
    pub phase: &'static str,
    /// How long it took.
    pub ms: f64,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailureView {
    /// Its code.
    pub code: &'static str,
    /// When it happened (RFC 3339).
    pub at: String,
    /// If its program ended: `code 7`, `signal 9`.
    pub exit: Option<String>,
}

/// Something that keeps an app from sleeping as its policy says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConditionView {
    /// `WouldLoseData`, `UndoneBy` or `InHours`.
    pub r#type: &'static str,
    /// What it means for this app.
    pub message: String,
}

/// The name of a state.
pub fn state_name(state: &State) -> &'static str {
    match state {
        State::Awake(_) => "awake",
        State::Draining(_) => "draining",
        State::Paused(_) | State::Down { .. } => "asleep",
        State::Absent => "absent",
        State::Waking(_) => "waking",
        State::Failed(_) => "failed",
        State::Gone { .. } => "gone",
    }
}

/// An app's state in the audit.
pub(super) fn brief(record: &Record) -> Value {
    json!({ "state": state_of(record), "depth": depth_of(record) })
}

pub(super) fn state_of(record: &Record) -> &'static str {
    record.state().map_or("awake", state_name)
}

/// Of sleep.
pub(super) fn depth_of(record: &Record) -> Option<&'static str> {
    match record.state()? {
        State::Paused(_) => Some(Depth::Light.as_str()),
        State::Down { depth, .. } => Some(depth.as_str()),
        State::Awake(_)
        | State::Draining(_)
        | State::Absent
        | State::Waking(_)
        | State::Failed(_)
        | State::Gone { .. } => None,
    }
}

pub(super) fn view(record: &Record, now: (Instant, SystemTime)) -> AppView {
    let app = &record.app;
    let state = record.state();
    AppView {
        name: app.name.to_string(),
        id: app.id.to_string(),
        org: app.tenant.org.to_string(),
        workspace: app.tenant.workspace.to_string(),
        region: app.tenant.region.to_string(),
        environment: app.tenant.environment.to_string(),
        state: state_of(record),
        depth: depth_of(record),
        phase: match state {
            Some(State::Waking(waking)) => Some(waking.phase().as_str()),
            _ => None,
        },
        since: rfc3339(record.since.1),
        open: record.usage.open,
        held: record.held(),
        last_activity: record.ever_active.then(|| rfc3339(wall(record.usage.last_active, now))),
        last_wake: record.last_wake.as_ref().map(|(ended, at)| wake_view(ended, *at)),
        last_failure: record.last_failure.clone().map(failure_view),
        message: message(record),
        conditions: conditions(record),
        instance: state.and_then(State::instance).map(|Instance(number)| number),
        pid: record.pid.filter(|(of, _)| state.and_then(State::instance) == Some(*of)).map(|(_, pid)| pid),
        routes: app.routes.iter().map(|route| format!("{}{}", route.host, route.path)).collect(),
        port: record.port,
        url: record.url.clone(),
    }
}

/// The platform's words, while they are about how the app is now.
fn message(record: &Record) -> Option<String> {
    match record.state()? {
        State::Waking(_) => record.why.as_ref().map(|(_, words)| words.clone()),
        State::Failed(_) => record.last_failure.as_ref().and_then(|last| last.message.clone()),
        State::Awake(_)
        | State::Draining(_)
        | State::Paused(_)
        | State::Down { .. }
        | State::Absent
        | State::Gone { .. } => None,
    }
}

fn conditions(record: &Record) -> Vec<ConditionView> {
    let loss = record.loss.as_ref().map(|Loss { depth, what }| {
        let sleep = match depth {
            Depth::Light => "it does not sleep",
            Depth::Deep => "it is not removed",
        };
        ConditionView { r#type: "WouldLoseData", message: format!("{sleep}: {what}") }
    });
    let undone = match record.undone.sticks() {
        Sticks::Deep => None,
        Sticks::Light => Some("put back, unchanged, each time it was removed: it is not removed any more"),
        Sticks::Nothing => Some("started again, unchanged, each time it fell asleep: it stays awake"),
    };
    let undone = undone.map(|message| ConditionView { r#type: "UndoneBy", message: message.to_owned() });
    let hours = record.within.brake();
    let hours = hours.map(|brake| ConditionView { r#type: "InHours", message: brake.to_string() });
    loss.into_iter().chain(undone).chain(hours).collect()
}

fn failure_view(last: LastFailure) -> FailureView {
    let LastFailure { failure, at, exit, message: _ } = last;
    FailureView { code: failure.code(), at: rfc3339(at), exit: exit.map(|exit| exit.to_string()) }
}

fn wake_view(ended: &WakeEnded, at: Instant) -> WakeView {
    let phases = ended.phases(at).map(|(phase, took)| PhaseView { phase: phase.as_str(), ms: millis(took) });
    WakeView {
        result: ended.result.map_or_else(|failure| failure.code(), |()| "ok"),
        total_ms: millis(ended.took(at)),
        phases: phases.collect(),
    }
}

/// To the microsecond: the edge's own part of a wake is measured in fractions of a millisecond.
pub(super) fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

fn rfc3339(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}
