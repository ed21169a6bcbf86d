//! What the pods of an app say of it all together. Pure.

use std::net::IpAddr;

use config::link::Phase;

use super::failure::{self, Ail};
use super::pod::{Pod, Scheduled, State};

/// How the pods of an app stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// How many may still run something, also those that are about to end.
    pub(super) alive: usize,
    /// How many are there to stay.
    pub(super) staying: usize,
    /// How far the farthest is.
    pub(super) phase: Phase,
    /// Those that have an address, and are not about to end.
    pub(super) at: Vec<At>,
    /// What ails them, if none of them takes requests.
    pub(super) ail: Option<Ail>,
}

/// A pod that has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) ip: IpAddr,
    pub(super) port: u16,
    pub(super) ready: bool,
}

/// Looks at pods; `port` is where each listens.
pub(super) fn look(pods: &[Pod], port: impl Fn(&Pod) -> Option<u16>) -> Look {
    let staying = || pods.iter().filter(|pod| pod.serves());
    let at = |pod: &Pod| Some(At { ip: pod.ip?, port: port(pod)?, ready: pod.ready });
    let mut at: Vec<At> = staying().filter_map(at).collect();
    at.sort_by_key(|at| (at.ip, at.port));
    let is_up = at.iter().any(|at| at.ready);
    // A pod that a node has thrown out is no longer alive, and says why all the same.
    let ails = pods.iter().filter(|pod| !pod.leaving).filter_map(failure::of_pod);
    Look {
        alive: pods.iter().filter(|pod| pod.lives()).count(),
        staying: staying().count(),
        phase: staying().map(phase).max().unwrap_or(Phase::Creating),
        at,
        ail: if is_up { None } else { ails.max_by_key(|ail| ail.outlook) },
    }
}

fn phase(pod: &Pod) -> Phase {
    if pod.scheduled != Scheduled::Yes {
        return Phase::Scheduling;
    }
    let waits = |reason: &str| matches!(reason, "ErrImagePull" | "ImagePullBackOff");
    let pulls = pod.containers.iter().any(|c| matches!(&c.state, State::Waiting(reason, _) if waits(reason)));
    // `ContainerCreating` is also what the kubelet says while it mounts volumes and pulls: events would tell them apart,
    // and are not worth a watch.
    if pulls { Phase::Pulling } else { Phase::Starting }
}
