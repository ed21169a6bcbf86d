//! What admins have said, as the data of a ConfigMap: JSON, a key for each kind, for people too.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::model::Label;
use serde_json::{Value, json};

use crate::brakes::{Brakes, Pause, Scope};
use crate::limits::{self, Word, Words};
use crate::store::UnixMillis;

/// The keys of the data.
const PAUSES: &str = "pauses";
const LIMITS: &str = "limits";

/// What admins have said.
#[derive(Debug, Default)]
pub(super) struct Said {
    pauses: BTreeMap<Scope, Pause>,
    limits: BTreeMap<Label, limits::Said>,
}

impl Said {
    /// Reads the data; of what cannot be understood it says why.
    pub(super) fn read(data: &BTreeMap<String, String>) -> (Self, Vec<String>) {
        let mut rejected = Vec::new();
        let list = |key: &str, rejected: &mut Vec<String>| match data
            .get(key)
            .map(|text| serde_json::from_str(text))
        {
            None => Vec::new(),
            Some(Ok(Value::Array(list))) => list,
            Some(Ok(_)) => {
                rejected.push(format!("{key}: it is no list"));
                Vec::new()
            }
            Some(Err(error)) => {
                rejected.push(format!("{key}: {error}"));
                Vec::new()
            }
        };
        let mut said = Self::default();
        for item in list(PAUSES, &mut rejected) {
            match pause(&item) {
                Ok((scope, pause)) => _ = said.pauses.insert(scope, pause),
                Err(why) => rejected.push(format!("{PAUSES}: {item}: {why}")),
            }
        }
        for item in list(LIMITS, &mut rejected) {
            match limit(&item) {
                Ok((name, words)) => _ = said.limits.insert(name, words),
                Err(why) => rejected.push(format!("{LIMITS}: {item}: {why}")),
            }
        }
        (said, rejected)
    }

    /// The data.
    pub(super) fn written(&self) -> Value {
        let pauses: Vec<Value> = self
            .pauses
            .iter()
            .map(|(scope, Pause { by, since })| {
                let workspace = match scope {
                    Scope::All => None,
                    Scope::Workspace(workspace) => Some(workspace.as_str()),
                };
                json!({ "workspace": workspace, "by": by, "since": since.0 })
            })
            .collect();
        let limits: Vec<Value> = self
            .limits
            .iter()
            .map(|(name, limits::Said { word, by, since })| {
                let words = match word {
                    Word::Set(limit) => Some(Words::from(&**limit)),
                    Word::Off => None,
                };
                json!({ "name": name.as_str(), "limit": words, "by": by, "since": since.0 })
            })
            .collect();
        json!({ PAUSES: Value::from(pauses).to_string(), LIMITS: Value::from(limits).to_string() })
    }

    pub(super) fn brakes(&self) -> Brakes {
        self.pauses.iter().map(|(scope, pause)| (scope.clone(), pause.clone())).collect()
    }

    pub(super) fn limits(&self) -> Vec<(Label, limits::Said)> {
        self.limits.iter().map(|(name, said)| (name.clone(), said.clone())).collect()
    }

    pub(super) fn pause(&mut self, scope: Scope, pause: Pause) {
        self.pauses.insert(scope, pause);
    }

    pub(super) fn resume(&mut self, scope: &Scope) {
        self.pauses.remove(scope);
    }

    pub(super) fn say(&mut self, name: Label, said: limits::Said) {
        self.limits.insert(name, said);
    }

    pub(super) fn unsay(&mut self, name: &Label) {
        self.limits.remove(name);
    }
}

fn pause(item: &Value) -> Result<(Scope, Pause), String> {
    let scope = match &item["workspace"] {
        Value::Null => Scope::All,
        workspace => Scope::Workspace(label(workspace)?),
    };
    Ok((scope, Pause { by: text(&item["by"])?.to_owned(), since: since(item)? }))
}

fn limit(item: &Value) -> Result<(Label, limits::Said), String> {
    let name = label(&item["name"])?;
    let word = match &item["limit"] {
        Value::Null => Word::Off,
        words => {
            let limit = limits::parse(name.clone(), words);
            Word::Set(Arc::new(limit.map_err(|mistakes| format!("{mistakes:?}"))?))
        }
    };
    Ok((name, limits::Said { word, by: text(&item["by"])?.to_owned(), since: since(item)? }))
}

fn label(value: &Value) -> Result<Label, String> {
    Label::parse(text(value)?).map_err(|error| error.to_string())
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is no text"))
}

fn since(item: &Value) -> Result<UnixMillis, String> {
    item["since"].as_i64().map(UnixMillis).ok_or_else(|| "`since` is no time".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

    use super::*;

    fn data(said: &Said) -> BTreeMap<String, String> {
        serde_json::from_value(said.written()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let mut said = Said::default();
        let pause = Pause { by: "ann".into(), since: UnixMillis(5) };
        said.pause(Scope::All, pause.clone());
        said.pause(Scope::Workspace(Label::parse("shop").unwrap()), pause);
        let words = json!({ "match": {}, "key": "client", "rate": "5/min" });
        let name = Label::parse("deploys").unwrap();
        let limit = limits::parse(name.clone(), &words).unwrap();
        let word = Word::Set(Arc::new(limit));
        said.say(name, limits::Said { word, by: "ann".into(), since: UnixMillis(6) });
        let off = limits::Said { word: Word::Off, by: "bob".into(), since: UnixMillis(7) };
        said.say(Label::parse("other").unwrap(), off);
        let (read, rejected) = Said::read(&data(&said));
        assert_eq!(rejected, Vec::<String>::new());
        assert_eq!((&read.pauses, &read.limits), (&said.pauses, &said.limits));
    }

    #[test]
    fn what_cannot_be_understood_is_named_and_the_rest_holds() {
        let data = BTreeMap::from([
            (
                PAUSES.to_owned(),
                r#"[{"by":"ann","since":1},{"workspace":"a b","by":"x","since":1},7]"#.to_owned(),
            ),
            (LIMITS.to_owned(), "{".to_owned()),
        ]);
        let (said, rejected) = Said::read(&data);
        assert_eq!((said.pauses.len(), rejected.len()), (1, 3), "{rejected:?}");
    }
}
