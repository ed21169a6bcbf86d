//! Puts workloads down: the record first, then the workload, and only the version that the record tells of.

use config::link::Depth;
use serde_json::{Value, json};

use super::cluster::Lane;
use super::context::Context;
use super::loco;
use super::loss;
use super::place::Place;
use super::record::{self, NotCommitted};
use super::saved::{generation, identity, leaving, replicas, replicas_by, replicas_owned, saved, spec_hash};
use super::trouble::Trouble;
use super::wake::Kept;
use crate::kubernetes::crd::{RestSpec, SleepRecordSpec};

/// How often somebody may get in between with what is no deploy: the status of a rollout changes some times a second.
const TRIES: usize = 10;

/// How a workload rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rested {
    /// As deep as this; deeper would lose something, if that is said.
    Asleep(Depth, Option<String>, Kept),
    /// It does not: this would be lost.
    WouldLoseData(String),
    /// It does not: somebody has just changed what it is to run.
    Deployed,
    /// It does not rest at all by now, though it did: how it stands is to be found out.
    Runs,
    /// There is no such workload, and nothing that it could be made of.
    Nothing,
}

/// From light to deep sleep. What has replicas by now was put back or deployed meanwhile, which is not for us to undo here.
pub(super) async fn remove(cx: &Context, place: &Place) -> Result<Rested, NotCommitted> {
    let object = cx.cluster.workload(Lane::Beside, place).await?;
    if object.is_some_and(|object| replicas(&object) > 0 && !leaving(&object)) {
        return Ok(Rested::Runs);
    }
    rest(cx, place, Depth::Deep, None).await
}

/// Puts a workload down, as deep as is wanted and may be. `known` is the generation that was there when that was decided:
/// a later one is a deploy, which wins.
pub(super) async fn rest(
    cx: &Context,
    place: &Place,
    wanted: Depth,
    known: Option<i64>,
) -> Result<Rested, NotCommitted> {
    if let Some(application) = cx.sight.application(place) {
        return loco::rest(cx, place, &application.key, wanted, known).await;
    }
    let mut first: Option<String> = None;
    for _ in 0..TRIES {
        let Some(object) = cx.cluster.workload(Lane::Beside, place).await? else {
            return absent(cx, place).await;
        };
        if leaving(&object) {
            return Err(Trouble::Away("it is being deleted".to_owned()).into());
        }
        let hash = spec_hash(&object);
        let newer = known.is_some_and(|known| generation(&object) > known) && replicas(&object) > 0;
        if newer || first.as_ref().is_some_and(|first| *first != hash) {
            return deployed(cx, place).await;
        }
        first = Some(hash);
        match put_down(cx, place, &object, wanted).await {
            Err(NotCommitted::Trouble(Trouble::Conflict(why))) => {
                tracing::debug!(%place, why, "it was changed while it was put down");
            }
            done => return done,
        }
    }
    Err(Trouble::Away("it changes all the time".to_owned()).into())
}

/// One try: `Conflict` if it is no longer what it was.
async fn put_down(
    cx: &Context,
    place: &Place,
    object: &Value,
    wanted: Depth,
) -> Result<Rested, NotCommitted> {
    let allowed = loss::allowed(object);
    let Some(depth) = allowed.of(wanted) else {
        return Ok(Rested::WouldLoseData(allowed.loss().unwrap_or_default().to_owned()));
    };
    let Some(identity) = identity(object) else { return Err(Trouble::NotFound.into()) };
    let lost = if depth == wanted { None } else { allowed.loss().map(str::to_owned) };
    let owners = cx.sight.owners(place);
    let change = |record: Option<&SleepRecordSpec>| recorded(place, record, object, depth);
    let record = record::commit(&cx.cluster, place, cx.epoch, &owners, change).await?;
    match depth {
        Depth::Light if replicas(object) == 0 => {}
        Depth::Light => cx.cluster.scale(Lane::Beside, place, &identity, 0).await?,
        Depth::Deep => match cx.cluster.delete(place, &identity).await {
            Ok(()) | Err(Trouble::NotFound) => {}
            Err(trouble) => return Err(trouble.into()),
        },
    }
    Ok(Rested::Asleep(depth, lost, Kept::of(&record.spec)))
}

/// What the record says of a workload that is about to be put down.
fn recorded(
    place: &Place,
    record: Option<&SleepRecordSpec>,
    object: &Value,
    depth: Depth,
) -> SleepRecordSpec {
    let before = record.cloned().unwrap_or_else(|| record::empty(place));
    let (now, by) = match replicas(object) {
        // It sleeps lightly already: what it had is on record, unless somebody else has scaled it to 0.
        0 => (before.replicas.max(1), before.replicas_by.clone()),
        now => (now, replicas_by(object)),
    };
    let (rest, saved) = match depth {
        Depth::Light => (RestSpec::Light, None),
        Depth::Deep => {
            let mut saved = saved(object);
            saved["spec"]["replicas"] = json!(now);
            replicas_owned(&mut saved, &by);
            (RestSpec::Deep, Some(saved))
        }
    };
    let mut workload = before.workload;
    workload.uid = object["metadata"]["uid"].as_str().map(str::to_owned);
    SleepRecordSpec {
        workload,
        rest,
        replicas: now,
        replicas_by: by,
        generation: generation(object),
        spec_hash: spec_hash(object),
        saved,
        application: None,
        epoch: before.epoch,
    }
}

/// It is not there. Somebody has deleted it, or we have, and did not come to say so.
async fn absent(cx: &Context, place: &Place) -> Result<Rested, NotCommitted> {
    let record = record::read(&cx.cluster, Lane::Beside, place).await?;
    Ok(match record {
        Some(record) if record.spec.rest == RestSpec::Deep => {
            Rested::Asleep(Depth::Deep, None, Kept::of(&record.spec))
        }
        Some(_) | None => Rested::Nothing,
    })
}

/// What somebody has just deployed stands.
async fn deployed(cx: &Context, place: &Place) -> Result<Rested, NotCommitted> {
    awake(cx, place).await?;
    Ok(Rested::Deployed)
}

/// Says in the record, if there is one, that the workload is to run: nothing is saved of it any more.
pub(super) async fn awake(cx: &Context, place: &Place) -> Result<(), NotCommitted> {
    rests(cx, place, RestSpec::Awake).await
}

/// Says in the record, if there is one, how the workload rests.
pub(super) async fn rests(cx: &Context, place: &Place, rest: RestSpec) -> Result<(), NotCommitted> {
    let Some(found) = record::read(&cx.cluster, Lane::Beside, place).await? else { return Ok(()) };
    if found.spec.rest == rest && found.spec.saved.is_none() {
        return Ok(());
    }
    let change = |record: Option<&SleepRecordSpec>| {
        let before = record.cloned().unwrap_or_else(|| found.spec.clone());
        SleepRecordSpec { rest, saved: None, ..before }
    };
    record::commit(&cx.cluster, place, cx.epoch, &[], change).await.map(|_| ())
}
