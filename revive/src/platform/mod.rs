//! What runs apps. The lifecycle decides, a platform does; both speak in the plain types below.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use config::link::{Depth, Failure, Instance, Phase};
use config::model::{App, AppId, Endpoint};
use tokio::sync::mpsc;

pub mod kubernetes;
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
    /// What runs of the app ([`Standing::Up`]) has this name from now on. Not answered; its events follow.
    Adopt {
        /// Which app.
        app: Arc<App>,
        /// The name of this run.
        instance: Instance,
    },
    /// Light sleep of what can be paused. Answered by [`Event::Paused`], or [`Event::Exited`] if there is nothing to pause.
    Pause(Instance),
    /// The end of light sleep. Answered by [`Event::Resumed`], or [`Event::Exited`].
    Resume(Instance),
    /// End it, whatever its state: politely, then by force. Answered by [`Event::Exited`], always, also if it has ended
    /// already. What others have started since then is not it, and is left alone.
    Stop {
        /// Which run.
        instance: Instance,
        /// What shall be left: of light sleep the workload without replicas, of deep sleep nothing that runs it, but
        /// what is needed to make it again. A process leaves the same in both.
        depth: Depth,
    },
    /// From light to deep sleep, of an app of which nothing runs. Answered by [`Report::Stands`]: asleep as deep as it is
    /// then. What others have made run meanwhile is left alone, and said to be up.
    Remove(Arc<App>),
    /// The app is no longer said to be one: it is let go as it is, and nothing about it is reported any more. Not
    /// answered. What was made of it for a wake that was under way, and that nobody owns any more, is cleared away.
    Forget(AppId),
}

/// What happened to an instance. After `NotCreated`, `PutDown` or `Exited` nothing more comes about it, but for the
/// answer to [`Command::Stop`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is there; whether anybody listens is the prober's matter.
    Created {
        /// Where it will listen.
        endpoint: SocketAddr,
        /// Of a process: its id, for people.
        pid: Option<u32>,
    },
    /// How far it is, before it is created: `Creating` to `Starting`, for people.
    Phase(Phase),
    /// The platform's own word on who of it takes requests; replaces what it said before. It holds once the platform has
    /// called the first of them ready: until then what probers find counts.
    Endpoints(Arc<[Endpoint]>),
    /// It is there, or should be, and will not come up as it is: why, should it stay so. Before it is up only.
    Ails(Failure),
    /// It could not be started, or never will be up. Where light sleep is [`Light::Stopped`], what it may have left is
    /// then told to stop, and that is answered as ever.
    NotCreated(Failure),
    /// Somebody else has ended it on purpose, by hand or by a deploy, and this is left: it has not crashed. Also the
    /// answer to [`Command::Adopt`] where nothing runs any more, and to [`Command::Start`] where there is nothing to make.
    PutDown(Rest),
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

/// What a platform tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Something happened to an instance.
    Happened {
        /// Whose.
        app: AppId,
        /// Which.
        instance: Instance,
        /// What.
        event: Event,
    },
    /// How an app stands by somebody else's doing, or when nobody had asked before; also the answer to
    /// [`Command::Remove`]. Of an app with an instance its events say it: [`Event::PutDown`]. (Said of one that has had
    /// an address, `Asleep` and `Nothing` are taken for that.) Of a Service that nobody wakes: who takes its requests.
    Stands {
        /// Which app.
        app: AppId,
        /// How.
        standing: Standing,
    },
    /// What people should know of an app: for its owner, never for visitors.
    Noted {
        /// Which app.
        app: AppId,
        /// What.
        note: Note,
    },
}

/// How an app stands on a platform that keeps it while we are away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It runs, or is about to, because somebody wants it to: a deploy, a scale by hand. To be taken over with
    /// [`Command::Adopt`].
    Up {
        /// Who of it takes requests by the platform's own word, as [`Event::Endpoints`]; empty, if it has not come up.
        endpoints: Arc<[Endpoint]>,
    },
    /// It is there without replicas, or not there but can be made again.
    Asleep(Depth),
    /// It was put back, unchanged, by something that does not know that it sleeps (GitOps, an operator): no deploy.
    PutBack,
    /// There is nothing that runs it, and nothing to make it of: requests find no backend.
    Nothing,
}

/// What is left of an app of which nothing runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rest {
    /// What runs it, without replicas; or what it can be made of again.
    Asleep(Depth),
    /// Nothing: requests find no backend.
    Nothing,
}

/// A word about an app for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Why it fails, in the platform's own words.
    Why(Failure, String),
    /// A sleep of this depth, and any deeper one, would lose data, so it does not sleep so: what would be lost.
    WouldLoseData(Depth, String),
    /// No sleep of it would lose data, or no longer.
    LosesNothing,
    /// From such a sleep it had been put back, unchanged ([`Standing::PutBack`]), when it was told to start.
    PutBack(Depth),
    /// What is to run is not what was to run before, asleep or not.
    Deployed,
}

/// What a platform makes of light sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Light {
    /// The instance stays, paused, and goes on where it was: [`Command::Pause`], [`Command::Resume`].
    Paused,
    /// Nothing runs, but what runs it is there: [`Command::Stop`], and another start. Such a platform keeps its apps
    /// while we are away, and others start and stop them, too: what they made run is not stopped because it does not
    /// come up, and an app that is no longer said to be one is let go as it is ([`Command::Forget`]).
    Stopped,
}

/// A platform: takes commands at once, reports later.
pub trait Platform: Send {
    /// What light sleep is here.
    fn light(&self) -> Light;

    /// Carries out a command, in the background.
    fn submit(&mut self, command: Command);
}

/// Where a platform reports to.
pub type Reports = mpsc::UnboundedSender<Report>;
