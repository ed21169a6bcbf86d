//! What all that is done on the cluster needs.

use std::sync::Arc;
use std::time::Duration;

use config::settings::LocoSleep;

use super::cluster::Cluster;
use super::pull::Renewal;
use super::room::Room;
use super::sight::Sight;

/// What all that is done on the cluster needs.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) cluster: Cluster,
    pub(super) sight: Arc<dyn Sight>,
    pub(super) room: Arc<Room>,
    pub(super) settings: Arc<Settings>,
    /// The leader's: what a later one has written is left alone.
    pub(super) epoch: i64,
}

/// How the platform behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long something may ail a start that may yet pass, until it has failed.
    pub patience: Duration,
    /// The same for want of room. Where nodes are added on demand, as long as that takes.
    pub patience_for_room: Duration,
    /// How expired pull secrets are renewed, if they are.
    pub renewal: Option<Renewal>,
    /// How loco's apps are put to sleep.
    pub loco: LocoSleep,
    /// The name of this replica, for Kubernetes Events.
    pub replica: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(4),
            patience_for_room: Duration::from_secs(8),
            renewal: None,
            loco: LocoSleep::default(),
            replica: "revive".to_owned(),
        }
    }
}
