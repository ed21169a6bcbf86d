#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use config::model::{LimitKey, LimitMatch, Rate};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn label(name: &str) -> Label {
    Label::parse(name).unwrap()
}

fn limit(name: &str, rate: &str) -> Arc<Limit> {
    Arc::new(parse(label(name), &json!({ "key": "client", "rate": rate })).unwrap())
}

fn by(who: &str) -> (String, UnixMillis) {
    (who.to_owned(), UnixMillis(7))
}

/// The rates that hold, by name.
fn in_force(limits: &Limits) -> Vec<(String, String)> {
    let shown = |limit: &Arc<Limit>| (limit.name.to_string(), limit.rate.unwrap().to_string());
    limits.in_force().iter().map(shown).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, rate)| ((*name).to_owned(), (*rate).to_owned())).collect()
}

fn of_file(rates: &[(&str, &str)]) -> Limits {
    Limits::new(rates.iter().map(|(name, rate)| limit(name, rate)), []).0
}

#[test]
fn an_admins_word_stands_until_it_is_taken_back() {
    let mut limits = of_file(&[("deploys", "5/min")]);
    let name = label("deploys");
    let set = limits.change(&name, Change::Set(limit("deploys", "9/min")), &Belief::None, by("ann")).unwrap();
    assert!(set.changed());
    let view = set.after.unwrap();
    assert_eq!((view.source, view.enabled, view.said), (Source::Admin, true, Some(by("ann"))));
    assert_eq!(view.file.unwrap(), limit("deploys", "5/min"));
    assert_eq!(in_force(&limits), pairs(&[("deploys", "9/min")]));
    assert_eq!(limits.replace_file([limit("deploys", "6/min")]), []);
    assert_eq!(in_force(&limits), pairs(&[("deploys", "9/min")]));
    limits.change(&name, Change::Restore, &Belief::None, by("bob")).unwrap();
    assert_eq!(in_force(&limits), pairs(&[("deploys", "6/min")]));
    assert_eq!(limits.view(&name).unwrap().said, None);
}

#[test]
fn one_of_the_file_is_switched_off_and_shown_so() {
    let mut limits = of_file(&[("deploys", "5/min"), ("other", "1/s")]);
    let name = label("deploys");
    for (who, changed) in [("ann", true), ("bob", false)] {
        let dropped = limits.change(&name, Change::Drop, &Belief::None, by(who)).unwrap();
        assert_eq!(dropped.changed(), changed);
        let view = dropped.after.unwrap();
        assert_eq!((view.source, view.enabled, view.said), (Source::File, false, Some(by("ann"))));
    }
    assert_eq!(in_force(&limits), pairs(&[("other", "1/s")]));
    assert_eq!(limits.views().count(), 2);
    limits.change(&name, Change::Restore, &Belief::None, by("bob")).unwrap();
    assert_eq!(in_force(&limits), pairs(&[("deploys", "5/min"), ("other", "1/s")]));
}

#[test]
fn one_of_an_admin_is_gone_when_it_is_dropped() {
    let mut limits = Limits::default();
    let name = label("mine");
    limits.change(&name, Change::Set(limit("mine", "1/s")), &Belief::Nothing, by("ann")).unwrap();
    let restore = limits.change(&name, Change::Restore, &Belief::None, by("ann"));
    assert_eq!(restore, Err(Refused::NotOfFile(name.clone())));
    assert_eq!(limits.change(&name, Change::Drop, &Belief::None, by("ann")).unwrap().after, None);
    for change in [Change::Drop, Change::Restore] {
        let gone = limits.change(&name, change, &Belief::None, by("ann"));
        assert_eq!(gone, Err(Refused::Unknown(name.clone())));
    }
}

#[test]
fn what_the_file_has_lost_is_no_longer_switched_off() {
    let mut limits = of_file(&[("deploys", "5/min")]);
    limits.change(&label("deploys"), Change::Drop, &Belief::None, by("ann")).unwrap();
    assert_eq!(limits.replace_file([]), [label("deploys")]);
    assert_eq!(limits.replace_file([limit("deploys", "5/min")]), []);
    assert_eq!(in_force(&limits), pairs(&[("deploys", "5/min")]));
}

#[test]
fn of_two_admins_the_second_learns_that_the_first_was_faster() {
    let mut limits = of_file(&[("deploys", "5/min")]);
    let name = label("deploys");
    let seen = Belief::Exactly(vec![limits.view(&name).unwrap().tag()]);
    let set = |rate| Change::Set(limit("deploys", rate));
    limits.change(&name, set("6/min"), &seen, by("ann")).unwrap();
    let refused = Refused::Changed(name.clone());
    assert_eq!(limits.change(&name, set("7/min"), &seen, by("bob")), Err(refused.clone()));
    assert_eq!(limits.change(&name, set("7/min"), &Belief::Nothing, by("bob")), Err(refused));
    let missing = label("new");
    let new = limits.change(&missing, Change::Set(limit("new", "1/s")), &Belief::Something, by("bob"));
    assert_eq!(new, Err(Refused::Changed(missing)));
    assert_eq!(in_force(&limits), pairs(&[("deploys", "6/min")]));
}

#[test]
fn admins_cannot_fill_memory() {
    let mut limits = Limits::default();
    for n in 0..MAX_SAID {
        let name = format!("n{n}");
        limits.change(&label(&name), Change::Set(limit(&name, "1/s")), &Belief::None, by("ann")).unwrap();
    }
    let more = limits.change(&label("more"), Change::Set(limit("more", "1/s")), &Belief::None, by("ann"));
    assert_eq!(more, Err(Refused::TooMany));
    limits.change(&label("n1"), Change::Set(limit("n1", "2/s")), &Belief::None, by("ann")).unwrap();
}

#[test]
fn all_mistakes_are_said_at_once_each_with_its_field() {
    let words = json!({
        "name": "other", "match": { "hosts": ["http://x"], "paths": ["a", "/b"], "methods": ["post", 1], "host": [] },
        "key": "ip", "rate": "5/m", "burst": 0, "concurrency": 2.5, "enabled": true, "limit": 3,
    });
    let mistakes = parse(label("deploys"), &words).unwrap_err();
    let mut fields: Vec<_> = mistakes.iter().map(|mistake| mistake.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "burst",
            "concurrency",
            "enabled",
            "key",
            "limit",
            "match.host",
            "match.hosts[0]",
            "match.methods[0]",
            "match.methods[1]",
            "match.paths[0]",
            "name",
            "rate",
        ]
    );
    let rate = mistakes.iter().find(|mistake| mistake.field == "rate").unwrap();
    assert_eq!(rate.detail, "cannot be \"5/m\": did you mean \"5/min\"?");
    for (words, field) in [
        (json!([]), ""),
        (json!({ "key": "client" }), "rate"),
        (json!({ "rate": "1/s" }), "key"),
        (json!({ "key": "client", "concurrency": 1, "burst": 2 }), "burst"),
        (json!({ "key": "client", "rate": "1/s", "match": { "hosts": vec!["a"; 101] } }), "match.hosts"),
    ] {
        let mistakes = parse(label("a"), &words).unwrap_err();
        assert_eq!(mistakes.iter().map(|m| m.field.as_str()).collect::<Vec<_>>(), [field], "{words}");
    }
}

#[test]
fn the_words_of_the_file_are_read() {
    let words = json!({
        "match": { "hosts": ["api.localhost"], "paths": ["/deployment.v1.DeploymentService"], "methods": ["POST"] },
        "key": "credential", "rate": "5/min", "burst": 2, "concurrency": 3,
    });
    let limit = parse(label("deploys"), &words).unwrap();
    assert_eq!(json!(Words::from(&limit)), words);
    assert_eq!(limit.rate, Some("5/min".parse::<Rate>().unwrap().with_burst(2.try_into().unwrap())));
    let whole = json!({ "key": "app", "concurrency": 1, "rate": null, "burst": null });
    let limit = parse(label("whole"), &whole).unwrap();
    assert_eq!((limit.matches, limit.key, limit.rate), (LimitMatch::default(), LimitKey::App, None));
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9/:.*-]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            proptest::sample::select(vec!["match", "key", "rate", "burst", "hosts", "paths", "methods"])
                .prop_map(str::to_owned),
            "[a-z]{0,5}"
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever somebody sends is a limit that is shown as it was meant, or has mistakes.
    #[test]
    fn anything_is_a_limit_or_has_mistakes(words in anything()) {
        match parse(label("a"), &words) {
            Ok(limit) => prop_assert_eq!(parse(label("a"), &json!(Words::from(&limit))), Ok(limit)),
            Err(mistakes) => prop_assert!(!mistakes.is_empty()),
        }
    }
}
