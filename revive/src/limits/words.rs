//! Limits as JSON: the same words as in the file, read by the same parsers of the model.

use std::fmt::Display;
use std::num::NonZeroU32;

use config::model::{HostPattern, Label, Limit, LimitKey, LimitMatch, PathPrefix, Rate};
use serde::Serialize;
use serde_json::{Map, Value};

/// How many hosts, paths or methods one limit may name: each is compared with every request.
const MAX_LISTED: usize = 100;
/// What a limit is made of.
const FIELDS: [&str; 6] = ["name", "match", "key", "rate", "burst", "concurrency"];
/// What is shown beside it.
const SHOWN: [&str; 5] = ["source", "enabled", "by", "since", "file"];
/// What a match is made of.
const CONDITIONS: [&str; 3] = ["hosts", "paths", "methods"];

/// A limit in the words of the file; what is not said is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Words {
    r#match: MatchWords,
    key: String,
    rate: Option<String>,
    burst: Option<NonZeroU32>,
    concurrency: Option<NonZeroU32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct MatchWords {
    hosts: Vec<String>,
    paths: Vec<String>,
    methods: Vec<String>,
}

impl From<&Limit> for Words {
    fn from(limit: &Limit) -> Self {
        let LimitMatch { hosts, paths, methods } = &limit.matches;
        Self {
            r#match: MatchWords {
                hosts: hosts.iter().map(ToString::to_string).collect(),
                paths: paths.iter().map(ToString::to_string).collect(),
                methods: methods.clone(),
            },
            key: limit.key.to_string(),
            rate: limit.rate.map(|rate| rate.to_string()),
            burst: limit.rate.map(|rate| rate.burst),
            concurrency: limit.concurrency,
        }
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Where, such as `match.hosts[0]`; empty for the whole.
    pub field: String,
    /// What is wrong, and what would be right.
    pub detail: String,
}

/// Reads a limit of this name.
///
/// # Errors
/// All that is wrong with it.
pub fn parse(name: Label, words: &Value) -> Result<Limit, Vec<Mistake>> {
    let mut reader = Reader::default();
    let limit = reader.limit(name, words);
    match limit {
        Some(limit) if reader.mistakes.is_empty() => Ok(limit),
        _ => Err(reader.mistakes),
    }
}

/// Collects mistakes.
#[derive(Default)]
struct Reader {
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn mistake(&mut self, field: &str, detail: impl Display) {
        self.mistakes.push(Mistake { field: field.to_owned(), detail: detail.to_string() });
    }

    fn limit(&mut self, name: Label, words: &Value) -> Option<Limit> {
        const EXAMPLE: &str = r#"{"key": "client", "rate": "5/min"}"#;
        let Value::Object(fields) = words else {
            self.mistake("", format!("a limit is a JSON object, such as {EXAMPLE}"));
            return None;
        };
        self.unknown("", fields, &FIELDS);
        if fields.get("name").is_some_and(|said| said != name.as_str()) {
            self.mistake("name", format!("the path says {:?}: say the same, or leave it out", name.as_str()));
        }
        let matches = self.matches(there(fields, "match"));
        let key = match there(fields, "key") {
            Some(key) => self.text("key", key, str::parse::<LimitKey>),
            None => {
                self.mistake("key", format!("is missing: one of {}", LimitKey::KINDS.join(", ")));
                None
            }
        };
        let rate = self.rate(fields);
        let concurrency = there(fields, "concurrency").and_then(|n| self.count("concurrency", n));
        let counts = ["rate", "concurrency"].iter().any(|field| there(fields, field).is_some());
        if !counts {
            self.mistake("rate", "a limit needs `rate`, such as \"5/min\", or `concurrency`, or both");
        }
        Some(Limit { name, matches, key: key?, rate, concurrency })
    }

    fn rate(&mut self, fields: &Map<String, Value>) -> Option<Rate> {
        let burst = there(fields, "burst").map(|n| self.count("burst", n));
        let Some(rate) = there(fields, "rate") else {
            if burst.is_some() {
                self.mistake("burst", "is of a `rate`, and there is none");
            }
            return None;
        };
        let rate = self.text("rate", rate, str::parse::<Rate>)?;
        Some(burst.flatten().map_or(rate, |burst| rate.with_burst(burst)))
    }

    fn matches(&mut self, conditions: Option<&Value>) -> LimitMatch {
        let Some(conditions) = conditions else { return LimitMatch::default() };
        let Value::Object(fields) = conditions else {
            self.mistake("match", "is an object of lists: `hosts`, `paths`, `methods`");
            return LimitMatch::default();
        };
        self.unknown("match.", fields, &CONDITIONS);
        LimitMatch {
            hosts: self.list("hosts", fields, HostPattern::parse),
            paths: self.list("paths", fields, PathPrefix::parse),
            methods: self.list("methods", fields, method),
        }
    }

    fn list<T, E: Display>(
        &mut self,
        name: &str,
        fields: &Map<String, Value>,
        parse: fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let field = format!("match.{name}");
        match there(fields, name) {
            None => Vec::new(),
            Some(Value::Array(items)) if items.len() <= MAX_LISTED => {
                let items = items.iter().enumerate();
                items.filter_map(|(at, item)| self.text(&format!("{field}[{at}]"), item, parse)).collect()
            }
            Some(Value::Array(_)) => {
                self.mistake(&field, format!("has more than {MAX_LISTED} items"));
                Vec::new()
            }
            Some(_) => {
                self.mistake(&field, "is a list of texts");
                Vec::new()
            }
        }
    }

    fn text<T, E: Display>(
        &mut self,
        field: &str,
        value: &Value,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Value::String(text) = value else {
            self.mistake(field, "must be text");
            return None;
        };
        match parse(text) {
            Ok(value) => Some(value),
            Err(right) => {
                let shown: String = text.chars().take(60).collect();
                self.mistake(field, format!("cannot be {shown:?}: {right}"));
                None
            }
        }
    }

    fn count(&mut self, field: &str, value: &Value) -> Option<NonZeroU32> {
        let count = value.as_u64().and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new);
        if count.is_none() {
            self.mistake(field, format!("must be a whole number from 1 to {}", u32::MAX));
        }
        count
    }

    fn unknown(&mut self, before: &str, fields: &Map<String, Value>, known: &[&str]) {
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let shown: String = name.chars().take(60).collect();
            let detail = if before.is_empty() && SHOWN.contains(&name.as_str()) {
                "is shown only and cannot be set: leave it out".to_owned()
            } else {
                format!("is unknown; there are {}", known.join(", "))
            };
            self.mistake(&format!("{before}{shown}"), detail);
        }
    }
}

/// The field, if it says something; null says nothing, so that what is shown can be sent back.
fn there<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// A method (RFC 9110, section 9.1): it is case-sensitive, and all that are known are in capitals.
fn method(text: &str) -> Result<String, String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if text.is_empty() || text.len() > 32 || !text.bytes().all(token) {
        return Err("a method such as \"POST\"".to_owned());
    }
    let capitals = text.to_ascii_uppercase();
    if capitals == text { Ok(capitals) } else { Err(format!("methods are in capitals: \"{capitals}\"")) }
}
