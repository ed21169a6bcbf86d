//! How long things last: backoff, forgiveness, and what a wake's record says.

use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance, Phase};

use super::super::*;
use super::{RULES, sample};

const SECOND: Duration = Duration::from_secs(1);

fn happens(state: State, event: Event, rules: &Rules, now: Instant) -> State {
    step(state, event, rules, now).state
}

/// How long each of so many failed wakes in a row is remembered, each tried again as soon as allowed.
fn backoffs(rules: &Rules, count: usize) -> Vec<Duration> {
    let mut now = Instant::now();
    let mut state = State::Down { depth: Depth::Deep, leaving: None };
    let mut all = Vec::new();
    for number in 0..count {
        let instance = Instance(number as u64);
        state = happens(state, Event::Wanted(Demand::Request), rules, now);
        state = happens(state, Event::Granted { instance }, rules, now);
        state = happens(state, Event::NotCreated { instance, failure: Failure::NotStarted }, rules, now);
        let State::Failed(failed) = &state else { panic!("not failed: {state:?}") };
        all.push(failed.retry_at - now);
        now = failed.retry_at;
    }
    all
}

#[test]
fn backoff_doubles_up_to_its_maximum() {
    let seconds: Vec<u64> = backoffs(&RULES, 9).iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn backoff_reaches_its_maximum_from_however_little() {
    let rules = Rules { backoff_first: Duration::from_millis(1), ..RULES };
    let rules = Rules { backoff_max: Duration::from_secs(3_600), ..rules };
    assert_eq!(backoffs(&rules, 40).last(), Some(&rules.backoff_max));
}

/// What becomes of an app that crashes so many times, each time as soon as it is up.
#[test]
fn an_app_that_crashes_is_started_again_five_times_and_then_only_for_a_request() {
    let mut now = Instant::now();
    let mut state = State::Awake(sample::running(0, 0, now));
    for crash in 1..=RESTARTS + 1 {
        let instance = state.instance().unwrap();
        state = happens(state, Event::Exited { instance }, &RULES, now);
        if let State::Failed(failed) = &state {
            assert_eq!(failed.failure, Failure::Crashed);
            assert_eq!(failed.failures, crash);
            assert_eq!(failed.retry == Retry::ByItself, crash <= RESTARTS);
            now = failed.retry_at;
            state = happens(state, Event::Tick, &RULES, now);
        }
        let instance = Instance(100 + u64::from(crash));
        state = happens(state, Event::Granted { instance }, &RULES, now);
        state = happens(state, Event::Created { instance, endpoint: sample::endpoint() }, &RULES, now);
        state = happens(state, Event::Reachable { instance }, &RULES, now);
        assert_eq!(matches!(state, State::Awake(_)), crash <= RESTARTS, "{crash}: {state:?}");
    }
}

/// The phases of a wake as recorded, and how long it took in all.
#[test]
fn a_restart_that_fails_is_tried_again_like_a_crash() {
    let mut now = Instant::now();
    let mut state = State::Awake(sample::running(0, 0, now));
    let instance = state.instance().unwrap();
    state = happens(state, Event::Exited { instance }, &RULES, now);
    for failures in 2..=RESTARTS + 1 {
        let instance = Instance(100 + u64::from(failures));
        state = happens(state, Event::Granted { instance }, &RULES, now);
        let failure = Failure::ProgramNotFound;
        state = happens(state, Event::NotCreated { instance, failure }, &RULES, now);
        let State::Failed(failed) = &state else { panic!("not failed: {state:?}") };
        assert_eq!((failed.failure, failed.failures), (failure, failures));
        assert_eq!(failed.retry == Retry::ByItself, failures <= RESTARTS);
        now = failed.retry_at;
        state = happens(state, Event::Tick, &RULES, now);
    }
    assert!(
        matches!(state, State::Failed(_)),
        "who is not up after so many tries waits for a request: {state:?}"
    );
}

#[test]
fn a_wake_from_deep_sleep_is_measured_from_its_first_moment() {
    let start = Instant::now();
    let instance = Instance(1);
    let (endpoint, reachable) = (sample::endpoint(), Event::Reachable { instance });
    let mut state = State::Down { depth: Depth::Deep, leaving: Some(Instance(0)) };
    let events = [
        (0, Event::Wanted(Demand::Request)),
        (1, Event::Exited { instance: Instance(0) }),
        (2, Event::Granted { instance }),
        (4, Event::Created { instance, endpoint }),
        (6, Event::NotReachable { instance, so_far: Failure::Unhealthy }),
    ];
    for (second, event) in events {
        state = happens(state, event, &RULES, start + SECOND * second);
    }
    let Transition { state, actions } = step(state, reachable, &RULES, start + SECOND * 8);
    let marks = vec![
        (Phase::Queued, start),
        (Phase::Creating, start + SECOND * 2),
        (Phase::Starting, start + SECOND * 4),
        (Phase::Probing, start + SECOND * 6),
    ];
    let ended = WakeEnded { result: Ok(()), instance: Some(instance), marks };
    assert_eq!(actions, [Action::Publish, Action::Release, Action::WakeEnded(ended)]);
    let State::Awake(running) = state else { panic!("not awake: {state:?}") };
    let (since, wake_took) = (start + SECOND * 8, SECOND * 8);
    assert_eq!(running, Running { instance, endpoint, since, wake_took, failures: 0 });
}

#[test]
fn a_wake_from_light_sleep_is_measured_too() {
    let paused = sample::running(90, 0, Instant::now());
    let start = paused.since + SECOND * 100;
    let state = happens(State::Paused(paused), Event::Wanted(Demand::Request), &RULES, start);
    let now = start + Duration::from_millis(3);
    let Transition { state, actions } =
        step(state, Event::Resumed { instance: paused.instance }, &RULES, now);
    let ended =
        WakeEnded { result: Ok(()), instance: Some(paused.instance), marks: vec![(Phase::Starting, start)] };
    assert_eq!(actions, [Action::Publish, Action::WakeEnded(ended)]);
    let running = Running { since: now, wake_took: Duration::from_millis(3), ..paused };
    assert_eq!(state, State::Awake(running));
}

/// An app that was up long enough before it was paused does not pay for what was before.
#[test]
fn what_was_outlived_before_a_pause_stays_forgiven() {
    let now = Instant::now() + STABLE;
    let up = sample::running(60, 3, now);
    let draining =
        Draining { running: up, aim: Aim::Sleep(Depth::Light), round: sample::ROUND, deadline: now };
    let instance = up.instance;
    let mut state = State::Draining(draining);
    for event in [
        Event::Quiesced { round: sample::ROUND, busy: false },
        Event::Wanted(Demand::Request),
        Event::Resumed { instance },
        Event::Exited { instance },
    ] {
        state = happens(state, event, &RULES, now);
    }
    assert!(matches!(&state, State::Waking(waking) if waking.failures == 1), "{state:?}");
}
