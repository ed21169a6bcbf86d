//! When an app sleeps, how it wakes and when it is up: what is written, what is not, and what contradicts itself.

use std::time::Duration;

use super::draft::{AppDraft, HealthDraft};
use super::passersby;
use super::quantity::shown_duration;
use super::reader::{Reader, Slot};
use super::text::Spot;
use crate::model::{After, Check, Health, SleepPolicy, WakeMode, WakePolicy};

const IDLE_AFTER: Duration = Duration::from_secs(15 * 60);
const REMOVE_AFTER: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What is not written follows what is: an app that never pauses is not removed either, and one that is removed
/// early does not wait for a pause.
pub(super) fn sleep(draft: &AppDraft, defaults: &AppDraft, reader: &mut Reader) -> SleepPolicy {
    if !draft.upstreams.is_absent() {
        return SleepPolicy { idle_after: After::Never, remove_after: After::Never };
    }
    let idle = draft.idle_after.clone().or(&defaults.idle_after);
    let remove = draft.remove_after.clone().or(&defaults.remove_after);
    if let (Slot::Written(After::Elapsed(i), idle), Slot::Written(After::Elapsed(r), remove)) =
        (&idle, &remove)
        && r < i
    {
        let (idle_text, remove_text) = (shown_duration(*i), shown_duration(*r));
        reader
            .mistake(
                remove,
                format!("`remove_after` ({remove_text}) is shorter than `idle_after` ({idle_text})"),
            )
            .help("an app is paused first and removed later")
            .see(idle, "paused only here");
    }
    let idle_after = match (&idle, &remove) {
        (Slot::Written(idle, _), _) => *idle,
        (_, Slot::Written(After::Elapsed(remove), _)) => After::Elapsed(IDLE_AFTER.min(*remove)),
        _ => After::Elapsed(IDLE_AFTER),
    };
    let remove_after = match (&remove, idle_after) {
        (Slot::Written(remove, _), _) => *remove,
        (_, After::Never) => After::Never,
        (_, After::Elapsed(idle)) => After::Elapsed(REMOVE_AFTER.max(idle)),
    };
    SleepPolicy { idle_after, remove_after }
}

/// When apps sleep of which nothing else is said: never, but for what is written. What is not written follows it.
pub(super) fn only_written(defaults: &AppDraft) -> SleepPolicy {
    let written = |slot: &Slot<After>| slot.clone().value_or(After::Never);
    let (idle_after, remove_after) = (written(&defaults.idle_after), written(&defaults.remove_after));
    SleepPolicy { idle_after, remove_after }
}

pub(super) fn wake(draft: &AppDraft, defaults: &AppDraft, reader: &mut Reader) -> WakePolicy {
    let page = draft.page_after.clone().or(&defaults.page_after);
    let hold = draft.hold_timeout.clone().or(&defaults.hold_timeout);
    let spot = page.written().or(hold.written()).map(|(_, spot)| spot.clone());
    let fallback = WakePolicy::default();
    let policy = WakePolicy {
        mode: draft.wake.clone().or(&defaults.wake).value_or(fallback.mode),
        page_after: page.value_or(fallback.page_after),
        hold_timeout: hold.value_or(fallback.hold_timeout),
        max_held: draft.max_held.clone().or(&defaults.max_held).value_or(fallback.max_held),
        passersby: passersby::settled(&draft.passersby, &defaults.passersby),
    };
    let page_is_late = policy.mode == WakeMode::Auto && policy.page_after > policy.hold_timeout;
    if let (true, true, Some(spot)) = (page_is_late, draft.upstreams.is_absent(), spot) {
        let (page, hold) = (shown_duration(policy.page_after), shown_duration(policy.hold_timeout));
        reader
            .warning(&spot, format!("`page_after` ({page}) is longer than `hold_timeout` ({hold})"))
            .help("a browser gets an error before it would get the waiting page");
    }
    policy
}

pub(super) fn health(
    draft: &HealthDraft,
    defaults: &HealthDraft,
    header: &Spot,
    reader: &mut Reader,
) -> Option<Health> {
    let check = check(draft, defaults, reader)?;
    let timeout = draft.timeout.clone().or(&defaults.timeout);
    let grace = draft.grace.clone().or(&defaults.grace);
    let spot = timeout.written().or(grace.written()).map_or(header, |(_, spot)| spot).clone();
    let fallback = Health::default();
    let (timeout, grace) = (timeout.value_or(fallback.timeout), grace.value_or(fallback.grace));
    let health = Health { check, timeout, grace };
    if health.timeout > health.grace {
        let (timeout, grace) = (shown_duration(health.timeout), shown_duration(health.grace));
        reader
            .warning(
                &spot,
                format!("the health check's `timeout` ({timeout}) is longer than its `grace` ({grace})"),
            )
            .help("a start that takes longer than `grace` has failed, so `timeout` cannot matter");
    }
    Some(health)
}

/// An app's own check, or else that of the defaults: they are not put together.
fn check(draft: &HealthDraft, defaults: &HealthDraft, reader: &mut Reader) -> Option<Check> {
    let says_none = |d: &HealthDraft| d.http.is_absent() && d.tcp.is_absent() && d.grpc.is_absent();
    let written = if says_none(draft) { defaults } else { draft };
    let http = written.http.written().map(|(check, spot)| (check.clone(), spot));
    let tcp = written.tcp.written().filter(|(tcp, _)| **tcp).map(|(_, spot)| (Check::Tcp, spot));
    let grpc = written.grpc.written().map(|(check, spot)| (check.clone(), spot));
    let mut checks = [http, tcp, grpc].into_iter().flatten();
    if let Some((check, first)) = checks.next() {
        let Some((_, second)) = checks.next() else { return Some(check) };
        reader
            .mistake(second, "a health check is one of `http`, `tcp` and `grpc`")
            .help("keep one")
            .see(first, "another one");
        return None;
    }
    match &written.tcp {
        Slot::Written(false, tcp) if written.http.is_absent() && written.grpc.is_absent() => {
            reader
                .mistake(tcp, "without `tcp`, a health check needs `http` or `grpc`")
                .help("such as { http = \"/healthz\" }, or leave `tcp` out");
            None
        }
        Slot::Written(..) | Slot::Absent | Slot::Wrong => Some(Check::Tcp),
    }
}
