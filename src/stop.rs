//! The signals that a run heeds.

use std::fs::File;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To end.
    End,
    /// To read the file again.
    Reload,
}

/// Ctrl-C, SIGTERM, or the end of the terminal; and SIGHUP.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    terminal: Terminal,
}

/// Whether there was a terminal at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terminal {
    Ours,
    None,
}

impl Terminal {
    /// The terminal of this session, if there is one (tty(4)).
    fn now() -> Self {
        if File::open("/dev/tty").is_ok() { Self::Ours } else { Self::None }
    }
}

impl Stop {
    pub(crate) fn listen() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            terminal: Terminal::now(),
        })
    }

    /// Waits for one of them; each is seen once.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
            // The kernel says it of a terminal that was closed, and somebody else of a file to be read.
            _ = self.hang_up.recv() => match (self.terminal, Terminal::now()) {
                (Terminal::Ours, Terminal::None) => Asked::End,
                (Terminal::Ours, Terminal::Ours) | (Terminal::None, _) => Asked::Reload,
            },
        }
    }

    /// Waits until it is to end.
    pub(crate) async fn asked(&mut self) {
        while self.next().await != Asked::End {}
    }
}
