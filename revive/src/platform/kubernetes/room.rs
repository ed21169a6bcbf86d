//! Room for what is woken: asked for before anything is made, and promised until it is seen to be taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::indexed;
use super::place::Place;
use crate::capacity::{self, Resources};
use crate::kubernetes::View;
use crate::kubernetes::index::Index;
use crate::kubernetes::index::pod::{Pod, PodPhase};
use crate::kubernetes::index::room::Needs;
use crate::kubernetes::index::workload::Template;
use crate::kubernetes::room::{self, Asked, Lacks, Nodes, Promised};

/// How long room is promised to what does not come: as long as a wake has its slot.
const PROMISED: Duration = Duration::from_secs(20);

/// Room on a cluster; of one of which nothing is known (`default`), there is enough. Promises are as many as there are wakes
/// in `PROMISED`.
#[derive(Debug, Default)]
pub struct Room {
    view: View,
    nodes: Nodes,
    promises: Mutex<HashMap<Place, Promise>>,
}

#[derive(Clone, Debug)]
struct Promise {
    asked: Asked,
    until: Instant,
}

impl Room {
    /// By what is seen of a cluster.
    pub fn new(view: View, nodes: Nodes) -> Self {
        Self { view, nodes, promises: Mutex::default() }
    }

    /// Promises room for all pods of a workload that is to be woken, if there is room for one: with one it answers, and
    /// for the others the scheduler may find some.
    pub(super) fn admit(&self, place: &Place) -> Result<(), Lacks> {
        let index = self.view.snapshot();
        // Of what is not known nothing is known to be missing.
        let Some((template, replicas)) = known(&index, place) else { return Ok(()) };
        let now = Instant::now();
        let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
        promises.remove(place);
        let promised = outstanding(&index, &mut promises, now);
        let mut asked = Asked::of(&index, &place.namespace, &template.needs, 1);
        room::fits(&index, &asked, &promised, self.nodes)?;
        asked.wanted.replicas = replicas;
        promises.insert(place.clone(), Promise { asked, until: now + PROMISED });
        Ok(())
    }

    /// It is not woken, or no longer.
    pub(super) fn release(&self, place: &Place) {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner).remove(place);
    }
}

/// Pods that somebody thinks of running.
#[derive(Clone, Debug)]
pub struct Question {
    /// What each asks for, and where it may run.
    pub needs: Needs,
    /// How many, with what is to be free beside them.
    pub replicas: u64,
    /// Their namespace; empty: it is not said, so that no quota counts.
    pub namespace: Arc<str>,
}

/// What is to be said to that.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether there is room for all of them.
    pub fits: Result<(), Lacks>,
    /// What each asks for, with the namespace's defaults.
    pub each: Resources,
    /// What is free where they may run.
    pub free: capacity::Room,
    /// Whether that decides.
    pub nodes: Nodes,
}

impl Room {
    /// Whether there is room. Nothing is promised.
    pub fn ask(&self, question: &Question) -> Answer {
        let index = self.view.snapshot();
        let asked = Asked::of(&index, &question.namespace, &question.needs, question.replicas);
        let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
        let promised = outstanding(&index, &mut promises, Instant::now());
        drop(promises);
        Answer {
            fits: room::fits(&index, &asked, &promised, self.nodes),
            each: asked.wanted.each,
            free: room::free(&index, &asked, &promised),
            nodes: self.nodes,
        }
    }
}

/// What a workload's pods are like, and how many it has when it is awake.
fn known<'i>(index: &'i Index, place: &Place) -> Option<(&'i Template, u64)> {
    let (kind, key) = (place.workload.kind, indexed::key(place));
    let record = index.record_of(kind, &key);
    let replicas = record.map_or(1, |record| u64::try_from(record.replicas.max(1)).unwrap_or(1));
    let template = match index.workloads(kind).find(&key) {
        Some(workload) => &workload.template,
        None => &record?.saved.as_ref()?.template,
    };
    Some((template, replicas))
}

/// What is promised and not taken yet; what is taken, or was not within its time, is promised no more.
fn outstanding(index: &Index, promises: &mut HashMap<Place, Promise>, now: Instant) -> Vec<Promised> {
    let mut outstanding = Vec::with_capacity(promises.len());
    promises.retain(|place, Promise { asked, until }| {
        let (made, placed) = pods(index, place);
        let waits = *until > now && placed < asked.wanted.replicas;
        if waits {
            let mut wanted = asked.wanted.clone();
            let unmade = wanted.replicas.saturating_sub(made);
            wanted.replicas -= placed;
            outstanding.push(Promised { namespace: Arc::clone(&asked.namespace), wanted, unmade });
        }
        waits
    });
    outstanding
}

/// How many pods of a workload there are, and how many of them have a node.
fn pods(index: &Index, place: &Place) -> (u64, u64) {
    let Some((selector, _)) = indexed::labels(index, place) else { return (0, 0) };
    let stays = |pod: &&&Arc<Pod>| match pod.phase {
        PodPhase::Succeeded | PodPhase::Failed => false,
        PodPhase::Pending | PodPhase::Running | PodPhase::Unknown => !pod.meta.leaving,
    };
    let pods = index.pods.selected(&place.namespace, &selector);
    pods.iter()
        .filter(stays)
        .fold((0, 0), |(made, placed), pod| (made + 1, placed + u64::from(pod.node.is_some())))
}

#[cfg(test)]
mod tests;
