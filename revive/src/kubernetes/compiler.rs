//! The task that owns the index: takes in what watches see, and compiles when they have been quiet for a moment.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kube::Client;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::compile::{Compiled, compile};
use super::index::{Change, Due, Index, Key, Update};
use super::settings::Settings;
use super::status::{Write, writes};
use super::watch::{self as watches, Keeps, Seens, Watches};

/// Compiled when nothing has come for this long…
const QUIET: Duration = Duration::from_millis(10);
/// …or when the first change has waited for this long.
const LONGEST: Duration = Duration::from_millis(100);
/// Changes that one who follows may lag behind by.
const CHANGES: usize = 4_096;

/// What is made of a cluster, as it changes. The watches end with it.
#[derive(Debug)]
pub struct Watched {
    /// What it says; `None` until every kind has been listed.
    pub compiled: watch::Receiver<Option<Arc<Compiled>>>,
    /// What statuses are to be written: for [`super::status::Writer`].
    pub writes: watch::Receiver<Arc<Vec<Write>>>,
    /// What is known of it.
    pub view: View,
    tasks: JoinSet<()>,
}

/// What is known of a cluster, to be read at any time.
#[derive(Clone, Debug)]
pub struct View {
    index: Arc<RwLock<Index>>,
    changes: broadcast::Sender<Change>,
    compiles: Counter,
    seen: Seens,
}

/// Of a cluster of which nothing is known yet.
impl Default for View {
    fn default() -> Self {
        Self {
            index: Arc::default(),
            changes: broadcast::channel(CHANGES).0,
            compiles: Counter::default(),
            seen: Seens::default(),
        }
    }
}

impl View {
    /// What is known now. To be dropped soon: while it is held, a change copies the store that it changes.
    pub fn snapshot(&self) -> Index {
        self.index.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What changes from now on in pods, slices, workloads and records; it can be seen in a snapshot before it is told.
    /// Who lags behind by thousands is told how many it missed, and looks at a snapshot instead.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// A registry that shows how much was seen, and how often all was compiled.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How often the model was compiled of the cluster's objects";
        registry.register("loco_edge_kubernetes_compiles", help, self.compiles.clone());
        let help = "Changes of objects that were taken in, by kind; lists count once";
        registry.register("loco_edge_kubernetes_changes", help, self.seen.clone());
    }

    /// Of what a test says.
    #[cfg(test)]
    pub(crate) fn of(index: Index) -> Self {
        Self { index: Arc::new(RwLock::new(index)), ..Self::default() }
    }

    /// Takes in what was seen. What follows is told of it.
    pub(crate) fn apply(&self, update: Update) -> Due {
        let effect = self.index.write().unwrap_or_else(PoisonError::into_inner).apply(update);
        for change in effect.changes {
            // Nobody may be following.
            let _ = self.changes.send(change);
        }
        effect.due
    }
}

/// Watches a cluster.
pub fn start(client: &Client, settings: Arc<Settings>) -> Watched {
    let keeps = Keeps::with(settings.annotations());
    let seen = Seens::default();
    let Watches { updates, listed, secrets, mut tasks } =
        watches::start(client, &keeps, settings.loco.is_some(), seen.clone());
    let view = View { seen, ..View::default() };
    let (compiled_tx, compiled) = watch::channel(None);
    let (writes_tx, writes) = watch::channel(Arc::default());
    let compiler =
        Compiler { settings, view: view.clone(), compiled: compiled_tx, writes: writes_tx, secrets };
    tasks.spawn(compiler.run(updates, listed));
    Watched { compiled, writes, view, tasks }
}

impl Watched {
    /// Ends all watches, and waits for it.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

struct Compiler {
    settings: Arc<Settings>,
    view: View,
    compiled: watch::Sender<Option<Arc<Compiled>>>,
    writes: watch::Sender<Arc<Vec<Write>>>,
    secrets: watch::Sender<BTreeSet<Key>>,
}

/// What must be done, and since when.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    due: Due,
    first: Instant,
    last: Instant,
}

impl Waiting {
    fn more(waiting: Option<Self>, due: Due, now: Instant) -> Option<Self> {
        match (waiting, due) {
            (waiting, Due::Nothing) => waiting,
            (None, due) => Some(Self { due, first: now, last: now }),
            (Some(before), due) => Some(Self { due: before.due.max(due), last: now, ..before }),
        }
    }

    fn when(self) -> Instant {
        (self.last + QUIET).min(self.first + LONGEST)
    }
}

impl Compiler {
    async fn run(
        self,
        mut updates: tokio::sync::mpsc::Receiver<Update>,
        mut listed: tokio::sync::mpsc::Receiver<()>,
    ) {
        let (mut waiting, mut listing): (Option<Waiting>, bool) = (None, true);
        loop {
            let when = waiting.map_or_else(Instant::now, Waiting::when);
            // What is due comes first, or a storm would put it off for ever; that all is listed comes last, so that what
            // was listed is in the index.
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(when), if waiting.is_some() && !listing => {
                    if let Some(Waiting { due, .. }) = waiting.take() {
                        self.act(due).await;
                    }
                }
                update = updates.recv() => match update {
                    Some(update) => waiting = Waiting::more(waiting, self.view.apply(update), Instant::now()),
                    None => return,
                },
                _ = listed.recv(), if listing => {
                    listing = false;
                    waiting = Waiting::more(waiting, Due::Compile, Instant::now());
                }
            }
        }
    }

    async fn act(&self, due: Due) {
        let (index, settings) = (self.view.snapshot(), self.settings.clone());
        let previous = self.compiled.borrow().clone();
        if due == Due::Compile {
            self.view.compiles.inc();
        }
        let done = tokio::task::spawn_blocking(move || {
            let compiled = match (due, previous) {
                (Due::Nothing | Due::Statuses, Some(previous)) => previous,
                (Due::Compile, previous) => Arc::new(compile(&index, &settings, previous.as_deref())),
                (Due::Nothing | Due::Statuses, None) => Arc::new(compile(&index, &settings, None)),
            };
            let writes = writes(&index, &compiled.statuses, &settings.controller);
            (compiled, writes)
        });
        match done.await {
            Ok((compiled, writes)) => self.publish(compiled, writes),
            Err(error) => tracing::error!(%error, "the cluster could not be compiled; what was before stays"),
        }
    }

    fn publish(&self, compiled: Arc<Compiled>, writes: Vec<Write>) {
        self.secrets.send_if_modified(|secrets| {
            let changed = *secrets != compiled.secrets;
            if changed {
                secrets.clone_from(&compiled.secrets);
            }
            changed
        });
        self.compiled.send_if_modified(|last| {
            let changed = last.as_ref() != Some(&compiled);
            if changed {
                *last = Some(compiled);
            }
            changed
        });
        self.writes.send_replace(Arc::new(writes));
    }
}
