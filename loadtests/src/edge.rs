//! A `loco-edge dev` under load: the release build beside the scenario's own program, in a directory that goes with it.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::Outcome;
use crate::client::{Answer, Client};
use crate::clock::eventually;

const READY: Duration = Duration::from_secs(120);
const SLEEP: Duration = Duration::from_secs(30);
/// Longer than `drain_timeout` and `stop_timeout` together.
const END: Duration = Duration::from_secs(30);

/// A running edge. Dropping it ends it, and with it every app.
#[derive(Debug)]
pub struct Edge {
    directory: TempDir,
    child: Child,
    /// Where it serves.
    pub listen: SocketAddr,
    admin: SocketAddr,
    /// From its start until it was ready.
    pub start: Duration,
}

/// A program that was built with this one.
///
/// # Errors
/// Where it was not.
pub fn built(name: &str) -> Outcome<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() {
        return Ok(path);
    }
    Err(format!("{} is missing; first: cargo build --release --workspace", path.display()).into())
}

impl Edge {
    /// Starts an edge with this file, in which `{dir}` is its directory and `{app}` the test app.
    ///
    /// # Errors
    /// Where it ends, or is not ready in time.
    pub fn start(file: &str) -> Outcome<Self> {
        let directory = TempDir::with_prefix("loco-edge-load-")?;
        let here = directory.path().to_str().ok_or("the temporary directory's name is no UTF-8")?;
        let app = built("test-app")?.to_str().ok_or("the build directory's name is no UTF-8")?.to_owned();
        fs::write(directory.path().join("apps.toml"), file.replace("{dir}", here).replace("{app}", &app))?;
        let log = File::create(directory.path().join("edge.log"))?;
        let begin = Instant::now();
        let mut child = Command::new(built("loco-edge")?)
            .args([
                "dev",
                "apps.toml",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--state",
                "state",
            ])
            .current_dir(directory.path())
            .env("LOCO_EDGE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let ready = eventually(READY, "the edge is ready", || match child.try_wait() {
            Ok(None) => addresses(directory.path()).ok_or_else(|| "it has not said where".to_owned()),
            // Ended: there is nothing to wait for.
            Ok(Some(_)) | Err(_) => Ok(Err(log_of(directory.path()))),
        });
        let (listen, admin) = match ready {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(log)) => return Err(format!("the edge ended: {log}").into()),
            Err(error) => {
                // It may have ended just now.
                let _ended = child.kill();
                let _status = child.wait();
                return Err(error);
            }
        };
        Ok(Self { directory, child, listen, admin, start: begin.elapsed() })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Asks the admin API.
    ///
    /// # Errors
    /// Where there is no whole answer.
    pub fn admin(&self, method: &str, target: &str) -> Outcome<Answer> {
        Client::connect(self.admin)?.ask(method, &self.admin.to_string(), target)
    }

    /// `GET /v1/apps/NAME`.
    ///
    /// # Errors
    /// Where there is no such app.
    pub fn app(&self, name: &str) -> Outcome<Value> {
        let answer = self.admin("GET", &format!("/v1/apps/{name}"))?;
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// Puts an app to sleep; again where it is still busy with what has just ended.
    ///
    /// # Errors
    /// Where it stays awake.
    pub fn sleep(&self, name: &str, depth: &str) -> Outcome<()> {
        let target = format!("/v1/apps/{name}/sleep?depth={depth}");
        eventually(SLEEP, &format!("{name} sleeps"), || match self.admin("POST", &target) {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(String::from_utf8_lossy(&answer.body).into_owned()),
            Err(error) => Err(error.to_string()),
        })
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // An edge that has ended already is ended.
            let _ended = kill_process(pid, Signal::TERM);
        }
        let ended = eventually(END, "the edge ends", || match self.child.try_wait() {
            Ok(None) => Err("it runs".to_owned()),
            Ok(Some(_)) | Err(_) => Ok(()),
        });
        if ended.is_err() {
            let _ended = self.child.kill();
            let _status = self.child.wait();
        }
    }
}

/// What a ready edge has written: where it serves, and its admin API.
fn addresses(directory: &Path) -> Option<Result<(SocketAddr, SocketAddr), String>> {
    let text = fs::read_to_string(directory.join("state/edge.json")).ok()?;
    let said: Value = serde_json::from_str(&text).ok()?;
    let address = |name: &str| said[name].as_str().and_then(|address| address.parse().ok());
    Some(address("listen").zip(address("admin")).ok_or_else(|| format!("no addresses in {text}")))
}

fn log_of(directory: &Path) -> String {
    fs::read_to_string(directory.join("edge.log")).unwrap_or_default()
}
