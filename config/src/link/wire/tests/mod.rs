#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod any;

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use prost::Message as _;

use super::message::{Told, WireTable};
use super::{FromGateway, FromRevive, Heard, Hearer, NotKept, PAGE, Teller, Up, keep, kept};
use crate::link::{Limits, Status, Table, ToGateway, ToRevive};
use crate::model::{App, AppId, Source};

/// As bytes, and back.
fn over(message: &FromRevive) -> FromRevive {
    FromRevive::decode(&*message.encode_to_vec()).unwrap()
}

/// What a gateway hears of it.
fn heard(teller: &mut Teller, hearer: &mut Hearer, message: ToGateway) -> Option<ToGateway> {
    teller.tell(message).fold(None, |_, page| match hearer.hear(over(&page)).unwrap() {
        Heard::Said(said) => Some(said),
        Heard::More => None,
        other => panic!("{other:?}"),
    })
}

/// One value of a strategy, always the same.
fn some<S: Strategy>(strategy: S) -> S::Value {
    strategy.new_tree(&mut TestRunner::deterministic()).unwrap().current()
}

fn apps(count: usize) -> Vec<(Arc<App>, Status)> {
    let app = some(any::app(AppId::from_object("n", "a")));
    let one = |number| {
        let id = AppId::from_object("n", &format!("app-{number:06}"));
        (Arc::new(App { id, ..app.clone() }), some(any::status()))
    };
    (0..count).map(one).collect()
}

fn table(generation: u64, apps: Vec<(Arc<App>, Status)>) -> Table {
    Table { generation, apps, rules: Vec::new(), leaving: Vec::new() }
}

fn told_table(page: &mut FromRevive) -> &mut WireTable {
    match &mut page.told {
        Some(Told::Table(table)) => table,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_revive_says_one_after_the_other_is_heard_as_it_was_said(said in vec(any::to_gateway(), 1..5)) {
        let (mut teller, mut hearer) = (Teller::default(), Hearer::default());
        for message in said {
            prop_assert_eq!(heard(&mut teller, &mut hearer, message.clone()), Some(message));
        }
        prop_assert_eq!(hearer.refused(), []);
    }

    #[test]
    fn whatever_a_gateway_says_is_heard_as_it_was_said(said in any::to_revive()) {
        let sent = FromGateway::all(said.clone());
        prop_assert_eq!(sent.len(), 1);
        let came = FromGateway::decode(&*sent[0].encode_to_vec()).unwrap();
        prop_assert_eq!(came.parse().unwrap(), Up::Said(said));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(proptest::num::u8::ANY, 0..200)) {
        if let Ok(message) = FromGateway::decode(&*bytes) {
            drop(message.parse());
        }
        if let Ok(message) = FromRevive::decode(&*bytes) {
            drop(Hearer::default().hear(message));
        }
        prop_assert!(kept(&bytes).is_err());
    }

    /// Nearly right is worse than random.
    #[test]
    fn no_damaged_message_panics(
        said in any::to_gateway(),
        damage in vec((proptest::prelude::any::<prop::sample::Index>(), proptest::num::u8::ANY), 1..6),
    ) {
        let (mut teller, mut hearer) = (Teller::default(), Hearer::default());
        for page in teller.tell(said) {
            let mut bytes = page.encode_to_vec();
            for (place, byte) in &damage {
                if !bytes.is_empty() {
                    let place = place.index(bytes.len());
                    bytes[place] = *byte;
                }
            }
            if let Ok(message) = FromRevive::decode(&*bytes) {
                drop(hearer.hear(message));
            }
        }
        drop(hearer.refused());
    }

    #[test]
    fn a_kept_table_is_the_same_but_for_states_that_pass(table in any::table()) {
        let limits = Limits { generation: 3, limits: Vec::new() };
        let bytes = keep(limits.clone(), table.clone());
        let (kept_limits, back) = kept(&bytes).unwrap();
        prop_assert_eq!(kept_limits, limits);
        prop_assert_eq!((&back.rules, back.generation), (&table.rules, table.generation));
        for ((app, before), (same, after)) in table.apps.iter().zip(&back.apps) {
            prop_assert_eq!(app, same);
            match app.source {
                Source::Upstreams(_) => prop_assert_eq!(before, after),
                Source::Service(_) | Source::Process(_) => {
                    let asleep = matches!(after, Status::Asleep { .. });
                    prop_assert!(asleep);
                }
            }
        }
    }
}

#[test]
fn a_large_table_comes_in_pages_and_a_change_of_one_app_is_one_small_message() {
    let (mut teller, mut hearer) = (Teller::default(), Hearer::default());
    let mut all = apps(20_000);
    let pages: Vec<_> = teller.tell(ToGateway::Table(table(1, all.clone()))).collect();
    let sizes: Vec<_> = pages.iter().map(prost::Message::encoded_len).collect();
    assert!(pages.len() > 3 && sizes.iter().all(|size| *size <= PAGE), "{sizes:?}");
    let last = pages.iter().map(|page| hearer.hear(over(page)).unwrap()).last().unwrap();
    assert!(matches!(last, Heard::Said(ToGateway::Table(came)) if came == table(1, all.clone())));

    let changed = App { response_timeout: Duration::from_secs(77), ..(*all[5_000].0).clone() };
    all[5_000].0 = Arc::new(changed);
    all.remove(7_000);
    let now = table(2, all);
    let pages: Vec<_> = teller.tell(ToGateway::Table(now.clone())).collect();
    assert!(pages.len() == 1 && pages[0].encoded_len() < 4_096, "{}", pages[0].encoded_len());
    let came = hearer.hear(over(&pages[0])).unwrap();
    assert!(matches!(came, Heard::Said(ToGateway::Table(came)) if came == now));
}

#[test]
fn a_rule_that_moves_or_changes_is_sent_alone() {
    let (mut teller, mut hearer) = (Teller::default(), Hearer::default());
    let app = some(any::app(AppId::from_object("n", "a")));
    let then: Arc<crate::model::Then> = Arc::default();
    let rule = |number: usize| {
        let matches = crate::model::RequestMatch::below(crate::model::PathPrefix::parse("/a").unwrap());
        let name = format!("httproute/n/r-{number}/0");
        Arc::new(crate::model::Rule {
            name: name.into(),
            ports: Arc::new([]),
            host: None,
            matches,
            then: then.clone(),
        })
    };
    let mut rules: Vec<_> = (0..1_000).map(rule).collect();
    let now = |generation, rules: &Vec<_>| Table {
        rules: rules.clone(),
        ..table(generation, vec![(Arc::new(app.clone()), some(any::status()))])
    };
    heard(&mut teller, &mut hearer, ToGateway::Table(now(1, &rules)));
    // Made anew each time, they are the same all the same.
    rules = (0..1_000).map(rule).collect();
    let moved = rules.remove(3);
    rules.insert(900, moved);
    let changed = crate::model::Rule { ports: Arc::new([8_080]), ..(*rules[500]).clone() };
    rules[500] = Arc::new(changed);
    let mut pages: Vec<_> = teller.tell(ToGateway::Table(now(2, &rules))).collect();
    let page = told_table(&mut pages[0]);
    assert_eq!((page.rules.len(), page.apps.len()), (1, 0));
    assert!(page.order.len() < 10, "{:?}", page.order);
    let came = hearer.hear(over(&pages[0])).unwrap();
    assert!(matches!(came, Heard::Said(ToGateway::Table(came)) if came.rules == rules));
}

/// As of a newer peer, or of one that is broken.
#[test]
fn what_is_not_understood_is_refused_by_name_and_stays_as_it_was() {
    let (mut teller, mut hearer) = (Teller::default(), Hearer::default());
    let before = apps(3);
    heard(&mut teller, &mut hearer, ToGateway::Table(table(1, before.clone())));
    let mut after = before.clone();
    for (app, _) in &mut after {
        *app = Arc::new(App { response_timeout: Duration::from_secs(5), ..(**app).clone() });
    }
    let mut pages: Vec<_> = teller.tell(ToGateway::Table(table(2, after.clone()))).collect();
    let entry = &mut told_table(&mut pages[0]).apps[1];
    *entry = super::message::WireEntry {
        app: entry.app.as_ref().map(super::app::WireApp::newer),
        ..entry.clone()
    };
    let came = hearer.hear(over(&pages[0])).unwrap();
    let expected = vec![after[0].clone(), before[1].clone(), after[2].clone()];
    assert!(matches!(came, Heard::Said(ToGateway::Table(came)) if came.apps == expected));
    let refused = hearer.refused();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].0, "app/n/app-000001");
    // Put right, it is refused no more.
    let right = vec![before[0].clone(), before[1].clone(), before[2].clone()];
    let came = heard(&mut teller, &mut hearer, ToGateway::Table(table(3, right.clone())));
    assert_eq!(came, Some(ToGateway::Table(table(3, right))));
    assert_eq!(hearer.refused(), []);
}

#[test]
fn a_program_of_another_machine_is_refused() {
    let (mut teller, mut hearer) = (Teller::default(), Hearer::default());
    let mut local = apps(1).remove(0);
    let spec =
        crate::model::ProcessSpec { command: vec!["x".into()], dir: "/".into(), env: Default::default() };
    local.0 = Arc::new(App { source: Source::Process(spec), ..(*local.0).clone() });
    let came = heard(&mut teller, &mut hearer, ToGateway::Table(table(1, vec![local])));
    assert_eq!(came, Some(ToGateway::Table(table(1, Vec::new()))));
    assert_eq!(hearer.refused()[0].0, "app/n/app-000000");
}

#[test]
fn a_rule_whose_action_is_not_understood_answers_with_an_error_rather_than_nothing() {
    let (mut teller, mut hearer) = (Teller::default(), Hearer::default());
    let rules = some_rules();
    let now = Table { rules, ..table(1, Vec::new()) };
    let mut pages: Vec<_> = teller.tell(ToGateway::Table(now.clone())).collect();
    for rule in &mut told_table(&mut pages[0]).rules {
        rule.rule.as_mut().unwrap().forget_action();
    }
    let came = hearer.hear(over(&pages[0])).unwrap();
    let Heard::Said(ToGateway::Table(came)) = came else { panic!("{came:?}") };
    assert_eq!(came.rules.len(), now.rules.len());
    for (rule, was) in came.rules.iter().zip(&now.rules) {
        assert_eq!((&rule.matches, &*rule.then), (&was.matches, &crate::model::Then::default()));
    }
    assert!(!hearer.refused().is_empty());
}

fn some_rules() -> Vec<Arc<crate::model::Rule>> {
    some(any::rules().prop_filter("some", |rules| rules.len() > 1))
}

#[test]
fn a_file_that_is_not_whole_is_not_taken() {
    let bytes = keep(Limits { generation: 1, limits: Vec::new() }, table(1, apps(3)));
    assert!(kept(&bytes).is_ok());
    assert_eq!(kept(b"something else"), Err(NotKept::Unknown));
    assert_eq!(kept(&bytes[..bytes.len() - 1]), Err(NotKept::Damaged));
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(kept(&other), Err(NotKept::Damaged));
}

#[test]
fn long_lists_are_several_messages() {
    let activity = |number: usize| crate::link::Activity {
        app: AppId::parse(&format!("{number:0>300}")).unwrap(),
        open: u32::MAX,
        held: u32::MAX,
        idle_for: Some(Duration::MAX),
    };
    let sent = FromGateway::all(ToRevive::Activity((0..2_500).map(activity).collect()));
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|message| message.encoded_len() <= PAGE));
    assert_eq!(FromGateway::all(ToRevive::Activity(Vec::new())).len(), 0);
}
