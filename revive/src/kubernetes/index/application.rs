//! loco's Applications: each an app, whose objects loco's controller makes in a namespace of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use config::link::Depth;

use super::meta::{Key, Meta, Object};
use super::store::{Changed, Seen, Store};
use super::workload::Workload;

/// Says to loco's controller that the app sleeps: `light`, and it leaves the Deployment alone, or `deep`, and it leaves
/// it out.
pub const ASLEEP: &str = "edge.loco.io/asleep";
/// The number that `replicas.min` had before it became 0 for a sleep.
pub const REPLICAS_MIN: &str = "edge.loco.io/replicas-min";
/// The Application's generation as it fell asleep: a later one is a deploy.
pub const ASLEEP_GENERATION: &str = "edge.loco.io/asleep-generation";

/// An Application, but for its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its metadata.
    pub meta: Meta,
    /// Where its Deployment and Service are: both have one name.
    pub place: Key,
    /// The app's id (`resourceId`).
    pub resource: i64,
    /// Whose it is (`workspaceId`).
    pub workspace: i64,
    /// Where it runs.
    pub region: Box<str>,
    /// Its host, as it is written.
    pub host: Box<str>,
    /// Below which path.
    pub path: Box<str>,
    /// When it is to sleep; `None`: never.
    pub idle_after: Option<Duration>,
    /// When it is up.
    pub health: ApplicationHealth,
    /// How many replicas it has when it is awake, as it is written now (`replicas.min`).
    pub replicas: i32,
    /// How it was put to sleep, if it was.
    pub mark: Option<Mark>,
}

/// When an app is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationHealth {
    /// Asked for; empty: nothing is.
    pub path: Box<str>,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long a start may take: until the kubelet would end it.
    pub grace: Duration,
}

/// How an Application was put to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How.
    pub how: Marked,
    /// Its generation then, or that of now if it is not said.
    pub generation: i64,
}

/// How an Application says that it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// By the agreement with its controller.
    Agreement(Depth),
    /// By `replicas.min`, which was this.
    Replicas(i32),
}

/// How an Application stands, by its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It runs, or is about to: its controller sees to it.
    Up,
    /// It sleeps.
    Asleep(Depth),
}

impl Mark {
    /// What annotations say of an Application of this generation. Where somebody has set one by hand, and no generation, no
    /// deploy can be told from what was before: it sleeps until it is asked for.
    pub fn read<'a>(generation: i64, annotation: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let how = match (annotation(ASLEEP), annotation(REPLICAS_MIN)) {
            (Some("deep"), _) => Marked::Agreement(Depth::Deep),
            // Whatever else it says, its controller leaves the Deployment alone.
            (Some(_), _) => Marked::Agreement(Depth::Light),
            (None, Some(min)) => Marked::Replicas(min.parse().unwrap_or(1)),
            (None, None) => return None,
        };
        let said = annotation(ASLEEP_GENERATION).and_then(|text| text.parse().ok());
        Some(Self { how, generation: said.unwrap_or(generation) })
    }
}

impl Application {
    /// Whether it was put to sleep, and nobody has deployed it since.
    pub fn sleeps(&self) -> Option<Marked> {
        self.mark.filter(|mark| mark.generation == self.meta.generation).map(|mark| mark.how)
    }

    /// How it stands, beside its Deployment.
    pub fn stands(&self, deployment: Option<&Workload>) -> Stands {
        let replicas = deployment.filter(|one| !one.meta.leaving).map(|one| one.replicas);
        stands(self.sleeps(), self.replicas, replicas)
    }
}

/// How an Application stands: how it was put to sleep, its `replicas.min`, and the replicas of its Deployment.
pub fn stands(sleeps: Option<Marked>, min: i32, replicas: Option<i32>) -> Stands {
    match (sleeps, replicas) {
        (None, Some(0) | None) if min == 0 => Stands::Asleep(Depth::Light),
        // What is not there yet, its controller is about to make.
        (None, _) => Stands::Up,
        (Some(Marked::Replicas(_)), _) | (Some(Marked::Agreement(_)), Some(0)) => {
            Stands::Asleep(Depth::Light)
        }
        (Some(Marked::Agreement(_)), Some(_)) => Stands::Up,
        (Some(Marked::Agreement(_)), None) => Stands::Asleep(Depth::Deep),
    }
}

impl Object for Application {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

/// All Applications, to be found by where their objects are.
#[derive(Clone, Debug, Default)]
pub struct Applications {
    all: Store<Application>,
    by_place: Arc<BTreeMap<Key, BTreeSet<Key>>>,
    /// Namespaces whose Application has gone, while they are still there: its controller deletes them, and until then
    /// what is in them is nobody's.
    orphans: Arc<BTreeSet<Arc<str>>>,
}

impl Applications {
    /// As [`Store::take`]. `is_there` says whether a namespace is.
    pub fn take(
        &mut self,
        seen: Seen<Application>,
        is_there: impl Fn(&Arc<str>) -> bool,
    ) -> Vec<Changed<Application>> {
        let changed = self.all.take(seen);
        for Changed { old, new } in &changed {
            let by_place = Arc::make_mut(&mut self.by_place);
            if let Some(old) = old
                && let Some(keys) = by_place.get_mut(&old.place)
            {
                keys.remove(&old.meta.key);
                if keys.is_empty() {
                    by_place.remove(&old.place);
                }
            }
            if let Some(new) = new {
                by_place.entry(new.place.clone()).or_default().insert(new.meta.key.clone());
            }
            old.iter().chain(new).for_each(|one| self.settle(&one.place, &is_there));
        }
        changed
    }

    fn settle(&mut self, place: &Key, is_there: impl Fn(&Arc<str>) -> bool) {
        if self.of(place).is_some() || !is_there(&place.namespace) {
            self.adopt(&place.namespace);
        } else {
            Arc::make_mut(&mut self.orphans).insert(place.namespace.clone());
        }
    }

    /// A namespace is no orphan, or no more.
    pub fn adopt(&mut self, namespace: &Arc<str>) {
        if self.orphans.contains(namespace) {
            Arc::make_mut(&mut self.orphans).remove(namespace);
        }
    }

    /// Whose objects are here, named so. Of two the older holds, then the one whose name comes first; one that is being
    /// deleted is none.
    pub fn of(&self, place: &Key) -> Option<&Arc<Application>> {
        let keys = self.by_place.get(place).into_iter().flatten();
        let stay = keys.filter_map(|key| self.all.find(key)).filter(|one| !one.meta.leaving);
        stay.min_by_key(|one| (one.meta.created, &one.meta.key))
    }

    /// Whether a namespace is only still there because nobody has deleted it yet.
    pub fn has_left(&self, namespace: &Arc<str>) -> bool {
        self.orphans.contains(namespace)
    }

    /// Those that are apps, by where they are.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Application>> {
        self.by_place.keys().filter_map(|place| self.of(place))
    }
}

#[cfg(test)]
mod tests;
