//! Limits: LimitPolicies at the Gateway.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use config::model::{Limit, LimitMatch};
use revive::kubernetes::crd::{
    LimitMatchSpec, LimitPolicy, LimitPolicySpec, LimitSpec, LimitTarget, LimitTargetKind,
};

use super::place::Place;
use super::{Document, ExportError, Left};

/// Limits of a LimitPolicy.
const MOST: usize = 32;
/// Bytes of the name of one.
const LONGEST: usize = 40;
/// Of a match: hosts and paths, and methods.
const MOST_MATCHED: [usize; 2] = [64, 16];

/// As many policies as are needed for all limits.
pub(super) fn documents(
    limits: &[Arc<Limit>],
    file: &Path,
    place: Place<'_>,
    left: &mut Left,
) -> Result<Vec<Document>, ExportError> {
    let mut names = BTreeSet::new();
    let specs: Vec<LimitSpec> = limits.iter().filter_map(|limit| spec(limit, &mut names, left)).collect();
    let name = policy_name(file);
    let policies = specs.chunks(MOST).enumerate().map(|(at, limits)| LimitPolicy {
        metadata: place.beside_gateway(if at == 0 { name.clone() } else { format!("{name}-{}", at + 1) }),
        spec: LimitPolicySpec { target_refs: vec![target(place)], limits: limits.to_vec() },
        status: None,
    });
    policies
        .map(|policy| {
            Document::of(&policy, &["Limits: of requests at the Gateway's listeners, and in its namespace"])
        })
        .collect()
}

fn target(place: Place<'_>) -> LimitTarget {
    LimitTarget { group: None, kind: LimitTargetKind::Gateway, name: Some(place.gateway.name.clone()) }
}

/// The file's name, as an object can have it.
fn policy_name(file: &Path) -> String {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_ascii_lowercase();
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = stem.chars().map(letter).take(LONGEST).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "limits".to_owned() } else { name.to_owned() }
}

fn spec(limit: &Limit, names: &mut BTreeSet<String>, left: &mut Left) -> Option<LimitSpec> {
    let written = limit.name.as_str();
    let name = written.replace('.', "-");
    if name.len() > LONGEST || !names.insert(name.clone()) {
        left.limit(
            written,
            format_args!("left out: rename it, to {LONGEST} letters, digits, '-' and '_' that no other has"),
        );
        return None;
    }
    if name != written {
        left.limit(written, format_args!("it is called {name} there"));
    }
    if limit.matches.hosts.is_empty() {
        left.limit(written, "it names no hosts, and so counts requests for all apps behind the Gateway, not only for those of this file");
    }
    let burst = limit.rate.filter(|rate| rate.burst != rate.count).map(|rate| rate.burst.get());
    Some(LimitSpec {
        matches: matches(written, &limit.matches, left)?,
        name,
        key: limit.key.to_string(),
        rate: limit.rate.map(|rate| rate.to_string()),
        burst: number(written, "burst", burst, left),
        concurrency: number(written, "concurrency", limit.concurrency.map(NonZeroU32::get), left),
    })
}

fn number(limit: &str, key: &str, written: Option<u32>, left: &mut Left) -> Option<i32> {
    let fits = i32::try_from(written?);
    if fits.is_err() {
        left.limit(limit, format_args!("its `{key}` is {} there, which is the most", i32::MAX));
    }
    Some(fits.unwrap_or(i32::MAX))
}

fn matches(limit: &str, of: &LimitMatch, left: &mut Left) -> Option<Option<LimitMatchSpec>> {
    let [most, most_methods] = MOST_MATCHED;
    if of.hosts.len() > most || of.paths.len() > most || of.methods.len() > most_methods {
        left.limit(
            limit,
            format_args!(
                "left out: it has more than {most} hosts or paths, or {most_methods} methods: make it several"
            ),
        );
        return None;
    }
    let spec = LimitMatchSpec {
        hosts: of.hosts.iter().map(ToString::to_string).collect(),
        paths: of.paths.iter().map(ToString::to_string).collect(),
        methods: of.methods.clone(),
    };
    Some(Some(spec).filter(|spec| *spec != LimitMatchSpec::default()))
}
