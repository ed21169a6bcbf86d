//! The end of serving, as connections learn of it.

use tokio::sync::watch;

/// Held while connections may go on. When it is dropped, every connection that holds the `Drain` made with it closes
/// as soon as it is idle, and says so in the response it is in.
#[derive(Debug)]
pub struct Serving(watch::Sender<()>);

/// Tells a connection when to end. Cheap to clone, and can be sent to other threads.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<()>);

impl Serving {
    /// Begins to serve.
    pub fn begin() -> (Self, Drain) {
        let (sender, receiver) = watch::channel(());
        (Self(sender), Drain(receiver))
    }

    /// Ends serving: the same as dropping this.
    pub fn drain(self) {
        drop(self.0);
    }
}

impl Drain {
    /// Whether serving has ended.
    pub(super) fn has_begun(&self) -> bool {
        self.0.has_changed().is_err()
    }

    /// Waits until serving ends.
    pub(super) async fn begun(&mut self) {
        // Nothing is ever sent: the only change is that the sender is gone.
        while self.0.changed().await.is_ok() {}
    }
}
