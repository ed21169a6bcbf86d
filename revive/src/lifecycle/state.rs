//! What can be true of an app.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance, Phase, Probe, Round, Status};

/// The state of one app.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Requests go to it.
    Awake(Running),
    /// Gateways have been asked to hold its requests, so that it can be put to sleep, renewed or ended.
    Draining(Draining),
    /// Light sleep: paused, or without replicas.
    Light(Running),
    /// Deep sleep: there is nothing, or what is left of it is just ending.
    Deep {
        /// The last instance, until it has ended.
        leaving: Option<Instance>,
    },
    /// On its way up.
    Waking(Waking),
    /// It did not come up, or did not stay up.
    Failed(Failed),
    /// No longer in the table.
    Gone {
        /// The last instance, until it has ended.
        leaving: Option<Instance>,
    },
}

/// An instance that is up, or was when it was paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Running {
    /// Which run.
    pub instance: Instance,
    /// Where it listens.
    pub endpoint: SocketAddr,
    /// Since when it is up.
    pub since: Instant,
    /// How long its last wake took.
    pub wake_took: Duration,
    /// Failures in a row before it came up; forgiven once it has been up for [`super::STABLE`].
    pub failures: u32,
}

/// Gateways hold back what is new, so that what is open can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draining {
    /// What runs.
    pub running: Running,
    /// What for.
    pub aim: Aim,
    /// Which attempt.
    pub round: Round,
    /// When a sleep is given up, and whatever else is done all the same.
    pub deadline: Instant,
}

/// What an app is drained for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aim {
    /// To sleep so deep, unless somebody wants it.
    Sleep(Depth),
    /// To run its new version.
    Renew,
    /// To be gone: its new requests are nobody's.
    Retire,
}

/// A wake under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waking {
    /// How far it is.
    pub step: WakeStep,
    /// When each phase began, in order; the first is the wake's own beginning.
    pub marks: Vec<(Phase, Instant)>,
    /// Failures in a row before this wake.
    pub failures: u32,
    /// Who begins the next try, should this one fail.
    pub retry: Retry,
    /// Since when nobody waits for it.
    pub unwanted_since: Option<Instant>,
}

/// How far a wake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WakeStep {
    /// Waits until the instance before has ended: two of one app never run at once.
    Clearing(Instance),
    /// Waits for admission.
    Queued,
    /// The platform was told to start it.
    Creating {
        /// Which run.
        instance: Instance,
        /// When it has failed.
        deadline: Instant,
    },
    /// It has an address; the gateways ask it whether it is up.
    Probing {
        /// Which run.
        instance: Instance,
        /// Where it will listen.
        endpoint: SocketAddr,
        /// When it has failed.
        deadline: Instant,
        /// What that failure would be, as far as the probers know.
        so_far: Failure,
    },
    /// It was up, and nobody listens there any more; the gateways ask it until somebody does again.
    Returning {
        /// Which run.
        instance: Instance,
        /// Where it listened.
        endpoint: SocketAddr,
        /// When it has failed.
        deadline: Instant,
    },
    /// The platform was told to let a paused instance go on.
    Resuming {
        /// What was paused.
        running: Running,
        /// When it has failed.
        deadline: Instant,
    },
}

/// A wake, or a run, that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// How many in a row, this one included.
    pub failures: u32,
    /// Until then every request gets the failure as its answer; the first one after it tries again.
    pub retry_at: Instant,
    /// Who begins that next try.
    pub retry: Retry,
    /// The failed instance, until it has ended.
    pub leaving: Option<Instance>,
}

/// Who begins the next try after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The next request: the app was asleep, so nobody misses it before.
    OnRequest,
    /// We do: it crashed while awake, and an app that was awake stays so until it is idle.
    ByItself,
}

impl State {
    /// When [`super::Event::Tick`] would do something.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Draining(draining) => Some(draining.deadline),
            Self::Waking(waking) => waking.deadline(),
            Self::Failed(Failed { retry: Retry::ByItself, retry_at, .. }) => Some(*retry_at),
            Self::Failed(Failed { retry: Retry::OnRequest, .. })
            | Self::Awake(_)
            | Self::Light(_)
            | Self::Deep { .. }
            | Self::Gone { .. } => None,
        }
    }

    /// What gateways are told; `None` for an app that is gone, or about to be.
    pub fn status(&self, now: Instant) -> Option<Status> {
        Some(match self {
            Self::Awake(running) => {
                Status::Awake { instance: running.instance, endpoints: [running.endpoint.into()].into() }
            }
            Self::Draining(Draining { aim: Aim::Sleep(_) | Aim::Renew, round, .. }) => {
                Status::Draining { round: *round }
            }
            Self::Light(_) => Status::Asleep { depth: Depth::Light },
            Self::Deep { .. } => Status::Asleep { depth: Depth::Deep },
            Self::Waking(waking) => waking.status(now),
            Self::Failed(failed) => Status::Failed {
                failure: failed.failure,
                retry_after: failed.retry_at.saturating_duration_since(now),
            },
            Self::Draining(Draining { aim: Aim::Retire, .. }) | Self::Gone { .. } => return None,
        })
    }

    /// The instance that there is, in whatever condition.
    pub fn instance(&self) -> Option<Instance> {
        match self {
            Self::Awake(running) | Self::Light(running) => Some(running.instance),
            Self::Draining(draining) => Some(draining.running.instance),
            Self::Waking(waking) => waking.step.instance(),
            Self::Deep { leaving } | Self::Gone { leaving } | Self::Failed(Failed { leaving, .. }) => {
                *leaving
            }
        }
    }
}

impl Running {
    /// The failures that still count. Asked before it is paused too: it was up until then, not since it goes on.
    pub(super) fn unforgiven(&self, now: Instant) -> u32 {
        let stable = now.saturating_duration_since(self.since) >= super::STABLE;
        if stable { 0 } else { self.failures }
    }
}

impl Waking {
    /// The phase it is in.
    pub fn phase(&self) -> Phase {
        match self.step {
            WakeStep::Clearing(_) | WakeStep::Queued => Phase::Queued,
            WakeStep::Creating { .. } => Phase::Creating,
            // Nobody listens yet: its program is still beginning.
            WakeStep::Probing { so_far: Failure::NeverListened, .. } => Phase::Starting,
            WakeStep::Probing { .. } => Phase::Probing,
            WakeStep::Returning { .. } | WakeStep::Resuming { .. } => Phase::Starting,
        }
    }

    /// When it began.
    pub fn since(&self, now: Instant) -> Instant {
        self.marks.first().map_or(now, |(_, at)| *at)
    }

    fn deadline(&self) -> Option<Instant> {
        match self.step {
            WakeStep::Clearing(_) | WakeStep::Queued => {
                self.unwanted_since.map(|since| since + super::WITHDRAWN_AFTER)
            }
            WakeStep::Creating { deadline, .. }
            | WakeStep::Probing { deadline, .. }
            | WakeStep::Returning { deadline, .. }
            | WakeStep::Resuming { deadline, .. } => Some(deadline),
        }
    }

    fn status(&self, now: Instant) -> Status {
        let probe = match self.step {
            WakeStep::Probing { instance, endpoint, .. } | WakeStep::Returning { instance, endpoint, .. } => {
                Some(Probe { instance, endpoint })
            }
            WakeStep::Clearing(_)
            | WakeStep::Queued
            | WakeStep::Creating { .. }
            | WakeStep::Resuming { .. } => None,
        };
        let elapsed = now.saturating_duration_since(self.since(now));
        Status::Waking { phase: self.phase(), elapsed, estimate: None, position: None, probe }
    }
}

impl WakeStep {
    /// The instance that it is about.
    pub fn instance(&self) -> Option<Instance> {
        match self {
            Self::Queued => None,
            Self::Clearing(instance)
            | Self::Creating { instance, .. }
            | Self::Probing { instance, .. }
            | Self::Returning { instance, .. } => Some(*instance),
            Self::Resuming { running, .. } => Some(running.instance),
        }
    }
}
