//! The tables, and how an older file gets them.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Marks the file as ours (`PRAGMA application_id`): "LOCO".
const APPLICATION_ID: i64 = 0x4C4F_434F;

/// What brings a file of version n to version n + 1 (`PRAGMA user_version`). A step that was ever released is
/// never changed; changes are new steps.
pub(super) const STEPS: &[&str] = &[
    // 0 → 1
    "CREATE TABLE apps (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL CHECK (state IN ('awake', 'asleep')),
        depth TEXT CHECK (depth IN ('light', 'deep') AND state = 'asleep' OR depth IS NULL AND state = 'awake'),
        since INTEGER NOT NULL,
        last_activity INTEGER,
        port INTEGER CHECK (port BETWEEN 1 AND 65535),
        failure TEXT,
        failures INTEGER NOT NULL CHECK ((failures > 0) = (failure IS NOT NULL))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE pauses (
        scope TEXT NOT NULL CHECK (scope IN ('all', 'workspace')),
        workspace TEXT NOT NULL CHECK ((workspace = '') = (scope = 'all')),
        by TEXT NOT NULL,
        since INTEGER NOT NULL,
        PRIMARY KEY (scope, workspace)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        before TEXT NOT NULL CHECK (json_valid(before)),
        after TEXT NOT NULL CHECK (json_valid(after))
    ) STRICT;
    CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
    CREATE TABLE instances (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        next INTEGER NOT NULL CHECK (next > 0)
    ) STRICT;
    INSERT INTO instances VALUES (1, 1);",
    // 1 → 2: without words, the file's limit of that name is switched off.
    "CREATE TABLE limits (
        name TEXT PRIMARY KEY,
        words TEXT CHECK (words IS NULL OR json_valid(words)),
        by TEXT NOT NULL,
        since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;",
];

/// Refuses a file that is of a newer version, of another program, or damaged. Only reads.
pub(super) fn inspect(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let facts = read_facts(connection).map_err(|e| StoreError::from_sqlite(path, e))?;
    let known = STEPS.len() as i64;
    let fresh = facts.application_id == 0 && facts.version == 0 && facts.objects == 0;
    if facts.application_id != APPLICATION_ID && !fresh {
        return Err(StoreError::Foreign { path: path.into() });
    }
    if facts.version > known {
        return Err(StoreError::NewerVersion { path: path.into(), found: facts.version, known });
    }
    match facts.check.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Corrupt { path: path.into(), detail: facts.check }),
    }
}

struct Facts {
    application_id: i64,
    version: i64,
    objects: i64,
    /// `ok`, or the first thing that is wrong.
    check: String,
}

/// Reads in one transaction: a file that another process is just creating is seen before or after, never between.
fn read_facts(connection: &mut Connection) -> rusqlite::Result<Facts> {
    let read = connection.transaction()?;
    Ok(Facts {
        application_id: read.pragma_query_value(None, "application_id", |row| row.get(0))?,
        version: read.pragma_query_value(None, "user_version", |row| row.get(0))?,
        objects: read.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
        check: read.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?,
    })
}

/// Takes the steps that are missing, all or none.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let write = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked only now: another process may have taken the steps while this one waited.
    let version: u32 = write.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let missing = steps.get(version as usize..).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    for step in missing {
        write.execute_batch(step)?;
    }
    write.pragma_update(None, "application_id", APPLICATION_ID)?;
    write.pragma_update(None, "user_version", steps.len() as i64)?;
    write.commit()
}
