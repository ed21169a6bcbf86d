//! What people read on the cluster: the record's status and Kubernetes Events. Never in anybody's way: the latest status
//! of each record is written a little later, one after the other, and Events are dropped rather than queued without end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use config::link::Depth;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::cluster::Lane;
use super::context::Context;
use super::place::Place;
use super::trouble::Trouble;
use crate::kubernetes::MANAGER;
use crate::kubernetes::crd::SleepRecord;

/// How long a status waits for the next one that takes its place.
const SETTLES: Duration = Duration::from_millis(500);
/// How many Events may wait.
const WAITING: usize = 256;
/// The time from one Event to the next: five a second, whatever happens.
const BETWEEN: Duration = Duration::from_millis(200);

/// What is said of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It is about to lose its replicas, or to go.
    Draining,
    /// It sleeps; what would be lost if it slept deeper.
    Asleep(Depth, Option<String>),
    /// It is being woken.
    Waking,
    /// It takes requests.
    Awake,
    /// It was not put to sleep: what would be lost.
    WouldLoseData(String),
    /// It was not woken: a failure's code, and why.
    Failed(&'static str, String),
    /// What was not woken sleeps again, so deep; it is still why.
    PutAway(Depth, &'static str, String),
}

/// Takes words, and has them written.
pub(super) struct Words {
    statuses: Arc<Statuses>,
    events: mpsc::Sender<(Place, Word)>,
    _writers: JoinSet<()>,
}

#[derive(Default)]
struct Statuses {
    latest: Mutex<HashMap<Place, Value>>,
    some: Notify,
}

impl Words {
    pub(super) fn new(cx: &Context, client: Client) -> Self {
        let statuses = Arc::new(Statuses::default());
        let (events, received) = mpsc::channel(WAITING);
        let mut writers = JoinSet::new();
        writers.spawn(write_statuses(cx.clone(), Arc::clone(&statuses)));
        writers.spawn(write_events(cx.clone(), client, received));
        Self { statuses, events, _writers: writers }
    }

    /// Says it, some time soon.
    pub(super) fn say(&self, place: &Place, word: Word) {
        let status = status(&word, SystemTime::now());
        self.statuses.latest.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone(), status);
        self.statuses.some.notify_one();
        if self.events.try_send((place.clone(), word)).is_err() {
            tracing::debug!(%place, "too many events at once: this one is not told");
        }
    }
}

/// The status of a record, as a merge patch: `null` takes away what was there.
fn status(word: &Word, now: SystemTime) -> Value {
    let since = humantime::format_rfc3339_seconds(now).to_string();
    let (state, depth, reason, message) = match word {
        Word::Draining => ("Draining", None, None, None),
        Word::Asleep(depth, lost) => {
            let kept = lost.as_ref().map(|what| format!("it sleeps no deeper: that would lose {what}"));
            ("Asleep", Some(depth_name(*depth)), lost.as_ref().map(|_| "WouldLoseData"), kept)
        }
        Word::Waking => ("Waking", None, None, None),
        Word::Awake => ("Awake", None, None, None),
        Word::WouldLoseData(what) => {
            ("Awake", None, Some("WouldLoseData"), Some(format!("sleep would lose {what}")))
        }
        Word::Failed(code, why) => ("Failed", None, Some(*code), Some(why.clone())),
        Word::PutAway(depth, code, why) => {
            ("Failed", Some(depth_name(*depth)), Some(*code), Some(why.clone()))
        }
    };
    let lost = reason == Some("WouldLoseData");
    let conditions = json!([{
        "type": "WouldLoseData",
        "status": if lost { "True" } else { "False" },
        "reason": if lost { "WouldLoseData" } else { "NothingToLose" },
        "message": message.clone().filter(|_| lost).unwrap_or_default(),
        "lastTransitionTime": since,
    }]);
    let message = message.map(|text| text.chars().take(1_024).collect::<String>());
    json!({ "status": {
        "state": state, "depth": depth, "since": since, "reason": reason, "message": message, "conditions": conditions,
    }})
}

fn depth_name(depth: Depth) -> &'static str {
    match depth {
        Depth::Light => "Light",
        Depth::Deep => "Deep",
    }
}

async fn write_statuses(cx: Context, statuses: Arc<Statuses>) {
    loop {
        statuses.some.notified().await;
        sleep(SETTLES).await;
        let due = std::mem::take(&mut *statuses.latest.lock().unwrap_or_else(PoisonError::into_inner));
        for (place, status) in due {
            let api = cx.cluster.api::<SleepRecord>(&place.namespace);
            let (name, params, patch) = (place.record(), PatchParams::default(), Patch::Merge(&status));
            let request = api.patch_status(&name, &params, &patch);
            match cx.cluster.ask(Lane::Beside, "patch", "sleeprecords/status", request).await {
                // An app that never slept has no record.
                Ok(_) | Err(Trouble::NotFound) => {}
                Err(Trouble::Away(_)) => {
                    let mut latest = statuses.latest.lock().unwrap_or_else(PoisonError::into_inner);
                    latest.entry(place).or_insert(status);
                    statuses.some.notify_one();
                }
                Err(trouble) => tracing::warn!(%place, %trouble, "its record's status was not written"),
            }
        }
    }
}

async fn write_events(cx: Context, client: Client, mut words: mpsc::Receiver<(Place, Word)>) {
    let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(cx.settings.replica.clone()) };
    let recorder = Recorder::new(client, reporter);
    while let Some((place, word)) = words.recv().await {
        let Some(event) = event(&word) else { continue };
        let regarding = regarding(&cx, &place);
        let request = recorder.publish(&event, &regarding);
        if let Err(trouble) = cx.cluster.ask(Lane::Beside, "create", "events", request).await {
            tracing::debug!(%place, %trouble, "an event was not told");
        }
        sleep(BETWEEN).await;
    }
}

/// The Service, which is there whether the workload sleeps or not; without one, the record.
fn regarding(cx: &Context, place: &Place) -> ObjectReference {
    let namespace = Some(place.namespace.to_string());
    match cx.sight.owners(place).into_iter().next() {
        Some(owner) => ObjectReference {
            api_version: Some(owner.api_version),
            kind: Some(owner.kind),
            name: Some(owner.name),
            uid: Some(owner.uid),
            namespace,
            ..ObjectReference::default()
        },
        None => ObjectReference {
            api_version: Some("edge.loco.io/v1alpha1".to_owned()),
            kind: Some("SleepRecord".to_owned()),
            name: Some(place.record()),
            uid: cx.sight.record(place).map(|record| record.uid),
            namespace,
            ..ObjectReference::default()
        },
    }
}

fn event(word: &Word) -> Option<Event> {
    let (kind, reason, action, note) = match word {
        Word::Draining | Word::PutAway(..) => return None,
        Word::Asleep(Depth::Light, _) => (
            EventType::Normal,
            "SleepingLight",
            "Sleep",
            "it has no replicas until it is asked for".to_owned(),
        ),
        Word::Asleep(Depth::Deep, _) => (
            EventType::Normal,
            "SleptDeep",
            "Sleep",
            "its workload is kept in its SleepRecord, and gone until it is asked for".to_owned(),
        ),
        Word::Waking => (EventType::Normal, "Waking", "Wake", "it was asked for".to_owned()),
        Word::Awake => (EventType::Normal, "Awake", "Wake", "it takes requests".to_owned()),
        Word::WouldLoseData(what) => (
            EventType::Warning,
            "WouldLoseData",
            "Sleep",
            format!("it is not put to sleep: that would lose {what}"),
        ),
        Word::Failed(code, why) => (EventType::Warning, "WakeFailed", "Wake", format!("{code}: {why}")),
    };
    // `note` has at most 1 kB (events.k8s.io/v1).
    let note = note.chars().take(900).collect();
    Some(Event {
        type_: kind,
        reason: reason.to_owned(),
        note: Some(note),
        action: action.to_owned(),
        secondary: None,
    })
}
