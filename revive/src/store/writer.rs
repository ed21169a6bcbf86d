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

use super::{AppRow, AuditEntry, Keep, Soon, Store, StoreError};
use crate::brakes::{Pause, Scope};
use crate::driver::view::AppView;
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
    #[error("{why}")]
    Failed {
        /// As whoever keeps it says it.
        why: String,
    },
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Failed { why: error.to_string() }
    }
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

    /// How many writes wait.
    pub fn waiting(&self) -> usize {
        self.0.0.waiting()
    }
}

impl Keep for Writer {
    fn save_app(&self, app: AppRow) {
        self.0.0.add(|batch| batch.app(app.id.clone(), AppWrite::Save(app)));
    }

    /// Nobody looks at the file: the admin API shows it.
    fn show_app(&self, _app: AppView) {}

    fn forget_app(&self, app: AppId) {
        self.0.0.add(|batch| batch.app(app, AppWrite::Forget));
    }

    fn set_brake(&self, scope: Scope, pause: Pause) {
        self.0.0.add(|batch| batch.pause(scope, PauseWrite::Set(pause)));
    }

    fn lift_brake(&self, scope: Scope) {
        self.0.0.add(|batch| batch.pause(scope, PauseWrite::Lift));
    }

    fn say_limit(&self, name: Label, said: Said) {
        self.0.0.add(|batch| batch.limit(name, LimitWrite::Say(said)));
    }

    fn unsay_limit(&self, name: Label) {
        self.0.0.add(|batch| batch.limit(name, LimitWrite::Unsay));
    }

    /// The newest [`AUDIT_KEPT`](super::AUDIT_KEPT) entries are kept.
    fn append_audit(&self, entry: AuditEntry) {
        self.0.0.add(|batch| batch.audit(entry));
    }

    fn audit(&self, limit: u32, within: Duration) -> Soon<'_, Result<Vec<AuditEntry>, ReadError>> {
        let (reply, entries) = oneshot::channel();
        self.0.0.read(Read { limit, reply });
        Box::pin(async move {
            match tokio::time::timeout(within, entries).await {
                Ok(Ok(entries)) => Ok(entries?),
                // Without an answer the thread has ended, which it does not while there is a handle.
                Ok(Err(_)) | Err(_) => Err(ReadError::Deadline),
            }
        })
    }

    fn flush(&self, within: Duration) -> Soon<'_, Result<(), FlushError>> {
        let (done, flushed) = oneshot::channel();
        self.0.0.flush(done);
        Box::pin(async move {
            match tokio::time::timeout(within, flushed).await {
                Ok(Ok(result)) => result,
                // Without an answer the thread has ended, which it does not while there is a handle.
                Ok(Err(_)) | Err(_) => Err(FlushError::Deadline { waiting: self.waiting() }),
            }
        })
    }

    fn failed_writes(&self) -> u64 {
        self.0.0.failed()
    }

    fn lost_writes(&self) -> u64 {
        self.0.0.lost()
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
