//! Bytes on their way to the client.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};

use crate::conn::line::Line;

/// A piece of a body that is smaller is copied: one write of one buffer costs less than one of two.
const COPIED: usize = 4 << 10;
/// So many bytes are written before more is added.
const FULL: usize = 16 << 10;

thread_local! {
    /// The buffer of the thread's last response, so that one that is written at once allocates none.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What is to be written next, in this order: a head or small pieces, a large piece, and what follows it.
pub(super) struct Outgoing {
    before: Vec<u8>,
    /// How much of `before` is written.
    written: usize,
    data: Bytes,
    after: Vec<u8>,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self { before: SPARE.take(), written: 0, data: Bytes::new(), after: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.before.len() == self.written && self.data.is_empty() && self.after.is_empty()
    }

    /// Whether a piece may be added.
    pub(super) fn has_room(&self) -> bool {
        self.data.is_empty() && self.after.is_empty() && self.before.len() < FULL
    }

    /// Where bytes that are not a piece are added.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        if self.data.is_empty() { &mut self.before } else { &mut self.after }
    }

    /// Adds a piece, for which there is room, and what ends it.
    pub(super) fn put(&mut self, data: Bytes, end: &[u8]) {
        if data.len() < COPIED {
            self.before.extend_from_slice(&data);
        } else {
            self.data = data;
        }
        self.end().extend_from_slice(end);
    }

    /// Writes all of it.
    pub(super) fn poll_flush(&mut self, line: &Line, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let before = &self.before[self.written..];
            let count = if self.data.is_empty() && self.after.is_empty() {
                ready!(line.poll_send(cx, before.len(), |stream| stream.try_write(before)))?
            } else {
                let parts = [before, &self.data, &self.after].map(IoSlice::new);
                let length = parts.iter().map(|part| part.len()).sum();
                ready!(line.poll_send(cx, length, |stream| stream.try_write_vectored(&parts)))?
            };
            self.advance(count);
        }
        self.before.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, count: usize) {
        let before = count.min(self.before.len() - self.written);
        let data = (count - before).min(self.data.len());
        self.written += before;
        self.data.advance(data);
        self.after.drain(..count - before - data);
    }
}

impl Drop for Outgoing {
    /// What is large is not kept.
    fn drop(&mut self) {
        if self.before.capacity() <= 2 * FULL {
            let mut spare = std::mem::take(&mut self.before);
            spare.clear();
            // A thread that ends needs none.
            let _ended = SPARE.try_with(|kept| kept.set(spare));
        }
    }
}
