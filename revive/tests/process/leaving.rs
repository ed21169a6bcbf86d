//! What a kill -9 of the edge leaves, and who ends it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use config::link::Instance;
use revive::platform::process::{Records, RecordsError, leftovers};
use revive::platform::{self, Event, Platform};
use tempfile::TempDir;

use crate::harness::{
    DEADLINE, STOP_TIMEOUT, app, happened, is_gone, pid_in, platform, runs, until, until_state,
};

const STATE: &str = "EDGE_TO_BE_KILLED_STATE";
const SCRIPT: &str = "EDGE_TO_BE_KILLED_SCRIPT";

/// Not a test: the edge that others start, with one app, and kill.
#[tokio::test]
#[ignore = "run by the tests below, in a process of its own"]
async fn edge_to_be_killed() {
    let Some(dir) = std::env::var_os(STATE) else { return };
    let (mut platform, mut reports) = platform(Path::new(&dir));
    let script = std::env::var(SCRIPT).unwrap();
    let app = app("shop", &["sh", "-c", &script], Path::new(&dir));
    platform.submit(platform::Command::Start { app: app.into(), instance: Instance(1) });
    while let Ok(Some(report)) = tokio::time::timeout(DEADLINE, reports.recv()).await {
        std::fs::write(Path::new(&dir).join("report"), format!("{report:?}\n")).unwrap();
        let wanted = std::fs::exists(Path::new(&dir).join("pause-wanted")).unwrap();
        if wanted && matches!(happened(report).1, Event::Created { .. }) {
            pid_in(&Path::new(&dir).join("leader")).await;
            platform.submit(platform::Command::Pause(Instance(1)));
        }
    }
}

struct Killed {
    state: TempDir,
}

impl Killed {
    fn path(&self, file: &str) -> std::path::PathBuf {
        self.state.path().join(file)
    }
}

fn start_edge(state: &Path, script: &str) -> Ours {
    let mut edge = Command::new(std::env::current_exe().unwrap());
    edge.args(["leaving::edge_to_be_killed", "--exact", "--ignored"]).env(STATE, state).env(SCRIPT, script);
    edge.env("LOCO_EDGE__ADMIN__SECRET", "hidden").env("GREETING", "hi");
    Ours(edge.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// An edge ran this script as its app, which wrote these files, and was killed.
async fn killed(script: &str, files: &[&str]) -> Killed {
    let killed = Killed { state: TempDir::new().unwrap() };
    let mut edge = start_edge(killed.state.path(), script);
    for file in files.iter().chain(&["report"]) {
        crate::harness::text_in(&killed.path(file)).await;
    }
    edge.kill().unwrap();
    killed
}

async fn end(state: &Path) -> leftovers::Leftovers {
    leftovers::end(&Records::open(state).unwrap(), STOP_TIMEOUT).await.unwrap()
}

#[tokio::test]
async fn what_a_killed_edge_left_is_ended_wherever_it_went() {
    let script = "setsid sh -c 'trap \"\" TERM; echo $$ > stray; while :; do sleep 1; done' & \
                  sh -c 'echo $$ > child; exec sleep 60' & echo $$ > leader; wait";
    let killed = killed(script, &["stray", "child", "leader"]).await;
    let mut pids = Vec::new();
    for file in ["stray", "child", "leader"] {
        pids.push(pid_in(&killed.path(file)).await);
    }
    assert!(pids.iter().all(|pid| !is_gone(*pid)));
    let left = end(killed.state.path()).await;
    assert_eq!(left.recorded, [("shop".to_owned(), Instance(1))]);
    assert!(left.ended >= 3 && left.left.is_empty(), "{left:?}");
    for pid in pids {
        assert!(!runs(pid), "{pid} still runs");
    }
    let again = end(killed.state.path()).await;
    assert_eq!((again.recorded.len(), again.ended), (0, 0));
}

#[tokio::test]
async fn what_was_paused_is_ended_too() {
    let state_dir = TempDir::new().unwrap();
    std::fs::write(state_dir.path().join("pause-wanted"), "").unwrap();
    // The kernel hangs up on a stopped group whose last tie to its session ends (POSIX, orphaned process group).
    let script = "trap '' HUP; echo $$ > leader; exec sleep 60";
    let mut edge = start_edge(state_dir.path(), script);
    let pid = pid_in(&state_dir.path().join("leader")).await;
    let paused =
        || std::fs::read_to_string(state_dir.path().join("report")).ok().filter(|r| r.contains("Paused"));
    until("paused", paused).await;
    until_state(pid, 'T').await;
    edge.kill().unwrap();
    assert!(end(state_dir.path()).await.ended >= 1);
    assert!(!runs(pid));
}

#[tokio::test]
async fn a_program_without_mark_is_known_by_its_recorded_group() {
    let killed = killed("exec env -i sh -c 'echo $$ > leader; sleep 60; exit'", &["leader"]).await;
    let pid = pid_in(&killed.path("leader")).await;
    assert!(!is_gone(pid));
    assert!(end(killed.state.path()).await.ended >= 2);
    assert!(!runs(pid));
}

#[tokio::test]
async fn a_number_that_is_anothers_now_is_left_alone() {
    let killed = killed("echo $$ > leader; exec sleep 60", &["leader"]).await;
    let stranger = Ours(Command::new("sleep").arg("60").process_group(0).spawn().unwrap());
    let record = killed.path("instances/1.json");
    let mut reused: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    reused["pid"] = stranger.0.id().into();
    reused["started"] = 1.into();
    std::fs::write(&record, reused.to_string()).unwrap();
    let left = end(killed.state.path()).await;
    assert_eq!(left.recorded.len(), 1);
    assert!(!runs(pid_in(&killed.path("leader")).await));
    assert!(stranger.runs(), "killed a stranger");
}

#[tokio::test]
async fn numbers_of_an_earlier_boot_mean_nothing() {
    let killed = killed("exec env -i sh -c 'echo $$ > leader; exec sleep 60'", &["leader"]).await;
    let record = killed.path("instances/1.json");
    let mut other_boot: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    let current = other_boot.clone();
    other_boot["boot"] = "another".into();
    std::fs::write(&record, other_boot.to_string()).unwrap();
    let left = end(killed.state.path()).await;
    assert_eq!((left.recorded.len(), left.ended), (1, 0));
    std::fs::write(&record, current.to_string()).unwrap();
    assert_eq!(end(killed.state.path()).await.ended, 1);
}

#[tokio::test]
async fn an_emptied_or_copied_state_ends_nothing() {
    let killed = killed("echo $$ > leader; exec sleep 60", &["leader"]).await;
    let pid = pid_in(&killed.path("leader")).await;
    let copy = TempDir::new().unwrap();
    std::fs::create_dir(copy.path().join("instances")).unwrap();
    std::fs::copy(killed.path("instances/token"), copy.path().join("instances/token")).unwrap();
    assert_eq!(end(copy.path()).await.ended, 0);
    assert!(runs(pid));
    assert_eq!(end(killed.state.path()).await.ended, 1);
}

#[tokio::test]
async fn a_live_edge_keeps_its_state_and_its_apps() {
    let state = TempDir::new().unwrap();
    let mut live = start_edge(state.path(), "echo $$ > leader; exec sleep 60");
    let pid = pid_in(&state.path().join("leader")).await;
    assert!(matches!(Records::open(state.path()), Err(RecordsError::InUse(_))));
    let elsewhere = TempDir::new().unwrap();
    assert_eq!(end(elsewhere.path()).await.ended, 0);
    assert!(runs(pid));
    live.kill().unwrap();
    assert_eq!(end(state.path()).await.ended, 1);
}

#[tokio::test]
async fn the_edges_environment_is_passed_on_but_not_its_settings() {
    let state = TempDir::new().unwrap();
    let edge = start_edge(state.path(), "env | sort > environment; echo > written; exec sleep 60");
    crate::harness::text_in(&state.path().join("written")).await;
    let environment = std::fs::read_to_string(state.path().join("environment")).unwrap();
    assert!(environment.contains("\nGREETING=hi\n") && environment.contains("\nLOCO_EDGE_INSTANCE="));
    assert!(!environment.contains("hidden"), "{environment}");
    drop(edge);
    assert_eq!(end(state.path()).await.ended, 1);
}

#[tokio::test]
async fn an_ended_instance_is_on_record_no_more() {
    let state = TempDir::new().unwrap();
    let (mut platform, mut reports) = platform(state.path());
    let app = app("shop", &["sleep", "60"], state.path());
    platform.submit(platform::Command::Start { app: app.into(), instance: Instance(5) });
    reports.recv().await.unwrap();
    assert!(state.path().join("instances/5.json").exists());
    platform.shutdown().await;
    assert!(!state.path().join("instances/5.json").exists());
}

/// A process of the test's own; ended with the test, however that goes.
struct Ours(Child);

impl Ours {
    fn runs(&self) -> bool {
        runs(i32::try_from(self.0.id()).unwrap())
    }

    fn kill(&mut self) -> std::io::Result<std::process::ExitStatus> {
        self.0.kill()?;
        self.0.wait()
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("the test's own process was gone already: {error}");
        }
    }
}
