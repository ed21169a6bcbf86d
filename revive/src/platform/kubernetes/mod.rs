//! Apps as workloads of a Kubernetes cluster.
//!
//! ```text
//!   Command ─► hub (a life each) ─► job ─┬─► wake ─► room, pull ───────┐
//!                ▲   │                   ├─► sleep ─► loss, saved ─────┼─► record ─► cluster ─► API server
//!   sight ───────┘   │                   └─► standing (how it stands) ─┘
//!   (watches)        ├─► pods, failure: what is seen
//!   Report ◄─────────┴─► words: status, Events
//! ```
//!
//! Light sleep is no replicas; deep sleep is no workload, kept in its `SleepRecord` ([`crate::kubernetes::crd`]). The record
//! is written before a workload is put down, with the epoch of the leader who does it, and names the very version that is
//! put down; after a wake it is set right. So nothing needs to be remembered here: `standing` tells from the objects how
//! an app stands, also between two steps.
//!
//! What loco's controller runs is told to rest and to run by its Application (`loco`), and judged by it, too.
//!
//! What was found out about field managers (Kubernetes 1.37), and is held by tests on a cluster:
//! * Setting `spec.replicas` to 0 by the scale subresource takes the field from whoever managed it and gives it to nobody,
//!   and so does every scaling after that, until somebody applies it: nobody gets a conflict with us.
//! * What is created, by `POST` or by apply, belongs to who created it, whatever `managedFields` say. A merge patch of
//!   `managedFields` alone, a moment later, is taken as it is.

use std::sync::Arc;

use config::model::App;
use kube::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

mod cluster;
mod context;
mod failure;
mod follow;
mod hub;
pub mod indexed;
mod job;
mod life;
mod loco;
mod loss;
mod place;
pub mod pod;
mod pods;
mod pull;
mod record;
pub mod room;
mod saved;
pub mod sight;
mod sleep;
mod standing;
mod trouble;
mod wake;
mod words;

pub use self::cluster::{Bounds, Requests};
pub use self::context::Settings;
pub use self::loss::{Allowed, DEEP_SLEEP, Why, allowed};
pub use self::place::Place;
pub use self::pull::{Renewal, TOKEN_EXPIRY};
pub use self::record::TOMBSTONE_FOR;

use self::cluster::Cluster;
use self::context::Context;
use self::hub::{Hub, Order};
use self::room::Room;
use self::sight::{Changes, Sight};
use self::words::Words;
use super::{Command, Light, Platform, Reports};

/// What is seen of a cluster, and where it says that something has changed.
#[derive(Clone)]
pub struct View {
    /// What is seen.
    pub sight: Arc<dyn Sight>,
    /// What has changed.
    pub changes: Arc<Changes>,
    /// Whether there is room for what is to be woken.
    pub room: Arc<Room>,
}

/// How much is asked of the API server, and where it is counted.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// How much.
    pub bounds: Bounds,
    /// Its count.
    pub requests: Requests,
}

/// Runs apps as workloads of a cluster, as long as it lives: when it is dropped, everything stays as it is.
pub struct KubernetesPlatform {
    orders: mpsc::UnboundedSender<Order>,
    _tasks: JoinSet<()>,
}

impl KubernetesPlatform {
    /// A platform for the leader of this epoch. Must be called within a tokio runtime, in which everything then runs.
    /// Until [`Self::know`] is called it says nothing. The client should not try again by itself
    /// (`kube::Config::default_retry`): it would keep from us that the API server is away.
    pub fn new(
        client: Client,
        view: View,
        access: Access,
        settings: Settings,
        epoch: i64,
        reports: Reports,
    ) -> Self {
        let cx = Context {
            cluster: Cluster::new(client.clone(), &access.bounds, access.requests),
            sight: view.sight,
            room: view.room,
            settings: Arc::new(settings),
            epoch,
        };
        // Bounded by what the driver knows: of one app there are a few commands at most.
        let (orders, received) = mpsc::unbounded_channel();
        let words = Words::new(&cx, client);
        let mut tasks = JoinSet::new();
        tasks.spawn(record::keep_swept(cx.cluster.clone()));
        tasks.spawn(Hub::new(cx, view.changes, received, reports, words).run());
        Self { orders, _tasks: tasks }
    }

    /// Who tells it of the apps, wherever the platform itself goes.
    pub fn teller(&self) -> Teller {
        Teller(self.orders.clone())
    }

    /// These are the apps of the model, from now on: how each stands that has no instance is told, and whenever that
    /// changes. What the watches see must be whole before the first call.
    pub fn know(&self, apps: Vec<Arc<App>>) {
        self.order(Order::Apps(apps));
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::debug!("the platform has ended");
        }
    }
}

/// Tells a platform which apps there are.
#[derive(Clone, Debug)]
pub struct Teller(mpsc::UnboundedSender<Order>);

impl Teller {
    /// As [`KubernetesPlatform::know`].
    pub fn know(&self, apps: Vec<Arc<App>>) {
        if self.0.send(Order::Apps(apps)).is_err() {
            tracing::debug!("the platform has ended");
        }
    }
}

impl Platform for KubernetesPlatform {
    fn light(&self) -> Light {
        Light::Stopped
    }

    fn submit(&mut self, command: Command) {
        self.order(Order::Command(command));
    }
}
