//! Watches: a task for each kind. What they see is trimmed and told to the index.

use std::collections::{BTreeSet, HashMap};

use gateway_api::gatewayclasses::GatewayClass;
use gateway_api::gateways::Gateway;
use gateway_api::grpcroutes::GrpcRoute;
use gateway_api::httproutes::HttpRoute;
use gateway_api::referencegrants::ReferenceGrant;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{LimitRange, Namespace, Node, Pod, ResourceQuota, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

mod kind;
mod restless;
mod retry;
mod secret;
pub(super) mod trim;

pub(super) use self::trim::Keeps;
pub use self::trim::{Unread, read};

pub(super) use self::kind::Seens;

use self::kind::Kind;
use self::trim::{ApplicationObject, RecordObject, RouteObject};
use super::crd::{LimitPolicy, SleepPolicy};
use super::index::{Key, Update};

/// How many updates may wait for the index; then the watches wait.
const CAPACITY: usize = 1_024;

/// What watches see.
#[derive(Debug)]
pub(super) struct Watches {
    /// What they saw.
    pub updates: mpsc::Receiver<Update>,
    /// Closed once each kind has been listed for the first time, or has been found not to be there; what was seen until
    /// then is in `updates`.
    pub listed: mpsc::Receiver<()>,
    /// The Secrets that are to be watched.
    pub secrets: watch::Sender<BTreeSet<Key>>,
    /// The watches; they end with it.
    pub tasks: JoinSet<()>,
}

/// Watches all kinds that matter to us; loco's too, if that is wanted.
pub(super) fn start(client: &Client, keeps: &Keeps, loco: bool, seen: Seens) -> Watches {
    let (tx, updates) = mpsc::channel(CAPACITY);
    let (listing, listed) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    let kind = Kind { client: client.clone(), keeps: keeps.clone(), tx: tx.clone(), seen };
    tasks.spawn(kind.clone().watch::<GatewayClass>(listing.clone()));
    tasks.spawn(kind.clone().watch::<Gateway>(listing.clone()));
    tasks.spawn(kind.clone().watch::<RouteObject<HttpRoute>>(listing.clone()));
    tasks.spawn(kind.clone().watch::<RouteObject<GrpcRoute>>(listing.clone()));
    tasks.spawn(kind.clone().watch::<ReferenceGrant>(listing.clone()));
    tasks.spawn(kind.clone().watch::<Service>(listing.clone()));
    tasks.spawn(kind.clone().watch::<EndpointSlice>(listing.clone()));
    tasks.spawn(kind.clone().watch::<Namespace>(listing.clone()));
    tasks.spawn(kind.clone().watch::<Deployment>(listing.clone()));
    tasks.spawn(kind.clone().watch::<StatefulSet>(listing.clone()));
    tasks.spawn(kind.clone().watch::<Pod>(listing.clone()));
    tasks.spawn(kind.clone().watch::<Node>(listing.clone()));
    tasks.spawn(kind.clone().watch::<ResourceQuota>(listing.clone()));
    tasks.spawn(kind.clone().watch::<LimitRange>(listing.clone()));
    tasks.spawn(kind.clone().watch::<PriorityClass>(listing.clone()));
    tasks.spawn(kind.clone().watch::<SleepPolicy>(listing.clone()));
    tasks.spawn(kind.clone().watch::<LimitPolicy>(listing.clone()));
    if loco {
        tasks.spawn(kind.clone().watch::<ApplicationObject>(listing.clone()));
    }
    tasks.spawn(kind.clone().watch::<RecordObject>(listing));
    let (secrets, wanted) = watch::channel(BTreeSet::new());
    tasks.spawn(watch_secrets(kind, wanted));
    Watches { updates, listed, secrets, tasks }
}

/// Watches those Secrets that are wanted, each by its name: a right to read all of them is not needed, and not asked for.
async fn watch_secrets(kind: Kind, mut wanted: watch::Receiver<BTreeSet<Key>>) {
    let mut tasks = JoinSet::new();
    let mut watched: HashMap<Key, AbortHandle> = HashMap::new();
    while wanted.changed().await.is_ok() {
        let now = wanted.borrow_and_update().clone();
        let gone: Vec<Key> = watched.keys().filter(|key| !now.contains(key)).cloned().collect();
        for key in gone {
            if let Some(task) = watched.remove(&key) {
                task.abort();
            }
            if kind.tx.send(Update::SecretUnwatched(key)).await.is_err() {
                return;
            }
        }
        for key in now {
            watched.entry(key.clone()).or_insert_with(|| tasks.spawn(secret::watch(kind.clone(), key)));
        }
        while tasks.try_join_next().is_some() {}
    }
}
