//! What a refused client is told of its limit, and how often that was.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::model::{Limit, Tenant};
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::counts::Denied;
use crate::answer::Refusal;
use crate::spans;

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// So many workspaces have a count of their own, for each limit; what others are refused is counted together.
const MOST_WORKSPACES: usize = 1_000;

/// Why a request is not admitted.
#[derive(Clone, Debug)]
pub struct Told {
    limit: Arc<Limit>,
    denied: Denied,
}

impl Told {
    pub(super) fn new(limit: Arc<Limit>, denied: Denied) -> Self {
        Self { limit, denied }
    }

    /// The answer, but for its headers.
    pub fn refusal(&self) -> Refusal {
        match self.denied {
            Denied::Rate(retry_after) => Refusal::RateLimited(retry_after),
            Denied::Open => Refusal::TooManyAtOnce,
        }
    }

    /// `RateLimit` and `RateLimit-Policy`, as in draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4: the quota
    /// is the burst, its window the time in which it comes back whole.
    pub fn describe(&self, headers: &mut HeaderMap) {
        let mut name = String::new();
        // A String of RFC 9651, section 3.3.3.
        for character in self.limit.name.as_str().chars() {
            if matches!(character, '"' | '\\') {
                name.push('\\');
            }
            name.push(character);
        }
        let after = spans::seconds(self.denied.retry_after());
        let (policy, state) = match self.denied {
            Denied::Rate(_) => (self.rate_policy(), format!("r=0;t={after}")),
            Denied::Open => (self.concurrency_policy(), "r=0".to_owned()),
        };
        for (header, text) in [(&RATE_LIMIT_POLICY, policy), (&RATE_LIMIT, state)] {
            if let Ok(value) = HeaderValue::try_from(format!("\"{name}\";{text}")) {
                headers.insert(header.clone(), value);
            }
        }
    }

    fn rate_policy(&self) -> String {
        let mut policy = String::new();
        if let Some(rate) = &self.limit.rate {
            let window = rate.per.as_nanos() * u128::from(rate.burst.get()) / u128::from(rate.count.get());
            let window = Duration::from_nanos(u64::try_from(window).unwrap_or(u64::MAX));
            // Writing to a text does not fail.
            let _written = write!(policy, "q={};w={}", rate.burst, spans::seconds(window));
        }
        policy
    }

    fn concurrency_policy(&self) -> String {
        let most = self.limit.concurrency.map_or(0, std::num::NonZero::get);
        format!("q={most};qu=\"concurrent-requests\"")
    }
}

/// How often a limit refused whom.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<HashMap<Whose, u64>>);

/// Who was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Requests for apps of this tenant.
    Tenant(Tenant),
    /// Those for which there was no count any more.
    Others,
}

impl Tally {
    /// One was refused. Takes a lock: a refusal is not the warm path, and the lock is the limit's own.
    pub(super) fn count(&self, tenant: &Tenant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = counts.len() < MOST_WORKSPACES;
        let tenant = Whose::Tenant(tenant.clone());
        let whose = if has_room || counts.contains_key(&tenant) { tenant } else { Whose::Others };
        *counts.entry(whose).or_default() += 1;
    }

    pub(super) fn counts(&self) -> Vec<(Whose, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(whose, count)| (whose.clone(), *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::num::NonZeroU32;

    use config::model::Label;

    use super::super::fakes::{limit, tenant};
    use super::*;

    fn told(name: &str, denied: Denied) -> [String; 2] {
        let mut limit = limit(name);
        limit.rate =
            Some("5/min".parse::<config::model::Rate>().unwrap().with_burst(NonZeroU32::new(2).unwrap()));
        limit.concurrency = NonZeroU32::new(3);
        let mut headers = HeaderMap::new();
        Told::new(limit.into(), denied).describe(&mut headers);
        ["ratelimit-policy", "ratelimit"].map(|name| headers[name].to_str().unwrap().to_owned())
    }

    #[test]
    fn a_limit_is_told_as_the_draft_says() {
        let after = Duration::from_millis(11_001);
        assert_eq!(told("deploys", Denied::Rate(after)), ["\"deploys\";q=2;w=24", "\"deploys\";r=0;t=12"]);
        let open = ["\"deploys\";q=3;qu=\"concurrent-requests\"", "\"deploys\";r=0"];
        assert_eq!(told("deploys", Denied::Open), open);
        let quoted = [r#""\"a\\b\"";q=2;w=24"#, r#""\"a\\b\"";r=0;t=12"#];
        assert_eq!(told("\"a\\b\"", Denied::Rate(after)), quoted);
    }

    #[test]
    fn a_thousand_workspaces_are_told_apart_and_all_are_counted() {
        let tally = Tally::default();
        for number in 0..2 * MOST_WORKSPACES {
            let workspace = Label::parse(&format!("w{number}")).unwrap();
            tally.count(&Tenant { workspace, ..tenant() });
        }
        let counts = tally.counts();
        assert_eq!(counts.len(), MOST_WORKSPACES + 1);
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 2_000);
        assert_eq!(counts.iter().find(|(whose, _)| *whose == Whose::Others).unwrap().1, 1_000);
    }
}
