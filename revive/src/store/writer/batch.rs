//! Writes that are made together: per app, scope and limit the newest only, of the audit all.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use config::model::{AppId, Label};
use rusqlite::Connection;

use super::super::{AUDIT_KEPT, AppRow, AuditEntry, apps, audit, limits, pauses};
use crate::brakes::{Pause, Scope};
use crate::limits::Said;

/// How many apps, scopes and limits a batch holds at most of each: what the platform has at most.
pub(super) const MAX_KEYS: usize = 200_000;

#[derive(Debug)]
pub(super) enum AppWrite {
    Save(AppRow),
    Forget,
}

#[derive(Debug)]
pub(super) enum PauseWrite {
    Set(Pause),
    Lift,
}

#[derive(Debug)]
pub(super) enum LimitWrite {
    Say(Said),
    Unsay,
}

#[derive(Debug, Default)]
pub(super) struct Batch {
    apps: HashMap<AppId, AppWrite>,
    pauses: HashMap<Scope, PauseWrite>,
    limits: HashMap<Label, LimitWrite>,
    /// No longer than what would be kept of it.
    audit: VecDeque<AuditEntry>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.apps.len() + self.pauses.len() + self.limits.len() + self.audit.len()
    }

    /// Adds a write; returns how many are lost by that.
    pub(super) fn app(&mut self, app: AppId, write: AppWrite) -> usize {
        insert(&mut self.apps, app, write)
    }

    /// As [`Self::app`].
    pub(super) fn pause(&mut self, scope: Scope, write: PauseWrite) -> usize {
        insert(&mut self.pauses, scope, write)
    }

    /// As [`Self::app`].
    pub(super) fn limit(&mut self, name: Label, write: LimitWrite) -> usize {
        insert(&mut self.limits, name, write)
    }

    /// As [`Self::app`]. The oldest is lost, as it would be from the table.
    pub(super) fn audit(&mut self, entry: AuditEntry) -> usize {
        self.audit.push_back(entry);
        let over = self.audit.len().saturating_sub(AUDIT_KEPT as usize);
        self.audit.drain(..over).count()
    }

    /// Adds a batch that is newer than this one; returns how many are lost by that.
    pub(super) fn absorb(&mut self, newer: Self) -> usize {
        let Self { apps, pauses, limits, audit } = newer;
        let apps = apps.into_iter().map(|(app, write)| self.app(app, write)).sum::<usize>();
        let pauses = pauses.into_iter().map(|(scope, write)| self.pause(scope, write)).sum::<usize>();
        let limits = limits.into_iter().map(|(name, write)| self.limit(name, write)).sum::<usize>();
        let audit = audit.into_iter().map(|entry| self.audit(entry)).sum::<usize>();
        apps + pauses + limits + audit
    }

    pub(super) fn write_to(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (app, write) in &self.apps {
            match write {
                AppWrite::Save(row) => apps::save(connection, row)?,
                AppWrite::Forget => apps::forget(connection, app)?,
            }
        }
        for (scope, write) in &self.pauses {
            match write {
                PauseWrite::Set(pause) => pauses::set(connection, scope, pause)?,
                PauseWrite::Lift => pauses::lift(connection, scope)?,
            }
        }
        for (name, write) in &self.limits {
            match write {
                LimitWrite::Say(said) => limits::save(connection, name, said)?,
                LimitWrite::Unsay => limits::forget(connection, name)?,
            }
        }
        self.audit.iter().try_for_each(|entry| audit::append(connection, entry))
    }
}

fn insert<K: Hash + Eq, V>(map: &mut HashMap<K, V>, key: K, value: V) -> usize {
    if map.len() >= MAX_KEYS && !map.contains_key(&key) {
        return 1;
    }
    map.insert(key, value);
    0
}
