//! All objects of a kind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::meta::{Key, Labels, Object, selects};

/// All objects of a kind, by where they are. A clone costs nothing and stays as it is: what changes later is copied.
#[derive(Debug)]
pub struct Store<T>(Arc<BTreeMap<Key, Arc<T>>>);

impl<T> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// An object that is not what it was: made, changed or gone.
#[derive(Debug)]
pub struct Changed<T> {
    /// As it was, if it was there.
    pub old: Option<Arc<T>>,
    /// As it is, if it is there.
    pub new: Option<Arc<T>>,
}

impl<T> Clone for Changed<T> {
    fn clone(&self) -> Self {
        Self { old: self.old.clone(), new: self.new.clone() }
    }
}

impl<T: Object> Changed<T> {
    /// Whether what is compiled of it has changed, and not only its status.
    pub fn compiles_anew(&self) -> bool {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => !old.compiles_like(new),
            (None, None) => false,
            (None, Some(_)) | (Some(_), None) => true,
        }
    }
}

/// What a watch has seen.
#[derive(Clone, Debug)]
pub enum Seen<T> {
    /// This is all there is.
    All(Vec<T>),
    /// This one is there, and is so.
    Applied(T),
    /// This one is gone.
    Deleted(Key),
}

impl<T: Object> Store<T> {
    /// Takes in what was seen. Returns what is no longer as it was; an object of which only the version has changed is
    /// stored, and not told.
    pub fn take(&mut self, seen: Seen<T>) -> Vec<Changed<T>> {
        match seen {
            Seen::All(objects) => self.replace(objects),
            Seen::Applied(object) => self.apply(object).into_iter().collect(),
            Seen::Deleted(key) => self.delete(&key).into_iter().collect(),
        }
    }

    fn apply(&mut self, object: T) -> Option<Changed<T>> {
        let new = Arc::new(object);
        let old = Arc::make_mut(&mut self.0).insert(new.meta().key.clone(), new.clone());
        let same = old.as_ref().is_some_and(|old| **old == *new);
        (!same).then_some(Changed { old, new: Some(new) })
    }

    fn delete(&mut self, key: &Key) -> Option<Changed<T>> {
        let old = Arc::make_mut(&mut self.0).remove(key)?;
        Some(Changed { old: Some(old), new: None })
    }

    fn replace(&mut self, objects: Vec<T>) -> Vec<Changed<T>> {
        let there: BTreeSet<Key> = objects.iter().map(|object| object.meta().key.clone()).collect();
        let gone: Vec<Key> = self.0.keys().filter(|key| !there.contains(*key)).cloned().collect();
        let mut changed: Vec<_> = gone.iter().filter_map(|key| self.delete(key)).collect();
        changed.extend(objects.into_iter().filter_map(|object| self.apply(object)));
        changed
    }
}

impl<T> Store<T> {
    /// The object of this key.
    pub fn find(&self, key: &Key) -> Option<&Arc<T>> {
        self.0.get(key)
    }

    /// All, by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.values()
    }

    /// All of a namespace, by name.
    pub fn within(&self, namespace: &Arc<str>) -> impl Iterator<Item = &Arc<T>> {
        let first = Key { namespace: namespace.clone(), name: "".into() };
        self.0.range(first..).take_while(|(key, _)| key.namespace == *namespace).map(|(_, object)| object)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Something that is found by labels.
pub trait Labelled: Object {
    /// The labels it is found by.
    fn labels(&self) -> &Labels;
}

/// All objects of a kind, to be found by labels: a namespace may have thousands of which a selector means one.
#[derive(Debug)]
pub struct Selected<T> {
    objects: Store<T>,
    by_label: Arc<BTreeMap<Pair, BTreeSet<Key>>>,
}

/// A namespace, and a label in it.
type Pair = (Arc<str>, Box<str>, Box<str>);

impl<T> Clone for Selected<T> {
    fn clone(&self) -> Self {
        Self { objects: self.objects.clone(), by_label: self.by_label.clone() }
    }
}

impl<T> Default for Selected<T> {
    fn default() -> Self {
        Self { objects: Store::default(), by_label: Arc::default() }
    }
}

impl<T: Labelled> Selected<T> {
    /// As [`Store::take`].
    pub fn take(&mut self, seen: Seen<T>) -> Vec<Changed<T>> {
        let changed = self.objects.take(seen);
        for Changed { old, new } in &changed {
            let same = match (old, new) {
                (Some(old), Some(new)) => old.labels() == new.labels(),
                (None, _) | (_, None) => false,
            };
            if !same {
                old.iter().for_each(|old| self.unlist(old));
                new.iter().for_each(|new| self.list(new));
            }
        }
        changed
    }

    fn list(&mut self, object: &T) {
        let by_label = Arc::make_mut(&mut self.by_label);
        for pair in pairs(object) {
            by_label.entry(pair).or_default().insert(object.meta().key.clone());
        }
    }

    fn unlist(&mut self, object: &T) {
        let by_label = Arc::make_mut(&mut self.by_label);
        for pair in pairs(object) {
            if let Some(keys) = by_label.get_mut(&pair) {
                keys.remove(&object.meta().key);
                if keys.is_empty() {
                    by_label.remove(&pair);
                }
            }
        }
    }

    /// Those of a namespace that have all of these labels; none if `wanted` is empty.
    pub fn selected(&self, namespace: &Arc<str>, wanted: &Labels) -> Vec<&Arc<T>> {
        let pairs = wanted.iter().map(|(name, value)| (namespace.clone(), name.clone(), value.clone()));
        let keys = pairs.map(|pair| self.by_label.get(&pair));
        // A label that nothing has counts as the fewest.
        let fewest = keys.min_by_key(|keys| keys.map_or(0, BTreeSet::len)).flatten();
        let objects = fewest.into_iter().flatten().filter_map(|key| self.objects.find(key));
        objects.filter(|object| selects(wanted, object.labels())).collect()
    }

    /// The object of this key.
    pub fn find(&self, key: &Key) -> Option<&Arc<T>> {
        self.objects.find(key)
    }

    /// All of a namespace, by name.
    pub fn within(&self, namespace: &Arc<str>) -> impl Iterator<Item = &Arc<T>> {
        self.objects.within(namespace)
    }

    /// All, by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.objects.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

fn pairs<T: Labelled>(object: &T) -> impl Iterator<Item = Pair> {
    let namespace = object.meta().key.namespace.clone();
    object.labels().iter().map(move |(name, value)| (namespace.clone(), name.clone(), value.clone()))
}
