//! What the serving threads tell the session with revive.

use std::sync::Arc;

use config::link::{Instance, Round, ToRevive};
use tokio::sync::mpsc;

use crate::app::App;

/// News from a serving thread. `Wanted` and `Touched` are sent once per app until they are read, `Unwanted` only
/// when the last one held or the last one who followed leaves, `Quiesced` once per attempt to sleep, `Unreachable` once
/// until the app's state is told anew or a connection succeeds, `Found` twice per instance: so the channel, though it has
/// no fixed size, is bounded by the apps and by the held requests and followers, which are bounded themselves.
#[derive(Debug)]
pub enum Note {
    /// Somebody asks for the app.
    Wanted(Arc<App>),
    /// The last one who was held for it, or looked at a page, has gone.
    Unwanted(Arc<App>),
    /// Its counts have changed.
    Touched(Arc<App>),
    /// Nobody listens where its current run does, it seems.
    Unreachable(Arc<App>, Instance),
    /// Every thread has seen that it drains, as the link of this number wanted to know.
    Quiesced(Arc<App>, Round, u64),
    /// What probing has found.
    Found(ToRevive),
}

/// Where notes go.
#[derive(Clone, Debug)]
pub struct Notes(mpsc::UnboundedSender<Note>);

impl Notes {
    /// A channel of notes.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Note>) {
        let (tx, rx) = mpsc::unbounded_channel();
        (Self(tx), rx)
    }

    /// Sends a note.
    pub fn send(&self, note: Note) {
        // The session ends only with the program; there is nobody left to tell then.
        let _ended = self.0.send(note);
    }
}
