//! A limit: which requests it counts, by what, and how many it lets through.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::{HostPattern, Label, PathPrefix};

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

/// So many in so long, evenly; and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In how long; not zero.
    pub per: Duration,
    /// How many may come at once after a pause.
    pub burst: NonZeroU32,
}

/// What requests are counted by.
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
