//! Tells somebody of failures: a POST of JSON for the first of a kind of each app, and one when it is healed.
//!
//! Never in anybody's way: what cannot be told at once waits, and of too much the oldest is dropped and counted.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::driver::view::AppView;
use crate::hook;

/// What waits to be told at most.
const WAITING: usize = 256;
/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How often the same is told, until somebody takes it.
const TRIES: u32 = 3;
/// The wait before the second try; each is twice as long as the one before.
const FIRST: Duration = Duration::from_secs(1);

/// Tells of failures. It ends when it is dropped: what waits then is not told.
#[derive(Debug)]
pub struct Webhook {
    shared: Arc<Shared>,
    _teller: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    some: Notify,
    results: Results,
}

#[derive(Debug, Default)]
struct State {
    failing: Failing,
    waiting: VecDeque<Value>,
}

/// What became of what was to be told, by result.
#[derive(Clone, Debug, Default)]
struct Results(Family<Vec<(&'static str, &'static str)>, Counter>);

impl Results {
    fn count(&self, result: &'static str) {
        self.0.get_or_create(&vec![("result", result)]).inc();
    }
}

impl Webhook {
    /// Tells at this address. Must be called within a tokio runtime.
    pub fn begin(url: http::Uri, registry: &mut Registry) -> Self {
        let results = Results::default();
        let help = "Failures and recoveries told to the webhook, by result: ok, failed (three times), dropped (too many waited)";
        registry.register("loco_edge_failure_webhook", help, results.0.clone());
        let shared = Arc::new(Shared { state: Mutex::default(), some: Notify::new(), results });
        let mut teller = JoinSet::new();
        teller.spawn(tell(url, Arc::clone(&shared)));
        Self { shared, _teller: teller }
    }

    /// How an app is now.
    pub fn see(&self, app: &AppView) {
        let mut state = self.shared.state();
        let Some(news) = state.failing.news(app) else { return };
        state.waiting.push_back(news);
        if state.waiting.len() > WAITING {
            state.waiting.pop_front();
            self.shared.results.count("dropped");
        }
        drop(state);
        self.shared.some.notify_one();
    }

    /// An app is no more.
    pub fn forget(&self, app: &str) {
        self.shared.state().failing.0.remove(app);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Apps that fail: of which kind, and how often in a row.
#[derive(Debug, Default)]
struct Failing(HashMap<String, (&'static str, u64)>);

impl Failing {
    /// What is to be told, if anything: a failure that is the first of its kind, or that an app is up that failed.
    fn news(&mut self, app: &AppView) -> Option<Value> {
        match app.state {
            "failed" => {
                let last = app.last_failure.as_ref()?;
                let before = self.0.get(&app.id).copied();
                let attempt = before.map_or(0, |(_, times)| times) + 1;
                self.0.insert(app.id.clone(), (last.code, attempt));
                let is_new = before.is_none_or(|(code, _)| code != last.code);
                is_new.then(|| said(app, "failed", (last.code, attempt), &last.at))
            }
            "awake" => {
                let failed = self.0.remove(&app.id)?;
                Some(said(app, "healed", failed, &app.since))
            }
            _ => None,
        }
    }
}

fn said(app: &AppView, event: &str, (failure, attempt): (&str, u64), at: &str) -> Value {
    let AppView { id, name, org, workspace, region, environment, message, .. } = app;
    json!({
        "event": event,
        "app": { "id": id, "name": name },
        "tenant": { "org": org, "workspace": workspace, "region": region, "environment": environment },
        "failure": failure,
        "message": message,
        "at": at,
        "attempt": attempt,
    })
}

async fn tell(url: http::Uri, shared: Arc<Shared>) {
    loop {
        let next = shared.state().waiting.pop_front();
        match next {
            Some(news) => shared.results.count(told(&url, &news).await),
            None => shared.some.notified().await,
        }
    }
}

async fn told(url: &http::Uri, news: &Value) -> &'static str {
    let mut wait = FIRST;
    for attempt in 1..=TRIES {
        let call = timeout(DEADLINE, hook::post(url, news)).await;
        let Err(why) = call.unwrap_or_else(|_| Err("it took too long".to_owned())) else { return "ok" };
        tracing::warn!(%url, why, attempt, "the failure webhook was not told");
        if attempt < TRIES {
            sleep(wait).await;
            wait *= 2;
        }
    }
    "failed"
}

#[cfg(test)]
mod tests;
