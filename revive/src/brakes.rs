//! What keeps apps from going to sleep or from being removed, whatever their policies say. Pure: times and clocks are
//! passed in, and what has to be stored or audited is returned.

use std::collections::BTreeMap;
use std::fmt;

use config::model::{Label, Tenant};

use crate::store::UnixMillis;

mod removal;
mod undone;

pub use removal::{RemovalGuard, RemovalLimits};
pub use undone::{PutBack, Sticks, Undone};

/// What a pause is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// All apps.
    All,
    /// The apps of one workspace.
    Workspace(Label),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all apps"),
            Self::Workspace(workspace) => write!(f, "workspace {workspace}"),
        }
    }
}

/// Who paused sleep, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The actor, as in the audit.
    pub by: String,
    /// When.
    pub since: UnixMillis,
}

/// Why an app is kept as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Brake {
    /// Sleep is paused.
    #[error("{by} has paused sleep for {scope}; it stays paused until somebody resumes it")]
    SleepPaused {
        /// For whom.
        scope: Scope,
        /// By whom.
        by: String,
    },
    /// As many apps as may be were removed within the hour, or are being: the next may be when the hour of one has
    /// passed.
    #[error(
        "{removed} apps were removed within the last hour, or are being removed: as many as may be; the next one waits"
    )]
    RemovalCap {
        /// How many.
        removed: usize,
    },
    /// So large a part of all apps was removed within an hour that it looks like a mistake.
    #[error(
        "removals have stopped: {removed} apps were removed within an hour, too large a part of the {total} there are; \
         find out why, then resume removals"
    )]
    RemovalStop {
        /// How many were removed before it stopped.
        removed: usize,
        /// How many there were then, asleep or awake; of those removed some may have been deleted since.
        total: usize,
    },
    /// The wall clock has jumped, so nobody can say how long an app has been idle.
    #[error("the clock of this machine has jumped by {seconds} s; nothing is removed for an hour after that")]
    ClockStep {
        /// By how much, either way.
        seconds: u64,
    },
    /// The app is in the hours of its schedule.
    #[error("it is in its hours: its schedule keeps it awake until {until}")]
    InHours {
        /// When they end.
        until: UnixMillis,
    },
}

impl Brake {
    /// All codes.
    pub const CODES: [&str; 6] =
        ["sleep-paused", "workspace-sleep-paused", "removal-cap", "removal-stop", "clock-step", "in-hours"];

    /// The code, one of [`CODES`](Self::CODES), in answers, in the API, in metrics and in logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SleepPaused { scope: Scope::All, .. } => "sleep-paused",
            Self::SleepPaused { scope: Scope::Workspace(_), .. } => "workspace-sleep-paused",
            Self::RemovalCap { .. } => "removal-cap",
            Self::RemovalStop { .. } => "removal-stop",
            Self::ClockStep { .. } => "clock-step",
            Self::InHours { .. } => "in-hours",
        }
    }
}

/// What a pause or a resume has changed: for the store, and for the audit's before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sleep was not paused for this scope, and now is.
    Paused(Pause),
    /// Sleep was paused for this scope, like this, and is no longer.
    Resumed(Pause),
    /// Sleep was not paused, but removals were stopped, and are no longer.
    RemovalsResumed,
    /// It was so already.
    Nothing,
}

/// Sleep of a workspace that no app has can be neither paused nor resumed: it is misspelt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no app is of the workspace {0}; GET /v1/apps lists all")]
pub struct UnknownWorkspace(pub Label);

/// For whom sleep is paused. The brake on all and those on workspaces are apart: whoever paused one workspace for a
/// reason does not lose that because somebody else resumes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brakes {
    paused: BTreeMap<Scope, Pause>,
}

impl FromIterator<(Scope, Pause)> for Brakes {
    fn from_iter<I: IntoIterator<Item = (Scope, Pause)>>(pauses: I) -> Self {
        Self { paused: pauses.into_iter().collect() }
    }
}

impl Brakes {
    /// Whether an app of this tenant may go to sleep.
    ///
    /// # Errors
    /// The brake that keeps it awake; that on all before that on its workspace.
    pub fn allows_sleep(&self, tenant: &Tenant) -> Result<(), Brake> {
        if self.paused.is_empty() {
            return Ok(());
        }
        for scope in [Scope::All, Scope::Workspace(tenant.workspace.clone())] {
            if let Some(Pause { by, .. }) = self.paused.get(&scope) {
                return Err(Brake::SleepPaused { scope, by: by.clone() });
            }
        }
        Ok(())
    }

    /// Pauses sleep. A scope that is paused already keeps its first pause.
    pub fn pause(&mut self, scope: Scope, pause: Pause) -> Change {
        if self.is_paused(&scope) {
            return Change::Nothing;
        }
        self.paused.insert(scope, pause.clone());
        Change::Paused(pause)
    }

    /// Resumes sleep for this scope; a pause of the other kind stays.
    pub fn resume(&mut self, scope: &Scope) -> Change {
        self.paused.remove(scope).map_or(Change::Nothing, Change::Resumed)
    }

    /// Whether sleep is paused for just this scope.
    pub fn is_paused(&self, scope: &Scope) -> bool {
        self.paused.contains_key(scope)
    }

    /// All pauses, that on all first.
    pub fn pauses(&self) -> impl Iterator<Item = (&Scope, &Pause)> {
        self.paused.iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn tenant(workspace: &str) -> Tenant {
        let label = |text| Label::parse(text).unwrap();
        Tenant {
            org: label("acme"),
            workspace: label(workspace),
            region: label("local"),
            environment: label("dev"),
        }
    }

    fn workspace(name: &str) -> Scope {
        Scope::Workspace(Label::parse(name).unwrap())
    }

    fn pause(by: &str) -> Pause {
        Pause { by: by.into(), since: UnixMillis(7) }
    }

    #[test]
    fn a_workspace_is_paused_alone() {
        let mut brakes = Brakes::default();
        assert_eq!(brakes.pause(workspace("shop"), pause("ann")), Change::Paused(pause("ann")));
        let brake = brakes.allows_sleep(&tenant("shop")).unwrap_err();
        assert_eq!(brake.code(), "workspace-sleep-paused");
        assert_eq!(
            brake.to_string(),
            "ann has paused sleep for workspace shop; it stays paused until somebody resumes it"
        );
        assert_eq!(brakes.allows_sleep(&tenant("blog")), Ok(()));
    }

    #[test]
    fn resuming_all_leaves_a_workspace_paused() {
        let mut brakes: Brakes = [(workspace("shop"), pause("ann"))].into_iter().collect();
        brakes.pause(Scope::All, pause("bob"));
        assert_eq!(brakes.allows_sleep(&tenant("shop")).unwrap_err().code(), "sleep-paused");
        assert_eq!(brakes.allows_sleep(&tenant("blog")).unwrap_err().code(), "sleep-paused");
        assert_eq!(brakes.resume(&Scope::All), Change::Resumed(pause("bob")));
        assert_eq!(brakes.allows_sleep(&tenant("blog")), Ok(()));
        assert!(brakes.allows_sleep(&tenant("shop")).is_err());
    }

    #[test]
    fn what_is_so_already_changes_nothing() {
        let mut brakes = Brakes::default();
        assert_eq!(brakes.resume(&Scope::All), Change::Nothing);
        brakes.pause(Scope::All, pause("ann"));
        assert_eq!(brakes.pause(Scope::All, pause("bob")), Change::Nothing);
        assert_eq!(brakes.pauses().collect::<Vec<_>>(), [(&Scope::All, &pause("ann"))]);
    }
}
