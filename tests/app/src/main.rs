//! A small HTTP/1.1 app to put to sleep: the far end of the black-box tests.
//!
//! ```text
//!  environment ─► settings ─► main ─┬─► serve ─► answers (describe, bodies) · websocket · faults
//!                                   └─► raw  (RAW: canned bytes that no HTTP library would send)
//! ```
//!
//! What it does is asked for in the environment (`settings`) and in the request (`request`); it is one
//! `current_thread` runtime, so that it starts in milliseconds and a pause stops all of it.

mod answers;
mod bodies;
mod checksum;
mod faults;
mod raw;
mod request;
mod serve;
mod settings;
mod state;
mod websocket;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::settings::{Fail, Settings};
use crate::state::State;

/// What `FAIL=exit` and `FAIL=exit-after-…` end with.
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(mistake) => return complain(&mistake),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("no runtime: {error}")),
    };
    match runtime.block_on(live(settings)) {
        Ok(code) => code,
        Err(error) => complain(&error.to_string()),
    }
}

/// From the first instruction to the end, which is a signal, a failure that was asked for, or an error.
async fn live(settings: Settings) -> io::Result<ExitCode> {
    // First of all, so that a SIGTERM during START_DELAY is heeded too.
    let mut terminate = signal(SignalKind::terminate())?;
    note_start(&settings)?;
    if settings.fail == Fail::OutOfMemory {
        take_memory();
    }
    if matches!(settings.fail, Fail::Exit | Fail::OutOfMemory) {
        return Ok(ExitCode::from(FAILED));
    }
    let child = if settings.spawn_child { Some(spawn_grandchild()?) } else { None };
    let drain = settings.drain;
    let fail = settings.fail;
    let serving = serve(Arc::new(State::new(settings, child)));
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended.map(|()| ExitCode::SUCCESS),
        () = until_exit(fail) => return Ok(ExitCode::from(FAILED)),
        _ = terminate.recv() => {}
    }
    tokio::select! {
        ended = &mut serving => ended?,
        () = tokio::time::sleep(drain) => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(state: Arc<State>) -> io::Result<()> {
    tokio::time::sleep(state.settings.start_delay).await;
    if state.settings.fail == Fail::NeverListen {
        std::future::pending::<()>().await;
    }
    let listener = TcpListener::bind((state.settings.bind, state.settings.port)).await?;
    state.listening.get_or_init(state::nanoseconds);
    state.stamp("listening");
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    match state.settings.raw.clone() {
        Some(answer) => raw::serve(listener, answer, state).await,
        None => serve::serve(listener, state).await,
    }
}

async fn until_exit(fail: Fail) {
    match fail {
        Fail::ExitAfter(time) => tokio::time::sleep(time).await,
        Fail::Not | Fail::Exit | Fail::OutOfMemory | Fail::NeverListen | Fail::CrashAfter(_) => {
            std::future::pending().await
        }
    }
}

/// 1 GiB, written to, so that it is really taken.
fn take_memory() {
    let mut taken = Vec::new();
    for _ in 0..1024 {
        taken.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

/// One line for each start: more lines than starts that were meant is a start too many.
fn note_start(settings: &Settings) -> io::Result<()> {
    let Some(path) = &settings.starts_file else { return Ok(()) };
    let line = format!("{}\n", std::process::id());
    OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())
}

/// Starts a process in a session of its own, whose parent has gone: what a signal to the app's group does not reach.
fn spawn_grandchild() -> io::Result<u32> {
    let started = Command::new("sh")
        .args(["-c", "setsid sleep 86400 >/dev/null 2>&1 & echo $!"])
        .stderr(Stdio::inherit())
        .output()?;
    String::from_utf8_lossy(&started.stdout).trim().parse().map_err(io::Error::other)
}

fn complain(mistake: &str) -> ExitCode {
    // There is nobody left to tell if stderr is closed.
    let _ = writeln!(io::stderr(), "test-app: {mistake}");
    ExitCode::FAILURE
}
