//! How long the head of a response may be waited for.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::upstream::Upload;

/// One timer for all requests of a connection. It is set anew only for an earlier deadline; for a later one it fires,
/// looks, and is set then: a request that is answered soon registers none.
#[derive(Debug, Default)]
pub(super) struct Patience {
    waiting: Option<Waiting>,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    limit: Duration,
    deadline: Instant,
    /// Bytes of the request's body that the app had taken when the deadline was set.
    moved: u64,
}

impl Patience {
    /// A request is being sent.
    pub(super) fn begin(&mut self, limit: Duration, now: Instant) {
        self.waiting = Some(Waiting { limit, deadline: now + limit, moved: 0 });
    }

    /// Ready when the app has done nothing for the limit: neither answered nor taken any of the request's body. What it
    /// waits for itself, it cannot answer.
    pub(super) fn poll_over(&mut self, upload: Option<&Upload>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.waiting else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(waiting.deadline)));
        if waiting.deadline < timer.deadline() {
            timer.as_mut().reset(waiting.deadline);
        }
        loop {
            // An app that says 1xx without end, faster than they are read, uses up what one turn of a task may do.
            ready!(pin!(unconstrained(timer.as_mut())).poll(cx));
            if timer.deadline() >= waiting.deadline {
                let moved = upload.map_or(0, Upload::moved);
                if moved == waiting.moved && !upload.is_some_and(Upload::is_awaited) {
                    return Poll::Ready(());
                }
                (waiting.moved, waiting.deadline) = (moved, Instant::now() + waiting.limit);
            }
            timer.as_mut().reset(waiting.deadline);
        }
    }
}
