//! One timer for each app, all in one list.

use std::collections::BTreeSet;
use std::time::Instant;

use config::model::AppId;

/// The timers that are set, the next one first.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Instant, AppId)>);

impl Timers {
    /// Sets an app's timer; `current` is where the app keeps what it is set to.
    pub(super) fn set(&mut self, id: &AppId, current: &mut Option<Instant>, to: Option<Instant>) {
        if *current == to {
            return;
        }
        if let Some(at) = current.take() {
            self.0.remove(&(at, id.clone()));
        }
        if let Some(at) = to {
            self.0.insert((at, id.clone()));
        }
        *current = to;
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes one that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<AppId> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, id)| id)
    }
}
