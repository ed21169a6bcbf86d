//! What is seen of the cluster, kept by watches: reading it costs no request. It may lag behind.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use config::model::App;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use tokio::sync::Notify;

use super::place::Place;
use super::pod::Pod;
use crate::kubernetes::index::Key;
use crate::kubernetes::index::application::Mark;

/// What is seen of the cluster.
pub trait Sight: Send + Sync + 'static {
    /// A workload, if it is there.
    fn workload(&self, place: &Place) -> Option<Seen>;

    /// The pods that a workload selects.
    fn pods(&self, place: &Place) -> Vec<Pod>;

    /// The record of a workload, if it has one.
    fn record(&self, place: &Place) -> Option<SeenRecord>;

    /// Where a pod listens for requests to the app: the port that its Service names.
    fn port(&self, app: &App, pod: &Pod) -> Option<u16>;

    /// The Services that select a workload, or would if it were there, and are not about to go.
    fn owners(&self, place: &Place) -> Vec<OwnerReference>;

    /// The workloads whose records are being deleted.
    fn records_leaving(&self) -> Vec<Place> {
        Vec::new()
    }

    /// The Application of loco's that a workload is made of, if it is.
    fn application(&self, place: &Place) -> Option<SeenApplication> {
        let _ = place;
        None
    }
}

/// What is seen of an Application of loco's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenApplication {
    /// Where it is.
    pub key: Key,
    /// Which it is.
    pub uid: String,
    /// Grows with each change of its spec.
    pub generation: i64,
    /// How it was put to sleep, if it was.
    pub mark: Option<Mark>,
}

/// What is seen of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which it is.
    pub uid: String,
    /// Grows with each change of its spec; of one that is made of an Application, with each change of that one's.
    pub generation: i64,
    /// How many pods it asks for.
    pub replicas: i32,
    /// Two that ask for the same, but for how many pods, have the same.
    pub version: u64,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// The Secrets with which its images are pulled.
    pub pull_secrets: Vec<String>,
}

/// What is seen of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRecord {
    /// Which it is.
    pub uid: String,
    /// Whether it is being deleted.
    pub leaving: bool,
}

/// Workloads of which something has changed: each once, however often. As many as there are workloads at most.
#[derive(Debug, Default)]
pub struct Changes {
    places: Mutex<BTreeMap<String, Place>>,
    some: Notify,
}

impl Changes {
    /// Something of this workload has changed: itself, a pod of its, its record.
    pub fn mark(&self, place: Place) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(place.to_string(), place);
        self.some.notify_one();
    }

    /// Those that have changed since the last time, at least one.
    pub(super) async fn next(&self) -> Vec<Place> {
        loop {
            let places = std::mem::take(&mut *self.places.lock().unwrap_or_else(PoisonError::into_inner));
            if !places.is_empty() {
                return places.into_values().collect();
            }
            self.some.notified().await;
        }
    }
}
