//! The last good table on disk, without which a gateway that starts while revive is away could serve nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::link::wire::{keep, kept};
use config::link::{Limits, Table};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_blocking};

const FILE: &str = "table";
/// Tables that follow each other quickly are written once.
const QUIET: Duration = Duration::from_secs(1);

/// Writes tables down, in the background.
#[derive(Debug)]
pub(super) struct Saver {
    latest: Arc<Mutex<Latest>>,
    in_use: Arc<Notify>,
    task: Option<AbortHandle>,
}

/// What was told last, if anything was.
#[derive(Debug, Default)]
struct Latest {
    limits: Option<Limits>,
    table: Option<Table>,
}

impl Drop for Saver {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Saver {
    /// One that writes into this directory, if there is one.
    pub(super) fn start(dir: Option<PathBuf>) -> Self {
        let (latest, in_use) = (Arc::<Mutex<Latest>>::default(), Arc::<Notify>::default());
        let task = dir.map(|dir| tokio::spawn(save(dir, latest.clone(), in_use.clone())).abort_handle());
        Self { latest, in_use, task }
    }

    /// A table that came.
    pub(super) fn table(&self, table: &Table) {
        self.note(|latest| latest.table = Some(table.clone()));
    }

    /// Limits that came.
    pub(super) fn limits(&self, limits: &Limits) {
        self.note(|latest| latest.limits = Some(limits.clone()));
    }

    /// What came last is in use, so it is a good one.
    pub(super) fn in_use(&self) {
        self.in_use.notify_one();
    }

    fn note(&self, change: impl FnOnce(&mut Latest)) {
        if self.task.is_some() {
            change(&mut self.latest.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

async fn save(dir: PathBuf, latest: Arc<Mutex<Latest>>, in_use: Arc<Notify>) {
    loop {
        in_use.notified().await;
        tokio::time::sleep(QUIET).await;
        let (limits, table) = {
            let latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
            (latest.limits.clone(), latest.table.clone())
        };
        let Some(table) = table else { continue };
        let limits = limits.unwrap_or(Limits { generation: 0, limits: Vec::new() });
        let dir = dir.clone();
        let written = spawn_blocking(move || write(&dir, &keep(limits, table))).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "the table cannot be saved: a start without revive would not know it")
            }
            Err(error) => tracing::error!(%error, "the table could not be saved"),
        }
    }
}

/// Whole or not at all, also when the machine stops.
fn write(dir: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let draft = dir.join("table.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(draft, dir.join(FILE))
}

/// The table of the directory, if there is one that is whole.
pub(super) async fn read(dir: PathBuf) -> Option<(Limits, Table)> {
    let file = dir.join(FILE);
    let shown = file.display().to_string();
    let read = spawn_blocking(move || fs::read(&file).map(|bytes| kept(&bytes))).await;
    match read {
        Ok(Ok(Ok(table))) => Some(table),
        Ok(Ok(Err(error))) => {
            tracing::error!(file = shown, %error, "the saved table is not used");
            None
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Ok(Err(error)) => {
            tracing::error!(file = shown, %error, "the saved table cannot be read");
            None
        }
        Err(error) => {
            tracing::error!(file = shown, %error, "the saved table could not be read");
            None
        }
    }
}
