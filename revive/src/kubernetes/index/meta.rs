//! What every object says of itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Labels, or annotations.
pub type Labels = BTreeMap<Box<str>, Box<str>>;

/// An object's namespace and name; of one that has no namespace, the first is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Key {
    /// The key of an object in a namespace.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of another object of the same namespace.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { namespace: self.namespace.clone(), name: name.into() }
    }
}

/// `NAMESPACE/NAME`, or `NAME`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// What is kept of an object's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Where it is.
    pub key: Key,
    /// Which it is: one that is made again under the same name has another.
    pub uid: Box<str>,
    /// Its resourceVersion.
    pub version: Version,
    /// Grows with each change of what is asked for; 0 where the kind has none.
    pub generation: i64,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// Its labels.
    pub labels: Labels,
    /// Those of its annotations that somebody reads.
    pub annotations: Labels,
}

/// A resourceVersion. All are equal: two objects that differ in nothing else are the same to us, so that what the
/// server counts up on its own account ends here.
#[derive(Clone, Debug, Default)]
pub struct Version(pub Box<str>);

impl PartialEq for Version {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Version {}

/// Something that has metadata.
pub trait Object: PartialEq {
    /// Its metadata.
    fn meta(&self) -> &Meta;

    /// Whether all that is compiled of it is the same; what is left out is its status.
    fn compiles_like(&self, other: &Self) -> bool {
        self == other
    }
}

/// Whether `labels` has all of `wanted`. An empty selector selects nothing here, as of a Service (core/v1).
pub fn selects(wanted: &Labels, labels: &Labels) -> bool {
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
}
