//! What can happen to an app, and what is to be done about it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance, Phase, Round};

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
    /// The platform gave an instance its address.
    Created {
        /// Which run.
        instance: Instance,
        /// Where it will listen.
        endpoint: SocketAddr,
    },
    /// The platform could not start an instance.
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
    /// Pause it.
    Pause(Instance),
    /// Let it go on.
    Resume(Instance),
    /// End it.
    Stop(Instance),
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
