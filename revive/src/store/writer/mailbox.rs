//! Where writes wait for their thread. Its lock is held for moments only, never while something is written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::super::{AuditEntry, StoreError};
use super::FlushError;
use super::batch::Batch;

/// How long after a failure the next try is made, unless somebody flushes.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often failures are logged.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Somebody wants the audit.
#[derive(Debug)]
pub(super) struct Read {
    /// How many entries.
    pub(super) limit: u32,
    pub(super) reply: oneshot::Sender<Result<Vec<AuditEntry>, StoreError>>,
}

type Flushed = oneshot::Sender<Result<(), FlushError>>;

#[derive(Debug, Default)]
pub(super) struct Mailbox {
    contents: Mutex<Contents>,
    changed: Condvar,
    failed: AtomicU64,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Contents {
    batch: Batch,
    flushes: Vec<Flushed>,
    reads: Vec<Read>,
    pace: Pace,
    /// All handles are gone.
    closed: bool,
    complaint: Complaint,
}

/// When the next try is made.
#[derive(Debug, Default)]
enum Pace {
    #[default]
    AtOnce,
    NotBefore(Instant),
}

/// What the thread takes.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) batch: Batch,
    flushes: Vec<Flushed>,
    pub(super) reads: Vec<Read>,
}

impl Mailbox {
    /// Adds to the batch; `add` returns how many writes are lost by that.
    pub(super) fn add(&self, add: impl FnOnce(&mut Batch) -> usize) {
        let mut contents = self.contents();
        let lost = add(&mut contents.batch);
        let said = contents.complaint.note(lost, Instant::now());
        drop(contents);
        self.changed.notify_one();
        self.count(lost, lost);
        if let Some(writes) = said {
            tracing::warn!(writes, "the disk is too slow or fails, too many writes wait: some are lost");
        }
    }

    /// Answers when all that is there now has been tried; that happens at once.
    pub(super) fn flush(&self, flushed: Flushed) {
        let mut contents = self.contents();
        contents.flushes.push(flushed);
        contents.pace = Pace::AtOnce;
        drop(contents);
        self.changed.notify_one();
    }

    /// Answers after all that is there now has been tried; that happens at once.
    pub(super) fn read(&self, read: Read) {
        let mut contents = self.contents();
        contents.reads.push(read);
        contents.pace = Pace::AtOnce;
        drop(contents);
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.contents().closed = true;
        self.changed.notify_one();
    }

    pub(super) fn waiting(&self) -> usize {
        self.contents().batch.len()
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until there is something to do, and it is time to; `None` when nothing will come any more.
    pub(super) fn take(&self) -> Option<Work> {
        let mut contents = self.contents();
        loop {
            let idle = contents.batch.is_empty() && contents.flushes.is_empty() && contents.reads.is_empty();
            let pause = match contents.pace {
                _ if contents.closed && idle => return None,
                _ if contents.closed => Duration::ZERO,
                Pace::NotBefore(at) => at.saturating_duration_since(Instant::now()),
                Pace::AtOnce => Duration::ZERO,
            };
            if idle {
                contents = self.changed.wait(contents).unwrap_or_else(PoisonError::into_inner);
            } else if pause.is_zero() {
                return Some(Work {
                    batch: std::mem::take(&mut contents.batch),
                    flushes: std::mem::take(&mut contents.flushes),
                    reads: std::mem::take(&mut contents.reads),
                });
            } else {
                let waited = self.changed.wait_timeout(contents, pause);
                contents = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// The work is done.
    pub(super) fn written(&self, work: Work) {
        let mut contents = self.contents();
        contents.pace = Pace::AtOnce;
        let said = contents.complaint.end();
        drop(contents);
        if said {
            tracing::info!("writes to the store succeed again");
        }
        answer(work.flushes, &Ok(()));
    }

    /// The work goes back below what has come since, if another try may help and somebody is there to make it.
    pub(super) fn not_written(&self, work: Work, error: &StoreError) {
        let tried = work.batch.len();
        let mut contents = self.contents();
        let lost = if error.may_pass() && !contents.closed {
            let newer = std::mem::replace(&mut contents.batch, work.batch);
            contents.batch.absorb(newer)
        } else {
            tried
        };
        let now = Instant::now();
        contents.pace = now.checked_add(RETRY_AFTER).map_or(Pace::AtOnce, Pace::NotBefore);
        let said = contents.complaint.note(tried, now);
        drop(contents);
        self.count(tried, lost);
        if let Some(writes) = said {
            tracing::warn!(writes, lost, %error, "cannot write to the store; apps are served all the same");
        }
        answer(work.flushes, &Err(FlushError::Failed { why: error.to_string() }));
    }

    fn count(&self, failed: usize, lost: usize) {
        self.failed.fetch_add(failed as u64, Ordering::Relaxed);
        self.lost.fetch_add(lost as u64, Ordering::Relaxed);
    }

    /// Nothing that holds the lock can leave the contents half changed, so a panic elsewhere does not spoil them.
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has stopped waiting for a flush needs no answer.
fn answer(flushes: Vec<Flushed>, result: &Result<(), FlushError>) {
    flushes.into_iter().for_each(|flushed| drop(flushed.send(result.clone())));
}

/// Failures that are said once in a while, with their count.
#[derive(Debug, Default)]
struct Complaint {
    unsaid: usize,
    /// When it was last said.
    last: Option<Instant>,
    /// Whether it has been said since writes last succeeded.
    open: bool,
}

impl Complaint {
    /// Notes failures; how many are to be said now, if it is time to.
    fn note(&mut self, failures: usize, now: Instant) -> Option<usize> {
        self.unsaid += failures;
        let due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= LOG_EVERY);
        if self.unsaid == 0 || !due {
            return None;
        }
        self.last = Some(now);
        self.open = true;
        Some(std::mem::take(&mut self.unsaid))
    }

    /// Writes succeed; whether that is news.
    fn end(&mut self) -> bool {
        std::mem::take(&mut self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_said_once_a_minute_with_their_count() {
        let (mut complaint, start) = (Complaint::default(), Instant::now());
        assert_eq!(complaint.note(0, start), None);
        assert_eq!(complaint.note(3, start), Some(3));
        assert!(complaint.end() && !complaint.end());
        for second in 1..60 {
            assert_eq!(complaint.note(2, start + Duration::from_secs(second)), None);
        }
        assert_eq!(complaint.note(1, start + LOG_EVERY), Some(2 * 59 + 1));
    }
}
