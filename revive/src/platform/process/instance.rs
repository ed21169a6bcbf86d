//! The life of one instance, from its command to the end of its last process.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use config::link::Instance;
use config::model::{App, ProcessSpec};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::adopted::claim;
use super::ending::{Ending, Member, end, signal};
use super::kin::{Kin, Marked, alive};
use super::mark::MARK;
use super::port::Lease;
use super::procfs::{Identity, Process};
use super::spawn::{StartError, spawn};
use super::{Shared, output};
use crate::platform::{Event, Exit, Report};
use crate::tell::tell;

/// How long the last of a program's output, and its exit status, may take to come once all its processes are gone.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often a pause looks for processes that were started while it went on.
const PAUSE_LOOKS: usize = 8;

/// What an instance is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Light sleep.
    Pause,
    /// Its end.
    Resume,
    /// The instance's end.
    Stop,
}

/// One instance, and who is to be told about it.
pub(super) struct Life {
    pub(super) app: Arc<App>,
    pub(super) spec: ProcessSpec,
    pub(super) instance: Instance,
    pub(super) shared: Arc<Shared>,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
}

/// A started program.
struct Running {
    child: Child,
    leader: Identity,
    lease: Lease,
    kin: Kin,
    /// Those outside of the group that the last pause stopped.
    strays: Vec<Member>,
    output: JoinSet<()>,
}

/// Why an instance's time is over.
enum End {
    Itself(Exit),
    Asked,
}

impl Life {
    /// Waits until earlier instances of the app, told to stop, have ended; then starts, obeys, ends.
    pub(super) async fn run(mut self, earlier: Vec<JoinHandle<()>>) {
        for task in earlier {
            if let Err(error) = task.await {
                tell!(error, &self.app, instance = self.instance.0, %error, "an earlier instance was not ended");
            }
        }
        if self.orders.is_closed() {
            // The platform has been dropped or shut down meanwhile.
            return self.report(Event::Exited(Exit::Unknown));
        }
        match self.start() {
            Ok(running) => {
                let endpoint = (Ipv4Addr::LOCALHOST, running.lease.port()).into();
                self.report(Event::Created { endpoint, pid: running.child.id() });
                let exit = self.live(running).await;
                self.report(Event::Exited(exit));
            }
            Err(error) => {
                tell!(warn, &self.app, instance = self.instance.0, "not started: {error}");
                self.report(Event::NotCreated(error.failure()));
            }
        }
    }

    fn report(&self, event: Event) {
        let report = Report::Happened { app: self.app.id.clone(), instance: self.instance, event };
        if self.shared.reports.send(report).is_err() {
            tell!(debug, &self.app, instance = self.instance.0, "nobody listens to reports any more");
        }
    }

    fn start(&self) -> Result<Running, StartError> {
        let lease = self.shared.ports.lease().ok_or(StartError::NoPort)?;
        let mark = self.shared.records.mark(self.instance);
        let variables = (self.shared.options.variables)(&self.app, self.instance);
        let mut variables: BTreeMap<String, String> = variables.into_iter().collect();
        variables.insert("PORT".to_owned(), lease.port().to_string());
        variables.insert(MARK.to_owned(), mark.to_string());
        let mut child = spawn(&self.spec, lease.port(), variables)?;
        let leader = identity(&child).inspect_err(|_| abandon(&mut child, &self.app))?;
        if let Err(error) =
            self.shared.records.add(self.app.name.as_str(), self.instance, leader, lease.port())
        {
            tell!(warn, &self.app, %error, "not recorded: after a crash of the edge it is known by its mark only");
        }
        tell!(
            info,
            &self.app,
            instance = self.instance.0,
            pid = leader.pid.as_raw_pid(),
            port = lease.port(),
            "started"
        );
        let output = self.follow_output(&mut child);
        let kin = Kin {
            groups: vec![leader.pid],
            marked: Marked::By(mark),
            port: Some(lease.port()),
            known: HashSet::from([leader]),
        };
        Ok(Running { child, leader, lease, kin, strays: Vec::new(), output })
    }

    fn follow_output(&self, child: &mut Child) -> JoinSet<()> {
        let mut output = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            output.spawn(output::follow(stdout, Arc::clone(&self.app), "stdout"));
        }
        if let Some(stderr) = child.stderr.take() {
            output.spawn(output::follow(stderr, Arc::clone(&self.app), "stderr"));
        }
        output
    }

    async fn live(&mut self, mut running: Running) -> Exit {
        let end = self.obey(&mut running).await;
        if let End::Itself(exit) = end {
            self.report(Event::Ending(exit));
        }
        let left = self.end(&mut running, &end).await;
        let exit = match end {
            End::Itself(exit) => exit,
            End::Asked => running.exit().await,
        };
        running.last_words().await;
        match left {
            Ending::Gone(_) => self.forget(),
            Ending::Left(left) => {
                let pids: Vec<i32> = left.iter().map(|i| i.pid.as_raw_pid()).collect();
                tell!(
                    error,
                    &self.app,
                    instance = self.instance.0,
                    ?pids,
                    "these processes cannot be ended: end them by hand"
                );
            }
        }
        tell!(info, &self.app, instance = self.instance.0, %exit, "ended");
        exit
    }

    /// Carries out orders until the program ends or is to end; who dropped the platform wants it to end, too.
    async fn obey(&mut self, running: &mut Running) -> End {
        loop {
            let order = tokio::select! {
                status = running.child.wait() => return End::Itself(status.map_or(Exit::Unknown, exit_of)),
                order = self.orders.recv() => order,
            };
            let done = match order {
                Some(Order::Pause) => {
                    running.pause(&self.shared, &self.app).await;
                    Event::Paused
                }
                Some(Order::Resume) => {
                    running.resume();
                    Event::Resumed
                }
                Some(Order::Stop) | None => return End::Asked,
            };
            match running.child.try_wait() {
                Ok(None) => self.report(done),
                Ok(Some(status)) => return End::Itself(exit_of(status)),
                Err(_) => return End::Itself(Exit::Unknown),
            }
        }
    }

    async fn end(&self, running: &mut Running, end_of: &End) -> Ending {
        let leader = match end_of {
            End::Itself(_) => None,
            End::Asked => Some(running.leader.pid),
        };
        let Shared { options, processes, .. } = &*self.shared;
        let ending = end(&mut running.kin, leader, processes, options.stop_timeout).await;
        if let (End::Itself(exit), Ending::Gone(others @ 1..)) = (end_of, &ending) {
            let advice =
                "if it moves to the background, tell it to stay in the foreground (`daemon off` or the like)";
            tell!(warn, &self.app, instance = self.instance.0, %exit, others, "the program ended, so what it left running was ended too; {advice}");
        }
        ending
    }

    fn forget(&self) {
        if let Err(error) = self.shared.records.remove(self.instance) {
            tell!(warn, &self.app, %error, "its record stays; the next start finds nothing to end");
        }
    }
}

impl Running {
    /// Stops the group at once, then those outside of it, who may be starting others meanwhile.
    async fn pause(&mut self, shared: &Shared, app: &App) {
        self.signal_group(Signal::STOP);
        self.strays.clear();
        let mut stopped = HashSet::new();
        for _ in 0..PAUSE_LOOKS {
            let snapshot = match shared.processes.look().await {
                Ok(snapshot) => snapshot,
                Err(error) => {
                    tell!(warn, app, %error, "paused its process group only, because others cannot be seen");
                    return;
                }
            };
            claim(&mut self.kin, &snapshot).await;
            let members = self.kin.members(&snapshot);
            let outside = alive(&members).into_iter().filter(|p| p.group != Some(self.leader.pid));
            let new: Vec<Identity> = outside.map(|p| p.identity).filter(|i| stopped.insert(*i)).collect();
            if new.is_empty() {
                return;
            }
            let new: Vec<Member> = new.into_iter().map(Member::alone).collect();
            signal(&new, &[], Signal::STOP);
            self.strays.extend(new);
        }
        tell!(
            warn,
            app,
            pid = self.leader.pid.as_raw_pid(),
            "it starts processes faster than they can be paused"
        );
    }

    /// Nobody is looked for: what is stopped has started nobody.
    fn resume(&mut self) {
        self.signal_group(Signal::CONT);
        signal(&self.strays, &[], Signal::CONT);
        self.strays.clear();
    }

    /// The group's number cannot be another's as long as its leader, even a zombie, has not been waited for.
    fn signal_group(&self, signal: Signal) {
        if let Err(error) = kill_process_group(self.leader.pid, signal) {
            tracing::debug!(pid = self.leader.pid.as_raw_pid(), %error, "cannot signal a process group");
        }
    }

    async fn exit(&mut self) -> Exit {
        match timeout(LAST_WORDS, self.child.wait()).await {
            Ok(Ok(status)) => exit_of(status),
            Ok(Err(_)) | Err(_) => Exit::Unknown,
        }
    }

    /// Without processes the pipes end by themselves; one handed to a stranger does not and is given up.
    async fn last_words(&mut self) {
        let all = async { while self.output.join_next().await.is_some() {} };
        if timeout(LAST_WORDS, all).await.is_err() {
            self.output.shutdown().await;
        }
    }
}

fn identity(child: &Child) -> Result<Identity, StartError> {
    let gone = || StartError::Unseen(std::io::ErrorKind::NotFound.into());
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).ok_or_else(gone)?;
    let process = Process::read(pid).map_err(StartError::Unseen)?.ok_or_else(gone)?;
    Ok(process.identity)
}

fn abandon(child: &mut Child, app: &App) {
    if let Err(error) = child.start_kill() {
        tell!(warn, app, %error, "cannot end a program that cannot be watched");
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}
