//! What is kept, as plain types.

use std::fmt;
use std::num::NonZeroU32;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::link::{Depth, Failure};
use config::model::{AppId, Label};

use crate::limits::Said;

/// A moment by the wall clock: milliseconds since 1970 in UTC. For what outlives a run; within one, `Instant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixMillis(pub i64);

impl From<SystemTime> for UnixMillis {
    fn from(time: SystemTime) -> Self {
        let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(millis(after)),
            Err(before) => Self(-millis(before.duration())),
        }
    }
}

impl UnixMillis {
    /// The same moment as the system says it.
    pub fn time(self) -> SystemTime {
        let span = Duration::from_millis(self.0.unsigned_abs());
        let time = if self.0 < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) };
        time.unwrap_or(UNIX_EPOCH)
    }
}

/// As RFC 3339 has it; before 1970, which no clock of ours says, is 1970.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Beyond the year 9999 there is no RFC 3339.
        let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
        humantime::format_rfc3339_millis(self.time().clamp(UNIX_EPOCH, last)).fmt(f)
    }
}

/// What is known of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRow {
    /// Which app.
    pub id: AppId,
    /// Whether it slept.
    pub state: LastKnown,
    /// Since when.
    pub since: UnixMillis,
    /// When something of it that keeps awake last began or ended; `None` if nothing ever has.
    pub last_activity: Option<UnixMillis>,
    /// Its own port on loopback, so that its URL stays the same; `None` until it has got one.
    pub port: Option<u16>,
    /// Its failures since it was last up; `None` if it was up, or was never started.
    pub failures: Option<FailureRun>,
}

/// An app's state when it was last written down. What is under way is not kept: the next run begins it anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastKnown {
    /// It ran.
    Awake,
    /// It slept.
    Asleep(Depth),
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureRun {
    /// The last of them.
    pub last: Failure,
    /// How many.
    pub in_a_row: NonZeroU32,
}

/// What the table of apps holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LoadedApps {
    /// The apps, by id.
    pub apps: Vec<AppRow>,
    /// Rows that cannot be understood. Their apps begin anew.
    pub rejected: Vec<RejectedApp>,
}

/// A row that cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub struct RejectedApp {
    /// The id as it stands there.
    pub id: String,
    /// What is wrong with it.
    pub why: String,
}

/// What the table of limits holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LoadedLimits {
    /// What admins have said, by name.
    pub said: Vec<(Label, Said)>,
    /// Rows that cannot be understood. What the file says holds instead, if it says something.
    pub rejected: Vec<RejectedLimit>,
}

/// A row that cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub struct RejectedLimit {
    /// The name as it stands there.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub at: UnixMillis,
    /// Who did it.
    pub actor: String,
    /// What was done, such as `sleep.pause`.
    pub action: String,
    /// To what: an app, a workspace, `all`.
    pub subject: String,
    /// How it was before; null if it was not.
    pub before: serde_json::Value,
    /// How it was after; null if it was not any more.
    pub after: serde_json::Value,
}
