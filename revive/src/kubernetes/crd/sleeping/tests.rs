#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use std::time::Duration;

use config::model::{Check, Health, Treatment, WakeMode};
use serde_json::json;

use super::super::Day;
use super::*;

fn policy(spec: serde_json::Value) -> SleepPolicySpec {
    let mut spec = spec;
    spec["targetRefs"] = json!([{"kind": "Namespace"}]);
    serde_json::from_value(spec).unwrap()
}

fn said(spec: serde_json::Value) -> Sleeping {
    policy(spec).parsed().unwrap()
}

fn days(days: u64) -> After {
    After::Elapsed(Duration::from_secs(days * 86_400))
}

#[test]
fn what_nobody_says_never_sleeps() {
    let settled = Sleeping::default().settled();
    assert_eq!(settled.sleep, SleepPolicy { idle_after: After::Never, remove_after: After::Never });
    assert_eq!(settled.wake, WakePolicy::default());
    assert_eq!(settled.health.over(Health::default()), Health::default());
}

#[test]
fn the_words_are_those_of_the_file() {
    let said = said(json!({
        "idleAfter": "1d", "removeAfter": "7d", "depth": "deep",
        "wake": {"mode": "page", "pageAfter": "0s", "holdTimeout": "10s", "maxHeld": 5,
                 "passersby": {"monitors": "answer-200", "budget": "1h"}},
        "health": {"http": "/up", "grace": "2m"},
        "wakeWith": [{"kind": "Service", "name": "db"}],
        "schedule": [{"from": "22:00", "to": "06:30", "days": ["Fri", "Mon", "Fri"]}],
    }));
    let settled = said.settled();
    assert_eq!(settled.sleep, SleepPolicy { idle_after: days(1), remove_after: days(7) });
    let WakePolicy { mode, page_after, hold_timeout, max_held, passersby } = settled.wake;
    assert_eq!((mode, page_after, max_held), (WakeMode::Page, Duration::ZERO, 5));
    assert_eq!((hold_timeout, passersby.budget), (Duration::from_secs(10), Duration::from_secs(3_600)));
    assert_eq!((passersby.monitors, passersby.crawlers), (Treatment::Answer200, Treatment::Budget));
    let health = settled.health.over(Health::default());
    assert_eq!(health.check, Check::Http { path: "/up".into() });
    assert_eq!((health.timeout, health.grace), (Duration::from_secs(1), Duration::from_secs(120)));
    let hours = &settled.schedule[0];
    assert_eq!((hours.from, hours.to, &*hours.time_zone), (22 * 60, 6 * 60 + 30, "UTC"));
    assert_eq!(hours.days, [Day::Mon, Day::Fri]);
}

#[test]
fn the_nearest_wins_key_by_key() {
    let namespace =
        said(json!({"idleAfter": "1d", "removeAfter": "7d", "health": {"http": "/up", "timeout": "2s"},
        "wake": {"mode": "hold", "maxHeld": 7}}));
    let workload = said(json!({"removeAfter": "3d", "health": {"tcp": true}, "wake": {"mode": "page"}}));
    let settled = workload.or(&namespace).settled();
    assert_eq!(settled.sleep, SleepPolicy { idle_after: days(1), remove_after: days(3) });
    assert_eq!((settled.wake.mode, settled.wake.max_held), (WakeMode::Page, 7));
    assert_eq!(settled.health.check, Some(Check::Tcp));
    assert_eq!(settled.health.timeout, Some(Duration::from_secs(2)));
}

#[test]
fn two_ages_of_two_policies_are_made_to_fit() {
    let settled = |near: serde_json::Value, far: serde_json::Value| said(near).or(&said(far)).settled().sleep;
    let far = json!({"idleAfter": "1d", "removeAfter": "7d"});
    let never = SleepPolicy { idle_after: After::Never, remove_after: After::Never };
    assert_eq!(settled(json!({"idleAfter": "never"}), far.clone()), never);
    let late = SleepPolicy { idle_after: days(10), remove_after: days(10) };
    assert_eq!(settled(json!({"idleAfter": "10d"}), far.clone()), late);
    let light = SleepPolicy { idle_after: days(1), remove_after: After::Never };
    assert_eq!(settled(json!({"depth": "light"}), far), light);
    let both = SleepPolicy { idle_after: days(7), remove_after: days(7) };
    assert_eq!(settled(json!({"removeAfter": "7d"}), json!({})), both, "nothing between awake and removed");
    assert_eq!(settled(json!({"idleAfter": "1d"}), json!({})), light, "nobody said that it is removed");
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let wrong = policy(json!({
        "idleAfter": "5 min", "health": {"http": "up", "timeout": "0s"},
        "wake": {"passersby": {"budget": "1ms"}}, "schedule": [{"from": "24:00", "to": "25:00"}],
    }));
    let fields: Vec<String> = wrong.parsed().unwrap_err().into_iter().map(|m| m.field).collect();
    let expected =
        ["idleAfter", "health.http", "health.timeout", "wake.passersby.budget", "schedule[0].from"];
    assert_eq!(fields, expected);
    let shorter = policy(json!({"idleAfter": "2d", "removeAfter": "1d"})).parsed().unwrap_err();
    assert!(shorter[0].to_string().starts_with("spec.removeAfter: shorter than idleAfter"), "{shorter:?}");
}

#[test]
fn a_time_zone_that_is_none_is_said() {
    let spec = |zone: &str| json!({"schedule": [{"from": "08:00", "to": "18:00", "timeZone": zone}]});
    let hours = said(spec("Europe/Berlin")).settled().schedule;
    assert_eq!(&*hours[0].time_zone, "Europe/Berlin");
    let mistakes = policy(spec("Mars/Olympus")).parsed().unwrap_err();
    assert_eq!(
        mistakes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "spec.schedule[0].timeZone: there is no time zone \"Mars/Olympus\": a name of the time zone database is one such as Europe/Berlin"
        ]
    );
}
