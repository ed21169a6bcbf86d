//! What clients have sent, or may send, for requests that nobody reads yet. Over HTTP/1.1 it waits in the kernel; over
//! HTTP/2 each stream has a window of its own, which it may fill at once, and `h2` keeps what comes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{conn, upstream};

/// A body that may wait unread.
pub trait Unread {
    /// Bytes of it that we may have to keep until somebody reads it.
    fn unread(&self) -> u64;
}

impl Unread for conn::RequestBody {
    fn unread(&self) -> u64 {
        self.unread()
    }
}

impl Unread for upstream::RequestBody {
    fn unread(&self) -> u64 {
        self.unread()
    }
}

/// The bytes of all requests that are held.
#[derive(Debug, Default)]
pub struct Backlog(AtomicU64);

/// One held request's part in it.
#[derive(Debug)]
pub struct Part<'a> {
    backlog: &'a Backlog,
    bytes: u64,
}

impl Backlog {
    /// Takes so many bytes more, if there are then at most `limit`. Nothing is always taken.
    pub fn take(&self, bytes: u64, limit: u64) -> Option<Part<'_>> {
        let fits = |before: u64| before.checked_add(bytes).filter(|after| *after <= limit);
        let taken = bytes == 0 || self.0.fetch_update(Relaxed, Relaxed, fits).is_ok();
        // Not `then_some`: a part that was not taken must not be given back.
        taken.then(|| Part { backlog: self, bytes })
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.backlog.0.fetch_sub(self.bytes, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let backlog = Backlog::default();
        let first = backlog.take(60, 100).unwrap();
        let second = backlog.take(40, 100).unwrap();
        assert!(backlog.take(1, 100).is_none());
        assert!(backlog.take(u64::MAX, u64::MAX).is_none());
        drop((backlog.take(0, 0).unwrap(), first));
        let third = backlog.take(60, 100).unwrap();
        assert!(backlog.take(1, 100).is_none());
        drop((second, third));
        backlog.take(100, 100).unwrap();
    }
}
