//! A limit: which requests it counts, by what, and how many it lets through.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::{HostPattern, Label, PathPrefix, Rate};

/// Bytes of the longest name of a limit, a header or a claim.
const MAX_NAME: usize = 100;

/// How many of some requests may pass. At least one of `rate` and `concurrency` is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name, unique among the limits.
    pub name: Label,
    /// Which requests it counts.
    pub matches: LimitMatch,
    /// What they are counted by: each value of it has a count of its own.
    pub key: LimitKey,
    /// How many in how long.
    pub rate: Option<Rate>,
    /// How many may be open at once.
    pub concurrency: Option<NonZeroU32>,
}

/// Why a text is no name of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a limit's name is 1 to {MAX_NAME} of a-z, A-Z, 0-9, '-', '_' and '.', such as \"deploys\"")]
pub struct LimitNameError;

impl Limit {
    /// Parses a name: it is a segment of the admin API's paths, and stands in the headers of answers.
    ///
    /// # Errors
    /// Where it would have to be written otherwise there.
    pub fn parse_name(text: &str) -> Result<Label, LimitNameError> {
        let right = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        // A segment of dots has a meaning of its own (RFC 3986, section 5.2.4).
        let dots = text.bytes().all(|b| b == b'.');
        let right = text.len() <= MAX_NAME && !dots && text.bytes().all(right);
        right.then(|| Label::parse(text).ok()).flatten().ok_or(LimitNameError)
    }
}

/// Which requests a limit counts: all conditions hold; an empty one holds always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitMatch {
    /// Any of these hosts.
    pub hosts: Vec<HostPattern>,
    /// A path at or below any of these.
    pub paths: Vec<PathPrefix>,
    /// Any of these methods, in capitals.
    pub methods: Vec<String>,
}

impl LimitMatch {
    /// Parses a method's name: a token in which case matters (RFC 9110, section 9.1); all that are registered are in
    /// capitals.
    ///
    /// # Errors
    /// What would be right.
    pub fn method(text: &str) -> Result<String, String> {
        let capitals = text.to_ascii_uppercase();
        let letters = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
        match (letters, capitals == text) {
            (true, true) => Ok(capitals),
            (true, false) => Err(format!("did you mean \"{capitals}\"? A method's name is in capitals")),
            (false, _) => Err("a method's name, such as \"POST\"".to_owned()),
        }
    }
}

/// What requests are counted by. Parsed from, and shown as, `credential`, `client`, `tenant`, `workspace`, `app`,
/// `header:NAME` or `claim:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LimitKey {
    /// The bearer token or session cookie, as a hash; without one, the client.
    Credential,
    /// The client's address; of IPv6 its /64.
    Client,
    /// What `loco-tenant-id` says.
    Tenant,
    /// The app's workspace.
    Workspace,
    /// The app.
    App,
    /// The value of this header, in lower case; without one, the client.
    Header(Box<str>),
    /// This claim of a verified token; without one, the client.
    Claim(Box<str>),
}

/// Why a text is no [`LimitKey`]; it says what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitKeyError {
    /// There is no such kind.
    #[error("one of credential, client, tenant, workspace, app, header:NAME, claim:NAME")]
    Unknown,
    /// No header is called so (RFC 9110, section 5.1).
    #[error("a header's name is 1 to {MAX_NAME} letters, digits and '-', such as \"header:x-api-key\"")]
    Header,
    /// No claim of ours is called so.
    #[error("a claim's name is 1 to {MAX_NAME} visible ASCII characters, such as \"claim:sub\"")]
    Claim,
}

impl LimitKey {
    /// The words that stand for themselves, and those that a name follows.
    pub const KINDS: [&str; 7] =
        ["credential", "client", "tenant", "workspace", "app", "header:NAME", "claim:NAME"];
}

impl FromStr for LimitKey {
    type Err = LimitKeyError;

    fn from_str(text: &str) -> Result<Self, LimitKeyError> {
        // RFC 9110, section 5.6.2: `token`.
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let named =
            |name: &str, of: fn(u8) -> bool| (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(of);
        match text.split_once(':') {
            None => match text {
                "credential" => Ok(Self::Credential),
                "client" => Ok(Self::Client),
                "tenant" => Ok(Self::Tenant),
                "workspace" => Ok(Self::Workspace),
                "app" => Ok(Self::App),
                "header" => Err(LimitKeyError::Header),
                "claim" => Err(LimitKeyError::Claim),
                _ => Err(LimitKeyError::Unknown),
            },
            Some(("header", name)) if named(name, token) => {
                Ok(Self::Header(name.to_ascii_lowercase().into()))
            }
            Some(("header", _)) => Err(LimitKeyError::Header),
            Some(("claim", name)) if named(name, |b| b.is_ascii_graphic()) => Ok(Self::Claim(name.into())),
            Some(("claim", _)) => Err(LimitKeyError::Claim),
            Some(_) => Err(LimitKeyError::Unknown),
        }
    }
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential => f.write_str("credential"),
            Self::Client => f.write_str("client"),
            Self::Tenant => f.write_str("tenant"),
            Self::Workspace => f.write_str("workspace"),
            Self::App => f.write_str("app"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Claim(name) => write!(f, "claim:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

    use super::*;

    #[test]
    fn a_key_is_read_as_written_and_shown_the_same() {
        for text in [
            "credential",
            "client",
            "tenant",
            "workspace",
            "app",
            "header:x-api-key",
            "claim:https://x.test/Sub",
        ] {
            assert_eq!(text.parse::<LimitKey>().unwrap().to_string(), text);
        }
        assert_eq!("header:X-Api-Key".parse(), Ok(LimitKey::Header("x-api-key".into())));
    }

    #[test]
    fn what_is_no_key_says_of_which_kind_it_is_none() {
        for text in ["", "Client", "ip", "cookie:x", ":", "client:"] {
            assert_eq!(text.parse::<LimitKey>(), Err(LimitKeyError::Unknown), "{text}");
        }
        for text in ["header", "header:", "header:x y", "header:x:y", "header:ä"] {
            assert_eq!(text.parse::<LimitKey>(), Err(LimitKeyError::Header), "{text}");
        }
        for text in ["claim", "claim:", "claim:a b", "claim:ä"] {
            assert_eq!(text.parse::<LimitKey>(), Err(LimitKeyError::Claim), "{text}");
        }
    }
}
