//! A replica that does not lead: it tells gateways where requests go and how apps stand, as far as the cluster's objects
//! say it. It grants no routing lease, and nobody sleeps or wakes by it; a gateway asks again where the leader is.

use std::sync::Arc;
use std::time::Duration;

use config::link::{Instance, Limits, Phase, Status, Table};
use config::model::{App, AppId};
use tokio::sync::{mpsc, watch};

use super::compile::{Compiled, ready};
use super::compiler::View;
use crate::link::Attached;
use crate::platform::Standing;
use crate::publish::{self, Gateways, News};

/// Tells gateways, until `attached` ends.
pub async fn follow(
    view: View,
    mut compiled: watch::Receiver<Option<Arc<Compiled>>>,
    attached: &mut mpsc::Receiver<Attached>,
) {
    let mut gateways = Gateways::new();
    let mut generation = 1;
    loop {
        let full = gateways.full();
        tokio::select! {
            gateway = attached.recv() => {
                let Some(gateway) = gateway else { return };
                let Some(now) = compiled.borrow().clone() else { continue };
                let (limits, table) = told(&view, &now, generation);
                gateways.attach(gateway.end, limits, table);
            }
            changed = compiled.changed() => {
                if changed.is_err() {
                    return;
                }
                generation += 1;
                if let Some(now) = compiled.borrow_and_update().clone() {
                    let (limits, table) = told(&view, &now, generation);
                    gateways.publish_limits(&limits);
                    gateways.replace(&table);
                }
            }
            // What gateways say is for the leader: they say it again there.
            Some((gateway, news)) = gateways.news.recv() => match news {
                News::Said(_) => {}
                News::Left => _ = gateways.detach(gateway),
            },
            () = publish::room(full) => {}
        }
        gateways.flush(|_| None);
    }
}

fn told(view: &View, compiled: &Compiled, generation: u64) -> (Limits, Table) {
    let index = view.snapshot();
    let ready =
        |app: &AppId| compiled.targets.get(app).map(|target| ready(&index, target)).unwrap_or_default();
    let apps = compiled.apps.iter().map(|app| (app.clone(), status(app, compiled, ready)));
    let table =
        Table { generation, apps: apps.collect(), rules: compiled.rules.clone(), leaving: Vec::new() };
    (Limits { generation, limits: compiled.limits.clone() }, table)
}

/// How an app is, by its objects alone.
fn status(
    app: &Arc<App>,
    compiled: &Compiled,
    ready: impl Fn(&AppId) -> Arc<[config::model::Endpoint]>,
) -> Status {
    match compiled.standings.get(&app.id) {
        Some(Standing::Asleep(depth)) => Status::Asleep { depth: *depth },
        // Nobody is ready yet, by the cluster's word: as a leader is gone it may be in the middle of a wake, and who is held
        // for it must not be told that there is nobody.
        Some(Standing::Up { .. } | Standing::PutBack) if ready(&app.id).is_empty() => Status::Waking {
            phase: Phase::Starting,
            elapsed: Duration::ZERO,
            estimate: None,
            position: None,
            probe: None,
        },
        // Which run it is nobody here knows; without a lease no endpoint is dialled anyway.
        Some(Standing::Up { .. } | Standing::PutBack | Standing::Nothing) | None => {
            Status::Awake { instance: Instance(0), endpoints: ready(&app.id) }
        }
    }
}
