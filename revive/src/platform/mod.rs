//! What runs apps. The lifecycle decides, a platform does; both speak in the plain types below.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use config::link::{Failure, Instance};
use config::model::{App, AppId};
use tokio::sync::mpsc;

pub mod process;

/// Something to be done about an instance. Commands for one app are carried out in order.
#[derive(Clone, Debug)]
pub enum Command {
    /// Run the app. Answered by [`Event::Created`] or [`Event::NotCreated`].
    Start {
        /// What to run.
        app: Arc<App>,
        /// The name of this run.
        instance: Instance,
    },
    /// Light sleep. Answered by [`Event::Paused`], or [`Event::Exited`] if there is nothing to pause.
    Pause(Instance),
    /// The end of light sleep. Answered by [`Event::Resumed`], or [`Event::Exited`].
    Resume(Instance),
    /// End it, whatever its state: politely, then by force. Answered by [`Event::Exited`], always.
    Stop(Instance),
}

/// What happened to an instance. After `NotCreated` or `Exited` nothing more comes about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is there; whether anybody listens is the prober's matter.
    Created {
        /// Where it will listen.
        endpoint: SocketAddr,
        /// Of a process: its id, for people.
        pid: Option<u32>,
    },
    /// It could not be started.
    NotCreated(Failure),
    /// It is paused.
    Paused,
    /// It runs again.
    Resumed,
    /// Its program has ended by itself, nobody having asked; what is left of it is being ended. Then comes `Exited`.
    Ending(Exit),
    /// It has ended, and nothing is left of it: no process of its group, and none that it started elsewhere.
    Exited(Exit),
}

/// How an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// Nobody can say.
    Unknown,
}

/// `code 7` or `signal 9`: the words of logs and of the API.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// An [`Event`] with its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose instance.
    pub app: AppId,
    /// Which.
    pub instance: Instance,
    /// What happened.
    pub event: Event,
}

/// A platform: takes commands at once, reports later.
pub trait Platform: Send {
    /// Carries out a command, in the background.
    fn submit(&mut self, command: Command);
}

/// Where a platform reports to.
pub type Reports = mpsc::UnboundedSender<Report>;
