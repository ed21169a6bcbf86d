//! The envelopes, one for each direction. One that holds nothing is a newer peer's, and is passed over.

use super::app::WireApp;
use super::limit::WireLimit;
use super::parse::Span;
use super::rule::WireRule;
use super::said::{WireFinding, WireHello, WireInUse, WireQuiesced, WireReports};
use super::status::WireStatus;

/// What a gateway sends.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FromGateway {
    #[prost(oneof = "Said", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
    pub(super) said: Option<Said>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Said {
    #[prost(message, tag = "1")]
    Hello(WireHello),
    /// An app.
    #[prost(string, tag = "2")]
    Wake(String),
    /// An app.
    #[prost(string, tag = "3")]
    Unwanted(String),
    /// The renewal's number.
    #[prost(uint64, tag = "4")]
    Renew(u64),
    #[prost(message, tag = "5")]
    InUse(WireInUse),
    /// A generation.
    #[prost(uint64, tag = "6")]
    LimitsInUse(u64),
    #[prost(message, tag = "7")]
    Activity(WireReports),
    #[prost(message, tag = "8")]
    Quiesced(WireQuiesced),
    #[prost(message, tag = "9")]
    Reachable(WireFinding),
    #[prost(message, tag = "10")]
    NotReachable(WireFinding),
    #[prost(message, tag = "11")]
    Unreachable(WireFinding),
}

/// What revive sends.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FromRevive {
    #[prost(oneof = "Told", tags = "1, 2, 3, 4, 5, 6")]
    pub(super) told: Option<Told>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Told {
    #[prost(message, tag = "1")]
    Welcome(WireWelcome),
    #[prost(message, tag = "2")]
    Elsewhere(WireElsewhere),
    #[prost(message, tag = "3")]
    Table(WireTable),
    #[prost(message, tag = "4")]
    Limits(WireLimits),
    #[prost(message, tag = "5")]
    Lease(WireLease),
    #[prost(message, tag = "6")]
    State(WireChange),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireWelcome {
    #[prost(uint64, tag = "1")]
    pub(super) epoch: u64,
    #[prost(bool, tag = "2")]
    pub(super) leads: bool,
    #[prost(string, optional, tag = "3")]
    pub(super) leader: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireElsewhere {
    #[prost(string, optional, tag = "1")]
    pub(super) leader: Option<String>,
}

/// A page of a table: what is other than in the one before. It holds when its last page has come.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireTable {
    #[prost(uint64, tag = "1")]
    pub(super) generation: u64,
    /// Whether it is the last page.
    #[prost(bool, tag = "3")]
    pub(super) ends: bool,
    #[prost(message, repeated, tag = "4")]
    pub(super) apps: Vec<WireEntry>,
    /// Apps that are in it no more.
    #[prost(string, repeated, tag = "5")]
    pub(super) gone: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    pub(super) rules: Vec<WireNumbered>,
    /// Of the last page: all rules in their order, by their numbers; those that are not in it are gone.
    #[prost(message, repeated, tag = "7")]
    pub(super) order: Vec<WireRun>,
    /// Of the last page: all of them.
    #[prost(message, repeated, tag = "8")]
    pub(super) leaving: Vec<WireLeaving>,
}

/// An app that is new, or of which something is other than before; what is not there is as before.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireEntry {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) app: Option<WireApp>,
    #[prost(message, optional, tag = "3")]
    pub(super) status: Option<WireStatus>,
}

/// A rule that was not sent before, with a number that no other rule of this link has had.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireNumbered {
    #[prost(uint64, tag = "1")]
    pub(super) number: u64,
    #[prost(message, optional, tag = "2")]
    pub(super) rule: Option<WireRule>,
    /// The rule whose place it takes, if there is one: it stays where this one is not understood.
    #[prost(uint64, tag = "3")]
    pub(super) instead_of: u64,
}

/// Rules whose numbers follow each other.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct WireRun {
    #[prost(uint64, tag = "1")]
    pub(super) first: u64,
    #[prost(uint64, tag = "2")]
    pub(super) count: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireLeaving {
    #[prost(string, tag = "1")]
    pub(super) app: String,
    #[prost(uint64, tag = "2")]
    pub(super) round: u64,
}

/// A page of the limits: all of them each time, because they are few.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireLimits {
    #[prost(uint64, tag = "1")]
    pub(super) generation: u64,
    /// Whether it is the first page.
    #[prost(bool, tag = "2")]
    pub(super) begins: bool,
    #[prost(bool, tag = "3")]
    pub(super) ends: bool,
    #[prost(message, repeated, tag = "4")]
    pub(super) limits: Vec<WireLimit>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct WireLease {
    #[prost(uint64, tag = "1")]
    pub(super) renewal: u64,
    #[prost(message, optional, tag = "2")]
    pub(super) valid: Option<Span>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireChange {
    #[prost(string, tag = "1")]
    pub(super) app: String,
    #[prost(message, optional, tag = "2")]
    pub(super) status: Option<WireStatus>,
}

impl From<Told> for FromRevive {
    fn from(told: Told) -> Self {
        Self { told: Some(told) }
    }
}

impl From<Said> for FromGateway {
    fn from(said: Said) -> Self {
        Self { said: Some(said) }
    }
}
