//! `passersby = { … }`: what those get who only look whether an app is there.

use std::time::Duration;

use super::reader::{Field, Key, Reader, Slot, slot};
use crate::model::{Passersby, Treatment};

/// `passersby = { … }`
#[derive(Clone, Debug, Default)]
pub(super) struct PassersbyDraft {
    health_checks: Slot<Treatment>,
    monitors: Slot<Treatment>,
    crawlers: Slot<Treatment>,
    budget: Slot<Duration>,
}

pub(super) static PASSERSBY: &[Key<PassersbyDraft>] = &[
    slot!(health_checks, treatment),
    slot!(monitors, treatment),
    slot!(crawlers, treatment),
    slot!(budget, |r: &mut Reader, f| r.duration(f, Duration::from_secs(1))),
];

fn treatment(reader: &mut Reader, field: &Field<'_>) -> Option<Treatment> {
    let words = [
        ("wake", Treatment::Wake),
        ("budget", Treatment::Budget),
        ("answer-200", Treatment::Answer200),
        ("answer-503", Treatment::Answer503),
    ];
    reader.word(field, words)
}

/// What is written, key by key, and the defaults for the rest.
pub(super) fn settled(draft: &PassersbyDraft, defaults: &PassersbyDraft) -> Passersby {
    fn either<T: Clone>(own: &Slot<T>, default: &Slot<T>, fallback: T) -> T {
        own.clone().or(default).value_or(fallback)
    }
    let fallback = Passersby::default();
    Passersby {
        health_checks: either(&draft.health_checks, &defaults.health_checks, fallback.health_checks),
        monitors: either(&draft.monitors, &defaults.monitors, fallback.monitors),
        crawlers: either(&draft.crawlers, &defaults.crawlers, fallback.crawlers),
        budget: either(&draft.budget, &defaults.budget, fallback.budget),
    }
}
