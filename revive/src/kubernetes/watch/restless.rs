//! Drops changes of nothing but a status, where a kind's status changes all the time.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::watcher::Event;

use super::trim::key;
use crate::kubernetes::index::Key;

/// The objects of a kind, as they were seen last.
#[derive(Debug, Default)]
pub(super) struct Last(HashMap<Key, Print>);

/// All of an object but its status: its spec, by its generation, and what its metadata say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Print {
    uid: Option<String>,
    generation: Option<i64>,
    leaving: bool,
    /// Of labels and annotations, which may be long. Two that differ have the same once in 2^64 changes.
    words: u64,
}

impl Last {
    /// Whether an event tells of more than of a status.
    pub(super) fn tells<K: Resource>(&mut self, event: &Event<K>) -> bool {
        match event {
            Event::Init => self.0.clear(),
            Event::InitApply(object) => {
                self.is_other(object.meta());
            }
            Event::InitDone => {}
            Event::Delete(object) => self.forget(object.meta()),
            Event::Apply(object) => return self.is_other(object.meta()),
        }
        true
    }

    fn forget(&mut self, metadata: &ObjectMeta) {
        if let Some(key) = key(metadata) {
            self.0.remove(&key);
        }
    }

    /// Whether anything but its status is other than it was; from now on it is as it is now.
    fn is_other(&mut self, metadata: &ObjectMeta) -> bool {
        let Some(key) = key(metadata) else { return true };
        let now = Print::of(metadata);
        match self.0.get_mut(&key) {
            Some(before) if *before == now => false,
            Some(before) => {
                *before = now;
                true
            }
            None => {
                self.0.insert(key, now);
                true
            }
        }
    }
}

impl Print {
    fn of(metadata: &ObjectMeta) -> Self {
        let mut words = DefaultHasher::new();
        (&metadata.labels, &metadata.annotations).hash(&mut words);
        Self {
            uid: metadata.uid.clone(),
            generation: metadata.generation,
            leaving: metadata.deletion_timestamp.is_some(),
            words: words.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(generation: i64, version: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some("resource-12".into()),
            namespace: Some("loco".into()),
            uid: Some("u".into()),
            resource_version: Some(version.into()),
            generation: Some(generation),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn only_a_status_is_nothing_new() {
        let mut last = Last::default();
        assert!(last.is_other(&metadata(1, "10")), "it is new");
        for version in ["11", "12", "13"] {
            assert!(!last.is_other(&metadata(1, version)), "only its version is another");
        }
        assert!(last.is_other(&metadata(2, "14")), "its spec is another");
        let mut annotated = metadata(2, "15");
        annotated.annotations = Some([("edge.loco.io/asleep".to_owned(), "deep".to_owned())].into());
        assert!(last.is_other(&annotated) && !last.is_other(&annotated));
        assert!(last.is_other(&metadata(2, "16")), "the annotation is gone");
        let again = ObjectMeta { uid: Some("v".into()), ..metadata(2, "17") };
        assert!(last.is_other(&again), "another one of this name");
    }

    #[test]
    fn what_is_gone_is_new_when_it_comes_back() {
        let mut last = Last::default();
        last.is_other(&metadata(1, "10"));
        last.forget(&metadata(1, "11"));
        assert!(last.is_other(&metadata(1, "12")));
    }
}
