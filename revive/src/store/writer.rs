//! Writes that nobody waits for. A slow or full disk must not stall the driver of all apps.
//!
//! Writes go into a mailbox; one thread takes all of it and commits it as one transaction. Saves of one app coalesce
//! in the mailbox itself, so that behind a disk that hangs it holds no more than each app's newest state (a channel
//! would fill up with old states and lose the newest). What a failed commit leaves goes back, unless something newer
//! has come meanwhile, and is tried again.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use config::model::{AppId, Label};
use tokio::sync::oneshot;

use super::{AppRow, AuditEntry, Store, StoreError};
use crate::brakes::{Pause, Scope};
use crate::limits::Said;

mod batch;
mod mailbox;
#[cfg(test)]
mod tests;

use batch::{AppWrite, Batch, LimitWrite, PauseWrite};
use mailbox::{Mailbox, Read};

/// A handle on the thread that writes; it can be cloned. With the last one the thread ends, after a last try to
/// write what waits.
#[derive(Clone, Debug)]
pub struct Writer(Arc<Handle>);

#[derive(Debug)]
struct Handle(Arc<Mailbox>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Why a flush did not succeed. What it waited for is still tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlushError {
    /// The disk, or whoever keeps the file locked, did not let it through in time.
    #[error("{waiting} writes were not on disk in time")]
    Deadline {
        /// How many writes wait that are not being written.
        waiting: usize,
    },
    /// It was tried, and failed.
    #[error("{why}")]
    Failed {
        /// As [`super::StoreError`] says it.
        why: String,
    },
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk is slow, or whoever keeps the file locked is.
    #[error("the store did not answer in time")]
    Deadline,
    /// It was tried, and failed.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

impl Writer {
    /// Gives the store to a thread of its own.
    ///
    /// # Errors
    /// Where the system has no thread to give.
    pub fn spawn(store: Store) -> std::io::Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let handle = Handle(Arc::clone(&mailbox));
        thread::Builder::new().name("store".into()).spawn(move || run(store, &mailbox))?;
        Ok(Self(Arc::new(handle)))
    }

    /// Remembers an app as it is now; of several for one app only the last may be written.
    pub fn save_app(&self, app: AppRow) {
        self.0.0.add(|batch| batch.app(app.id.clone(), AppWrite::Save(app)));
    }

    /// Forgets an app. Unknown ones are forgotten already.
    pub fn forget_app(&self, app: AppId) {
        self.0.0.add(|batch| batch.app(app, AppWrite::Forget));
    }

    /// Remembers a pause; it replaces one of the same scope.
    pub fn set_brake(&self, scope: Scope, pause: Pause) {
        self.0.0.add(|batch| batch.pause(scope, PauseWrite::Set(pause)));
    }

    /// Forgets a pause.
    pub fn lift_brake(&self, scope: Scope) {
        self.0.0.add(|batch| batch.pause(scope, PauseWrite::Lift));
    }

    /// Remembers what an admin has said of a limit; it replaces what was said before.
    pub fn say_limit(&self, name: Label, said: Said) {
        self.0.0.add(|batch| batch.limit(name, LimitWrite::Say(said)));
    }

    /// Forgets what an admin has said of a limit.
    pub fn unsay_limit(&self, name: Label) {
        self.0.0.add(|batch| batch.limit(name, LimitWrite::Unsay));
    }

    /// Appends to the audit, of which the newest [`AUDIT_KEPT`](super::AUDIT_KEPT) entries are kept.
    pub fn append_audit(&self, entry: AuditEntry) {
        self.0.0.add(|batch| batch.audit(entry));
    }

    /// As [`Store::audit`], after all that was given before has been tried.
    ///
    /// # Errors
    /// At the deadline, or where the file cannot be read.
    pub async fn audit(&self, limit: u32, within: Duration) -> Result<Vec<AuditEntry>, ReadError> {
        let (reply, entries) = oneshot::channel();
        self.0.0.read(Read { limit, reply });
        match tokio::time::timeout(within, entries).await {
            Ok(Ok(entries)) => Ok(entries?),
            // Without an answer the thread has ended, which it does not while there is a handle.
            Ok(Err(_)) | Err(_) => Err(ReadError::Deadline),
        }
    }

    /// How many writes have failed since the start. One that is tried again and fails again counts again.
    pub fn failed_writes(&self) -> u64 {
        self.0.0.failed()
    }

    /// How many of those were given up: the mailbox was full, or trying again could not help.
    pub fn lost_writes(&self) -> u64 {
        self.0.0.lost()
    }

    /// How many writes wait.
    pub fn waiting(&self) -> usize {
        self.0.0.waiting()
    }

    /// Ends when all that was given before is on disk: before the edge ends, or before somebody is told that it is.
    ///
    /// # Errors
    /// At the deadline, or as soon as a try fails; it does not wait for the next one.
    pub async fn flush(&self, within: Duration) -> Result<(), FlushError> {
        let (done, flushed) = oneshot::channel();
        self.0.0.flush(done);
        match tokio::time::timeout(within, flushed).await {
            Ok(Ok(result)) => result,
            // Without an answer the thread has ended, which it does not while there is a handle.
            Ok(Err(_)) | Err(_) => Err(FlushError::Deadline { waiting: self.waiting() }),
        }
    }
}

/// The thread.
fn run(mut store: Store, mailbox: &Mailbox) {
    while let Some(mut work) = mailbox.take() {
        let reads = std::mem::take(&mut work.reads);
        match store.write(&work.batch) {
            Ok(()) => mailbox.written(work),
            Err(error) => mailbox.not_written(work, &error),
        }
        for Read { limit, reply } in reads {
            let _left = reply.send(store.audit(limit));
        }
    }
}

impl Store {
    /// Writes all of it, or nothing.
    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.commit(|transaction| batch.write_to(transaction))
    }
}
