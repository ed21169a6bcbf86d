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
    /// Light sleep of what can be paused.
    Paused(Running),
    /// Asleep, and nothing of it runs, or what is left of it is just ending.
    Down {
        /// Light: what runs it is there, without replicas. Deep: there is nothing, but it can be made again.
        depth: Depth,
        /// The last instance, until it has ended.
        leaving: Option<Instance>,
    },
    /// Nothing runs it, and there is nothing that it could be made of: requests find no backend, and wake nothing.
    Absent,
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
    /// How deep it slept, and sleeps again if nobody waits for its turn.
    pub depth: Depth,
    /// Whose doing it is that it runs.
    pub by: By,
}

/// Whose doing it is that an app is on its way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// Ours: it has a slot once it is granted, and is stopped should it fail.
    Us,
    /// Somebody else's who runs it: it needs no slot, and is not ours to stop because it does not come up.
    Others,
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
        /// How far the platform is.
        phase: Phase,
        /// What that failure would be, as far as the platform knows.
        so_far: Failure,
    },
    /// It has an address; the gateways ask it whether it is up.
    Probing {
        /// Which run.
        instance: Instance,
        /// Where it will listen.
        endpoint: SocketAddr,
        /// When it has failed.
        deadline: Instant,
        /// What that failure would be, as far as the probers and the platform know.
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
        /// What that failure would be, as far as the platform knows.
        so_far: Failure,
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
    /// What there still is of it.
    pub remains: Remains,
}

/// What there is of an app that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remains {
    /// No instance.
    Nothing,
    /// The failed instance is ending.
    Leaving(Instance),
    /// The failed instance stays, because somebody else made it run. It may yet come up.
    Running {
        /// Which run.
        instance: Instance,
        /// Where it will listen, if it has an address.
        endpoint: Option<SocketAddr>,
    },
}

impl Remains {
    /// The instance that there is, in whatever condition.
    pub fn instance(self) -> Option<Instance> {
        match self {
            Self::Nothing => None,
            Self::Leaving(instance) | Self::Running { instance, .. } => Some(instance),
        }
    }

    /// Whether this is what runs.
    pub(super) fn runs(self, instance: Instance) -> bool {
        matches!(self, Self::Running { instance: ours, .. } if ours == instance)
    }

    /// What runs has got an address.
    pub(super) fn at(self, instance: Instance, endpoint: SocketAddr) -> Self {
        if self.runs(instance) { Self::Running { instance, endpoint: Some(endpoint) } } else { self }
    }
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
            | Self::Paused(_)
            | Self::Down { .. }
            | Self::Absent
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
            Self::Paused(_) => Status::Asleep { depth: Depth::Light },
            Self::Down { depth, .. } => Status::Asleep { depth: *depth },
            Self::Absent => Status::Awake { instance: Instance(0), endpoints: [].into() },
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
            Self::Awake(running) | Self::Paused(running) => Some(running.instance),
            Self::Draining(draining) => Some(draining.running.instance),
            Self::Waking(waking) => waking.step.instance(),
            Self::Failed(failed) => failed.remains.instance(),
            Self::Down { leaving, .. } | Self::Gone { leaving } => *leaving,
            Self::Absent => None,
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
            WakeStep::Creating { phase, .. } => phase,
            WakeStep::Probing { so_far: Failure::Unhealthy, .. } => Phase::Probing,
            // Nobody listens yet: its program is still beginning.
            WakeStep::Probing { .. } | WakeStep::Returning { .. } | WakeStep::Resuming { .. } => {
                Phase::Starting
            }
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

    /// Where it listens, or will, if that is known.
    pub(super) fn endpoint(self) -> Option<SocketAddr> {
        match self {
            Self::Clearing(_) | Self::Queued | Self::Creating { .. } => None,
            Self::Probing { endpoint, .. } | Self::Returning { endpoint, .. } => Some(endpoint),
            Self::Resuming { running, .. } => Some(running.endpoint),
        }
    }

    /// Whether what a prober has found says more than what is known: that nobody listens is no news of an instance that
    /// the platform knows to be ailing.
    pub(super) fn learns(self, found: Failure) -> bool {
        let Self::Probing { so_far, .. } = self else { return false };
        found != so_far && (found != Failure::NeverListened || so_far == Failure::Unhealthy)
    }

    /// The same, with this as the reason should it come to nothing.
    pub(super) fn ails(self, so_far: Failure) -> Self {
        match self {
            Self::Creating { instance, deadline, phase, .. } => {
                Self::Creating { instance, deadline, phase, so_far }
            }
            Self::Probing { instance, endpoint, deadline, .. } => {
                Self::Probing { instance, endpoint, deadline, so_far }
            }
            Self::Returning { instance, endpoint, deadline, .. } => {
                Self::Returning { instance, endpoint, deadline, so_far }
            }
            Self::Clearing(_) | Self::Queued | Self::Resuming { .. } => self,
        }
    }
}
