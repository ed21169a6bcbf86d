//! Which of an app's endpoints a request goes to: of two that chance proposes, the one with fewer open requests. One
//! that fails again and again is left out for a while, and comes back slowly.
//!
//! ```text
//!   endpoints ─► standing of each (in or out, weight by now, open) ─► pick (pure) ─► Share, counted until it is dropped
//!                   ▲                                                                   │ succeeded, failed
//!                   └───────────────────────── member ◄─────────────────────────────────┘
//! ```
//!
//! Two choices by chance are nearly as even as the least of all, and do not send everybody to the same one
//! (M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).

mod member;
mod pick;
pub mod retry;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::model::Endpoint;
use config::settings;
use tokio::time::Instant;

use member::Member;
use pick::{Standing, pick};

use crate::spans::micros;

/// Since when an endpoint is there that had all requests to itself: it begins no more.
const LONG_AGO: u64 = 0;
/// When the clock of an app's endpoints begins.
const BEGINNING: u64 = 1 << 62;

/// An app's endpoints, shared by all threads.
#[derive(Debug)]
pub struct Endpoints {
    members: Box<[Arc<Member>]>,
    /// Whoever takes one out looks first how many are: this happens once in some failures.
    ejecting: Mutex<()>,
    epoch: Instant,
}

/// What was known of an app's endpoints, of the same run.
#[derive(Clone, Copy, Debug)]
pub enum Before<'a> {
    /// Nothing.
    Nothing,
    /// There was one, and nothing to choose.
    One(SocketAddr),
    /// How they stood.
    Several(&'a Arc<Endpoints>),
}

/// A request's part in an endpoint: dropping it ends the request.
#[derive(Debug)]
pub struct Share {
    endpoints: Arc<Endpoints>,
    member: Arc<Member>,
}

/// Endpoints that have failed a request already. Few: a request is tried again twice at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried([Option<SocketAddr>; retry::MAX_RETRIES as usize + 1]);

impl Tried {
    /// Notes one; of more than may be tried, the last are forgotten.
    pub fn add(&mut self, address: SocketAddr) {
        if let Some(free) = self.0.iter_mut().find(|tried| tried.is_none()) {
            *free = Some(address);
        }
    }

    fn has(&self, address: SocketAddr) -> bool {
        self.0.contains(&Some(address))
    }
}

impl Endpoints {
    /// Those of an app's new state; what is known of the ones that were there `before` is kept. `None` where there is
    /// nothing to choose: most apps never have more than one endpoint, and pay nothing for this.
    pub fn of(endpoints: &[Endpoint], before: Before<'_>) -> Option<Arc<Self>> {
        let epoch = match before {
            Before::Several(before) if !endpoints.is_empty() => before.epoch,
            Before::Nothing | Before::One(_) if endpoints.len() > 1 => Instant::now(),
            Before::Nothing | Before::One(_) | Before::Several(_) => return None,
        };
        let now = now_of(epoch);
        let member = |endpoint: &Endpoint| match before {
            Before::Several(before) => match before.member(endpoint.address) {
                Some(known) => known.reweighed(*endpoint),
                None => Member::new(*endpoint, now),
            },
            Before::One(only) if only == endpoint.address => Member::new(*endpoint, LONG_AGO),
            Before::Nothing | Before::One(_) => Member::new(*endpoint, now),
        };
        let members = endpoints.iter().map(|endpoint| Arc::new(member(endpoint))).collect();
        Some(Arc::new(Self { members, ejecting: Mutex::new(()), epoch }))
    }

    fn member(&self, address: SocketAddr) -> Option<&Member> {
        self.members.iter().find(|member| member.endpoint.address == address).map(|member| &**member)
    }

    /// The endpoint for a request that has failed at those it has `tried`; `None` if there is none left. Where others
    /// have gone and left only such as are out, these are better than none.
    pub fn choose(self: &Arc<Self>, tried: &Tried, slow_start: Duration) -> Option<Share> {
        let now = self.now();
        let all_are_out = || !self.members.iter().any(|member| member.is_in(now));
        let chosen = self.choose_at(now, tried, slow_start);
        let chosen = chosen.or_else(|| if all_are_out() { self.choose_of_all(tried) } else { None })?;
        let member = self.members[chosen].clone();
        member.begin();
        Some(Share { endpoints: self.clone(), member })
    }

    fn choose_at(&self, now: u64, tried: &Tried, slow_start: Duration) -> Option<usize> {
        let standing = |index: usize| {
            let member: &Member = &self.members[index];
            let weight = match tried.has(member.endpoint.address) {
                true => 0,
                false => member.weight(now, micros(slow_start)),
            };
            Standing { weight, open: member.open() }
        };
        pick(self.members.len(), standing, |below| fastrand::u64(..below))
    }

    fn choose_of_all(&self, tried: &Tried) -> Option<usize> {
        let standing = |index: usize| {
            let member: &Member = &self.members[index];
            let is_new = !tried.has(member.endpoint.address);
            Standing { weight: u64::from(member.endpoint.weight) * u64::from(is_new), open: member.open() }
        };
        pick(self.members.len(), standing, |below| fastrand::u64(..below))
    }

    /// Whether a request that has failed at these might do better at another.
    pub fn has_other_than(&self, tried: &Tried) -> bool {
        let now = self.now();
        self.members.iter().any(|member| member.is_in(now) && !tried.has(member.endpoint.address))
    }

    /// Endpoints that are left out now.
    pub fn out(&self) -> usize {
        let now = self.now();
        self.members.iter().filter(|member| member.endpoint.weight > 0 && !member.is_in(now)).count()
    }

    fn now(&self) -> u64 {
        now_of(self.epoch)
    }

    /// Leaves one out, unless half of them are out already: what is left could not carry it all, and then it is more
    /// likely that the fault is elsewhere. Whether it did.
    fn eject(&self, member: &Member, time: Duration) -> bool {
        let _one_at_a_time = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.members.iter().filter(|member| member.endpoint.weight > 0).count();
        let now = self.now();
        if !member.is_in(now) || (self.out() + 1) * 2 > all {
            return false;
        }
        member.leave_until(now.saturating_add(micros(time)));
        true
    }
}

fn now_of(epoch: Instant) -> u64 {
    BEGINNING.saturating_add(micros(epoch.elapsed()))
}

impl Share {
    /// Where the request goes.
    pub fn address(&self) -> SocketAddr {
        self.member.endpoint.address
    }

    /// The endpoint has begun to answer.
    pub fn succeeded(&self) {
        self.member.succeeded();
    }

    /// The endpoint has failed the request. Whether it is left out for it.
    pub fn failed(&self, settings: &settings::Gateway) -> bool {
        self.member.failed(settings.max_faults) && self.endpoints.eject(&self.member, settings.eject_time)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.member.end();
    }
}

#[cfg(test)]
mod tests;
