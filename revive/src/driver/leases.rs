//! Who may send requests to endpoints that it was told of: the routing leases of gateways, counted so that each is over
//! here after it is over there. A gateway counts from when it asked, we from when we answered, and [`MARGIN`] longer, each
//! by its own monotonic clock.
//!
//! Pure, but for the driver's part below: times are passed in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Driver;
use crate::clock;
use crate::lifecycle::{Draining, State};
use crate::publish::{Attachment, GatewayId};

/// For how long a gateway may rely on what it was told, from when it asked.
pub const LEASE: Duration = Duration::from_secs(10);
/// How much longer we take it to, for clocks that do not run alike.
pub const MARGIN: Duration = Duration::from_secs(2);

/// The leases of all gateways that are attached, or were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Leases(BTreeMap<GatewayId, Lease>);

/// What a gateway may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lease {
    /// It ends with us, and needs none.
    InProcess,
    /// It has asked for none yet, or its last is over: it sends nothing to any endpoint that it was told of.
    Without,
    /// It is attached, and has one until then.
    Until(Instant),
    /// It has left, and may send requests until then.
    Left(Instant),
}

impl Leases {
    /// A gateway is there.
    pub(super) fn attached(&mut self, gateway: GatewayId, attachment: Attachment) {
        let lease = match attachment {
            Attachment::InProcess => Lease::InProcess,
            Attachment::Leased => Lease::Without,
        };
        self.0.insert(gateway, lease);
    }

    /// A gateway asks for its lease anew; for how long it gets it, if it needs one.
    pub(super) fn renewed(&mut self, gateway: GatewayId, now: Instant) -> Option<Duration> {
        match self.0.get_mut(&gateway)? {
            Lease::InProcess | Lease::Left(_) => None,
            lease @ (Lease::Without | Lease::Until(_)) => {
                *lease = Lease::Until(now + LEASE + MARGIN);
                Some(LEASE)
            }
        }
    }

    /// A gateway has left; whether it sends no request any more.
    pub(super) fn left(&mut self, gateway: GatewayId, now: Instant) -> bool {
        match self.0.get(&gateway) {
            Some(Lease::Until(until) | Lease::Left(until)) if *until > now => {
                let until = *until;
                self.0.insert(gateway, Lease::Left(until));
                false
            }
            Some(Lease::InProcess | Lease::Without | Lease::Until(_) | Lease::Left(_)) | None => {
                self.0.remove(&gateway);
                true
            }
        }
    }

    /// Those that may send requests to endpoints, and therefore must agree before an app sleeps.
    pub(super) fn routing(&self) -> impl Iterator<Item = GatewayId> {
        let routes = |lease: &Lease| match lease {
            Lease::InProcess | Lease::Until(_) | Lease::Left(_) => true,
            Lease::Without => false,
        };
        self.0.iter().filter(move |(_, lease)| routes(lease)).map(|(gateway, _)| *gateway)
    }

    /// Until when some gateway that has left may send requests.
    pub(super) fn lingering(&self) -> Option<Instant> {
        let until = |lease: &Lease| match lease {
            Lease::Left(until) => Some(*until),
            Lease::InProcess | Lease::Without | Lease::Until(_) => None,
        };
        self.0.values().filter_map(until).max()
    }

    /// When the next lease is over.
    pub(super) fn next(&self) -> Option<Instant> {
        let until = |lease: &Lease| match lease {
            Lease::Until(until) | Lease::Left(until) => Some(*until),
            Lease::InProcess | Lease::Without => None,
        };
        self.0.values().filter_map(until).min()
    }

    /// Ends those leases whose time is over: of whom, and whether it has left.
    fn over(&mut self, now: Instant) -> Vec<(GatewayId, bool)> {
        let ended: Vec<(GatewayId, bool)> = self
            .0
            .iter()
            .filter_map(|(gateway, lease)| match lease {
                Lease::Until(until) if *until <= now => Some((*gateway, false)),
                Lease::Left(until) if *until <= now => Some((*gateway, true)),
                Lease::InProcess | Lease::Without | Lease::Until(_) | Lease::Left(_) => None,
            })
            .collect();
        for (gateway, has_left) in &ended {
            if *has_left {
                self.0.remove(gateway);
            } else {
                self.0.insert(*gateway, Lease::Without);
            }
        }
        ended
    }
}

impl Driver {
    /// A gateway asks for its lease.
    pub(super) fn renew(&mut self, gateway: GatewayId, renewal: u64) {
        if let Some(valid) = self.leases.renewed(gateway, clock::now()) {
            self.gateways.lease(gateway, renewal, valid);
        }
    }

    /// Leases may be over. Whoever has none any more is not waited for.
    pub(super) fn end_leases(&mut self, now: Instant) {
        for (gateway, has_left) in self.leases.over(now) {
            if has_left {
                self.lost(gateway);
            } else {
                tracing::warn!(?gateway, "a gateway has not asked for its routing lease in time");
                self.wait_no_more(gateway);
            }
        }
    }

    /// A gateway that is attached sends nothing to endpoints any more: no attempt waits for it.
    fn wait_no_more(&mut self, gateway: GatewayId) {
        let waiting = self.apps.iter().filter(|(_, record)| record.quiesce.waiting_for.contains(&gateway));
        let ids: Vec<_> = waiting.map(|(id, _)| id.clone()).collect();
        for id in ids {
            let Some(record) = self.apps.get_mut(&id) else { continue };
            record.quiesce.waiting_for.retain(|waiting| *waiting != gateway);
            if let Some(State::Draining(Draining { round, aim, .. })) = record.state() {
                let (round, aim) = (*round, *aim);
                self.answered(&id, round, aim);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Gateways;

    const SECOND: Duration = Duration::from_secs(1);

    fn leased() -> (Leases, GatewayId, Instant) {
        let (mut leases, gateway) = (Leases::default(), Gateways::id(1));
        leases.attached(gateway, Attachment::Leased);
        (leases, gateway, Instant::now())
    }

    #[test]
    fn a_lease_is_over_here_two_seconds_after_it_is_over_there() {
        let (mut leases, gateway, now) = leased();
        assert_eq!(leases.routing().count(), 0, "it has asked for none");
        assert_eq!(leases.renewed(gateway, now), Some(SECOND * 10));
        assert_eq!(leases.routing().collect::<Vec<_>>(), [gateway]);
        assert_eq!(leases.over(now + SECOND * 11), []);
        assert_eq!(leases.next(), Some(now + SECOND * 12));
        assert_eq!(leases.over(now + SECOND * 12), [(gateway, false)]);
        assert_eq!(leases.routing().count(), 0);
        assert!(leases.left(gateway, now + SECOND * 13));
        assert_eq!(leases, Leases::default());
    }

    #[test]
    fn who_has_left_is_waited_for_until_its_lease_is_over() {
        let (mut leases, gateway, now) = leased();
        leases.renewed(gateway, now);
        assert!(!leases.left(gateway, now + SECOND));
        assert_eq!(leases.renewed(gateway, now + SECOND), None, "what it said is late");
        assert_eq!((leases.routing().count(), leases.lingering()), (1, Some(now + SECOND * 12)));
        assert_eq!(leases.over(now + SECOND * 12), [(gateway, true)]);
        assert_eq!(leases, Leases::default());
    }

    #[test]
    fn a_gateway_in_our_process_is_always_asked_and_ends_with_us() {
        let (mut leases, gateway, now) = leased();
        leases.attached(gateway, Attachment::InProcess);
        assert_eq!(leases.renewed(gateway, now), None);
        assert_eq!((leases.routing().count(), leases.next()), (1, None));
        assert!(leases.left(gateway, now));
    }
}
