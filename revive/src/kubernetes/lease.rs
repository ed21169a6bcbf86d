//! Who leads: of several replicas of revive one puts apps to sleep and wakes them, the one that holds the Lease
//! (coordination.k8s.io/v1).
//!
//! Nobody's wall clock is trusted: a lease is over when it has not changed for as long as it says, by the clock of
//! whoever looks (client-go does the same; `renewTime` is for people). A holder counts from when it *sent* its last
//! renewal, and stops a margin before the others may take over.
//!
//! One kind of holder need not be waited for: an earlier container of the candidate's own pod. The kubelet starts a
//! container only when the one before it has ended, so whoever finds the lease in the name of its own pod's uid is all
//! that is left of that holder. It takes over at once, with an epoch of its own; what was still on its way to the API
//! server is fenced by that, as ever.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a lease holds without a renewal.
pub const DURATION: Duration = Duration::from_secs(10);
/// How often its holder renews it, and the others look.
const INTERVAL: Duration = Duration::from_secs(3);
/// How much earlier than the others its holder takes it to be over: clocks may run 10 % apart.
const MARGIN: Duration = Duration::from_secs(1);
/// How long one call of the API server may take.
const CALL: Duration = Duration::from_secs(2);
/// After a call that failed.
pub const RETRY: Duration = Duration::from_millis(500);
/// How often others may write into what is ours before it counts as not renewed, until the next try.
const TRIES: usize = 4;
/// Where the holder says at which address gateways reach it.
const LINK: &str = "edge.loco.io/link";
/// Where the holder says in which pod it is, by its uid.
const POD: &str = "edge.loco.io/pod";

/// Where the lease is, and who asks for it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The Lease's name.
    pub lease: String,
    /// Never used twice: a replica that begins anew is another one.
    pub identity: String,
    /// The uid of the pod that it is the only container of its name of, if it is in one.
    pub pod: Option<String>,
    /// Where gateways reach this replica, `HOST:PORT`.
    pub link: String,
}

/// Whether this replica leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Another one does, or nobody.
    Follows {
        /// Where gateways reach the one that does.
        leader: Option<String>,
    },
    /// It does.
    Leads {
        /// Grows with each change of leaders; the Lease's `leaseTransitions`.
        epoch: u64,
        /// Until then, unless it is renewed: from then on another one may.
        until: Instant,
    },
}

/// The lease as it was last seen.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    lease: Lease,
    /// When this version was first seen.
    since: Instant,
}

/// What is to be done about the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    /// Nobody holds it, or it was not renewed in time.
    Take,
    /// It is ours.
    Renew,
    /// Somebody else holds it.
    Look,
}

/// What was done about it: the lease as it is now, if there is one.
#[derive(Debug)]
enum Act {
    /// It was looked at, if only because somebody else was quicker to write it.
    Read(Option<Lease>),
    /// It was taken, or renewed.
    Wrote(Lease),
}

impl Act {
    fn lease(self) -> Option<Lease> {
        match self {
            Self::Wrote(lease) => Some(lease),
            Self::Read(lease) => lease,
        }
    }
}

/// Takes part in the election until it is dropped or `standing` is listened to no more.
pub async fn elect(api: Api<Lease>, candidate: Candidate, standing: watch::Sender<Standing>) {
    let mut seen: Option<Seen> = None;
    loop {
        let sent = Instant::now();
        let duty = duty(seen.as_ref(), &candidate, sent);
        let called = timeout(CALL, act(&api, &candidate, duty, seen.as_ref())).await;
        let written = matches!(called, Ok(Ok(Act::Wrote(_))));
        let next = match called {
            Ok(Ok(act)) => {
                let now = Instant::now();
                note(&mut seen, act.lease(), now);
                next_round(seen.as_ref(), &candidate, sent, now)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the lease cannot be read or written");
                Instant::now() + RETRY
            }
            Err(_) => {
                tracing::warn!("the API server did not answer about the lease in time");
                Instant::now() + RETRY
            }
        };
        let ours = seen.as_ref().is_some_and(|seen| holder(&seen.lease) == Some(&candidate.identity));
        // A renewal that was written counts from when it was sent, one that was not changes nothing.
        let renewed = written && ours;
        let next = if ours && !written { next.min(Instant::now() + RETRY) } else { next };
        let now = stands(&standing.borrow(), seen.as_ref(), ours, renewed.then_some(sent));
        if !announce(&standing, now) {
            return;
        }
        wait(&standing, next).await;
    }
}

/// When to look again: at once where the lease was found to be free, at its end where nobody may renew it.
fn next_round(seen: Option<&Seen>, candidate: &Candidate, sent: Instant, now: Instant) -> Instant {
    match (duty(seen, candidate, now), seen) {
        (Duty::Take, _) => now,
        (Duty::Look, Some(seen)) => (sent + INTERVAL).min(seen.since + duration(&seen.lease)),
        (Duty::Look, None) | (Duty::Renew, _) => sent + INTERVAL,
    }
}

/// Waits for the next round; a lease that runs out before is over at that moment.
async fn wait(standing: &watch::Sender<Standing>, next: Instant) {
    let until = match &*standing.borrow() {
        Standing::Leads { until, .. } => Some(*until),
        Standing::Follows { .. } => None,
    };
    if let Some(until) = until.filter(|until| *until <= next) {
        sleep_until(until).await;
        tracing::error!("the lease could not be renewed in time: this replica leads no more");
        let _nobody = standing.send_replace(Standing::Follows { leader: None });
    }
    sleep_until(next).await;
}

/// Whether anybody still listens.
fn announce(standing: &watch::Sender<Standing>, now: Standing) -> bool {
    standing.send_if_modified(|before| {
        let changed = *before != now;
        if std::mem::discriminant(before) != std::mem::discriminant(&now) {
            tracing::info!(standing = ?now, "leadership");
        }
        *before = now;
        changed
    });
    !standing.is_closed()
}

fn stands(before: &Standing, seen: Option<&Seen>, ours: bool, renewed: Option<Instant>) -> Standing {
    match (ours, renewed, before) {
        (true, Some(sent), _) => {
            let epoch = seen.map_or(0, |seen| epoch(&seen.lease));
            Standing::Leads { epoch, until: sent + DURATION - MARGIN }
        }
        (true, None, Standing::Leads { until, .. }) if Instant::now() < *until => before.clone(),
        (true | false, _, _) => {
            Standing::Follows { leader: seen.filter(|_| !ours).and_then(|seen| link(&seen.lease)) }
        }
    }
}

fn duty(seen: Option<&Seen>, candidate: &Candidate, now: Instant) -> Duty {
    let Some(seen) = seen else { return Duty::Look };
    match holder(&seen.lease) {
        None => Duty::Take,
        Some(holder) if holder == candidate.identity => Duty::Renew,
        Some(_) if candidate.pod.is_some() && pod(&seen.lease) == candidate.pod.as_deref() => Duty::Take,
        Some(_) if now >= seen.since + duration(&seen.lease) => Duty::Take,
        Some(_) => Duty::Look,
    }
}

/// A version that was not seen before is as old as its first sight.
fn note(seen: &mut Option<Seen>, lease: Option<Lease>, now: Instant) {
    let version = |lease: &Lease| lease.metadata.resource_version.clone();
    *seen = match (seen.take(), lease) {
        (Some(before), Some(lease)) if version(&before.lease) == version(&lease) => Some(before),
        (_, Some(lease)) => Some(Seen { lease, since: now }),
        // Deleted: as good as free.
        (_, None) => Some(Seen { lease: Lease::default(), since: now }),
    };
}

async fn act(api: &Api<Lease>, candidate: &Candidate, duty: Duty, seen: Option<&Seen>) -> kube::Result<Act> {
    let mut last = match (duty, seen) {
        (Duty::Look, _) | (_, None) => return api.get_opt(&candidate.lease).await.map(Act::Read),
        (Duty::Take | Duty::Renew, Some(seen)) => seen.lease.clone(),
    };
    for _ in 0..TRIES {
        match write(api, &claim(&last, candidate, duty), &candidate.lease).await {
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {}
            written => return written.map(Act::Wrote),
        }
        let now = api.get_opt(&candidate.lease).await?;
        match now {
            // Somebody has written into what is still ours.
            Some(now) if duty == Duty::Renew && holder(&now) == Some(&candidate.identity) => last = now,
            now => return Ok(Act::Read(now)),
        }
    }
    Ok(Act::Read(Some(last)))
}

/// Both fail where somebody else was quicker: the resource version is no longer the one that was seen.
async fn write(api: &Api<Lease>, lease: &Lease, name: &str) -> kube::Result<Lease> {
    if lease.metadata.resource_version.is_some() {
        api.replace(name, &PostParams::default(), lease).await
    } else {
        api.create(&PostParams::default(), lease).await
    }
}

/// The lease as it is written by whoever takes or renews it.
fn claim(before: &Lease, candidate: &Candidate, duty: Duty) -> Lease {
    let now = MicroTime(Timestamp::now());
    let mut spec = before.spec.clone().unwrap_or_default();
    if duty == Duty::Take {
        let transitions = spec.lease_transitions.unwrap_or(0).saturating_add(1);
        spec = LeaseSpec {
            acquire_time: Some(now.clone()),
            holder_identity: Some(candidate.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        };
    }
    spec.renew_time = Some(now);
    let mut metadata = ObjectMeta { name: Some(candidate.lease.clone()), ..before.metadata.clone() };
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(LINK.to_owned(), candidate.link.clone());
    match &candidate.pod {
        Some(pod) => annotations.insert(POD.to_owned(), pod.clone()),
        None => annotations.remove(POD),
    };
    Lease { metadata, spec: Some(spec) }
}

/// Gives the lease back, so that the next leader need not wait for its end.
///
/// # Errors
/// Where the API server does not answer, or somebody else has taken it.
pub async fn release(api: &Api<Lease>, candidate: &Candidate) -> kube::Result<()> {
    let Some(mut lease) = api.get_opt(&candidate.lease).await? else { return Ok(()) };
    if holder(&lease) != Some(&candidate.identity) {
        return Ok(());
    }
    if let Some(spec) = &mut lease.spec {
        spec.holder_identity = None;
    }
    api.replace(&candidate.lease, &PostParams::default(), &lease).await.map(drop)
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

fn epoch(lease: &Lease) -> u64 {
    let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
    transitions.and_then(|transitions| u64::try_from(transitions).ok()).unwrap_or(0)
}

fn duration(lease: &Lease) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(DURATION, Duration::from_secs)
}

fn pod(lease: &Lease) -> Option<&str> {
    lease.metadata.annotations.as_ref()?.get(POD).map(String::as_str)
}

fn link(lease: &Lease) -> Option<String> {
    holder(lease)?;
    lease.metadata.annotations.as_ref()?.get(LINK).cloned()
}

#[cfg(test)]
mod tests;
