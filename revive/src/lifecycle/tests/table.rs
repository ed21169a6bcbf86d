//! Every pair of state and event, against `table.txt` for processes, and `among_others.txt` where others start and stop
//! apps, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::super::*;
use super::{AMONG_OTHERS, RULES, sample, say};

const PROCESSES: (&str, Rules) = (include_str!("table.txt"), RULES);
const WORKLOADS: (&str, Rules) = (include_str!("among_others.txt"), AMONG_OTHERS);

/// What an event does to a state; a pair that does nothing is not in it.
type Table = BTreeMap<(String, String), String>;

/// Reads the table: a line at the margin names a state, an indented one an event and what it does. A state that
/// is `like` another has the other's lines, but for those that it repeats; `-` takes one away.
fn written(table: &str) -> Table {
    let mut blocks: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut state = String::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("  ") {
            None => {
                let (name, like) = line.split_once(" = ").map_or((line, None), |(a, b)| (a, Some(b)));
                state = name.to_owned();
                let lines = like.map(|other| blocks[other].clone()).unwrap_or_default();
                assert!(blocks.insert(state.clone(), lines).is_none(), "{state} is there twice");
            }
            Some(line) => {
                let (event, effect) = line.split_once(" -> ").expect("an event, an arrow and its effect");
                let block = blocks.get_mut(&state).expect("a state above");
                match effect.trim() {
                    "-" => block.remove(event.trim()),
                    effect => block.insert(event.trim().to_owned(), effect.to_owned()),
                };
            }
        }
    }
    blocks
        .into_iter()
        .flat_map(|(state, lines)| {
            lines.into_iter().map(move |(event, effect)| ((state.clone(), event), effect))
        })
        .collect()
}

fn observed(rules: &Rules) -> Table {
    // An hour after the earliest instant there is, so that one can go back from it.
    let now = Instant::now() + Duration::from_secs(3_600);
    let mut table = Table::new();
    for (state_name, state) in sample::states(rules.light, now) {
        for (event_name, event) in sample::events(rules.light) {
            let Transition { state: next, actions } = step(state.clone(), event, rules, now);
            if next == state && actions.is_empty() {
                continue;
            }
            let next = if next == state { "same".to_owned() } else { say::state(&next, now) };
            let effect = format!("{next} | {}", say::actions(&actions)).trim_end_matches(" | ").to_owned();
            table.insert((state_name.to_owned(), event_name), effect);
        }
    }
    table
}

#[test]
fn every_pair_does_what_the_table_says() {
    for (table, rules) in [PROCESSES, WORKLOADS] {
        compare(&written(table), &observed(&rules));
    }
}

fn compare(written: &Table, observed: &Table) {
    let pairs: BTreeSet<_> = written.keys().chain(observed.keys()).collect();
    let mut difference = String::new();
    for pair in pairs {
        let (expected, actual) = (written.get(pair), observed.get(pair));
        if expected != actual {
            let nothing = "nothing".to_owned();
            let (expected, actual) = (expected.unwrap_or(&nothing), actual.unwrap_or(&nothing));
            difference += &format!("{}: {}\n  - {expected}\n  + {actual}\n", pair.0, pair.1);
        }
    }
    assert!(difference.is_empty(), "the table says (-), the code does (+):\n{difference}");
}

/// So that nothing in the tables is read past, and no sample is missing from them.
#[test]
fn the_tables_name_every_sample_and_nothing_else() {
    let now = Instant::now() + Duration::from_secs(3_600);
    let names = |text: &str| text.split(" = ").next().map(str::to_owned);
    for (table, rules) in [PROCESSES, WORKLOADS] {
        let states = table.lines().filter(|line| !line.starts_with([' ', '#']) && !line.is_empty());
        let written_states: BTreeSet<String> = states.filter_map(names).collect();
        let states = sample::states(rules.light, now);
        let states: BTreeSet<String> = states.into_iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(written_states, states);
        let events = sample::events(rules.light).into_iter();
        let events: BTreeSet<String> = events.map(|(name, _)| name).collect();
        for (state, event) in written(table).keys() {
            assert!(events.contains(event), "{state}: no such event: {event}");
        }
    }
}
