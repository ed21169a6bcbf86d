//! Who asks, through all turns of one request.

use std::cell::OnceCell;

use http::Request;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::visitor::{Passerby, Visitor};
use crate::wake_answer::Asking;

/// Who asks, through all turns of one request.
#[derive(Debug)]
pub(crate) struct Caller {
    passerby: Option<Passerby>,
    /// When the request came.
    pub(crate) began: Instant,
    /// Whether it may wake the app: a budget is spent once, however often the request looks again.
    has_leave: bool,
    /// Read when the request is first held.
    deadline: OnceCell<Option<Deadline>>,
}

impl Caller {
    /// One who has asked for nothing yet.
    pub(crate) fn new(passerby: Option<Passerby>, began: Instant) -> Self {
        Self { passerby, began, has_leave: passerby.is_none(), deadline: OnceCell::new() }
    }

    /// Whether its requests are use of the app.
    pub(crate) fn keeps_awake(&self) -> bool {
        self.passerby.is_none()
    }

    /// What the answer to it depends on while its app is not awake.
    pub(crate) fn asks<B>(&self, request: &Request<B>) -> Asking {
        let deadline = self.deadline.get_or_init(|| Deadline::of(request.headers()));
        Asking {
            visitor: Visitor::of(request, self.passerby),
            waited: self.began.elapsed(),
            deadline: deadline.map(|deadline| deadline.allowed),
        }
    }

    /// Whether it may wake the app; `spend` takes that of the budget of passersby, once.
    pub(crate) fn may_wake(&mut self, spend: impl FnOnce() -> bool) -> bool {
        self.has_leave = self.has_leave || spend();
        self.has_leave
    }

    /// What the app is to be told of its deadline; a request that was not held says itself what is right.
    pub(crate) fn deadline_if_held(&self) -> Option<Deadline> {
        self.deadline.get().copied().flatten()
    }
}
