//! What a request is counted by, as 64 bits that say nothing of it.
//!
//! They are made with secrets of this process: nobody can look for two values that share a count, or read a token out of
//! memory. Two of a million keys share one by chance once in 37 million runs. The hash is the standard library's SipHash,
//! which was made for this: cut to 64 bits, SHA-256 would keep a secret no better, and it costs more than all else that a
//! limit does (3,300 instructions for each 64 bytes of a token where the processor does not help).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::time::SystemTime;

use config::model::LimitKey;
use config::settings::Secret;
use http::header::{self, HeaderMap, HeaderName};

use super::claim;
use crate::table::Route;

/// The cookie of the platform's sessions.
const SESSION: &str = "loco_token";

/// Makes keys.
#[derive(Debug)]
pub(super) struct Keys {
    hashes: RandomState,
    /// For addresses.
    secrets: [u64; 2],
    claim_secrets: Vec<Secret>,
}

/// A request, as far as it can be counted by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) route: &'a Route,
    pub(super) client: IpAddr,
}

/// Kinds never share a count, whatever their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Credential,
    Tenant,
    Workspace,
    App,
    Header,
    Claim,
    Wake,
}

/// A limit's key, ready to be looked for in requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CountedBy {
    Credential,
    Client,
    Tenant,
    Workspace,
    App,
    Header(HeaderName),
    Claim(Box<str>),
}

impl CountedBy {
    /// `None` where the header's name is none; the model's parser lets no such name through.
    pub(super) fn new(key: &LimitKey) -> Option<Self> {
        Some(match key {
            LimitKey::Credential => Self::Credential,
            LimitKey::Client => Self::Client,
            LimitKey::Tenant => Self::Tenant,
            LimitKey::Workspace => Self::Workspace,
            LimitKey::App => Self::App,
            LimitKey::Header(name) => Self::Header(HeaderName::from_bytes(name.as_bytes()).ok()?),
            LimitKey::Claim(name) => Self::Claim(name.clone()),
        })
    }
}

impl Keys {
    pub(super) fn new(claim_secrets: Vec<Secret>) -> Self {
        let hashes = RandomState::new();
        let secrets = [hashes.hash_one(1), hashes.hash_one(2)];
        Self { hashes, secrets, claim_secrets }
    }

    /// The key of a request. Who has not what is asked for is counted by address.
    pub(super) fn of(&self, by: &CountedBy, asker: &Asker<'_>) -> u64 {
        let tenant = &asker.route.model.tenant;
        let own = match by {
            CountedBy::Client => None,
            CountedBy::Credential => {
                credential(asker.headers).map(|token| self.hash(Kind::Credential, &[token]))
            }
            CountedBy::Tenant => {
                Some(self.hash(Kind::Tenant, &[asker.route.model.tenant.workspace.as_str().as_bytes()]))
            }
            CountedBy::Workspace => Some(self.hash(
                Kind::Workspace,
                &[tenant.org.as_str().as_bytes(), tenant.workspace.as_str().as_bytes()],
            )),
            CountedBy::App => Some(self.hash(Kind::App, &[asker.route.app.id.as_str().as_bytes()])),
            CountedBy::Header(name) => sole(asker.headers.get_all(name).into_iter())
                .map(|value| self.hash(Kind::Header, &[name.as_str().as_bytes(), value.as_bytes()])),
            CountedBy::Claim(name) => self
                .claim(name, asker.headers)
                .map(|value| self.hash(Kind::Claim, &[name.as_bytes(), value.as_bytes()])),
        };
        own.unwrap_or_else(|| self.client(asker.client))
    }

    /// Each network has another key: every step can be undone by who has the secrets.
    fn client(&self, address: IpAddr) -> u64 {
        let [xor, factor] = self.secrets;
        let mixed = (u64::from_be_bytes(network(address)) ^ xor).wrapping_mul(factor | 1);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ mixed >> 32
    }

    /// The key of a client at a tenant, and at one app of it.
    pub(super) fn of_wake(&self, client: IpAddr, route: &Route) -> [u64; 2] {
        let (client, tenant) = (network(client), route.model.tenant.workspace.as_str().as_bytes());
        let app = route.app.id.as_str().as_bytes();
        [self.hash(Kind::Wake, &[&client, tenant]), self.hash(Kind::Wake, &[&client, tenant, app])]
    }

    /// SipHash: short, and keyed so that collisions cannot be aimed for.
    fn hash(&self, kind: Kind, parts: &[&[u8]]) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        hasher.write_u8(kind as u8);
        for part in parts {
            // With its length, or what ends one part could as well begin the next.
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish()
    }

    fn claim(&self, name: &str, headers: &HeaderMap) -> Option<String> {
        let token = credential(headers)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        claim::verified(token, &self.claim_secrets, now.as_secs(), name)
    }
}

/// What one client has: an address, or of IPv6 the /64, in which anybody can have any address (RFC 4291, section 2.5.4).
fn network(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            // No /64 of IPv6 that is in use begins so (RFC 4291, section 2.4).
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h, ..] = v6.octets();
            [a, b, c, d, e, f, g, h]
        }
    }
}

/// The token that a request brings, whatever the scheme, and its session. Of two that differ nobody knows which one the
/// app believes: then there is none, or a made-up one beside the real one would be a way around every limit.
fn credential(headers: &HeaderMap) -> Option<&[u8]> {
    let authorizations = headers.get_all(header::AUTHORIZATION).into_iter();
    let tokens = authorizations.map(|value| without_scheme(value.as_bytes()));
    let lines = headers.get_all(header::COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|b| *b == b';'));
    let sessions = pairs.filter_map(|pair| session(pair.trim_ascii()));
    sole(tokens.chain(sessions)).filter(|token| !token.is_empty())
}

/// What all of them are, if they are the same.
fn sole<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|other| other == first).then_some(first)
}

/// `Bearer x` → `x`: the scheme may be spelled in many ways (RFC 9110, section 11.1), the token in one.
fn without_scheme(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    match value.iter().position(u8::is_ascii_whitespace) {
        Some(end) => value[end..].trim_ascii_start(),
        None => value,
    }
}

/// The value of the session's cookie; quotes are no part of it to many (RFC 6265, section 4.1.1).
fn session(pair: &[u8]) -> Option<&[u8]> {
    let value = pair.strip_prefix(SESSION.as_bytes())?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii();
    Some(value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value))
}

#[cfg(test)]
mod tests;
