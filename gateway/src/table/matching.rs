//! Whether a rule matches a request.

use std::borrow::Cow;

use config::model::{PathMatch, Pattern, RequestMatch, ValueMatch};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use regex::bytes::{Regex, RegexBuilder};

use super::{Asked, Rule};
use crate::filter::{self, Unfit};

/// The most that an expression may take, as it is compiled, and in what is kept of its runs by each thread. Looking at
/// a text takes time in proportion to its length and, at the worst, to this.
const LARGEST: usize = 64 << 10;

/// What must hold of a request beside its path.
#[derive(Debug)]
pub(super) struct Conditions {
    path: Option<Regex>,
    method: Option<Method>,
    headers: Box<[(HeaderName, Value)]>,
    query: Box<[(Box<str>, Value)]>,
}

#[derive(Debug)]
enum Value {
    Exact(Box<[u8]>),
    Regex(Regex),
}

impl Rule {
    #[inline]
    pub(super) fn matches(&self, path: &str, asked: &Asked<'_>) -> bool {
        let beside = |conditions: &Conditions| conditions.hold_beside_the_path(asked);
        self.matches_path(path) && self.conditions.as_deref().is_none_or(beside)
    }

    #[inline]
    pub(super) fn matches_path(&self, path: &str) -> bool {
        match &self.told.matches.path {
            PathMatch::Prefix(prefix) => prefix.matches(path),
            PathMatch::Exact(exact) => **exact == *path,
            PathMatch::Regex(_) => {
                let expression = self.conditions.as_ref().and_then(|conditions| conditions.path.as_ref());
                expression.is_some_and(|expression| expression.is_match(path.as_bytes()))
            }
        }
    }
}

impl Conditions {
    /// Those of a rule, if there are any.
    ///
    /// # Errors
    /// Where one can never be asked.
    pub(super) fn of(matches: &RequestMatch) -> Result<Option<Self>, Unfit> {
        let path = match &matches.path {
            PathMatch::Prefix(_) | PathMatch::Exact(_) => None,
            PathMatch::Regex(expression) => Some(compile(expression)?),
        };
        let method = matches.method.as_deref().map(filter::method).transpose()?;
        // Of several for one name the first counts (Gateway API, `HTTPHeaderMatch.name`, `HTTPQueryParamMatch.name`).
        let mut headers: Vec<(HeaderName, Value)> = Vec::with_capacity(matches.headers.len());
        for ValueMatch { name, value } in &matches.headers {
            let (name, value) = (filter::name(name)?, Value::of(value)?);
            if headers.iter().all(|(before, _)| *before != name) {
                headers.push((name, value));
            }
        }
        let mut query: Vec<(Box<str>, Value)> = Vec::with_capacity(matches.query.len());
        for ValueMatch { name, value } in &matches.query {
            let value = Value::of(value)?;
            if query.iter().all(|(before, _)| before != name) {
                query.push((name.clone(), value));
            }
        }
        let any = path.is_some() || method.is_some() || !headers.is_empty() || !query.is_empty();
        Ok(any.then(|| Self { path, method, headers: headers.into(), query: query.into() }))
    }

    fn hold_beside_the_path(&self, asked: &Asked<'_>) -> bool {
        self.method.as_ref().is_none_or(|method| method == asked.method)
            && self
                .headers
                .iter()
                .all(|(name, value)| header_value(name, asked).is_some_and(|said| value.is(&said)))
            && self.query.iter().all(|(name, value)| {
                parameter(name, asked.uri.query().unwrap_or_default()).is_some_and(|said| value.is(&said))
            })
    }
}

impl Value {
    fn of(pattern: &Pattern) -> Result<Self, Unfit> {
        Ok(match pattern {
            Pattern::Exact(value) => Self::Exact(value.as_bytes().into()),
            Pattern::Regex(expression) => Self::Regex(compile(expression)?),
        })
    }

    fn is(&self, said: &[u8]) -> bool {
        match self {
            Self::Exact(value) => **value == *said,
            Self::Regex(expression) => expression.is_match(said),
        }
    }
}

/// An expression that the whole of a value must be. Classes are of ASCII, as RE2 has them.
fn compile(expression: &str) -> Result<Regex, Unfit> {
    let build = |expression: &str| {
        let mut builder = RegexBuilder::new(expression);
        builder.unicode(false).size_limit(LARGEST).dfa_size_limit(LARGEST).build()
    };
    // By itself first: one that closes a group of ours would be something else inside.
    let whole = build(expression).and_then(|_| build(&format!(r"\A(?:{expression})\z")));
    whole.map_err(|_| Unfit::Expression(expression.into()))
}

/// A header's value. Several lines are one list (RFC 9110, section 5.3); of cookies, one cookie (RFC 6265, section 5.4).
fn header_value<'a>(name: &HeaderName, asked: &Asked<'a>) -> Option<Cow<'a, [u8]>> {
    if *name == header::HOST {
        return host(asked.uri, asked.headers);
    }
    let mut lines = asked.headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(first.into()) };
    let between: &[u8] = if *name == header::COOKIE { b"; " } else { b", " };
    let mut joined = [first, between, second].concat();
    for line in lines {
        joined.extend_from_slice(between);
        joined.extend_from_slice(line);
    }
    Some(joined.into())
}

/// Over HTTP/2, and in an absolute target, it is no header.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<Cow<'a, [u8]>> {
    let host = match uri.authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => headers.get(header::HOST)?.as_bytes(),
    };
    Some(host.into())
}

/// The first value of a parameter, as forms are read (URL Standard, "application/x-www-form-urlencoded parsing").
fn parameter<'a>(name: &str, query: &'a str) -> Option<Cow<'a, [u8]>> {
    let mut parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters.find_map(|parameter| {
        let (said, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (*decoded(said) == *name.as_bytes()).then(|| decoded(value))
    })
}

fn decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return text.as_bytes().into();
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, beyond @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, beyond),
                // It stands for itself.
                (None, _) | (_, None) => (b'%', after),
            },
            (other, _) => (*other, after),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes.into()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
