//! What all requests share.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::settings::{Fail, Settings};

/// One run of the app.
#[derive(Debug)]
pub(crate) struct State {
    /// As the environment said.
    pub(crate) settings: Settings,
    /// The process that `SPAWN_CHILD` started.
    pub(crate) child: Option<u32>,
    started: Instant,
    served: AtomicU64,
    requests: Option<File>,
}

impl State {
    /// Of an app that starts now.
    pub(crate) fn new(settings: Settings, child: Option<u32>) -> Self {
        let requests = settings
            .requests_file
            .as_ref()
            .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
        Self { settings, child, started: Instant::now(), served: AtomicU64::new(0), requests }
    }

    /// Whether `READY_DELAY` is over.
    pub(crate) fn ready(&self) -> bool {
        self.started.elapsed() >= self.settings.ready_delay
    }

    /// Counts a request and returns its number, from 1; aborts where `FAIL=crash-after-N` says so.
    pub(crate) fn count(&self, method: &str, target: &str) -> u64 {
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
