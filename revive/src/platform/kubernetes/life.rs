//! What the platform holds of one app: how far it is with what it was told, and what it has told itself.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::link::{Depth, Failure, Instance, Phase};
use config::model::{App, Endpoint};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::context::Settings;
use super::failure::{Ail, Outlook};
use super::sight::{Seen, SeenApplication, SeenRecord};
use super::standing::How;
use super::wake::Kept;

/// Longer than watches lag behind.
const LAG: Duration = Duration::from_secs(2);

/// One app.
pub(super) struct Life {
    pub(super) app: Arc<App>,
    pub(super) stage: Stage,
    /// What is being done about it, one after the other.
    pub(super) job: Option<Running>,
    pub(super) next: VecDeque<Job>,
    pub(super) kept: Kept,
    /// What was last seen of what is to run.
    pub(super) version: Option<u64>,
    /// As of the last time that its standing was settled.
    pub(super) settled: Option<Print>,
    /// Why the last wake failed: its code and the platform's words, until the next one.
    pub(super) failed: Option<(&'static str, String)>,
}

/// What is seen of a workload, its record, and its Application: while it stays, so does the standing.
pub(super) type Print = (Option<Seen>, Option<SeenRecord>, Option<SeenApplication>);

/// A job that runs.
pub(super) struct Running {
    pub(super) number: u64,
    /// Whether a wake need not wait for its end.
    pub(super) yields: bool,
    pub(super) handle: AbortHandle,
}

/// Where an app is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// It has no instance; how it stands, as far as that has been told.
    Without(Option<How>),
    /// It has one, which was to come up.
    With(Up),
    /// Its instance is to end.
    Leaving(Leaving),
}

/// An instance that is to end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Leaving {
    /// The workload is being put down.
    Told(Instance),
    /// It is down, so that these pods, by their uids, will go; then it stands so, which is told if it was not asked for.
    /// Others are not its: who puts the workload back at once makes new ones before the old are gone.
    Down(Instance, How, Tell, Vec<String>),
}

/// Whether somebody must hear of a standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    /// It is what was asked for.
    No,
    /// It is something else.
    Yes,
}

/// An instance that is on its way up, or is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Up {
    pub(super) instance: Instance,
    /// Whether somebody else made it run.
    pub(super) adopted: bool,
    pub(super) since: Instant,
    /// What has been told of it.
    pub(super) told: Told,
    /// Whether any pod of it was there.
    pub(super) seen: bool,
    /// What ails it, since when, and whether that has failed it.
    pub(super) ails: Option<(Ail, Instant)>,
    /// What was heard when nothing could be seen, and how often it was asked for.
    pub(super) heard: Option<Ail>,
    pub(super) asked: u32,
    /// The newest event that is older than what is looked for.
    pub(super) baseline: Option<u64>,
}

/// How far an instance is, as it was told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    /// It has no address.
    Phase(Option<Phase>),
    /// It has one.
    Created(SocketAddr),
    /// The kubelet has called it ready: its word counts.
    Ready(Arc<[Endpoint]>),
    /// It has failed.
    Failed(Failure),
}

/// Something to be done on the cluster about an app.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Job {
    /// Make it run; after so many tries that the API server did not answer.
    Wake(u32),
    /// See whether what somebody else made runs, and let it run if that was meant.
    Adopt,
    /// Put it down, for an instance or, without one, from light sleep; `known` is the generation that was seen then.
    Rest { depth: Depth, known: Option<i64>, instance: Option<Instance> },
    /// Find out how it stands.
    Settle,
    /// Set right what nobody waits for after a wake.
    Tidy,
    /// Ask why there is nothing to be seen.
    Ask { baseline: Option<u64> },
    /// Somebody deletes its record.
    Bury,
    /// Nothing is to be left of it.
    Forget,
}

impl Job {
    /// Whether a wake need not wait for its end: what it leaves undone is found undone.
    pub(super) fn yields(&self) -> bool {
        match self {
            Self::Wake(_) | Self::Adopt | Self::Rest { .. } | Self::Bury | Self::Forget => false,
            Self::Settle | Self::Tidy | Self::Ask { .. } => true,
        }
    }
}

impl Up {
    pub(super) fn new(instance: Instance, adopted: bool, now: Instant) -> Self {
        Self {
            instance,
            adopted,
            since: now,
            told: Told::Phase(None),
            seen: false,
            ails: None,
            heard: None,
            asked: 0,
            baseline: None,
        }
    }

    /// Takes note of what ails it now. Says what is to be told: an ailment that is new, and whether it has failed.
    pub(super) fn ail(&mut self, ail: Option<Ail>, settings: &Settings, now: Instant) -> Ailing {
        let Some(ail) = ail else {
            // Between two tries there is a moment in which nothing is wrong: that is not yet a cure.
            return match &self.ails {
                Some((_, since)) if now.duration_since(*since) < settings.patience => Ailing::Same,
                Some(_) | None => {
                    self.ails = None;
                    Ailing::Same
                }
            };
        };
        let since = match &self.ails {
            Some((before, since)) if before.failure == ail.failure => *since,
            Some(_) | None => now,
        };
        let is_new = self.ails.as_ref().is_none_or(|(before, _)| before.failure != ail.failure);
        let over = now.duration_since(since) >= patience(ail.outlook, settings);
        self.ails = Some((ail.clone(), since));
        match (over, is_new) {
            (true, _) => Ailing::Failed(ail),
            (false, true) => Ailing::New(ail),
            (false, false) => Ailing::Same,
        }
    }

    /// When it is to be looked at again, should nothing change.
    pub(super) fn due(&self, settings: &Settings) -> Option<Instant> {
        match &self.told {
            Told::Ready(_) | Told::Failed(_) => None,
            Told::Phase(_) | Told::Created(_) => {
                let over = self.ails.as_ref().map(|(ail, since)| *since + patience(ail.outlook, settings));
                let ask = self.asks().then(|| self.since + asking(self.asked));
                over.into_iter().chain(ask).min()
            }
        }
    }

    /// Whether to ask why there is nothing to be seen.
    pub(super) fn asks(&self) -> bool {
        let nothing = match &self.told {
            Told::Phase(_) => true,
            Told::Created(_) | Told::Ready(_) | Told::Failed(_) => false,
        };
        nothing && self.ails.as_ref().is_none_or(|(ail, _)| Some(ail) == self.heard.as_ref())
    }
}

/// What an ailment is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ailing {
    /// Nothing new.
    Same,
    /// It is to be told.
    New(Ail),
    /// It has lasted too long, or will stay.
    Failed(Ail),
}

fn patience(outlook: Outlook, settings: &Settings) -> Duration {
    match outlook {
        Outlook::Stays => Duration::ZERO,
        Outlook::MayPass => settings.patience,
        Outlook::NeedsRoom => settings.patience_for_room,
    }
}

/// How long after its start the question is asked for this time: 0.7 s, 2.1 s, 4.9 s, 10.5 s, … after it.
fn asking(times: u32) -> Duration {
    Duration::from_millis(700) * (2_u32.saturating_pow(times.min(9) + 1) - 1)
}

impl Life {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self {
            app,
            stage: Stage::Without(None),
            job: None,
            next: VecDeque::new(),
            kept: Kept::default(),
            version: None,
            settled: None,
            failed: None,
        }
    }

    pub(super) fn due(&self, settings: &Settings) -> Option<Instant> {
        match &self.stage {
            Stage::With(up) => up.due(settings),
            Stage::Without(_) | Stage::Leaving(_) => None,
        }
    }

    /// A wake does not wait for what is only tidying.
    pub(super) fn hurry(&mut self) {
        self.next.retain(|job| !job.yields());
        if self.job.as_ref().is_some_and(|job| job.yields) {
            self.halt_job();
        }
    }

    /// What was being done is no longer wanted.
    pub(super) fn halt(&mut self) {
        self.next.clear();
        self.halt_job();
    }

    fn halt_job(&mut self) {
        if let Some(job) = self.job.take() {
            job.handle.abort();
        }
    }

    /// Whether nothing of ours is under way, or was so lately that watches may not have seen it.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        let lately = match &self.stage {
            Stage::With(up) => now.duration_since(up.since) < LAG,
            Stage::Without(_) | Stage::Leaving(_) => true,
        };
        self.job.is_none() && !lately
    }
}
