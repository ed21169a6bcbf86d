//! Changes of headers.

use config::model::HeaderChange;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Unfit, name};
use crate::hop::{self, Kind};

/// Changes of headers, made ready.
#[derive(Debug)]
pub(super) struct Edits {
    set: Box<[(HeaderName, HeaderValue)]>,
    add: Box<[(HeaderName, HeaderValue)]>,
    remove: Box<[HeaderName]>,
}

impl Edits {
    pub(super) fn of(change: &HeaderChange) -> Result<Self, Unfit> {
        let line = |(name, value): &(Box<str>, Box<str>)| Ok((open(name)?, self::value(name, value)?));
        let lines = |lines: &[_]| lines.iter().map(line).collect::<Result<_, Unfit>>();
        Ok(Self {
            set: lines(&change.set)?,
            add: lines(&change.add)?,
            remove: change.remove.iter().map(|name| open(name)).collect::<Result<_, _>>()?,
        })
    }

    /// A map that can take no more stays as it is.
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            let _full = headers.try_insert(name, value.clone());
        }
        for (name, value) in &self.add {
            let _full = headers.try_append(name, value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }
}

/// A name that filters may use. A `Host` is rewritten by [`model::Rewrite`](config::model::Rewrite) only.
fn open(text: &str) -> Result<HeaderName, Unfit> {
    let name = name(text)?;
    match hop::kind(&name) {
        Kind::EndToEnd => Ok(name),
        Kind::Host | Kind::Framing | Kind::Hop | Kind::RequestHop | Kind::Te => {
            Err(Unfit::Header(text.into()))
        }
        Kind::Claim | Kind::Identity | Kind::TraceParent | Kind::TraceState => {
            Err(Unfit::Header(text.into()))
        }
    }
}

fn value(name: &str, value: &str) -> Result<HeaderValue, Unfit> {
    HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Unfit::HeaderValue(name.into()))
}
