//! What the endpoints of an app speak, as far as it has been found out (`Protocol::Auto`).

use std::net::SocketAddr;
use std::time::Duration;

use config::link::Instance;
use tokio::time::Instant;

/// A run of an app, at one of its endpoints.
pub type Peer = (Instance, SocketAddr);

/// Somebody else's app may be another at the same address one day, and nobody says so; then it is asked again.
const REMEMBERED: Duration = Duration::from_secs(60);

/// More endpoints than an app has. Beyond that they are found out again and again.
const MOST: usize = 256;

/// What an endpoint speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP/1.1; whether also HTTP/2, nobody has asked yet.
    Http1,
    /// HTTP/1.1 alone: it did not understand the preface of HTTP/2.
    OnlyHttp1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// What is known of the endpoints of one app's present run.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

#[derive(Clone, Copy, Debug)]
struct Finding {
    peer: Peer,
    spoken: Spoken,
    at: Instant,
}

impl Findings {
    /// What is known of this one.
    pub fn of(&self, peer: Peer) -> Option<Spoken> {
        let finding = self.0.iter().find(|finding| finding.peer == peer)?;
        match finding.spoken {
            // Only who needs HTTP/2 asks the clock, and that once per call.
            Spoken::OnlyHttp1 if finding.at.elapsed() > REMEMBERED => Some(Spoken::Http1),
            spoken @ (Spoken::Http1 | Spoken::OnlyHttp1 | Spoken::Http2) => Some(spoken),
        }
    }

    /// Forgets those whose addresses are not to be `kept`.
    pub(super) fn retain(&mut self, kept: impl Fn(SocketAddr) -> bool) {
        self.0.retain(|finding| kept(finding.peer.1));
    }

    /// Learns something. Other runs are past.
    pub fn learn(&mut self, peer: Peer, spoken: Spoken) {
        self.0.retain(|finding| finding.peer.0 == peer.0 && finding.peer != peer);
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(Finding { peer, spoken, at: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(instance: u64, port: u16) -> Peer {
        (Instance(instance), SocketAddr::from(([127, 0, 0, 1], port)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_finding_is_of_one_endpoint_of_one_run_and_a_no_to_http2_is_asked_again() {
        let mut findings = Findings::default();
        assert_eq!(findings.of(peer(1, 1)), None);
        findings.learn(peer(1, 1), Spoken::Http2);
        findings.learn(peer(1, 2), Spoken::OnlyHttp1);
        assert_eq!(findings.of(peer(1, 1)), Some(Spoken::Http2));
        assert_eq!(findings.of(peer(1, 2)), Some(Spoken::OnlyHttp1));
        assert_eq!(findings.of(peer(2, 1)), None);
        tokio::time::advance(REMEMBERED + Duration::from_secs(1)).await;
        assert_eq!(findings.of(peer(1, 2)), Some(Spoken::Http1));
        assert_eq!(findings.of(peer(1, 1)), Some(Spoken::Http2));
        findings.learn(peer(2, 1), Spoken::Http1);
        assert_eq!((findings.of(peer(1, 1)), findings.of(peer(2, 1))), (None, Some(Spoken::Http1)));
    }

    #[tokio::test(start_paused = true)]
    async fn endpoints_without_end_take_no_memory_without_end() {
        let mut findings = Findings::default();
        (0..=u16::MAX).for_each(|port| findings.learn(peer(1, port), Spoken::Http1));
        assert!(findings.0.len() <= MOST);
    }
}
