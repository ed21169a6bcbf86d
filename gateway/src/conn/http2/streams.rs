//! What the streams of one connection share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use config::settings::Gateway;
use tokio::time::Instant;

use super::frames::Frames;
use super::stream::Stream;
use crate::conn::End;
use crate::conn::line::Line;
use crate::conn::violation::Violation;

/// How long a client may take to answer that it has seen our GOAWAY, when nothing is open any more.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Whether the client may begin more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    Open,
    /// It is to be told not to.
    Ending(End),
    /// It has been told, and may begin none beyond this number: what was on its way.
    Told {
        why: End,
        last: u32,
    },
    /// It was or is cut off.
    Cut(Violation),
}

/// One connection of HTTP/2.
pub(super) struct Streams {
    pub(super) line: Rc<Line>,
    frames: RefCell<Frames>,
    course: Cell<Course>,
    open: Cell<u32>,
    /// The stream whose task hyper is about to have run.
    pub(super) begun: Cell<Option<Rc<Stream>>>,
    watcher: RefCell<Waker>,
}

impl Streams {
    pub(super) fn new(line: Rc<Line>) -> Self {
        Self {
            frames: RefCell::new(Frames::new(line.limits.max_stream_resets, Instant::now())),
            line,
            course: Cell::new(Course::Open),
            open: Cell::new(0),
            begun: Cell::new(None),
            watcher: RefCell::new(Waker::noop().clone()),
        }
    }

    pub(super) fn limits(&self) -> &Gateway {
        &self.line.limits
    }

    pub(super) fn course(&self) -> Course {
        self.course.get()
    }

    /// Why it ended, if it ended well.
    pub(super) fn reason(&self) -> End {
        match self.course.get() {
            Course::Ending(why) | Course::Told { why, .. } => why,
            Course::Open => End::Closed,
            Course::Cut(violation) => End::Cut(violation),
        }
    }

    /// Whether somebody works on a request: then the client's leaving ends that work.
    pub(super) fn is_busy(&self) -> bool {
        self.open.get() > 0
    }

    /// These bytes came.
    pub(super) fn follow(&self, bytes: &[u8]) {
        let mut frames = self.frames.borrow_mut();
        let was_in_head = frames.is_in_head();
        let followed = frames.follow(bytes, Instant::now());
        let is_in_head = frames.is_in_head();
        drop(frames);
        if let Err(violation) = followed {
            self.course.set(Course::Cut(violation));
        }
        match (was_in_head, is_in_head) {
            (_, true) => self.line.clocks.await_head(self.limits()),
            (true, false) => self.await_next(),
            (false, false) => {}
        }
    }

    pub(super) fn accompany(&self, bytes: usize) {
        self.frames.borrow_mut().accompany(bytes);
    }

    pub(super) fn is_in_head(&self) -> bool {
        self.frames.borrow().is_in_head()
    }

    pub(super) fn last_stream(&self) -> u32 {
        self.frames.borrow().last_stream()
    }

    /// A request has come whole: its number.
    pub(super) fn open(&self) -> u32 {
        self.open.set(self.open.get() + 1);
        let number = self.line.count_request();
        if number >= self.limits().max_requests_per_connection {
            self.end(End::Finished);
        }
        if let Course::Told { last, .. } = self.course.get()
            && number > last
        {
            self.course.set(Course::Cut(Violation::Flood));
        }
        if !self.is_in_head() {
            self.line.clocks.await_nothing();
        }
        number
    }

    /// A stream is at its end.
    pub(super) fn ended(&self) {
        self.open.set(self.open.get() - 1);
        if self.open.get() == 0 && !self.is_in_head() {
            self.await_next();
            // It sets the clock.
            self.watcher.borrow().wake_by_ref();
        }
    }

    fn await_next(&self) {
        let clocks = &self.line.clocks;
        match self.course.get() {
            _ if self.is_busy() => clocks.await_nothing(),
            Course::Open | Course::Cut(_) => clocks.await_request(self.limits()),
            Course::Ending(_) | Course::Told { .. } => clocks.await_end(LAST_WORDS),
        }
    }

    /// The client shall begin no other request.
    pub(super) fn end(&self, why: End) {
        if self.course.get() == Course::Open {
            self.course.set(Course::Ending(why));
            self.watcher.borrow().wake_by_ref();
        }
    }

    /// It is being told so.
    pub(super) fn told(&self, why: End) {
        // It may have begun as many as are open at once before it knows, and as many more while they ended.
        let last = self.line.requests().saturating_add(2 * self.limits().max_streams);
        self.course.set(Course::Told { why, last });
        self.await_next();
    }

    pub(super) fn watched_by(&self, cx: &Context<'_>) {
        self.watcher.borrow_mut().clone_from(cx.waker());
    }

    /// Reads are given up when the client is cut off.
    pub(super) fn poll_cut<T>(&self) -> Option<Poll<T>> {
        matches!(self.course.get(), Course::Cut(_)).then_some(Poll::Pending)
    }
}
