//! SleepPolicies: what holds for an app, and what is to be said of each policy.

use std::collections::BTreeMap;

use config::model::WorkloadKind;

use super::app::Draft;
use super::said::{PolicySaid, Said, listed};
use super::workload::Runs;
use crate::kubernetes::crd::{AppRef, Hours, SleepTarget, SleepTargetKind, Sleeping};
use crate::kubernetes::index::policy::SleepPolicy;
use crate::kubernetes::index::route::RouteKind;
use crate::kubernetes::index::{Index, Key};

/// What a policy says beside what an app holds: see [`crate::kubernetes::crd::Settled`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extras {
    /// Apps that this one needs: whoever wakes it wakes them.
    pub wake_with: Vec<AppRef>,
    /// When it is awake, asked for or not.
    pub schedule: Vec<Hours>,
}

/// All SleepPolicies, by what they are for.
#[derive(Debug, Default)]
pub(super) struct Policies<'i> {
    by_target: BTreeMap<Target, Key>,
    used: BTreeMap<Key, Used<'i>>,
}

type Target = (SleepTargetKind, Key);

/// What has become of a policy.
#[derive(Debug)]
struct Used<'i> {
    policy: &'i SleepPolicy,
    apps: i32,
    lost: Vec<String>,
    missing: Vec<String>,
}

impl<'i> Policies<'i> {
    /// Of two that are for the same thing the older one holds, then the one whose name comes first (GEP-713).
    pub(super) fn of_index(index: &'i Index) -> Self {
        let mut policies = Self::default();
        let mut all: Vec<&SleepPolicy> = index.sleep_policies.iter().map(|policy| &**policy).collect();
        all.sort_by_key(|policy| (policy.meta.created, policy.meta.key.clone()));
        for policy in all {
            let mut used = Used { policy, apps: 0, lost: Vec::new(), missing: Vec::new() };
            for target in policy.targets.iter().filter(|_| policy.says.is_ok()) {
                policies.claim(index, &mut used, target);
            }
            policies.used.insert(policy.meta.key.clone(), used);
        }
        policies
    }

    fn claim(&mut self, index: &Index, used: &mut Used<'_>, target: &SleepTarget) {
        let place = &used.policy.meta.key;
        let name = target.name.as_deref().unwrap_or(&place.namespace);
        let key = place.beside(name);
        let shown = format!("{:?} {name}", target.kind);
        if !is_there(index, target.kind, &key) {
            used.missing.push(shown);
            return;
        }
        let holder = self.by_target.entry((target.kind, key)).or_insert_with(|| place.clone());
        if holder != place {
            used.lost.push(format!("{shown} is SleepPolicy {}'s", holder.name));
        }
    }

    /// What they say of an app, the nearest first. A route of another namespace says nothing: who may send requests here
    /// does not say when we sleep.
    pub(super) fn of(&mut self, app: &Draft<'_>) -> Sleeping {
        let mut says = Sleeping::default();
        let mut counted: Vec<Key> = Vec::new();
        for target in targets(app) {
            let Some(used) = self.by_target.get(&target).and_then(|key| self.used.get_mut(key)) else {
                continue;
            };
            if let Ok(said) = &used.policy.says {
                says = says.or(said);
                if !counted.contains(&used.policy.meta.key) {
                    counted.push(used.policy.meta.key.clone());
                    used.apps += 1;
                }
            }
        }
        says
    }

    /// What is to be said of each.
    pub(super) fn said(self) -> BTreeMap<Key, PolicySaid> {
        let said = |used: Used<'_>| PolicySaid {
            generation: used.policy.meta.generation,
            apps: used.apps,
            conditions: vec![accepted(
                used.policy
                    .says
                    .as_ref()
                    .err()
                    .map(|mistakes| mistakes.iter().map(ToString::to_string).collect()),
                used.policy.targets.len(),
                &used.missing,
                &used.lost,
            )],
        };
        self.used.into_iter().map(|(key, used)| (key, said(used))).collect()
    }
}

/// Whether a policy can be used: with what is wrong in it, how many targets it has, and which of those are not there or
/// not its own.
pub(super) fn accepted(
    wrong: Option<Vec<String>>,
    targets: usize,
    missing: &[String],
    lost: &[String],
) -> Said {
    let words = |of: &[String]| listed(of.iter().map(String::as_str));
    match wrong {
        Some(wrong) => Said::no("Accepted", "Invalid", words(&wrong)),
        None if missing.len() == targets => {
            Said::no("Accepted", "TargetNotFound", format!("not there: {}", words(missing)))
        }
        None if missing.len() + lost.len() == targets => Said::no("Accepted", "Conflicted", words(lost)),
        None if missing.is_empty() && lost.is_empty() => Said::yes("Accepted", "Accepted"),
        None => {
            let missing: Vec<String> = missing.iter().map(|one| format!("not there: {one}")).collect();
            Said::yes("Accepted", "Accepted").because(words(&[&missing[..], lost].concat()))
        }
    }
}

/// What a policy could be for to hold for an app, the nearest first.
fn targets(app: &Draft<'_>) -> Vec<Target> {
    let mut targets = Vec::new();
    let place = app.services.keys().next().copied();
    if let (Runs::Workload { kind, name, .. }, Some(place)) = (&app.runs, place) {
        let kind = match kind {
            WorkloadKind::Deployment => SleepTargetKind::Deployment,
            WorkloadKind::StatefulSet => SleepTargetKind::StatefulSet,
        };
        targets.push((kind, place.beside(name)));
    }
    targets.extend(app.services.keys().map(|key| (SleepTargetKind::Service, (*key).clone())));
    let own = |key: &&Key| place.is_some_and(|place| place.namespace == key.namespace);
    targets.extend(app.routes.iter().filter(|(_, key)| own(key)).map(|(kind, key)| {
        let kind = match kind {
            RouteKind::Http => SleepTargetKind::HttpRoute,
            RouteKind::Grpc => SleepTargetKind::GrpcRoute,
        };
        (kind, (*key).clone())
    }));
    targets.extend(place.map(|place| (SleepTargetKind::Namespace, place.beside(&place.namespace))));
    targets
}

/// Whether there is something that a policy could be for. A workload that sleeps deeply is.
fn is_there(index: &Index, kind: SleepTargetKind, key: &Key) -> bool {
    let workload = |kind: WorkloadKind| {
        index.workloads(kind).find(key).is_some() || index.record_of(kind, key).is_some()
    };
    match kind {
        SleepTargetKind::Namespace => key.name == key.namespace,
        SleepTargetKind::HttpRoute => index.http_routes.find(key).is_some(),
        SleepTargetKind::GrpcRoute => index.grpc_routes.find(key).is_some(),
        SleepTargetKind::Service => index.services.find(key).is_some(),
        SleepTargetKind::Deployment => workload(WorkloadKind::Deployment),
        SleepTargetKind::StatefulSet => workload(WorkloadKind::StatefulSet),
    }
}
