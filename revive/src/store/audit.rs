//! The table of the audit: append-only, the oldest entries leave.

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::{AUDIT_KEPT, AuditEntry, UnixMillis};

pub(super) fn append(connection: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO audit (at, actor, action, subject, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            entry.at.0,
            entry.actor,
            entry.action,
            entry.subject,
            entry.before.to_string(),
            entry.after.to_string(),
        ])?;
    // Ids have no gaps: what is rolled back gives its id back too.
    let last_to_go = connection.last_insert_rowid() - i64::from(AUDIT_KEPT);
    connection.prepare_cached("DELETE FROM audit WHERE id <= ?1")?.execute([last_to_go])?;
    Ok(())
}

pub(super) fn newest(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<AuditEntry>> {
    let mut query = connection.prepare_cached(
        "SELECT at, actor, action, subject, before, after FROM audit ORDER BY id DESC LIMIT ?1",
    )?;
    query.query_map([limit], understand)?.collect()
}

fn understand(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        at: UnixMillis(row.get("at")?),
        actor: row.get("actor")?,
        action: row.get("action")?,
        subject: row.get("subject")?,
        before: json(row, 4)?,
        after: json(row, 5)?,
    })
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e)))
}
