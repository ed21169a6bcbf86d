//! The table of limits: what admins have said of them. What a limit is stands there in the API's own words, so that
//! it is read by the same parser.

use std::sync::Arc;

use config::model::Label;
use rusqlite::{Connection, Row, params};
use serde_json::json;

use super::{LoadedLimits, RejectedLimit, UnixMillis};
use crate::limits::{self, Said, Word, Words};

pub(super) fn save(connection: &Connection, name: &Label, said: &Said) -> rusqlite::Result<()> {
    let words = match &said.word {
        Word::Set(limit) => Some(json!(Words::from(&**limit)).to_string()),
        Word::Off => None,
    };
    connection
        .prepare_cached("INSERT OR REPLACE INTO limits (name, words, by, since) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![name.as_str(), words, said.by, said.since.0])?;
    Ok(())
}

pub(super) fn forget(connection: &Connection, name: &Label) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM limits WHERE name = ?1")?.execute([name.as_str()])?;
    Ok(())
}

pub(super) fn load(connection: &Connection) -> rusqlite::Result<LoadedLimits> {
    let mut query = connection.prepare("SELECT name, words, by, since FROM limits ORDER BY name")?;
    let mut rows = query.query([])?;
    let mut loaded = LoadedLimits::default();
    while let Some(row) = rows.next()? {
        let name: String = row.get("name")?;
        match understand(&name, row)? {
            Ok(said) => loaded.said.push(said),
            Err(why) => loaded.rejected.push(RejectedLimit { name, why }),
        }
    }
    Ok(loaded)
}

/// A row as types; `Err` within says what is wrong with this one row.
fn understand(name: &str, row: &Row<'_>) -> rusqlite::Result<Result<(Label, Said), String>> {
    let (words, by): (Option<String>, String) = (row.get("words")?, row.get("by")?);
    let since = UnixMillis(row.get("since")?);
    let parse = || {
        let name = Label::parse(name).map_err(|error| error.to_string())?;
        let word = match words {
            None => Word::Off,
            Some(words) => {
                let words = serde_json::from_str(&words).map_err(|error| error.to_string())?;
                let limit = limits::parse(name.clone(), &words);
                Word::Set(Arc::new(limit.map_err(|mistakes| format!("{mistakes:?}"))?))
            }
        };
        Ok((name, Said { word, by, since }))
    };
    Ok(parse())
}
