//! Ports for programs to listen on.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};
use std::sync::{Arc, Mutex, PoisonError};

/// Ports below are where people expect databases and development servers.
const LOWEST: u16 = 10_000;

/// How many ports are tried, about 20 µs each, before there is said to be none.
const MAX_TRIES: usize = 2_000;

/// The ports of all live instances.
///
/// They lie outside the range from which the kernel takes the near ends of outgoing connections, or one of those
/// could take a port between our look at it and the program's bind. A port is used again only after all others, so
/// that a late client of one app does not reach another.
#[derive(Debug)]
pub(super) struct Ports {
    candidates: Vec<u16>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    leased: HashSet<u16>,
    next: usize,
}

/// A port that no other live instance has, of this edge or another; free again when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    port: u16,
    _claim: UnixDatagram,
    ports: Arc<Ports>,
}

impl Lease {
    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ports.lock().leased.remove(&self.port);
    }
}

impl Ports {
    /// The ports that this machine's kernel leaves alone, beginning at a place that `random` decides.
    pub(super) fn new(random: u64) -> Arc<Self> {
        let ephemeral = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        let ephemeral = ephemeral.ok().and_then(|text| parse_range(&text)).unwrap_or(32_768..=60_999);
        Self::among(candidates(&ephemeral), random)
    }

    fn among(candidates: Vec<u16>, random: u64) -> Arc<Self> {
        let count = u64::try_from(candidates.len()).unwrap_or(u64::MAX).max(1);
        let next = usize::try_from(random % count).unwrap_or(0);
        Arc::new(Self { candidates, state: Mutex::new(State { leased: HashSet::new(), next }) })
    }

    /// A port that is free now, on 127.0.0.1 and, where there is IPv6, on `::1`, because programs told to listen on
    /// `localhost` choose either. `None` if none was found.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        let mut state = self.lock();
        for _ in 0..self.candidates.len().min(MAX_TRIES) {
            let port = *self.candidates.get(state.next % self.candidates.len())?;
            state.next = (state.next + 1) % self.candidates.len();
            if state.leased.contains(&port) {
                continue;
            }
            let Some(claim) = claim(port).filter(|_| is_free(port)) else { continue };
            state.leased.insert(port);
            return Some(Lease { port, _claim: claim, ports: Arc::clone(self) });
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells other edges on this machine that a port is spoken for, before anybody listens on it: two that start an app at
/// the same time could else choose the same, and one app's requests reach the other. An abstract socket's name lives
/// in the network namespace, as ports do, and goes with the socket, however its owner ends (unix(7)).
fn claim(port: u16) -> Option<UnixDatagram> {
    let name = format!("loco-edge/port/{port}");
    UnixDatagram::bind_addr(&UnixAddr::from_abstract_name(name).ok()?).ok()
}

fn is_free(port: u16) -> bool {
    let taken = |e: &std::io::Error| e.kind() == std::io::ErrorKind::AddrInUse;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && !TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_err_and(|e| taken(&e))
}

fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut ends = text.split_ascii_whitespace().map(str::parse);
    Some(ends.next()?.ok()?..=ends.next()?.ok()?)
}

/// Where the kernel uses everything, everything must do.
fn candidates(ephemeral: &RangeInclusive<u16>) -> Vec<u16> {
    let outside: Vec<u16> = (LOWEST..=u16::MAX).filter(|port| !ephemeral.contains(port)).collect();
    if outside.is_empty() { (LOWEST..=u16::MAX).collect() } else { outside }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn ports_lie_outside_the_kernels_own() {
        let ports = candidates(&parse_range("32768\t60999\n").unwrap());
        assert!(ports.contains(&LOWEST) && ports.contains(&32_767) && ports.contains(&61_000));
        assert!(!ports.contains(&32_768) && !ports.contains(&60_999));
        assert_eq!(candidates(&(1_024..=u16::MAX)).len(), usize::from(u16::MAX - LOWEST) + 1);
    }

    #[test]
    fn no_port_is_leased_twice_and_a_freed_one_comes_last() {
        let ports = Ports::among(candidates(&(11_000..=u16::MAX)), 990);
        let first = ports.lease().unwrap();
        let second = ports.lease().unwrap();
        assert_ne!(first.port(), second.port());
        let freed = first.port();
        drop(first);
        assert_ne!(ports.lease().unwrap().port(), freed);
    }

    #[test]
    fn a_taken_port_is_passed_over_and_none_is_said() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let ports = Ports::among(vec![taken.local_addr().unwrap().port()], 7);
        assert!(ports.lease().is_none());
        drop(taken);
        let lease = ports.lease().unwrap();
        assert!(ports.lease().is_none());
        drop(lease);
        assert!(ports.lease().is_some());
    }
}
