//! What a request meets while its app is not awake, decided purely: held, shown the waiting page, sent
//! elsewhere, told that all is well, or refused.

use std::time::Duration;

use config::link::{Phase, Status};
use config::model::{Passersby, Treatment, WakeMode, WakePolicy};

use crate::answer::Refusal;
use crate::app::Seen;
use crate::page;
use crate::visitor::{Passerby, Visitor};

/// Who asks, and for how long it has waited and will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Who.
    pub visitor: Visitor,
    /// Since the request's beginning.
    pub waited: Duration,
    /// From there, as far as it says so itself.
    pub deadline: Option<Duration>,
}

/// How long after an app was up nobody is redirected: longer than following a redirect takes.
const SETTLED: Duration = Duration::from_secs(10);

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Send the client to the page that revives apps, and ask for nothing.
    Redirect,
    /// Say that all is well, and let the app sleep.
    AllIsWell,
    /// Say no.
    Refuse(Refusal),
}

/// What follows a hold that was too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TooLong {
    /// The waiting page.
    Page,
    /// 504.
    Refuse(Refusal),
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
    /// How many others come before it, while it waits in line.
    pub position: Option<u32>,
}

/// How long somebody is held at most, from the beginning of the request, and why not for longer.
struct Bound {
    at_most: Duration,
    then: Refusal,
}

/// Decides. `may_wake` spends the budget of passersby, if there is any.
pub fn decide(
    seen: &Seen,
    policy: &WakePolicy,
    asking: Asking,
    may_wake: impl FnOnce() -> bool,
) -> WakeAnswer {
    let bound = Bound::of(policy, asking.deadline);
    match &seen.status {
        Status::Awake { .. } => {}
        Status::Failed { failure, .. } if !seen.is_retriable() => {
            let retry_after = seen.retry_after();
            return WakeAnswer::Refuse(Refusal::WakeFailed { failure: *failure, retry_after });
        }
        Status::Failed { .. } | Status::Asleep { .. } | Status::Draining { .. } | Status::Waking { .. } => {
            if let Visitor::Passerby(passerby) = asking.visitor
                && let Some(answer) = pass_by(&seen.status, treatment(&policy.passersby, passerby), may_wake)
            {
                return answer;
            }
        }
    }
    if let Some(estimate) = too_far(seen, asking, &bound) {
        return WakeAnswer::Refuse(Refusal::WakeTooFar(estimate));
    }
    wait(seen, policy, asking.visitor, bound)
}

impl Bound {
    fn of(policy: &WakePolicy, deadline: Option<Duration>) -> Self {
        match deadline {
            Some(at_most) if at_most < policy.hold_timeout => {
                Self { at_most, then: Refusal::DeadlineExceeded }
            }
            Some(_) | None => Self { at_most: policy.hold_timeout, then: Refusal::HoldTimeout },
        }
    }
}

fn treatment(policy: &Passersby, passerby: Passerby) -> Treatment {
    match passerby {
        Passerby::HealthCheck => policy.health_checks,
        Passerby::Monitor => policy.monitors,
        Passerby::Crawler => policy.crawlers,
    }
}

/// What a passerby gets at once, of an app that is not awake; else it waits as a program does.
fn pass_by(status: &Status, treatment: Treatment, may_wake: impl FnOnce() -> bool) -> Option<WakeAnswer> {
    match (treatment, status) {
        (_, Status::Awake { .. }) | (Treatment::Wake, _) => None,
        // Somebody else has woken it.
        (Treatment::Budget, Status::Waking { .. }) => None,
        // To hold a passerby while the app is being put to sleep would keep it awake.
        (Treatment::Budget, Status::Failed { .. } | Status::Asleep { .. } | Status::Draining { .. }) => {
            (!may_wake()).then_some(WakeAnswer::Refuse(Refusal::Asleep))
        }
        // It could not be woken when it was last tried: nobody is told that all is well.
        (Treatment::Answer200 | Treatment::Answer503, Status::Failed { failure, .. }) => {
            let refusal = Refusal::WakeFailed { failure: *failure, retry_after: Duration::ZERO };
            Some(WakeAnswer::Refuse(refusal))
        }
        // Also while somebody else wakes it: who is not to wait for an app waits for none.
        (Treatment::Answer200, Status::Asleep { .. } | Status::Draining { .. } | Status::Waking { .. }) => {
            Some(WakeAnswer::AllIsWell)
        }
        (Treatment::Answer503, Status::Asleep { .. } | Status::Draining { .. } | Status::Waking { .. }) => {
            Some(WakeAnswer::Refuse(Refusal::Asleep))
        }
    }
}

/// When the app's turn to wake comes, if who asks cannot wait for that.
fn too_far(seen: &Seen, asking: Asking, bound: &Bound) -> Option<Duration> {
    let Status::Waking { estimate: Some(estimate), .. } = &seen.status else { return None };
    let estimate = estimate.saturating_sub(seen.at.elapsed());
    match asking.visitor {
        // A browser can be shown the page, which comes back by itself.
        Visitor::Navigation => None,
        Visitor::Program | Visitor::Passerby(_) => {
            (estimate > bound.at_most.saturating_sub(asking.waited)).then_some(estimate)
        }
    }
}

fn wait(seen: &Seen, policy: &WakePolicy, visitor: Visitor, bound: Bound) -> WakeAnswer {
    let Bound { at_most, then } = bound;
    match (policy.mode, visitor) {
        (WakeMode::Redirect, Visitor::Navigation | Visitor::Program) if !is_or_was_just_up(seen) => {
            WakeAnswer::Redirect
        }
        // Of an app that is up, with others before this one, there is little to wait for.
        (WakeMode::Page, Visitor::Navigation) if !seen.is_awake() => WakeAnswer::Page,
        (WakeMode::Auto | WakeMode::Page, Visitor::Navigation) if policy.page_after < at_most => {
            WakeAnswer::Hold { at_most: policy.page_after, or: TooLong::Page }
        }
        (WakeMode::Auto | WakeMode::Hold | WakeMode::Page | WakeMode::Redirect, _) => {
            WakeAnswer::Hold { at_most, or: TooLong::Refuse(then) }
        }
    }
}

/// Who has just been sent back to an app is not sent away again, whatever has become of it since: so there is no loop.
fn is_or_was_just_up(seen: &Seen) -> bool {
    seen.is_awake() || seen.up_until.is_some_and(|until| until.elapsed() < SETTLED)
}

impl Progress {
    /// The page about it.
    pub fn waiting<'a>(&self, app: &'a str, links: page::Links<'a>) -> page::Waiting<'a> {
        page::Waiting {
            app,
            phase: self.phase,
            phases: page::PROCESS_PHASES,
            elapsed: self.elapsed,
            estimate: self.estimate,
            position: self.position,
            reload_after: page::RELOAD_AFTER,
            links,
        }
    }

    /// What can be said of a state.
    pub fn of(seen: &Seen) -> Self {
        match &seen.status {
            Status::Waking { phase, elapsed, estimate, position, .. } => {
                let passed = seen.at.elapsed();
                Self {
                    phase: *phase,
                    elapsed: *elapsed + passed,
                    estimate: estimate.map(|estimate| estimate.saturating_sub(passed)),
                    position: *position,
                }
            }
            // It is up, and this visitor is nearly at the head of the line.
            Status::Awake { .. } => {
                Self { phase: Phase::Probing, elapsed: seen.at.elapsed(), estimate: None, position: None }
            }
            Status::Draining { .. } | Status::Asleep { .. } | Status::Failed { .. } => {
                Self { phase: Phase::Queued, elapsed: Duration::ZERO, estimate: None, position: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {

    use config::link::{Depth, Failure, Round};

    use super::*;

    const POLICY: WakePolicy = WakePolicy {
        mode: WakeMode::Auto,
        page_after: Duration::from_secs(2),
        hold_timeout: Duration::from_secs(30),
        max_held: 10,
        passersby: Passersby {
            health_checks: Treatment::Wake,
            monitors: Treatment::Answer200,
            crawlers: Treatment::Budget,
            budget: Duration::from_secs(1),
        },
    };
    const ASLEEP: Status = Status::Asleep { depth: Depth::Deep };
    const DRAINING: Status = Status::Draining { round: Round(1) };
    const HOLD: WakeAnswer =
        WakeAnswer::Hold { at_most: POLICY.hold_timeout, or: TooLong::Refuse(Refusal::HoldTimeout) };
    const HEALTH_CHECK: Visitor = Visitor::Passerby(Passerby::HealthCheck);
    const MONITOR: Visitor = Visitor::Passerby(Passerby::Monitor);
    const CRAWLER: Visitor = Visitor::Passerby(Passerby::Crawler);

    fn answer(status: Status, mode: WakeMode, visitor: Visitor, budget: bool) -> WakeAnswer {
        until(None, status, WakePolicy { mode, ..POLICY }, visitor, budget)
    }

    fn until(
        deadline: Option<Duration>,
        status: Status,
        policy: WakePolicy,
        visitor: Visitor,
        budget: bool,
    ) -> WakeAnswer {
        let seen = Seen::now(status, None);
        decide(&seen, &policy, Asking { visitor, waited: Duration::ZERO, deadline }, || budget)
    }

    fn waking(estimate: Option<u64>) -> Status {
        let estimate = estimate.map(Duration::from_secs);
        Status::Waking {
            phase: Phase::Queued,
            elapsed: Duration::ZERO,
            estimate,
            position: None,
            probe: None,
        }
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
    fn each_kind_of_passerby_is_treated_as_the_policy_has_it() {
        let refused = || WakeAnswer::Refuse(Refusal::Asleep);
        let of = |visitor, treatment, status: &Status, budget| {
            let mut policy = POLICY;
            let kinds = &mut policy.passersby;
            *match visitor {
                Passerby::HealthCheck => &mut kinds.health_checks,
                Passerby::Monitor => &mut kinds.monitors,
                Passerby::Crawler => &mut kinds.crawlers,
            } = treatment;
            until(None, status.clone(), policy, Visitor::Passerby(visitor), budget)
        };
        for kind in [Passerby::HealthCheck, Passerby::Monitor, Passerby::Crawler] {
            for status in [ASLEEP, DRAINING, waking(None)] {
                assert_eq!(of(kind, Treatment::Wake, &status, false), HOLD);
                assert_eq!(of(kind, Treatment::Budget, &status, true), HOLD);
                assert_eq!(of(kind, Treatment::Answer200, &status, true), WakeAnswer::AllIsWell);
                assert_eq!(of(kind, Treatment::Answer503, &status, true), refused());
            }
            assert_eq!(of(kind, Treatment::Budget, &ASLEEP, false), refused());
            assert_eq!(of(kind, Treatment::Budget, &waking(None), false), HOLD, "it is being woken anyway");
        }
    }

    #[test]
    fn a_failure_is_the_answer_until_its_backoff_is_over() {
        let failure = Failure::Crashed;
        let failed = |retry_after| Status::Failed { failure, retry_after };
        let is_failure = |answer: &WakeAnswer| {
            matches!(answer, WakeAnswer::Refuse(Refusal::WakeFailed { failure: Failure::Crashed, .. }))
        };
        for visitor in [Visitor::Navigation, Visitor::Program, HEALTH_CHECK, MONITOR, CRAWLER] {
            assert!(is_failure(&answer(failed(Duration::from_secs(60)), WakeMode::Page, visitor, true)));
        }
        assert_eq!(answer(failed(Duration::ZERO), WakeMode::Auto, Visitor::Program, false), HOLD);
        let crawler = answer(failed(Duration::ZERO), WakeMode::Auto, CRAWLER, false);
        assert_eq!(crawler, WakeAnswer::Refuse(Refusal::Asleep));
        let monitor = answer(failed(Duration::ZERO), WakeMode::Auto, MONITOR, true);
        assert!(is_failure(&monitor), "all is not well: {monitor:?}");
    }

    #[test]
    fn who_can_be_redirected_is_unless_the_app_is_or_was_just_up() {
        let redirect = |visitor| answer(ASLEEP, WakeMode::Redirect, visitor, true);
        assert_eq!(redirect(Visitor::Navigation), WakeAnswer::Redirect);
        assert_eq!(redirect(Visitor::Program), WakeAnswer::Redirect);
        assert_eq!(redirect(CRAWLER), HOLD);
        let up = Seen::now(awake(), None);
        let fallen_asleep = Seen::now(ASLEEP, Some(&up));
        let mode = WakePolicy { mode: WakeMode::Redirect, ..POLICY };
        let asking = Asking { visitor: Visitor::Navigation, waited: Duration::ZERO, deadline: None };
        for seen in [&up, &fallen_asleep] {
            assert_eq!(decide(seen, &mode, asking, || true), HOLD);
        }
        let since = fallen_asleep.up_until.and_then(|until| until.checked_sub(SETTLED));
        let long_asleep = Seen { up_until: since, ..Seen::now(ASLEEP, Some(&fallen_asleep)) };
        assert_eq!(decide(&long_asleep, &mode, asking, || true), WakeAnswer::Redirect);
    }

    #[test]
    fn the_page_is_not_for_an_app_that_is_up_and_has_others_to_serve_first() {
        let page = WakeAnswer::Hold { at_most: POLICY.page_after, or: TooLong::Page };
        assert_eq!(answer(awake(), WakeMode::Page, Visitor::Navigation, true), page);
    }

    fn awake() -> Status {
        Status::Awake { instance: config::link::Instance(1), endpoints: [].into() }
    }

    #[test]
    fn who_cannot_be_served_in_time_is_told_at_once() {
        let is_far = |visitor, estimate, deadline: Option<u64>| {
            let deadline = deadline.map(Duration::from_secs);
            let answer = until(deadline, waking(Some(estimate)), POLICY, visitor, true);
            matches!(answer, WakeAnswer::Refuse(Refusal::WakeTooFar(_)))
        };
        assert!(is_far(Visitor::Program, 31, None));
        assert!(!is_far(Visitor::Program, 30, None));
        assert!(!is_far(Visitor::Navigation, 31, None));
        assert!(is_far(Visitor::Program, 6, Some(5)));
        assert!(!is_far(Visitor::Program, 5, Some(5)));
        assert!(is_far(Visitor::Program, 31, Some(60)), "a client's deadline makes no hold longer");
    }

    #[test]
    fn a_deadline_bounds_the_hold_and_never_makes_it_longer() {
        let hold = |deadline| until(Some(deadline), ASLEEP, POLICY, Visitor::Program, true);
        let (short, second) = (Duration::from_millis(5), Duration::from_secs(1));
        for at_most in [short, second, POLICY.hold_timeout - second] {
            let or = TooLong::Refuse(Refusal::DeadlineExceeded);
            assert_eq!(hold(at_most), WakeAnswer::Hold { at_most, or });
        }
        assert_eq!(hold(POLICY.hold_timeout), HOLD);
        assert_eq!(hold(POLICY.hold_timeout * 2), HOLD);
    }
}
