//! What requests see of the apps: other states when what was told can be relied on more, or less.

use std::sync::Arc;
use std::time::Duration;

use config::link::{Status, ToRevive};
use config::model;
use tokio::time::Instant;

use super::Session;
use super::link::Link;
use crate::app::App;
use crate::shown::{Cluster, Trust, shown};
use crate::worker::Order;

/// How long a Service's own address that refused is not tried again, while somebody waits for it.
pub(super) const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// An app, and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) app: Arc<App>,
    pub(super) model: Arc<model::App>,
    /// What revive told last.
    pub(super) told: Status,
    pub(super) cluster: Cluster,
}

impl Known {
    fn shown(&self, trust: Trust) -> Status {
        shown(&self.told, &self.model.source, trust, self.cluster)
    }
}

impl Session {
    /// How far can be relied on what was told.
    pub(super) fn trust_now(&self) -> Trust {
        match (self.lease.holds(Instant::now()), &self.link) {
            (true, _) => Trust::All,
            (false, Link::Heard(_)) => Trust::News,
            (false, Link::New(_) | Link::Gone) => Trust::Nothing,
        }
    }

    /// Has every app of a cluster show another state, if what was told can be relied on more than before, or less.
    pub(super) fn see_to_trust(&mut self) {
        let trust = self.trust_now();
        if trust == self.trust {
            return;
        }
        self.trust = trust;
        self.figures.lease(trust == Trust::All);
        tracing::info!(?trust, "what revive has said of endpoints can be relied on so far");
        let others = self.apps.values_mut().filter_map(|known| {
            known.cluster = Cluster::Untried;
            (known.app.state().status != known.shown(trust)).then(|| known.clone())
        });
        for known in others.collect::<Vec<_>>() {
            self.show(&known);
        }
        for orders in &self.fleet.orders {
            let _ended = orders.send(Order::LookAtAll);
        }
    }

    /// Requests see its state, as far as it can be relied on; one that comes up is probed.
    pub(super) fn show(&mut self, known: &Known) {
        let status = known.shown(self.trust);
        known.app.set(status.clone());
        match status {
            Status::Waking { probe: Some(probe), .. } => {
                if let Some(route) = self.table.load().of_app(&known.app.id) {
                    self.probers.begin(probe, route);
                }
            }
            // One that is probed already goes on being so until something else is said.
            Status::Waking { probe: None, .. } => {}
            Status::Awake { .. }
            | Status::Draining { .. }
            | Status::Asleep { .. }
            | Status::Failed { .. } => {
                self.probers.end(&known.app.id);
            }
        }
    }

    /// Nobody answers at the own address of an app's Service: nothing runs, it seems. Whoever wants it waits.
    pub(super) async fn refused(&mut self, app: Arc<App>) {
        let Some(known) = self.apps.get_mut(&app.id) else { return };
        known.cluster = Cluster::Refuses;
        let known = known.clone();
        if known.app.state().status == known.shown(self.trust) {
            return;
        }
        self.show(&known);
        self.tell_threads(&app);
        self.try_at.get_or_insert_with(|| Instant::now() + TRY_AGAIN_AFTER);
        self.send(ToRevive::Wake { app: app.id.clone() }).await;
    }

    /// Tries the Services' own addresses once more that somebody waits for: without a link nobody says that they answer.
    pub(super) fn try_again(&mut self) {
        self.try_at = None;
        let waited = |known: &&mut Known| known.cluster == Cluster::Refuses && known.app.is_wanted();
        let waited = self.apps.values_mut().filter(waited).map(|known| {
            known.cluster = Cluster::Untried;
            known.clone()
        });
        for known in waited.collect::<Vec<_>>() {
            self.show(&known);
            self.tell_threads(&known.app);
        }
    }
}
