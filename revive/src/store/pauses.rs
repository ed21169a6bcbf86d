//! The table of pauses: for whom sleep is paused.

use config::model::Label;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};

use super::UnixMillis;
use crate::brakes::{Pause, Scope};

/// A scope as its two columns.
fn columns(scope: &Scope) -> (&'static str, &str) {
    match scope {
        Scope::All => ("all", ""),
        Scope::Workspace(workspace) => ("workspace", workspace.as_str()),
    }
}

pub(super) fn set(connection: &Connection, scope: &Scope, pause: &Pause) -> rusqlite::Result<()> {
    let (scope, workspace) = columns(scope);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO pauses (scope, workspace, by, since) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![scope, workspace, pause.by, pause.since.0])?;
    Ok(())
}

pub(super) fn lift(connection: &Connection, scope: &Scope) -> rusqlite::Result<()> {
    let (scope, workspace) = columns(scope);
    connection
        .prepare_cached("DELETE FROM pauses WHERE scope = ?1 AND workspace = ?2")?
        .execute(params![scope, workspace])?;
    Ok(())
}

pub(super) fn load(connection: &Connection) -> rusqlite::Result<Vec<(Scope, Pause)>> {
    let mut query = connection.prepare("SELECT scope, workspace, by, since FROM pauses ORDER BY 1, 2")?;
    query.query_map([], understand)?.collect()
}

fn understand(row: &Row<'_>) -> rusqlite::Result<(Scope, Pause)> {
    let (scope, workspace): (String, String) = (row.get("scope")?, row.get("workspace")?);
    let scope = match scope.as_str() {
        "all" => Scope::All,
        _ => Scope::Workspace(
            Label::parse(&workspace)
                .map_err(|e| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(e)))?,
        ),
    };
    Ok((scope, Pause { by: row.get("by")?, since: UnixMillis(row.get("since")?) }))
}
