//! Limits: how many of some requests may pass, by whom they come from or go to.
//!
//! ```text
//!   pipeline ─► Limits::admit ─► rules (which limits count it: host, path, method) ─► key (by what)
//!                     │                                                                │
//!    Told ◄── refused ┤   counts (exact, of so many keys; the others in a sketch) ◄────┘
//!    Leave ◄─ admitted┘      └─ gcra (a rate, decided purely)
//! ```
//!
//! All limits of a request are asked under their locks before any is charged: a refusal by one costs nothing at the
//! others. A lock is one of many of its limit, held for nanoseconds.

mod claim;
mod counts;
mod gcra;
mod key;
mod path;
mod rules;
mod sketch;
mod told;
mod wakes;

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use config::model::Limit;
use config::settings;
use http::Request;
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::host;
use crate::listen::Entry;
use crate::table::Route;
use counts::{Denied, Held};
use gcra::Now;
use key::{Asker, Keys};
use path::Path;
use rules::{Rule, Rules};
use wakes::Wakes;

pub use told::{Told, Whose};

/// All limits, shared by all threads.
#[derive(Debug)]
pub struct Limits {
    rules: ArcSwap<Rules>,
    keys: Keys,
    wakes: Option<Wakes>,
    most_keys: usize,
    began: Instant,
}

/// Whose a request is, and whom it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What its host and path led to.
    pub route: &'a Route,
    /// Where it came in.
    pub entry: &'a Entry,
    /// Who sent it.
    pub client: IpAddr,
}

/// An admitted request's part in the limits of how many are open at once: to be kept until the end of its answer.
#[derive(Debug, Default)]
pub struct Leave {
    /// Allocates nothing where there is none.
    _held: Box<[Held]>,
}

/// What a limit has come to.
#[derive(Debug)]
pub struct Figures {
    /// Which one.
    pub limit: Arc<Limit>,
    /// How many keys have a count of their own.
    pub keys: usize,
    /// How many requests had a key that found no place of its own.
    pub overflowed: u64,
    /// How many requests it refused, for apps of whom.
    pub refused: Vec<(Whose, u64)>,
}

/// A limit that counts a request, and the key by which it does.
type Counted<'a> = (&'a Rule, u64);

impl Limits {
    /// No limits yet, but for what the settings say of wakes.
    pub fn new(settings: &settings::Gateway) -> Self {
        let most_keys = settings.max_limit_keys;
        Self {
            rules: ArcSwap::default(),
            keys: Keys::new(settings.claim_secrets.clone()),
            wakes: settings.max_wakes_per_client.map(|rate| Wakes::new(rate, most_keys)),
            most_keys,
            began: Instant::now(),
        }
    }

    /// These limits and no others hold for every request that is admitted after this has returned. What has been counted
    /// under a name that is still there goes on.
    pub fn replace(&self, limits: Vec<Arc<Limit>>) {
        let rules = Rules::after(&self.rules.load(), limits, self.most_keys, self.at(Instant::now()));
        self.rules.store(Arc::new(rules));
    }

    /// Counts a request that came at `now`.
    ///
    /// # Errors
    /// What the limit says that lets it pass last.
    pub fn admit<B>(&self, request: &Request<B>, asked: Asked<'_>, now: Instant) -> Result<Leave, Box<Told>> {
        let rules = self.rules.load();
        if rules.is_empty() {
            return Ok(Leave::default());
        }
        let asker = Asker { headers: request.headers(), route: asked.route, client: asked.client };
        let path = Path::new(request.uri().path());
        let mut counted = SmallVec::<[Counted<'_>; 2]>::new();
        let count = |index: &usize| {
            let rule = rules.at(*index);
            if rule.counts(request.method(), &path) {
                counted.push((rule, self.keys.of(&rule.by, &asker)));
            }
        };
        match asked.entry {
            Entry::Hosts { .. } if rules.are_by_host() => {
                let mut buffer = host::Buffer::default();
                rules.of_host(host::of(request, &mut buffer).unwrap_or_default()).iter().for_each(count);
            }
            Entry::Hosts { .. } => rules.of_host("").iter().for_each(count),
            Entry::App(_) => of_all_hosts(&rules, asked.route).iter().for_each(count),
        }
        let admitted = match &*counted {
            [] => return Ok(Leave::default()),
            [only] => decide_one(*only, self.at(now)),
            several => decide(several, self.at(now)),
        };
        admitted.map_err(|(rule, denied)| {
            rule.tally.count(&asked.route.model.tenant);
            Box::new(Told::new(rule.limit.clone(), denied))
        })
    }

    /// Whether a client may wake an app.
    ///
    /// # Errors
    /// After which time it may.
    pub fn admit_wake(&self, client: IpAddr, route: &Route, now: Instant) -> Result<(), Duration> {
        let Some(wakes) = &self.wakes else { return Ok(()) };
        wakes.admit(self.keys.of_wake(client, route), self.at(now))
    }

    /// What each limit has come to, by name.
    pub fn figures(&self) -> Vec<Figures> {
        let figures = |rule: &Arc<Rule>| Figures {
            limit: rule.limit.clone(),
            keys: rule.counts.keys(),
            overflowed: rule.counts.overflowed(),
            refused: rule.tally.counts(),
        };
        self.rules.load().iter().map(figures).collect()
    }

    fn at(&self, now: Instant) -> Now {
        Now::after(now.saturating_duration_since(self.began))
    }
}

/// At its own port an app is known by no host, or by any that its neighbours like: there all limits hold that do at one
/// of its hosts. One that has none of its own is found at any.
fn of_all_hosts(rules: &Rules, route: &Route) -> SmallVec<[usize; 8]> {
    if route.model.routes.is_empty() {
        return (0..rules.count()).collect();
    }
    let patterns = route.model.routes.iter().map(|route| &route.host);
    let mut indices: SmallVec<_> = patterns.flat_map(|pattern| rules.of_pattern(pattern)).collect();
    indices.sort_unstable();
    indices.dedup();
    indices
}

/// The same as [`decide`], of the one limit that most requests have, if they have any.
fn decide_one((rule, key): Counted<'_>, now: Now) -> Result<Leave, (&Rule, Denied)> {
    let mut shard = rule.counts.shard(key);
    shard.check(key, now).map_err(|denied| (rule, denied))?;
    let held = rule.counts.take(&mut shard, key, now);
    Ok(Leave { _held: held.into_iter().collect() })
}

/// Asks all limits, and charges them if none denies. The locks are held together, in the order of the limits' names.
fn decide<'a>(counted: &[Counted<'a>], now: Now) -> Result<Leave, (&'a Rule, Denied)> {
    let lock = |(rule, key): &Counted<'a>| rule.counts.shard(*key);
    let mut shards: SmallVec<[_; 2]> = counted.iter().map(lock).collect();
    let checked = counted.iter().zip(&shards).map(|((rule, key), shard)| (*rule, shard.check(*key, now)));
    let denied = checked.filter_map(|(rule, checked)| Some((rule, checked.err()?)));
    if let Some(severest) = denied.max_by_key(|(_, denied)| denied.retry_after()) {
        return Err(severest);
    }
    let charged = counted.iter().zip(&mut shards);
    let held = charged.filter_map(|((rule, key), shard)| rule.counts.take(shard, *key, now)).collect();
    Ok(Leave { _held: held })
}
