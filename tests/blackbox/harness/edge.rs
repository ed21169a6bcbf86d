//! An edge under test: the built program in a directory of its own, which nothing of it outlives.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::apps::test_app;
use super::message::{Answer, Request};
use super::process::{self, Signal};
use super::wait::{PATIENCE, eventually, within};
use super::wire::{Broken, Wire};

/// Longer than the defaults of `drain_timeout` and `stop_timeout` together.
const END: Duration = Duration::from_secs(30);

/// Shorter than the default of `header_timeout`, whose 408 is no answer to a request that has all arrived.
const SILENCE: Duration = Duration::from_secs(8);

/// A running `loco-edge dev`.
#[derive(Debug)]
pub(crate) struct Edge {
    directory: TempDir,
    child: Child,
    arguments: Vec<String>,
    listen: SocketAddr,
    pub(super) admin: SocketAddr,
    ports: BTreeMap<String, SocketAddr>,
}

/// A `loco-edge` that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How.
    pub(crate) status: ExitStatus,
    /// All that it wrote, to stdout and stderr.
    pub(crate) said: String,
}

/// `loco-edge` with these arguments, in `directory`.
pub(crate) fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loco-edge"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    // Apps inherit it, so that what is left of them can be found, whatever they do to their groups.
    command.env("LOCO_TEST_DIRECTORY", directory);
    command
}

/// Runs it to its end: its status, and what it wrote to stdout and to stderr.
pub(crate) async fn ended(mut command: Command) -> (Option<i32>, String, String) {
    // A command that wrongly goes on serving is no command that ends: the wait for it must not hang the tests.
    let output =
        tokio::task::spawn_blocking(move || command.stdout(Stdio::piped()).stderr(Stdio::piped()).output());
    let output = within(PATIENCE, "the command ends", output).await.expect("no panic").expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

impl Edge {
    /// Starts an edge with this file and waits until it is ready.
    pub(crate) async fn start(file: &str) -> Self {
        Self::start_in(TempDir::with_prefix("loco-edge-").expect("a directory"), file).await
    }

    /// The same in a directory that already holds what the file names.
    pub(crate) async fn start_in(directory: TempDir, file: &str) -> Self {
        process::allow_many_descriptors();
        write(directory.path(), file);
        let arguments =
            ["dev", "apps.toml", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--state", "state"];
        let arguments: Vec<_> = arguments.map(str::to_owned).into();
        let child = spawn(directory.path(), &arguments);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut edge =
            Self { directory, child, arguments, listen: nowhere, admin: nowhere, ports: BTreeMap::new() };
        edge.until_ready().await;
        edge
    }

    /// Writes another file in place of the one that it was started with, and does not wait for what comes of it.
    pub(crate) fn rewrite(&self, file: &str) {
        write(self.path(), file);
    }

    /// Puts this file in the place of its own, as editors do, and waits until it has been read; what the edge then says
    /// of it.
    pub(crate) async fn reload(&self, file: &str) -> Value {
        let before = self.configuration().await;
        write(self.path(), file);
        eventually(PATIENCE, "the file is read again", async || {
            let now = self.configuration().await;
            if now["last_read"]["at"] == before["last_read"]["at"] { Err(now.to_string()) } else { Ok(now) }
        })
        .await
    }

    /// `kill -9`: the edge has no chance to tidy up. It is gone when this returns.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Starts it again on the same state and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        assert!(self.child.try_wait().expect("wait").is_some(), "it still runs");
        self.child = spawn(self.directory.path(), &self.arguments);
        self.until_ready().await;
    }

    /// Sends a signal that should end it, and waits until it has.
    pub(crate) async fn end(&mut self, signal: Signal) -> ExitStatus {
        process::signal(self.pid(), signal);
        eventually(END, "the edge ends", async || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            _ => Err("it runs"),
        })
        .await
    }

    /// The edge's own process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What of it runs: apps, their children, and theirs; not the edge itself.
    pub(crate) fn processes(&self) -> Vec<u32> {
        process::of(self.path()).into_iter().filter(|pid| *pid != self.pid()).collect()
    }

    /// Waits until nothing runs but the edge: what has been killed may need a moment to be gone.
    pub(crate) async fn until_nothing_runs(&self, why: &str) {
        eventually(Duration::from_secs(5), why, async || match self.processes().as_slice() {
            [] => Ok(()),
            left => Err(left.iter().map(|pid| process::describe(*pid)).collect::<Vec<_>>().join(", ")),
        })
        .await;
    }

    /// The test's own directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where it serves.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where its admin API is.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The app's own port at the edge.
    pub(crate) fn port(&self, app: &str) -> SocketAddr {
        *self.ports.get(app).unwrap_or_else(|| panic!("edge.json names no port for {app}: {:?}", self.ports))
    }

    /// A new connection.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.listen).await
    }

    /// Asks on a new connection; fails if there is no whole answer.
    pub(crate) async fn ask(&self, request: Request) -> Answer {
        match self.try_ask(&request).await {
            Ok(answer) => answer,
            Err(broken) => panic!("no answer to {request:?}: {broken:?}"),
        }
    }

    /// Asks on a new connection.
    pub(crate) async fn try_ask(&self, request: &Request) -> Result<Answer, Broken> {
        self.wire().await.ask(request).await
    }

    /// Sends bytes on a new connection and reads the answer to them. That there is none is a result, so that one
    /// table of bad requests says which of them hang.
    pub(crate) async fn ask_raw(&self, bytes: &str) -> Result<Answer, Broken> {
        let mut wire = self.wire().await;
        wire.send(bytes.as_bytes()).await;
        let request = Request::new("GET", "", "");
        tokio::time::timeout(SILENCE, wire.read(&request)).await.unwrap_or(Err(Broken::Silent))
    }

    /// How often the test app has been started.
    pub(crate) fn starts(&self, app: &str) -> usize {
        self.noted(app, "starts").len()
    }

    /// The requests that reached the test app, in all its runs: `METHOD target`, health checks left out.
    pub(crate) fn requests(&self, app: &str) -> Vec<String> {
        self.noted(app, "requests")
    }

    /// All that it and its apps have said.
    pub(crate) fn log(&self) -> String {
        read(&self.directory.path().join("edge.log"))
    }

    fn noted(&self, app: &str, what: &str) -> Vec<String> {
        read(&self.path().join(format!("{app}.{what}"))).lines().map(str::to_owned).collect()
    }

    async fn until_ready(&mut self) {
        let begin = Instant::now();
        while let Err(seen) = self.is_ready().await {
            if let Some(status) = self.child.try_wait().expect("wait") {
                panic!("the edge ended ({status}) before it was ready");
            }
            assert!(begin.elapsed() < PATIENCE, "not ready within {PATIENCE:?}: {seen}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// `edge.json` is this run's, and `/readyz` says 200.
    async fn is_ready(&mut self) -> Result<(), String> {
        let path = self.directory.path().join("state/edge.json");
        let text = fs::read_to_string(&path).map_err(|error| format!("edge.json: {error}"))?;
        let json: Value =
            serde_json::from_str(&text).map_err(|error| format!("edge.json: {error}: {text}"))?;
        if json["pid"] != self.pid() {
            return Err(format!("edge.json is of pid {}, not {}", json["pid"], self.pid()));
        }
        self.listen = address(&json["listen"])?;
        self.admin = address(&json["admin"])?;
        let apps = json["apps"].as_object().ok_or("edge.json has no apps")?;
        let port = |(name, value): (&String, &Value)| address(value).map(|address| (name.clone(), address));
        self.ports = apps.iter().map(port).collect::<Result<_, _>>()?;
        let ready = self.try_admin("GET", "/readyz").await.map_err(|broken| broken.to_string())?;
        if ready.status == 200 { Ok(()) } else { Err(format!("readyz: {ready:?}")) }
    }

    /// Ends it and all that it started; says what should not have been there.
    fn tidy_up(&mut self) -> Result<(), String> {
        let mut said = Vec::new();
        if let Ok(None) = self.child.try_wait() {
            process::signal(self.pid(), Signal::TERM);
            if !until(END, || matches!(self.child.try_wait(), Ok(Some(_)))) {
                said.push(format!("the edge did not end within {END:?} of SIGTERM"));
                // Reaped just below, or by init.
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
        // A process that has been killed may need a moment to be gone.
        until(Duration::from_secs(2), || process::of(self.directory.path()).is_empty());
        for left in process::of(self.directory.path()) {
            said.push(format!("it left {}", process::describe(left)));
            process::signal(left, Signal::KILL);
        }
        if said.is_empty() { Ok(()) } else { Err(said.join("; ")) }
    }
}

impl Drop for Edge {
    #[allow(clippy::print_stderr)] // The log is what a failure is understood by.
    fn drop(&mut self) {
        let tidy = self.tidy_up();
        let fails = std::thread::panicking();
        if fails || tidy.is_err() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(150)..];
            eprintln!(
                "--- the last {} of {} lines of the edge's log\n{}",
                last.len(),
                lines.len(),
                last.join("\n")
            );
        }
        match tidy {
            Ok(()) => {}
            Err(said) if fails => eprintln!("--- and: {said}"),
            Err(said) => panic!("{said}"),
        }
    }
}

fn write(directory: &Path, file: &str) {
    let path = directory.to_str().expect("an ASCII path");
    let app = test_app().to_str().expect("a UTF-8 path");
    let file = file.replace("{dir}", path).replace("{app}", app);
    fs::write(directory.join("apps.toml.new"), file).expect("the file is written");
    fs::rename(directory.join("apps.toml.new"), directory.join("apps.toml")).expect("it takes its place");
}

fn spawn(directory: &Path, arguments: &[String]) -> Child {
    let path = directory.join("edge.log");
    let log = File::options().create(true).append(true).open(path).expect("a log");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut command = command(directory, &arguments);
    command.stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("the edge starts")
}

fn address(value: &Value) -> Result<SocketAddr, String> {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("edge.json: {value} is no address"))
}

/// For `Drop`, which cannot be async.
fn until(deadline: Duration, mut done: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while !done() {
        if begin.elapsed() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

fn read(path: &PathBuf) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
