//! The deadlines of one connection: what is waited for, and until when.
//!
//! They are plain cells that cost a store; one timer for each connection looks at them when it fires (`Alarm`), so that
//! a request on a warm connection registers none.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use config::settings::Gateway;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep};

use super::watch::Registered;

/// What is waited for on the reading side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Nothing of the client.
    Nothing,
    /// The first byte of the next request.
    Request(Instant),
    /// The end of a head.
    Head(Instant),
    /// Bytes of a body that the application wants now.
    Body(Instant),
}

/// Whether the client takes what we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taking {
    Freely,
    /// It took nothing since some time, and is cut off at this one.
    Nothing(Instant),
}

/// Which deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    Request,
    Head,
    Body,
    Write,
}

/// The deadlines.
pub(super) struct Clocks {
    awaited: Cell<Awaited>,
    taking: Cell<Taking>,
    /// How long the body may still be waited for in all: a leaky bucket that time spent waiting empties and bytes fill.
    patience: Cell<Duration>,
}

impl Clocks {
    /// Of a connection just accepted: its first head must be complete within `header_timeout`.
    pub(super) fn new(limits: &Gateway) -> Self {
        Self {
            awaited: Cell::new(Awaited::Head(Instant::now() + limits.header_timeout)),
            taking: Cell::new(Taking::Freely),
            patience: Cell::new(limits.body_rate_after),
        }
    }

    /// The response is out, the next request may come.
    pub(super) fn await_request(&self, limits: &Gateway) {
        self.awaited.set(Awaited::Request(Instant::now() + limits.idle_timeout));
    }

    /// The first bytes of a head came. On a new connection its clock runs since the accept.
    pub(super) fn await_head(&self, limits: &Gateway) {
        match self.awaited.get() {
            Awaited::Head(_) => {}
            Awaited::Nothing | Awaited::Request(_) | Awaited::Body(_) => {
                self.awaited.set(Awaited::Head(Instant::now() + limits.header_timeout));
            }
        }
    }

    /// The head is complete.
    pub(super) fn head_complete(&self, limits: &Gateway) {
        self.awaited.set(Awaited::Nothing);
        self.patience.set(limits.body_rate_after);
    }

    /// The application wants bytes of the body, and the socket has none.
    pub(super) fn await_body(&self) {
        match self.awaited.get() {
            Awaited::Body(_) => {}
            Awaited::Nothing | Awaited::Request(_) | Awaited::Head(_) => {
                self.awaited.set(Awaited::Body(Instant::now() + self.patience.get()));
            }
        }
    }

    /// So many bytes of the body came; or, with 0, the application wants no more of it.
    pub(super) fn body_came(&self, bytes: usize, limits: &Gateway) {
        let left = match self.awaited.get() {
            Awaited::Body(deadline) => {
                self.awaited.set(Awaited::Nothing);
                deadline.saturating_duration_since(Instant::now())
            }
            Awaited::Nothing | Awaited::Request(_) | Awaited::Head(_) => self.patience.get(),
        };
        self.patience.set(patience(left, bytes, limits));
    }

    /// Nothing of the client is waited for.
    pub(super) fn await_nothing(&self) {
        self.awaited.set(Awaited::Nothing);
    }

    /// The client has been told to end, and is given this long.
    pub(super) fn await_end(&self, within: Duration) {
        self.awaited.set(Awaited::Request(Instant::now() + within));
    }

    /// The client takes nothing of what is written.
    pub(super) fn write_blocked(&self, limits: &Gateway) {
        match self.taking.get() {
            Taking::Nothing(_) => {}
            Taking::Freely => self.taking.set(Taking::Nothing(Instant::now() + limits.write_timeout)),
        }
    }

    /// The client took something.
    pub(super) fn written(&self) {
        self.taking.set(Taking::Freely);
    }

    fn next(&self) -> Option<(Instant, Late)> {
        let read = match self.awaited.get() {
            Awaited::Nothing => None,
            Awaited::Request(at) => Some((at, Late::Request)),
            Awaited::Head(at) => Some((at, Late::Head)),
            Awaited::Body(at) => Some((at, Late::Body)),
        };
        match (read, self.taking.get()) {
            (read, Taking::Freely) => read,
            (Some(read), Taking::Nothing(at)) if read.0 < at => Some(read),
            (_, Taking::Nothing(at)) => Some((at, Late::Write)),
        }
    }
}

/// How long a body may still be waited for, of which so much was left when these bytes came.
pub(super) fn patience(left: Duration, bytes: usize, limits: &Gateway) -> Duration {
    // A client that was fast cannot save up hours of silence.
    let most = limits.idle_timeout.max(limits.body_rate_after);
    (left + time_for(bytes, limits)).min(most)
}

/// How long so many bytes may take.
pub(super) fn time_for(bytes: usize, limits: &Gateway) -> Duration {
    Duration::from_secs_f64(bytes as f64 / limits.min_body_rate.max(1) as f64)
}

/// The one timer of a connection. It is set anew only for an earlier deadline; for a later one it fires, looks, and is
/// set then.
pub(super) struct Alarm<'a> {
    sleep: Pin<&'a mut Sleep>,
}

impl<'a> Alarm<'a> {
    pub(super) fn new(sleep: Pin<&'a mut Sleep>) -> Self {
        Self { sleep }
    }

    /// Which deadline has passed. Without a deadline it is `Pending` and wakes nobody.
    pub(super) fn poll(
        &mut self,
        clocks: &Clocks,
        registered: Registered,
        cx: &mut Context<'_>,
    ) -> Poll<Late> {
        if registered == Registered::Elsewhere {
            // For its waker; whether it has fired is asked below.
            let _fired = self.poll_sleep(cx);
        }
        let Some((deadline, late)) = clocks.next() else { return Poll::Pending };
        if deadline < self.sleep.deadline() {
            self.sleep.as_mut().reset(deadline);
        } else if !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        while self.poll_sleep(cx).is_ready() {
            if self.sleep.deadline() >= deadline {
                return Poll::Ready(late);
            }
            self.sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Outside tokio's budget, because it must register the waker now: it is not asked again before it fires.
    fn poll_sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        pin!(unconstrained(self.sleep.as_mut())).poll(cx)
    }
}
