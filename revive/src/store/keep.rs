//! What must outlive the edge, wherever that is kept: in `dev` one file ([`Writer`](super::Writer)), on a cluster the
//! platform's own objects.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use config::model::{AppId, Label};

use super::{AppRow, AuditEntry, FlushError, ReadError};
use crate::brakes::{Pause, Scope};
use crate::driver::view::AppView;
use crate::limits::Said;

/// An answer that is waited for.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Takes what is to be kept, at once: none of these wait, and what cannot be written is counted and tried again.
pub trait Keep: fmt::Debug + Send + Sync {
    /// Remembers an app as it is now; of several for one app only the last may be written.
    fn save_app(&self, app: AppRow);

    /// How an app is now, for people who look at it where it is kept: each change of its state, and what is known of why.
    /// Of several for one app only the last may be written.
    fn show_app(&self, app: AppView);

    /// Forgets an app. Unknown ones are forgotten already.
    fn forget_app(&self, app: AppId);

    /// Remembers a pause of sleep; it replaces one of the same scope.
    fn set_brake(&self, scope: Scope, pause: Pause);

    /// Forgets a pause.
    fn lift_brake(&self, scope: Scope);

    /// Remembers what an admin has said of a limit; it replaces what was said before.
    fn say_limit(&self, name: Label, said: Said);

    /// Forgets what an admin has said of a limit.
    fn unsay_limit(&self, name: Label);

    /// Appends to the audit.
    fn append_audit(&self, entry: AuditEntry);

    /// The newest entries of the audit, newest first, after all that was given before has been tried.
    ///
    /// # Errors
    /// At the deadline, or where it cannot be read.
    fn audit(&self, limit: u32, within: Duration) -> Soon<'_, Result<Vec<AuditEntry>, ReadError>>;

    /// Ends when all that was given before is kept.
    ///
    /// # Errors
    /// At the deadline, or as soon as a try fails; it does not wait for the next one.
    fn flush(&self, within: Duration) -> Soon<'_, Result<(), FlushError>>;

    /// How many writes have failed since the start. One that is tried again and fails again counts again.
    fn failed_writes(&self) -> u64;

    /// How many of those were given up.
    fn lost_writes(&self) -> u64;
}
