//! What can happen to an app, and what is to be done about it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance, Phase, Round};

use crate::platform::Rest;

/// What can happen to an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Somebody wants it.
    Wanted(Demand),
    /// Nobody is held for it any more.
    Unwanted,
    /// It has been idle for long enough, or an admin asks, to be put to sleep.
    Sleep {
        /// How deep.
        depth: Depth,
        /// The name of this attempt, never used before.
        round: Round,
    },
    /// All gateways hold its requests.
    Quiesced {
        /// Of which attempt.
        round: Round,
        /// Whether something is open, or came in since the decision to sleep.
        busy: bool,
    },
    /// Its turn has come.
    Granted {
        /// The name of the run to start, never used before.
        instance: Instance,
    },
    /// The platform has come so far with an instance that has no address yet.
    Phase {
        /// Which run.
        instance: Instance,
        /// How far: from `Creating` to `Starting`.
        phase: Phase,
    },
    /// The platform sees why an instance will not come up, should it stay so.
    Ails {
        /// Which run.
        instance: Instance,
        /// Why.
        failure: Failure,
    },
    /// The platform gave an instance its address; or another one, while nobody has answered at the first.
    Created {
        /// Which run.
        instance: Instance,
        /// Where it will listen.
        endpoint: SocketAddr,
    },
    /// The platform itself says that an instance takes requests, whoever has asked it or not.
    Ready {
        /// Which run.
        instance: Instance,
        /// Where it listens.
        endpoint: SocketAddr,
    },
    /// The platform could not start an instance, or it never will be up.
    NotCreated {
        /// Which run.
        instance: Instance,
        /// Why.
        failure: Failure,
    },
    /// The platform has paused an instance.
    Paused {
        /// Which run.
        instance: Instance,
    },
    /// A paused instance runs again.
    Resumed {
        /// Which run.
        instance: Instance,
    },
    /// Somebody else has ended an instance, on purpose: nothing of it is left, and it has not crashed.
    PutDown {
        /// Which run.
        instance: Instance,
        /// What is left of the app.
        rest: Rest,
    },
    /// An instance has ended by itself, but something of it is left, which the platform is ending: then comes `Exited`.
    Ending {
        /// Which run.
        instance: Instance,
    },
    /// Nothing of an instance is left, whoever ended it.
    Exited {
        /// Which run.
        instance: Instance,
    },
    /// Somebody else makes an app run that had no instance: a deploy, a scale by hand.
    Appeared {
        /// The name of this run, never used before.
        instance: Instance,
    },
    /// Something that does not know that the app sleeps makes it run: it is to be put down again.
    PutBack {
        /// The name of this run, never used before.
        instance: Instance,
        /// How deep it shall sleep.
        depth: Depth,
    },
    /// How an app without an instance stands, by somebody else's doing, or after `Remove`.
    Rests(Rest),
    /// A gateway got the right answer from an instance.
    Reachable {
        /// Which run.
        instance: Instance,
    },
    /// A gateway did not, yet.
    NotReachable {
        /// Which run.
        instance: Instance,
        /// What is wrong with it, should it stay so.
        so_far: Failure,
    },
    /// A gateway's connections to an instance that was up are refused.
    Unreachable {
        /// Which run.
        instance: Instance,
    },
    /// A deadline may have passed.
    Tick,
    /// What it runs was changed: the running instance is an old version.
    Changed {
        /// The name of this draining, never used before.
        round: Round,
    },
    /// It was taken out of the table.
    Deleted {
        /// The name of this draining, never used before.
        round: Round,
    },
}

/// Who wants an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Demand {
    /// A request; it respects the backoff after a failure.
    Request,
    /// An admin; who tries again now.
    Admin,
}

/// What is to be done about a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell gateways the new state.
    Publish,
    /// Stand in line for a wake.
    Enqueue,
    /// Leave the line.
    Withdraw,
    /// Give back the slot of a wake.
    Release,
    /// Start this run.
    Start(Instance),
    /// Call so what runs already.
    Adopt(Instance),
    /// Has the platform say once more how it stands with an instance that others made run: it has said all that it knew.
    AskAgain(Instance),
    /// Pause it.
    Pause(Instance),
    /// Let it go on.
    Resume(Instance),
    /// End it.
    Stop {
        /// Which run.
        instance: Instance,
        /// What shall be left.
        depth: Depth,
    },
    /// From light to deep sleep, of an app of which nothing runs.
    Remove,
    /// A wake has come to its end: for the record.
    WakeEnded(WakeEnded),
    /// An app ended while it was awake: for the record.
    Crashed(Instance),
}

/// How a wake went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WakeEnded {
    /// Up, or why not.
    pub result: Result<(), Failure>,
    /// Which run it came to.
    pub instance: Option<Instance>,
    /// When each phase began, in order.
    pub marks: Vec<(Phase, Instant)>,
}

impl WakeEnded {
    /// The phases of a wake that ended at `at`, in order, and how long each took.
    pub fn phases(&self, at: Instant) -> impl Iterator<Item = (Phase, Duration)> {
        let ends = self.marks.iter().skip(1).map(|(_, at)| *at).chain([at]);
        self.marks.iter().zip(ends).map(|((phase, from), to)| (*phase, to.saturating_duration_since(*from)))
    }

    /// From its beginning to its end at `at`.
    pub fn took(&self, at: Instant) -> Duration {
        self.marks.first().map_or(Duration::ZERO, |(_, began)| at.saturating_duration_since(*began))
    }
}
