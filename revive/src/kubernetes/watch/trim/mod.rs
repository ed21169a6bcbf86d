//! What is kept of each object. All else is dropped before anything is stored: of 2,000 apps, what nobody reads would be
//! most of the memory (managed fields alone are as long as a spec).

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::DeserializeOwned;

use crate::kubernetes::index::{Key, Labels, Meta, Object, Seen, Update, Version};

mod application;
mod gateway;
mod pod;
mod policy;
mod read;
mod record;
mod room;
mod route;
mod secret;
mod service;
mod workload;

pub(super) use application::ApplicationObject;
pub use read::{Unread, read};
pub(super) use record::RecordObject;
pub(super) use route::RouteObject;
pub(super) use secret::trimmed as secret;

/// Which annotations are kept: those of these names, or below these domains (`loco.dev/`).
#[derive(Clone, Debug)]
pub(in crate::kubernetes) struct Keeps(Arc<[Box<str>]>);

impl Keeps {
    /// Ours, and these.
    pub(in crate::kubernetes) fn with(names: impl IntoIterator<Item = Box<str>>) -> Self {
        Self(["edge.loco.io/", "loco.dev/"].map(Box::from).into_iter().chain(names).collect())
    }

    fn keeps(&self, name: &str) -> bool {
        let same = |kept: &str| if kept.ends_with('/') { name.starts_with(kept) } else { name == kept };
        self.0.iter().any(|kept| same(kept))
    }
}

/// A kind that is watched.
pub(super) trait Watched:
    Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static
{
    /// What is kept of it.
    type Kept: Object + Send + 'static;

    /// Objects of a page of the first list: those of large kinds are few, because they are parsed whole.
    const PAGE: u32 = 500;

    /// Whether its status changes so often that a change of nothing else is dropped before anything is made of it. Only
    /// for kinds of which nothing is kept of the status, and whose spec has a generation.
    const RESTLESS: bool = false;

    /// What is kept of this one; `None` where it is of no use to us.
    fn trimmed(self, keeps: &Keeps) -> Option<Self::Kept>;

    /// What is told to the index.
    fn update(seen: Seen<Self::Kept>) -> Update;
}

/// Where an object is; one without a name is nowhere.
pub(super) fn key(metadata: &ObjectMeta) -> Option<Key> {
    Some(Key::new(metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref()?))
}

fn meta(metadata: ObjectMeta, keeps: &Keeps) -> Option<Meta> {
    let annotations = metadata.annotations.unwrap_or_default();
    Some(Meta {
        key: Key::new(metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref()?),
        uid: boxed(metadata.uid),
        version: Version(boxed(metadata.resource_version)),
        generation: metadata.generation.unwrap_or_default(),
        created: metadata.creation_timestamp.map_or(0, |time| time.0.as_second()),
        leaving: metadata.deletion_timestamp.is_some(),
        labels: labels(metadata.labels.unwrap_or_default()),
        annotations: labels(annotations.into_iter().filter(|(name, _)| keeps.keeps(name))),
    })
}

fn labels(of: impl IntoIterator<Item = (String, String)>) -> Labels {
    of.into_iter().map(|(name, value)| (name.into_boxed_str(), value.into_boxed_str())).collect()
}

fn boxed(text: Option<String>) -> Box<str> {
    text.unwrap_or_default().into_boxed_str()
}

/// A port's number; what is none (it cannot be applied) is 0, which nothing listens on.
fn port(number: i32) -> u16 {
    u16::try_from(number).unwrap_or_default()
}
