//! The edge as the parent of orphans: as a subreaper (prctl(2), `PR_SET_CHILD_SUBREAPER`) it inherits every process
//! whose parents have ended, and must take their exit status, or they would stay as zombies.
//!
//! One that also left its group and wrote over its environment (nginx without `daemon off` does all that) belongs to
//! nobody by group, mark or descent. It is known by the port it listens on, which no other instance has.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{getpid, set_child_subreaper};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{AbortHandle, spawn, spawn_blocking};
use tokio::time::sleep;

use super::ending::reap;
use super::kin::Kin;
use super::listening::{holds_any, listeners};
use super::procfs::{Activity, Identity, Process, Processes, Snapshot};

/// Between two rounds, so that an app that orphans many processes costs little.
const PAUSE: Duration = Duration::from_millis(500);

/// Reaps orphans until dropped.
#[derive(Debug)]
pub(super) struct Reaper(AbortHandle);

impl Drop for Reaper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reaper {
    /// Makes this process the parent of orphans.
    ///
    /// # Errors
    /// Where the kernel refuses, or signals cannot be listened for.
    pub(super) fn start(processes: Arc<Processes>) -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        let ended = signal(SignalKind::child())?;
        Ok(Self(spawn(reap_orphans(ended, processes)).abort_handle()))
    }
}

async fn reap_orphans(mut ended: Signal, processes: Arc<Processes>) {
    while ended.recv().await.is_some() {
        match processes.look().await {
            Ok(snapshot) => ended_orphans(&snapshot).for_each(|p| reap(p.identity.pid)),
            Err(error) => tracing::warn!(%error, "cannot see which processes have ended"),
        }
        sleep(PAUSE).await;
    }
}

/// Children of the edge that have ended and for whom nobody waits. Those whom somebody does wait for are either in
/// the edge's own group, or lead a group in the edge's own session: so the edge starts its instances.
fn ended_orphans(snapshot: &Snapshot) -> impl Iterator<Item = &Process> {
    let edge = &snapshot.edge;
    let started_here = |p: &Process| p.group == edge.group || (p.leads_group() && p.session == edge.session);
    let children = snapshot.all.iter().filter(|p| p.parent == Some(edge.identity.pid));
    children.filter(move |p| p.activity == Activity::Zombie && !started_here(p))
}

/// Adds to `kin` those orphans that are nobody's by other signs, but listen on its port.
pub(super) async fn claim(kin: &mut Kin, snapshot: &Snapshot) {
    let Some(port) = kin.port else { return };
    let candidates: Vec<Identity> = unclaimed(snapshot).map(|p| p.identity).collect();
    if candidates.is_empty() {
        return;
    }
    let listening = spawn_blocking(move || {
        let sockets = listeners(port)?;
        let holders = candidates.into_iter().filter(|c| holds_any(c.pid, &sockets));
        Ok::<Vec<Identity>, io::Error>(holders.collect())
    });
    match listening.await.map_err(io::Error::other).flatten() {
        Ok(found) => kin.known.extend(found),
        Err(error) => tracing::warn!(port, %error, "cannot see who listens on a port"),
    }
}

/// Living orphans without a mark. The edge starts nothing in another session than its own, so they are all of apps.
pub(super) fn unclaimed(snapshot: &Snapshot) -> impl Iterator<Item = &Process> {
    let edge = &snapshot.edge;
    let children = snapshot.all.iter().filter(|p| p.parent == Some(edge.identity.pid));
    let orphans =
        children.filter(|p| p.session != edge.session && p.identity.started >= edge.identity.started);
    orphans.filter(|p| p.activity == Activity::Alive && p.mark.is_none())
}
