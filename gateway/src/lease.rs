//! The routing lease: until when what revive has said of endpoints may be relied on. An address that was told before may
//! by now be another tenant's, and only revive knows.

use std::collections::VecDeque;
use std::time::Duration;

use config::link::ToRevive;
use tokio::time::Instant;

/// How often it is asked for anew: of the 10 s that it lasts, two questions may be lost.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// Questions that may be without an answer; of more, the oldest are forgotten.
const MOST_ASKED: usize = 8;

/// See the module.
#[derive(Debug)]
pub enum Lease {
    /// Within one process nothing comes between the halves, so the endpoints that were told are right.
    Always,
    /// Over a wire: for as long as revive says, and it is asked again and again.
    Until(Term),
}

/// A lease over a wire.
#[derive(Debug, Default)]
pub struct Term {
    /// Questions without an answer, each with when it was sent. Numbers are not used again, on no link.
    asked: VecDeque<(u64, Instant)>,
    last: u64,
    /// When it ends that was granted last.
    ends: Option<Instant>,
    /// When it is asked for anew, while there is a link.
    renew_at: Option<Instant>,
}

impl Lease {
    /// One over a wire, that nobody has granted yet.
    pub fn none() -> Self {
        Self::Until(Term::default())
    }

    /// Whether it holds.
    pub fn holds(&self, now: Instant) -> bool {
        match self {
            Self::Always => true,
            Self::Until(term) => term.ends.is_some_and(|ends| now < ends),
        }
    }

    /// There is a link, whose table is in use: it is asked for from now on.
    pub fn begin(&mut self, now: Instant) {
        if let Self::Until(term) = self {
            term.renew_at = Some(now);
        }
    }

    /// The link is gone: what it was asked gets no answer. What was granted stays so.
    pub fn pause(&mut self) {
        if let Self::Until(term) = self {
            term.asked.clear();
            term.renew_at = None;
        }
    }

    /// What revive is to be asked now, if anything.
    pub fn renew(&mut self, now: Instant) -> Option<ToRevive> {
        let Self::Until(term) = self else { return None };
        term.renew_at.filter(|at| *at <= now)?;
        term.renew_at = Some(now + RENEW_EVERY);
        term.last += 1;
        if term.asked.len() == MOST_ASKED {
            term.asked.pop_front();
        }
        term.asked.push_back((term.last, now));
        Some(ToRevive::Renew { renewal: term.last })
    }

    /// Revive's answer: it counts from when the question was sent, because nobody knows how long the answer took.
    pub fn granted(&mut self, renewal: u64, valid: Duration) {
        let Self::Until(term) = self else { return };
        let Some(place) = term.asked.iter().position(|(number, _)| *number == renewal) else { return };
        let sent = term.asked.drain(..=place).next_back().map(|(_, sent)| sent);
        term.ends = term.ends.max(sent.map(|sent| sent + valid));
    }

    /// When something is to be done about it: it is to be renewed, or ends.
    pub fn next(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Always => None,
            Self::Until(term) => term.renew_at.into_iter().chain(term.ends.filter(|ends| now < *ends)).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: Duration = Duration::from_secs(10);
    const SECOND: Duration = Duration::from_secs(1);

    fn asks(lease: &mut Lease, now: Instant) -> Option<u64> {
        match lease.renew(now)? {
            ToRevive::Renew { renewal } => Some(renewal),
            _ => None,
        }
    }

    #[test]
    fn it_counts_from_when_it_was_asked_for() {
        let start = Instant::now();
        let mut lease = Lease::none();
        assert!(!lease.holds(start));
        assert_eq!(asks(&mut lease, start), None, "there is nobody to be asked");
        lease.begin(start);
        assert_eq!(asks(&mut lease, start), Some(1));
        assert_eq!(asks(&mut lease, start + SECOND), None);
        lease.granted(1, VALID);
        assert!(lease.holds(start + 9 * SECOND) && !lease.holds(start + VALID));
        assert_eq!(asks(&mut lease, start + 4 * SECOND), Some(2));
        lease.granted(1, VALID);
        assert!(!lease.holds(start + VALID), "an answer counts once");
        lease.granted(2, VALID);
        assert!(lease.holds(start + 13 * SECOND) && !lease.holds(start + 14 * SECOND));
    }

    #[test]
    fn an_answer_to_a_question_of_another_link_grants_nothing() {
        let start = Instant::now();
        let mut lease = Lease::none();
        lease.begin(start);
        assert_eq!(asks(&mut lease, start), Some(1));
        lease.pause();
        lease.granted(1, VALID);
        assert!(!lease.holds(start));
        assert_eq!(asks(&mut lease, start + VALID), None);
        lease.begin(start);
        assert_eq!(asks(&mut lease, start), Some(2), "numbers are not used again");
        lease.granted(7, VALID);
        assert!(!lease.holds(start), "it was never asked so");
    }

    #[test]
    fn what_was_granted_outlives_the_link_and_never_shrinks() {
        let start = Instant::now();
        let mut lease = Lease::none();
        lease.begin(start);
        asks(&mut lease, start);
        asks(&mut lease, start + 3 * SECOND);
        lease.granted(2, VALID);
        lease.granted(1, VALID);
        lease.pause();
        assert!(lease.holds(start + 12 * SECOND));
        assert_eq!(lease.next(start), Some(start + 13 * SECOND));
        assert_eq!(lease.next(start + 13 * SECOND), None);
    }

    #[test]
    fn within_a_process_it_needs_none() {
        let now = Instant::now();
        let mut lease = Lease::Always;
        lease.begin(now);
        assert!(lease.holds(now));
        assert_eq!((asks(&mut lease, now), lease.next(now)), (None, None));
    }
}
