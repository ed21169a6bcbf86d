//! What must outlive the edge: who sleeps, the brakes, the limits of admins, the audit, and which instances have been. One SQLite file.
//!
//! ```text
//!   at start    Store::open ── load_apps, brakes, limits, reserve_instances ──► the driver
//!   then        the driver ── save_app … ──► Writer (a mailbox) ──► its thread: one transaction a batch ──► the file
//!   meanwhile   the admin API ── audit ──► Writer ──► its thread, after what it was given before
//! ```
//!
//! A commit is on disk when it returns (`synchronous = FULL`): a pause of sleep must hold also after the power went.
//! That costs one sync a batch, on the writer's thread only. Two processes may open the file at the same time and
//! see each other's commits; it is not the store that keeps two edges from sharing a state directory.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::brakes::{Pause, Scope};

mod apps;
mod audit;
mod error;
mod keep;
mod limits;
mod pauses;
mod row;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

pub use error::StoreError;
pub use keep::{Keep, Soon};
pub use row::{
    AppRow, AuditEntry, FailureRun, LastKnown, LoadedApps, LoadedLimits, RejectedApp, RejectedLimit,
    UnixMillis,
};
pub use writer::{FlushError, ReadError, Writer};

/// The file's name below the state directory.
pub const FILE_NAME: &str = "loco-edge.db";

/// How many entries of the audit are kept.
pub const AUDIT_KEPT: u32 = 10_000;

/// How long another process's transaction is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The journal shrinks back to this many bytes after a burst.
const JOURNAL_SIZE_LIMIT: i64 = 4 << 20;

/// The open file. Its methods block; [`Writer`] is for those who must not.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens the file in this directory. Creates both where there is nothing, and brings an older file up to date.
    ///
    /// # Errors
    /// What is there is never replaced: a file that is damaged, not ours, or of a newer version is refused and left
    /// as it is. So is one that cannot be written.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        create_dir(dir)?;
        let path = dir.join(FILE_NAME);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&path, flags).map_err(|e| StoreError::from_sqlite(&path, e))?;
        let mut store = Self { connection, path };
        store.set_up()?;
        Ok(store)
    }

    /// A store of this run, in memory.
    ///
    /// # Errors
    /// Where there is no memory.
    pub fn of_this_run() -> Result<Self, StoreError> {
        let path = PathBuf::from(":memory:");
        let connection = Connection::open_in_memory().map_err(|e| StoreError::from_sqlite(&path, e))?;
        let mut store = Self { connection, path };
        store.set_up()?;
        Ok(store)
    }

    fn set_up(&mut self) -> Result<(), StoreError> {
        self.wait_for_others(BUSY_TIMEOUT)?;
        // Nothing is written before it is certain that the file is ours and sound.
        schema::inspect(&mut self.connection, &self.path)?;
        let read_only = self.connection.is_readonly("main").map_err(|e| self.error(e))?;
        if read_only {
            return Err(StoreError::ReadOnly { path: self.path.clone() });
        }
        configure(&self.connection).map_err(|e| self.error(e))?;
        schema::migrate(&mut self.connection, schema::STEPS).map_err(|e| self.error(e))
    }

    fn wait_for_others(&self, timeout: Duration) -> Result<(), StoreError> {
        self.connection.busy_timeout(timeout).map_err(|e| self.error(e))
    }

    /// All apps known. A row that cannot be understood is left out and named, the rest goes on.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn load_apps(&self) -> Result<LoadedApps, StoreError> {
        apps::load(&self.connection).map_err(|e| self.error(e))
    }

    /// All pauses of sleep.
    ///
    /// # Errors
    /// Where the file cannot be read, or names a workspace that cannot be: a brake is not left out silently.
    pub fn brakes(&self) -> Result<Vec<(Scope, Pause)>, StoreError> {
        pauses::load(&self.connection).map_err(|e| self.error(e))
    }

    /// What admins have said of limits. A row that cannot be understood is left out and named, the rest goes on.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn limits(&self) -> Result<LoadedLimits, StoreError> {
        limits::load(&self.connection).map_err(|e| self.error(e))
    }

    /// The newest entries of the audit, newest first, at most `limit`.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        audit::newest(&self.connection, limit).map_err(|e| self.error(e))
    }

    /// Numbers for so many [`Instance`](config::link::Instance)s, never given out before and never again, also if
    /// they stay unused. 0 is not among them. A block of 2²⁰ for each run of the edge lasts for 2⁴³ runs, and its
    /// starts then depend on no disk.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn reserve_instances(&mut self, count: u32) -> Result<Range<u64>, StoreError> {
        let sql = "UPDATE instances SET next = next + ?1 RETURNING next";
        let end: i64 = self.commit(|t| t.query_row(sql, [count], |row| row.get(0)))?;
        // `next` begins at 1 and only grows.
        let end = end.unsigned_abs();
        Ok(end - u64::from(count)..end)
    }

    /// Makes changes in one transaction: all or none. It begins as a writing one, because a reading one that
    /// becomes a writing one does not wait for others but fails.
    fn commit<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let commit = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = change(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        commit(&mut self.connection).map_err(|e| self.error(e))
    }

    fn error(&self, error: rusqlite::Error) -> StoreError {
        StoreError::from_sqlite(&self.path, error)
    }
}

/// Creates the state directory, for its owner only: whoever can write to it decides what the edge runs.
fn create_dir(dir: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    let created = builder.recursive(true).mode(0o700).create(dir);
    created.map_err(|source| StoreError::Directory { path: dir.into(), source })
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // A write-ahead log lets others (a shell) read while the writer's thread writes.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_SIZE_LIMIT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)
}
