//! Wrong secrets, counted for each address they come from. Pure: the time is passed in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// So many wrong secrets in a window are answered like any; a script with an old secret is soon seen in the log.
const MANY: u32 = 10;
/// How long they are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// How many addresses are remembered.
const MAX_PEERS: usize = 1_024;

/// Who has said wrong secrets lately.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<IpAddr, Window>);

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    wrong: u32,
}

/// What a wrong secret meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is told that it is wrong.
    Told {
        /// The first of its window.
        first: bool,
    },
    /// There were too many before it.
    TooMany {
        /// Until the window ends.
        retry_after: Duration,
        /// The first of those.
        first: bool,
    },
}

impl Attempts {
    /// A wrong secret has come from this address.
    pub(super) fn wrong(&mut self, peer: IpAddr, now: Instant) -> Verdict {
        let peer = network(peer);
        let age = |window: &Window| now.saturating_duration_since(window.began);
        if self.0.len() >= MAX_PEERS && !self.0.contains_key(&peer) {
            self.0.retain(|_, window| age(window) < WINDOW);
            let oldest = self.0.iter().max_by_key(|(_, window)| age(window)).map(|(peer, _)| *peer);
            if let Some(oldest) = oldest.filter(|_| self.0.len() >= MAX_PEERS) {
                self.0.remove(&oldest);
            }
        }
        let window = self.0.entry(peer).or_insert(Window { began: now, wrong: 0 });
        if age(window) >= WINDOW {
            *window = Window { began: now, wrong: 0 };
        }
        window.wrong = window.wrong.saturating_add(1);
        if window.wrong <= MANY {
            return Verdict::Told { first: window.wrong == 1 };
        }
        Verdict::TooMany { retry_after: WINDOW.saturating_sub(age(window)), first: window.wrong == MANY + 1 }
    }
}

/// Whoever has one address of an IPv6 /64 has all of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn after_many_it_waits_until_the_window_ends() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        for n in 1..=MANY {
            assert_eq!(attempts.wrong(peer("10.0.0.1"), start), Verdict::Told { first: n == 1 });
        }
        let later = start + Duration::from_secs(20);
        for first in [true, false, false] {
            let retry_after = Duration::from_secs(40);
            assert_eq!(attempts.wrong(peer("10.0.0.1"), later), Verdict::TooMany { retry_after, first });
        }
        assert_eq!(attempts.wrong(peer("10.0.0.2"), later), Verdict::Told { first: true });
        assert_eq!(attempts.wrong(peer("10.0.0.1"), start + WINDOW), Verdict::Told { first: true });
    }

    #[test]
    fn a_whole_network_of_ipv6_counts_as_one() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for n in 0..MANY {
            attempts.wrong(peer(&format!("2001:db8::{n:x}")), now);
        }
        let too_many = |verdict| matches!(verdict, Verdict::TooMany { .. });
        assert!(too_many(attempts.wrong(peer("2001:db8::ffff"), now)));
        assert!(!too_many(attempts.wrong(peer("2001:db8:0:1::1"), now)));
    }

    #[test]
    fn many_addresses_fill_no_memory() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        for n in 0..100_000_u32 {
            attempts.wrong(IpAddr::from(n.to_be_bytes()), start + Duration::from_millis(n.into()));
        }
        assert_eq!(attempts.0.len(), MAX_PEERS);
    }
}
