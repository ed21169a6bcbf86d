//! The table of apps.

use std::num::NonZeroU32;

use config::link::{Depth, Failure};
use config::model::{AppId, AppName};
use rusqlite::{Connection, Row, named_params, params};

use super::{AppRow, FailureRun, LastKnown, LoadedApps, RejectedApp, UnixMillis};

pub(super) fn save(connection: &Connection, app: &AppRow) -> rusqlite::Result<()> {
    let (state, depth) = match app.state {
        LastKnown::Awake => ("awake", None),
        LastKnown::Asleep(depth) => ("asleep", Some(depth.as_str())),
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO apps (id, state, depth, since, last_activity, port, failure, failures)
             VALUES (:id, :state, :depth, :since, :last_activity, :port, :failure, :failures)",
        )?
        .execute(named_params! {
            ":id": app.id.as_str(),
            ":state": state,
            ":depth": depth,
            ":since": app.since.0,
            ":last_activity": app.last_activity.map(|t| t.0),
            ":port": app.port,
            ":failure": app.failures.map(|f| f.last.code()),
            ":failures": app.failures.map_or(0, |f| f.in_a_row.get()),
        })?;
    Ok(())
}

pub(super) fn forget(connection: &Connection, app: &AppId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM apps WHERE id = ?1")?.execute(params![app.as_str()])?;
    Ok(())
}

pub(super) fn load(connection: &Connection) -> rusqlite::Result<LoadedApps> {
    let mut query = connection.prepare(
        "SELECT id, state, depth, since, last_activity, port, failure, failures FROM apps ORDER BY id",
    )?;
    let mut rows = query.query([])?;
    let mut loaded = LoadedApps::default();
    while let Some(row) = rows.next()? {
        let id: String = row.get("id")?;
        match understand(&id, row)? {
            Ok(app) => loaded.apps.push(app),
            Err(why) => loaded.rejected.push(RejectedApp { id, why }),
        }
    }
    Ok(loaded)
}

/// A row as a type; `Err` within says what is wrong with this one row.
fn understand(id: &str, row: &Row<'_>) -> rusqlite::Result<Result<AppRow, String>> {
    let (state, depth): (String, Option<String>) = (row.get("state")?, row.get("depth")?);
    let (failure, in_a_row): (Option<String>, i64) = (row.get("failure")?, row.get("failures")?);
    let (since, last_activity, port) = (row.get("since")?, row.get("last_activity")?, row.get("port")?);
    let parse = || {
        Ok(AppRow {
            id: AppId::from_name(&AppName::parse(id).map_err(|e| e.to_string())?),
            state: last_known(&state, depth.as_deref())?,
            since: UnixMillis(since),
            last_activity: Option::map(last_activity, UnixMillis),
            port,
            failures: failure.map(|code| failure_run(&code, in_a_row)).transpose()?,
        })
    };
    Ok(parse())
}

fn last_known(state: &str, depth: Option<&str>) -> Result<LastKnown, String> {
    match (state, depth) {
        ("awake", None) => Ok(LastKnown::Awake),
        ("asleep", Some("light")) => Ok(LastKnown::Asleep(Depth::Light)),
        ("asleep", Some("deep")) => Ok(LastKnown::Asleep(Depth::Deep)),
        _ => Err(format!("there is no state {state} {}", depth.unwrap_or_default())),
    }
}

fn failure_run(code: &str, in_a_row: i64) -> Result<FailureRun, String> {
    let last = Failure::ALL.into_iter().find(|f| f.code() == code);
    let in_a_row = u32::try_from(in_a_row).ok().and_then(NonZeroU32::new);
    match (last, in_a_row) {
        (Some(last), Some(in_a_row)) => Ok(FailureRun { last, in_a_row }),
        _ => Err(format!("there is no failure {code}, {in_a_row:?} times")),
    }
}
