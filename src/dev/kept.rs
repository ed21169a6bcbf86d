//! What a run finds of the runs before: their records, their leftovers, their store.

use std::ops::Range;
use std::path::{Path, PathBuf};

use config::load::Loaded;
use config::model::Label;
use gateway::redirect::Keys;
use revive::brakes::Brakes;
use revive::limits::Said;
use revive::platform::process::{Records, leftovers};
use revive::store::{LoadedApps, Store, Writer};

use crate::files::Addresses;
use crate::keys;
use crate::stop::Stop;

/// Instance numbers taken at the start, so that a wake depends on no disk: more wakes than a run will see.
const INSTANCES: u32 = 1 << 20;

/// The state directory, ours alone.
pub(super) struct Kept {
    pub(super) dir: PathBuf,
    pub(super) records: Records,
    pub(super) apps: LoadedApps,
    pub(super) brakes: Brakes,
    pub(super) limits: Vec<(Label, Said)>,
    pub(super) instances: Range<u64>,
    pub(super) writer: Writer,
    pub(super) keys: Keys,
}

impl Kept {
    /// Takes the directory, and ends what an edge that was killed has left running. `None` if the run was ended while
    /// that was waited for.
    pub(super) async fn open(dir: PathBuf, loaded: &Loaded, stop: &mut Stop) -> Result<Option<Self>, String> {
        let records = Records::open(&dir).map_err(|error| error.to_string())?;
        // The addresses of a run that was killed: what is written there would be somebody else's by now.
        remove_addresses(&dir)?;
        tokio::select! {
            ended = end_leftovers(&records, loaded) => ended?,
            () = stop.asked() => return Ok(None),
        }
        let (store, apps) = open_store(&dir)?;
        Ok(Some(Self::read(dir, records, apps, store)?))
    }
}

impl Kept {
    fn read(dir: PathBuf, records: Records, apps: LoadedApps, mut store: Store) -> Result<Self, String> {
        let brakes = store.brakes().map_err(|error| error.to_string())?.into_iter().collect();
        let limits = store.limits().map_err(|error| error.to_string())?;
        for rejected in &limits.rejected {
            tracing::error!(
                limit = rejected.name,
                why = rejected.why,
                "an admin's limit cannot be understood: it does not hold"
            );
        }
        let instances = store.reserve_instances(INSTANCES).map_err(|error| error.to_string())?;
        let writer =
            Writer::spawn(store).map_err(|error| format!("cannot start the store's thread: {error}"))?;
        let keys = keys::open(&dir)?;
        Ok(Self { dir, records, apps, brakes, limits: limits.said, instances, writer, keys })
    }
}

/// Whoever reads the addresses of an edge must not find those of one that has ended.
pub(super) fn remove_addresses(dir: &Path) -> Result<(), String> {
    Addresses::remove(dir).map_err(|error| format!("cannot clear {}: {error}", dir.display()))
}

fn open_store(dir: &Path) -> Result<(Store, LoadedApps), String> {
    let store = Store::open(dir).map_err(|error| error.to_string())?;
    let apps = store.load_apps().map_err(|error| error.to_string())?;
    for rejected in &apps.rejected {
        tracing::warn!(app = rejected.id, why = rejected.why, "forgotten: its record cannot be understood");
    }
    Ok((store, apps))
}

async fn end_leftovers(records: &Records, loaded: &Loaded) -> Result<(), String> {
    tracing::debug!("looking for what an edge that was killed may have left");
    let left = leftovers::end(records, loaded.settings.revive.stop_timeout).await;
    let left = left.map_err(|error| error.to_string())?;
    if left.ended > 0 {
        let apps: Vec<&str> = left.recorded.iter().map(|(app, _)| app.as_str()).collect();
        tracing::info!(processes = left.ended, ?apps, "ended what an edge that was killed had left");
    }
    if !left.left.is_empty() {
        tracing::error!(pids = ?left.left, "these processes of an earlier run do not end, even by SIGKILL");
    }
    Ok(())
}
