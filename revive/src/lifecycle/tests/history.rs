//! Random histories in random time: whatever happens when, nothing panics and no clock runs hot.

use std::time::{Duration, Instant};

use config::link::{Depth, Instance};
use proptest::prelude::*;

use super::super::*;
use super::sample;
use crate::platform::Light;

/// An event of the samples, and how long after the one before. It is about the instance and round that the state is
/// about, wherever the sample's is.
type Moment = (usize, Duration);

fn events() -> Vec<(String, Event)> {
    [Light::Paused, Light::Stopped].into_iter().flat_map(sample::events).collect()
}

fn pauses() -> impl Strategy<Value = Duration> {
    let millis = prop_oneof![3 => 0..2_000_u64, 2 => 2_000..90_000_u64, 1 => Just(10 * 365 * 86_400_000)];
    millis.prop_map(Duration::from_millis)
}

fn history() -> impl Strategy<Value = Vec<Moment>> {
    prop::collection::vec((0..events().len(), pauses()), 1..200)
}

fn rules() -> impl Strategy<Value = Rules> {
    let light = prop_oneof![Just(Light::Paused), Just(Light::Stopped)];
    (pauses(), pauses(), pauses(), light).prop_map(|(grace, backoff_first, longer, light)| Rules {
        grace,
        light,
        backoff_first,
        backoff_max: backoff_first + longer,
        drain: longer,
    })
}

/// The sample's event as it would be in this state.
fn apply(event: Event, state: &State, number: u64) -> Event {
    let ours = |instance| match state.instance() {
        Some(current) if instance == sample::OURS => current,
        _ => instance,
    };
    match event {
        Event::Phase { instance, phase } => Event::Phase { instance: ours(instance), phase },
        Event::Ails { instance, failure } => Event::Ails { instance: ours(instance), failure },
        Event::Created { instance, endpoint } => Event::Created { instance: ours(instance), endpoint },
        Event::Ready { instance, endpoint } => Event::Ready { instance: ours(instance), endpoint },
        Event::PutDown { instance, rest } => Event::PutDown { instance: ours(instance), rest },
        Event::Appeared { .. } => Event::Appeared { instance: Instance(100 + number) },
        Event::PutBack { depth, .. } => Event::PutBack { instance: Instance(100 + number), depth },
        Event::NotCreated { instance, failure } => Event::NotCreated { instance: ours(instance), failure },
        Event::Paused { instance } => Event::Paused { instance: ours(instance) },
        Event::Resumed { instance } => Event::Resumed { instance: ours(instance) },
        Event::Ending { instance } => Event::Ending { instance: ours(instance) },
        Event::Exited { instance } => Event::Exited { instance: ours(instance) },
        Event::Unreachable { instance } => Event::Unreachable { instance: ours(instance) },
        Event::Reachable { instance } => Event::Reachable { instance: ours(instance) },
        Event::NotReachable { instance, so_far } => Event::NotReachable { instance: ours(instance), so_far },
        Event::Granted { .. } => Event::Granted { instance: Instance(100 + number) },
        Event::Sleep { depth, .. } => Event::Sleep { depth, round: sample::ROUND },
        Event::Wanted(_) | Event::Unwanted | Event::Quiesced { .. } | Event::Rests(_) | Event::Tick => event,
        // These would end most histories at once; the model has them in every order.
        Event::Changed { .. } | Event::Deleted { .. } if !number.is_multiple_of(8) => Event::Tick,
        Event::Changed { .. } | Event::Deleted { .. } => event,
    }
}

/// A tick before its time does nothing, and one in time leaves no deadline that has passed.
fn clocks_are_right(state: &State, rules: &Rules, now: Instant) -> Result<(), TestCaseError> {
    let Some(deadline) = state.deadline() else {
        let ticked = step(state.clone(), Event::Tick, rules, now);
        prop_assert_eq!(ticked, Transition { state: state.clone(), actions: vec![] }, "without a deadline");
        return Ok(());
    };
    if let Some(before) = deadline.checked_sub(Duration::from_nanos(1)) {
        let ticked = step(state.clone(), Event::Tick, rules, before);
        prop_assert_eq!(ticked, Transition { state: state.clone(), actions: vec![] }, "before its time");
    }
    let due = now.max(deadline);
    let ticked = step(state.clone(), Event::Tick, rules, due).state;
    prop_assert_ne!(&ticked, state, "a tick at the deadline does something");
    let next = ticked.deadline();
    prop_assert!(next.is_none_or(|next| next > due), "{:?} is due at once", ticked);
    Ok(())
}

proptest! {
    #[test]
    fn clocks_are_right_at_any_time(rules in rules(), history in history()) {
        let events = events();
        let mut now = Instant::now();
        let mut state = State::Down { depth: Depth::Deep, leaving: None };
        for (number, (event, pause)) in history.into_iter().enumerate() {
            now += pause;
            let event = apply(events[event].1, &state, number as u64);
            state = step(state, event, &rules, now).state;
            clocks_are_right(&state, &rules, now)?;
            if let State::Failed(failed) = &state {
                prop_assert!(failed.retry_at <= now + rules.backoff_max);
            }
        }
    }
}
