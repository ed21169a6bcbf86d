//! What all requests share.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::settings::{Fail, Settings};

/// One run of the app.
#[derive(Debug)]
pub(crate) struct State {
    /// As the environment said.
    pub(crate) settings: Settings,
    /// The process that `SPAWN_CHILD` started.
    pub(crate) child: Option<u32>,
    /// When it listened; of an app that does not yet, nothing. See [`nanoseconds`].
    pub(crate) listening: OnceLock<u64>,
    /// When it began, by the same clock.
    pub(crate) began: u64,
    started: Instant,
    served: AtomicU64,
    requests: Option<File>,
    times: Option<File>,
}

impl State {
    /// Of an app that starts now.
    pub(crate) fn new(settings: Settings, child: Option<u32>) -> Self {
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path).ok();
        let requests = settings.requests_file.as_deref().and_then(open);
        let times = settings.times_file.as_deref().and_then(open);
        let state = Self {
            settings,
            child,
            listening: OnceLock::new(),
            began: nanoseconds(),
            started: Instant::now(),
            served: AtomicU64::new(0),
            requests,
            times,
        };
        state.stamp("started");
        state
    }

    /// Notes when something happened: now.
    pub(crate) fn stamp(&self, what: &str) {
        if let Some(mut file) = self.times.as_ref() {
            // A line that is missing fails the load test that reads them.
            let _ = file.write_all(format!("{what} {}\n", nanoseconds()).as_bytes());
        }
    }

    /// Whether `READY_DELAY` is over.
    pub(crate) fn ready(&self) -> bool {
        self.started.elapsed() >= self.settings.ready_delay
    }

    /// Counts a request and returns its number, from 1; aborts where `FAIL=crash-after-N` says so.
    pub(crate) fn count(&self, method: &str, target: &str) -> u64 {
        self.stamp("request");
        if let Some(mut file) = self.requests.as_ref() {
            // A line that is missing fails the test that counts them.
            let _ = file.write_all(format!("{method} {target}\n").as_bytes());
        }
        let number = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        if let Fail::CrashAfter(most) = self.settings.fail
            && number > most
        {
            std::process::abort();
        }
        number
    }
}

/// CLOCK_MONOTONIC, the same for all processes of a machine, those in containers too.
pub(crate) fn nanoseconds() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Both are positive since the machine was started.
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
