//! What a request meets while its app is not awake, decided purely: held, shown the waiting page, or refused.

use std::time::Duration;

use config::link::{Phase, Status};
use config::model::{WakeMode, WakePolicy};

use crate::answer::Refusal;
use crate::app::Seen;
use crate::visitor::Visitor;

/// How often a passerby may wake an app.
pub const PASSERBY_BUDGET: Duration = Duration::from_secs(24 * 60 * 60);

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeAnswer {
    /// Hold it until its app is up, for at most `at_most` from the request's beginning; then do `or`.
    Hold {
        /// From the beginning of the request.
        at_most: Duration,
        /// What follows a hold that was too long.
        or: TooLong,
    },
    /// Ask for the app and show the waiting page at once.
    Page,
    /// Say no.
    Refuse(Refusal),
}

/// What follows a hold that was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    /// The waiting page.
    Page,
    /// 504.
    Refuse,
}

/// What the waiting page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How far the wake is.
    pub phase: Phase,
    /// How long it has been going on.
    pub elapsed: Duration,
    /// How long it may still take, if anybody can tell.
    pub estimate: Option<Duration>,
}

/// Decides. `waited` is since the request's beginning; `may_wake` spends a passerby's budget, if there is any.
pub fn decide(
    seen: &Seen,
    policy: &WakePolicy,
    visitor: Visitor,
    waited: Duration,
    may_wake: impl FnOnce() -> bool,
) -> WakeAnswer {
    match &seen.status {
        Status::Awake { .. } => {}
        Status::Failed { failure, .. } if !seen.is_retriable() => {
            let retry_after = seen.retry_after();
            return WakeAnswer::Refuse(Refusal::WakeFailed { failure: *failure, retry_after });
        }
        // To hold a passerby while the app is being put to sleep would keep it awake.
        Status::Failed { .. } | Status::Asleep { .. } | Status::Draining { .. } => {
            if visitor == Visitor::Passerby && !may_wake() {
                return WakeAnswer::Refuse(Refusal::Asleep);
            }
        }
        Status::Waking { estimate, .. } => {
            let left = policy.hold_timeout.saturating_sub(waited);
            let estimate = estimate.map(|estimate| estimate.saturating_sub(seen.at.elapsed()));
            let too_far = estimate.filter(|estimate| *estimate > left);
            // A browser can be shown the page, which comes back by itself.
            if let (Some(estimate), Visitor::Program | Visitor::Passerby) = (too_far, visitor) {
                return WakeAnswer::Refuse(Refusal::WakeTooFar(estimate));
            }
        }
    }
    wait(policy, visitor)
}

fn wait(policy: &WakePolicy, visitor: Visitor) -> WakeAnswer {
    let hold = WakeAnswer::Hold { at_most: policy.hold_timeout, or: TooLong::Refuse };
    match (policy.mode, visitor) {
        (WakeMode::Page, Visitor::Navigation) => WakeAnswer::Page,
        (WakeMode::Auto, Visitor::Navigation) if policy.page_after < policy.hold_timeout => {
            WakeAnswer::Hold { at_most: policy.page_after, or: TooLong::Page }
        }
        (WakeMode::Auto | WakeMode::Hold | WakeMode::Page | WakeMode::Redirect, _) => hold,
    }
}

impl Progress {
    /// What can be said of a state.
    pub fn of(seen: &Seen) -> Self {
        match &seen.status {
            Status::Waking { phase, elapsed, estimate, .. } => {
                Self { phase: *phase, elapsed: *elapsed + seen.at.elapsed(), estimate: *estimate }
            }
            // It is up, and this visitor is nearly at the head of the line.
            Status::Awake { .. } => {
                Self { phase: Phase::Probing, elapsed: seen.at.elapsed(), estimate: None }
            }
            Status::Draining { .. } | Status::Asleep { .. } | Status::Failed { .. } => {
                Self { phase: Phase::Queued, elapsed: Duration::ZERO, estimate: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {

    use config::link::{Depth, Failure};
    use config::model::{Passersby, Treatment};

    use super::*;

    const POLICY: WakePolicy = WakePolicy {
        mode: WakeMode::Auto,
        page_after: Duration::from_secs(2),
        hold_timeout: Duration::from_secs(30),
        max_held: 10,
        passersby: Passersby {
            health_checks: Treatment::Budget,
            monitors: Treatment::Budget,
            crawlers: Treatment::Budget,
            budget: PASSERBY_BUDGET,
        },
    };
    const ASLEEP: Status = Status::Asleep { depth: Depth::Deep };
    const HOLD: WakeAnswer = WakeAnswer::Hold { at_most: POLICY.hold_timeout, or: TooLong::Refuse };

    fn answer(status: Status, mode: WakeMode, visitor: Visitor, budget: bool) -> WakeAnswer {
        let seen = Seen::now(status, None);
        decide(&seen, &WakePolicy { mode, ..POLICY }, visitor, Duration::ZERO, || budget)
    }

    #[test]
    fn a_browser_is_held_then_shown_the_page_and_a_program_is_held() {
        let page = WakeAnswer::Hold { at_most: POLICY.page_after, or: TooLong::Page };
        assert_eq!(answer(ASLEEP, WakeMode::Auto, Visitor::Navigation, false), page);
        assert_eq!(answer(ASLEEP, WakeMode::Auto, Visitor::Program, false), HOLD);
        assert_eq!(answer(ASLEEP, WakeMode::Hold, Visitor::Navigation, false), HOLD);
        assert_eq!(answer(ASLEEP, WakeMode::Page, Visitor::Navigation, false), WakeAnswer::Page);
        assert_eq!(answer(ASLEEP, WakeMode::Page, Visitor::Program, false), HOLD);
    }

    #[test]
    fn a_passerby_wakes_only_within_its_budget() {
        let refused = WakeAnswer::Refuse(Refusal::Asleep);
        assert_eq!(answer(ASLEEP, WakeMode::Auto, Visitor::Passerby, false), refused);
        assert_eq!(answer(ASLEEP, WakeMode::Auto, Visitor::Passerby, true), HOLD);
    }

    #[test]
    fn a_failure_is_the_answer_until_its_backoff_is_over() {
        let failure = Failure::Crashed;
        let failed = |retry_after| Status::Failed { failure, retry_after };
        let refused = answer(failed(Duration::from_secs(60)), WakeMode::Page, Visitor::Navigation, true);
        assert!(matches!(refused, WakeAnswer::Refuse(Refusal::WakeFailed { failure: Failure::Crashed, .. })));
        assert_eq!(answer(failed(Duration::ZERO), WakeMode::Auto, Visitor::Program, false), HOLD);
        let passerby = answer(failed(Duration::ZERO), WakeMode::Auto, Visitor::Passerby, false);
        assert_eq!(passerby, WakeAnswer::Refuse(Refusal::Asleep));
    }

    #[test]
    fn who_cannot_be_served_in_time_is_told_at_once() {
        let waking = |estimate| Status::Waking {
            phase: Phase::Queued,
            elapsed: Duration::ZERO,
            estimate: Some(Duration::from_secs(estimate)),
            probe: None,
        };
        let is_far = |visitor, estimate| {
            let answer = answer(waking(estimate), WakeMode::Auto, visitor, true);
            matches!(answer, WakeAnswer::Refuse(Refusal::WakeTooFar(_)))
        };
        assert!(is_far(Visitor::Program, 31));
        assert!(!is_far(Visitor::Program, 30));
        assert!(!is_far(Visitor::Navigation, 31));
    }
}
