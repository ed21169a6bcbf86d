//! Host names as requests and routes have them.

use std::fmt;

/// A host name in lower case, without port and without trailing dot; or an address literal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host(Box<str>);

/// Why a text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host is a DNS name such as shop.example.com, up to 253 characters of a-z, 0-9, '-', '_' and '.'")]
pub struct HostError;

impl Host {
    /// Parses a host name, in any case, with or without the trailing dot of an absolute name.
    ///
    /// # Errors
    /// Where `text` could not be a DNS name (RFC 1123; underscores are let through, as browsers do).
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        let right = (1..=253).contains(&text.len()) && text.split('.').all(label);
        if right { Ok(Self(text.to_ascii_lowercase().into())) } else { Err(HostError) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What hosts a route answers for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Just this host.
    Exact(Host),
    /// `*.suffix`: any host with one or more labels before the suffix (Gateway API, `Hostname`).
    Wildcard(Host),
}

impl HostPattern {
    /// Parses `shop.example.com` or `*.example.com`.
    ///
    /// # Errors
    /// Where the text, without a leading `*.`, is no host.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        match text.strip_prefix("*.") {
            Some(suffix) => Host::parse(suffix).map(Self::Wildcard),
            None => Host::parse(text).map(Self::Exact),
        }
    }

    /// Whether some host is one of both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let below = |host: &Host, suffix: &Host| {
            host.as_str().strip_suffix(suffix.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        match (self, other) {
            (Self::Exact(one), Self::Exact(two)) => one == two,
            (Self::Exact(host), Self::Wildcard(suffix)) | (Self::Wildcard(suffix), Self::Exact(host)) => {
                below(host, suffix)
            }
            (Self::Wildcard(one), Self::Wildcard(two)) => one == two || below(one, two) || below(two, one),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
        }
    }
}
