//! Does the jobs of apps on the cluster, and tries again while the API server is away.

use std::future::Future;
use std::time::Duration;

use config::model::WorkloadKind;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use tokio::time::sleep;

use super::cluster::Lane;
use super::context::Context;
use super::failure::{self, Ail};
use super::life::Job;
use super::loco;
use super::place::Place;
use super::record::{self, NotCommitted};
use super::sleep::{self as put_down, Rested};
use super::standing::{self, How, Judged, Mend};
use super::trouble::Trouble;
use super::wake::{self, Found, Kept, NotWoken};

/// The wait before the second try; each is twice as long as the one before, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait: an app that is asked for is up at most so much later than it could be.
const LONGEST: Duration = Duration::from_secs(3);

/// What came of a job.
#[derive(Debug)]
pub(super) enum Done {
    /// Of `Wake`.
    Woken(u32, Result<Found, NotWoken>),
    /// Of `Adopt`.
    Adopted(Result<How, NotCommitted>),
    /// Of `Rest`.
    Rested(Job, Result<Rested, NotCommitted>),
    /// Of `Settle`.
    Settled(Result<Judgement, NotCommitted>),
    /// Of `Ask`: what was heard, and the newest event.
    Heard(Option<Ail>, Option<u64>),
    /// Of those that nobody asks about.
    Tidied,
}

/// How a workload stands, and what is known from then on of how it rests.
pub(super) type Judgement = (Judged, Kept);

/// Does a job.
pub(super) async fn run(cx: Context, place: Place, job: Job, kept: Kept) -> Done {
    match job {
        Job::Wake(tries) => {
            if tries > 0 {
                sleep(wait(tries - 1)).await;
            }
            Done::Woken(tries, wake::wake(&cx, &place, kept).await)
        }
        Job::Adopt => Done::Adopted(patiently(|| adopt(&cx, &place)).await),
        Job::Rest { instance: None, .. } => {
            Done::Rested(job, patiently(|| put_down::remove(&cx, &place)).await)
        }
        Job::Rest { depth, known, .. } => {
            cx.room.release(&place);
            let rested = patiently(|| put_down::rest(&cx, &place, depth, known)).await;
            Done::Rested(job, rested)
        }
        Job::Settle => Done::Settled(patiently(|| settle(&cx, &place)).await),
        Job::Tidy => {
            noted(&place, "to be set right after a wake", patiently(|| wake::tidy(&cx, &place)).await);
            Done::Tidied
        }
        Job::Ask { baseline } => {
            let (ail, newest) = ask(&cx, &place, baseline).await;
            Done::Heard(ail, newest)
        }
        Job::Bury => {
            noted(&place, "to be kept in a tombstone", patiently(|| bury(&cx, &place)).await);
            Done::Tidied
        }
        Job::Forget => {
            cx.room.release(&place);
            noted(&place, "to be forgotten", patiently(|| forget(&cx, &place)).await);
            Done::Tidied
        }
    }
}

fn noted(place: &Place, what: &str, done: Result<(), NotCommitted>) {
    if let Err(error) = done {
        tracing::warn!(%place, %error, "a record was left as it is, which was {what}");
    }
}

/// Again and again, as long as the API server is away: whoever started it ends it.
async fn patiently<T, F>(mut work: impl FnMut() -> F) -> Result<T, NotCommitted>
where
    F: Future<Output = Result<T, NotCommitted>>,
{
    let mut tries = 0;
    loop {
        match work().await {
            Err(NotCommitted::Trouble(Trouble::Away(why))) => {
                tracing::debug!(why, tries, "the API server is away");
                sleep(wait(tries)).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

fn wait(tries: u32) -> Duration {
    FIRST.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST)
}

/// What somebody has deployed without replicas, because it slept, gets those it had.
async fn adopt(cx: &Context, place: &Place) -> Result<How, NotCommitted> {
    if cx.sight.workload(place).is_some_and(|seen| seen.replicas > 0 && !seen.leaving) {
        return Ok(How::Up);
    }
    let (judged, kept) = settle(cx, place).await?;
    if judged.standing == How::Up {
        wake::raise(cx, place, kept).await.map_err(|not| match not {
            NotWoken::Away(why) => Trouble::Away(why),
            NotWoken::Failed(_, message) => Trouble::Refused { code: 0, message },
            NotWoken::Nothing => Trouble::NotFound,
        })?;
    }
    Ok(judged.standing)
}

/// How it stands; and what of its record is no longer so is set right.
async fn settle(cx: &Context, place: &Place) -> Result<Judgement, NotCommitted> {
    if let Some(application) = cx.sight.application(place) {
        return loco::settle(cx, place, &application.key).await;
    }
    let record = record::read(&cx.cluster, Lane::Beside, place).await?;
    let object = cx.cluster.workload(Lane::Beside, place).await?;
    let spec = record.as_ref().map(|record| &record.spec);
    let judged = standing::judge(spec, object.as_ref());
    match judged.mend {
        Mend::Nothing => {}
        Mend::Rests(rest) => put_down::rests(cx, place, rest).await?,
    }
    Ok((judged, spec.map(Kept::of).unwrap_or_default()))
}

/// A record is being deleted. If what it saves is nowhere else, and its Services are there, that was a mistake.
async fn bury(cx: &Context, place: &Place) -> Result<(), NotCommitted> {
    let Some(found) = record::read(&cx.cluster, Lane::Beside, place).await? else { return Ok(()) };
    if found.metadata.deletion_timestamp.is_none() {
        return Ok(());
    }
    let is_back = cx.cluster.workload(Lane::Beside, place).await?.is_some();
    let app_stays = !is_back && !cx.sight.owners(place).is_empty();
    Ok(record::bury(&cx.cluster, place, &found, app_stays).await?)
}

/// The app is no app any more. If its Services are still there, only a route or a policy has gone, and what its record
/// saves may be the only copy of somebody's workload: then the record stays, for people to see.
async fn forget(cx: &Context, place: &Place) -> Result<(), NotCommitted> {
    let Some(found) = record::read(&cx.cluster, Lane::Beside, place).await? else { return Ok(()) };
    if found.spec.saved.is_some() && !cx.sight.owners(place).is_empty() {
        return Ok(());
    }
    Ok(record::forget(&cx.cluster, place).await?)
}

/// Why there is nothing to be seen of a wake: a workload that makes no pods, or a pod that gets no volume.
async fn ask(cx: &Context, place: &Place, baseline: Option<u64>) -> (Option<Ail>, Option<u64>) {
    let pods: Vec<String> =
        cx.sight.pods(place).into_iter().filter(super::pod::Pod::serves).map(|pod| pod.uid).take(4).collect();
    for uid in &pods {
        let (ail, _) = heard(cx, place, &format!("involvedObject.uid={uid},type=Warning"), Some(0)).await;
        if ail.is_some() {
            return (ail, baseline);
        }
    }
    if !pods.is_empty() {
        return (None, baseline);
    }
    match place.workload.kind {
        WorkloadKind::Deployment => {
            let object = cx.cluster.workload(Lane::Beside, place).await.ok().flatten();
            (object.as_ref().and_then(failure::of_conditions), baseline)
        }
        WorkloadKind::StatefulSet => {
            let about = format!(
                "involvedObject.kind=StatefulSet,involvedObject.name={},reason=FailedCreate",
                place.name()
            );
            heard(cx, place, &about, baseline).await
        }
    }
}

/// The newest event about something, if it is newer than the baseline. Its resourceVersion says so: clocks may not.
async fn heard(
    cx: &Context,
    place: &Place,
    about: &str,
    baseline: Option<u64>,
) -> (Option<Ail>, Option<u64>) {
    let api = cx.cluster.api::<Event>(&place.namespace);
    let params = ListParams::default().fields(about).limit(50);
    let Ok(events) = cx.cluster.ask(Lane::Beside, "list", "events", api.list(&params)).await else {
        return (None, baseline);
    };
    let version =
        |event: &Event| event.metadata.resource_version.as_ref().and_then(|text| text.parse::<u64>().ok());
    let newest = events
        .items
        .iter()
        .filter(|event| failure::of_event(event).is_some())
        .max_by_key(|event| version(event));
    let at = newest.and_then(version);
    let is_new = baseline.is_some_and(|baseline| at.is_some_and(|at| at > baseline));
    (
        newest.filter(|_| is_new).and_then(failure::of_event),
        Some(at.unwrap_or_default().max(baseline.unwrap_or_default())),
    )
}
