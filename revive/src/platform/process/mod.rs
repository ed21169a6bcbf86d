//! Apps as local processes.
//!
//! ```text
//!   Command ─► ProcessPlatform ─► instance (a task each) ─► spawn ── port
//!                                    │   │   └─► output ─► log
//!   Report ◄─────────────────────────┘   └─► kin (who belongs) ─► ending ─► procfs, signals
//!                                            records (for after a kill -9) ─► leftovers
//! ```
//!
//! An instance is a process group, and whatever else its program starts: known by a mark in the environment and by
//! descent, reparented to the edge when its parents end. Paused, resumed and ended as a whole.

use crate::tell::tell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::link::{Failure, Instance};
use config::model::{App, AppId, Source};
use rustix::process::getpid;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use self::adopted::Reaper;
use self::ending::Ending;
use self::instance::{Life, Order};
use self::kin::{Kin, Marked};
use self::port::Ports;
use self::procfs::{Process, Processes};
use super::{Command, Event, Light, Platform, Report, Reports};

mod adopted;
mod ending;
mod instance;
mod kin;
pub mod leftovers;
mod listening;
mod mark;
mod output;
mod port;
mod procfs;
mod records;
mod spawn;

pub use self::records::{Records, RecordsError};

/// Variables that a new instance gets from the edge: they win over those of its app and of the edge's environment.
pub type Variables = Box<dyn Fn(&App, Instance) -> Vec<(String, String)> + Send + Sync>;

/// How processes are run.
pub struct Options {
    /// What each gets beside `PORT`.
    pub variables: Variables,
    /// How long a program may take to end after SIGTERM; then SIGKILL.
    pub stop_timeout: Duration,
}

/// Runs apps as processes of this machine. Clones are the same platform; when the last is dropped, all that it runs
/// is told to end, but only [`ProcessPlatform::shutdown`] waits for it.
#[derive(Clone)]
pub struct ProcessPlatform {
    shared: Arc<Shared>,
    runs: Arc<Mutex<Runs>>,
}

/// What instances have in common.
struct Shared {
    options: Options,
    records: Records,
    ports: Arc<Ports>,
    processes: Arc<Processes>,
    reports: Reports,
    _reaper: Reaper,
}

impl Shared {
    /// Once no app runs, every orphan is one that an app disowned so thoroughly that nobody knew whose it was.
    async fn end_orphans(&self) {
        let orphans = match self.processes.look().await {
            Ok(snapshot) => adopted::unclaimed(&snapshot).map(|p| p.identity).collect(),
            Err(error) => {
                tracing::warn!(%error, "cannot see whether orphans are left");
                return;
            }
        };
        let mut kin = Kin {
            groups: Vec::new(),
            marked: Marked::With(self.records.token().clone()),
            port: None,
            known: orphans,
        };
        match ending::end(&mut kin, None, &self.processes, Duration::from_millis(500)).await {
            Ending::Gone(0) => {}
            Ending::Gone(count) => {
                tracing::warn!(count, "ended processes that apps had left in the background");
            }
            Ending::Left(left) => tracing::error!(?left, "these processes cannot be ended: end them by hand"),
        }
    }
}

enum Runs {
    Open(HashMap<Instance, Run>),
    Closed,
}

/// An instance that has, or had, a task.
struct Run {
    app: AppId,
    orders: mpsc::UnboundedSender<Order>,
    wanted: Wanted,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Live,
    Ended,
}

impl ProcessPlatform {
    /// A platform on the state directory behind `records`, whose leftovers have been ended
    /// ([`leftovers::end`]). Makes this process the parent of orphans. Must be called within a tokio runtime, in
    /// which everything then runs.
    ///
    /// # Errors
    /// Where `/proc` cannot be read or signals cannot be listened for.
    pub fn new(options: Options, records: Records, reports: Reports) -> io::Result<Self> {
        let own =
            Process::read(getpid())?.ok_or_else(|| io::Error::other("/proc does not show this process"))?;
        let processes = Arc::new(Processes::since(own.identity.started));
        let reaper = Reaper::start(Arc::clone(&processes))?;
        let ports = Ports::new(u64::from_ne_bytes(random()?));
        let shared = Shared { options, records, ports, processes, reports, _reaper: reaper };
        Ok(Self { shared: Arc::new(shared), runs: Arc::new(Mutex::new(Runs::Open(HashMap::new()))) })
    }

    /// Ends all instances at once, and starts no more. Each is reported as ever. Takes 4 s longer than `stop_timeout`
    /// at most.
    pub async fn shutdown(&self) {
        let deadline = Instant::now() + self.shared.options.stop_timeout + 2 * ending::FORCED;
        let Runs::Open(runs) = std::mem::replace(&mut *self.runs(), Runs::Closed) else { return };
        let told: Vec<(Instance, JoinHandle<()>)> =
            runs.into_iter().map(|(i, run)| (i, run.stop())).collect();
        for (instance, task) in told {
            if !matches!(timeout_at(deadline, task).await, Ok(Ok(()))) {
                tracing::error!(
                    instance = instance.0,
                    "an instance was not ended; the next start will try again"
                );
            }
        }
        if timeout_at(deadline, self.shared.end_orphans()).await.is_err() {
            tracing::error!("some orphans of apps could not be ended");
        }
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, app: Arc<App>, instance: Instance) {
        let mut runs = self.runs();
        let (Runs::Open(live), Source::Process(spec)) = (&mut *runs, &app.source) else {
            tell!(
                warn,
                &app,
                instance = instance.0,
                "not started: the edge is shutting down, or does not run this app"
            );
            return self.refuse(&app, instance);
        };
        live.retain(|_, run| !run.task.is_finished());
        let earlier = live.extract_if(|_, run| run.app == app.id && run.wanted == Wanted::Ended);
        let earlier = earlier.map(|(_, run)| run.task).collect();
        let (orders, received) = mpsc::unbounded_channel();
        let (id, spec) = (app.id.clone(), spec.clone());
        let life = Life { app, spec, instance, shared: Arc::clone(&self.shared), orders: received };
        let task = tokio::spawn(life.run(earlier));
        live.insert(instance, Run { app: id, orders, wanted: Wanted::Live, task });
    }

    fn refuse(&self, app: &App, instance: Instance) {
        let event = Event::NotCreated(Failure::NotStarted);
        let report = Report::Happened { app: app.id.clone(), instance, event };
        if self.shared.reports.send(report).is_err() {
            tracing::debug!(instance = instance.0, "nobody listens to reports any more");
        }
    }

    /// An instance that has ended has been reported: nothing more is to be said about it.
    fn order(&self, instance: Instance, order: Order) {
        let mut runs = self.runs();
        let run = match &mut *runs {
            Runs::Open(live) => live.get_mut(&instance),
            Runs::Closed => None,
        };
        let Some(run) = run else {
            tracing::debug!(instance = instance.0, ?order, "no such instance any more");
            return;
        };
        if order == Order::Stop {
            run.wanted = Wanted::Ended;
        }
        if run.orders.send(order).is_err() {
            tracing::debug!(instance = instance.0, ?order, "it has ended");
        }
    }
}

impl Run {
    fn stop(self) -> JoinHandle<()> {
        if self.orders.send(Order::Stop).is_err() {
            tracing::debug!("it has ended already");
        }
        self.task
    }
}

impl Platform for ProcessPlatform {
    fn light(&self) -> Light {
        Light::Paused
    }

    fn submit(&mut self, command: Command) {
        match command {
            Command::Start { app, instance } => self.start(app, instance),
            Command::Pause(instance) => self.order(instance, Order::Pause),
            Command::Resume(instance) => self.order(instance, Order::Resume),
            Command::Stop { instance, depth: _ } => self.order(instance, Order::Stop),
            // Between runs there is nothing of a process, so nothing to take over, to remove or to forget.
            Command::Adopt { .. } | Command::Remove(_) | Command::Forget(_) => {}
        }
    }
}

/// Random bytes of the kernel (random(4)).
fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
