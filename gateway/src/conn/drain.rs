//! The end of serving, as connections learn of it.

use tokio::sync::watch;

/// How far the end of serving is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// It has not begun.
    On,
    /// Connections end when they are idle.
    Draining,
    /// They end.
    Over,
}

/// Held while connections may go on. Dropping it is the same as [`Serving::drain`].
#[derive(Debug)]
pub struct Serving(watch::Sender<Course>);

/// Tells a connection when to end. Cheap to clone, and can be sent to other threads.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<Course>);

impl Serving {
    /// Begins to serve.
    pub fn begin() -> (Self, Drain) {
        let (sender, receiver) = watch::channel(Course::On);
        (Self(sender), Drain(receiver))
    }

    /// From now on every connection closes as soon as it is idle, and says so in the response it is in.
    pub fn drain(&self) {
        self.0.send_replace(Course::Draining);
    }

    /// Every connection closes now; a response that is not at its end is cut, so that its client can see that.
    pub fn end(&self) {
        self.0.send_replace(Course::Over);
    }
}

impl Drain {
    /// Whether the end has begun. Only looks at a counter: it is asked in every wake-up.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.0.has_changed(), Ok(false))
    }

    /// Whether time is up.
    pub(super) fn is_over(&self) -> bool {
        *self.0.borrow() == Course::Over
    }

    /// Waits until time is up.
    pub(super) async fn over(mut self) {
        if self.0.wait_for(|course| *course == Course::Over).await.is_err() {
            // Serving was dropped, which only drains.
            std::future::pending().await
        }
    }

    /// Wakes at each step; is ready when there is no further one.
    pub(super) async fn begun(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}
