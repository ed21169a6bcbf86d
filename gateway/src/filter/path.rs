//! Another path in place of the one that was asked for.

use config::model::{PathChange, PathMatch};

use super::Unfit;

/// Longer ones are no path: together with what a client says they must fit in a request's line.
const LONGEST: usize = 4 << 10;

/// What a path becomes, made ready.
#[derive(Debug)]
pub(super) enum NewPath {
    /// This one.
    Full(Box<str>),
    /// The same with another beginning.
    Prefix {
        /// Neither has a slash at its end.
        matched: Box<str>,
        by: Box<str>,
    },
}

impl NewPath {
    pub(super) fn of(change: &PathChange, matched: &PathMatch) -> Result<Self, Unfit> {
        match (change, matched) {
            (PathChange::Full(path), _) => Ok(Self::Full(checked(path, path)?.into())),
            (PathChange::Prefix(by), PathMatch::Prefix(matched)) => {
                let without_slash = by.trim_end_matches('/');
                let by = if without_slash.is_empty() { "" } else { checked(without_slash, by)? };
                Ok(Self::Prefix { matched: matched.as_str().trim_end_matches('/').into(), by: by.into() })
            }
            (PathChange::Prefix(_), PathMatch::Exact(_) | PathMatch::Regex(_)) => Err(Unfit::NoPrefix),
        }
    }

    /// The new path (Gateway API, the table at `HTTPPathModifier.replacePrefixMatch`). `None` for what has no path: the
    /// asterisk of OPTIONS.
    pub(super) fn instead_of(&self, asked: &str) -> Option<String> {
        if !asked.starts_with('/') {
            return None;
        }
        match self {
            Self::Full(path) => Some(path.to_string()),
            Self::Prefix { matched, by } => {
                let path = format!("{by}{}", asked.strip_prefix(&**matched)?);
                Some(if path.is_empty() { "/".to_owned() } else { path })
            }
        }
    }
}

fn checked<'a>(path: &'a str, whole: &str) -> Result<&'a str, Unfit> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'?' && byte != b'#';
    let right = path.starts_with('/') && path.len() <= LONGEST && path.bytes().all(plain);
    right.then_some(path).ok_or_else(|| Unfit::Path(whole.into()))
}
