//! Apps of loco: their Deployment is loco's controller's, which makes it what their Application says. So it is the
//! Application that is put to sleep and woken; what is then done to the Deployment, its controller would do, too, and
//! later. Nothing is saved.
//!
//! The record is written first, as ever: it tells people what sleeps, and fences earlier leaders off. The Application is
//! then changed in the very version that was read, which its controller makes a new one of about once a second: that is
//! what [`TRIES`] are for.

use config::link::{Depth, Failure};
use config::settings::LocoSleep;
use serde_json::{Value, json};

use super::cluster::{Identity, Lane};
use super::context::Context;
use super::job::Judgement;
use super::loss::{self, Allowed, Why};
use super::place::Place;
use super::pull;
use super::record::{self, NotCommitted};
use super::saved;
use super::sight::{Seen, SeenApplication};
use super::sleep::{self, Rested};
use super::standing::{Judged, Mend};
use super::trouble::Trouble;
use super::wake::{Kept, NotWoken};
use crate::kubernetes::crd::{ApplicationRef, RestSpec, SleepRecordSpec};
use crate::kubernetes::index::Key;

mod application;
mod judge;

use self::application::{To, change, generation, is_there, mark, original, read, sleeps};

/// How often somebody may get in between.
const TRIES: usize = 10;

/// Puts an app down, as deep as is wanted and may be. `known` is its Application's generation when that was decided: a
/// later one is a deploy, which wins.
pub(super) async fn rest(
    cx: &Context,
    place: &Place,
    key: &Key,
    wanted: Depth,
    known: Option<i64>,
) -> Result<Rested, NotCommitted> {
    let mut known = known;
    for _ in 0..TRIES {
        let Some(application) = read(cx, Lane::Beside, key).await?.filter(is_there) else {
            return Ok(Rested::Nothing);
        };
        let now = generation(&application);
        let newer = match mark(&application) {
            Some(mark) => mark.generation != now,
            None => known.is_some_and(|known| now > known),
        };
        if newer {
            awake(cx, place, key).await?;
            return Ok(Rested::Deployed);
        }
        known = Some(now);
        match put_down(cx, place, key, &application, wanted).await {
            Err(NotCommitted::Trouble(Trouble::Conflict(_))) => {}
            done => return done,
        }
    }
    Err(Trouble::Away("its Application changes all the time".to_owned()).into())
}

/// One try: `Conflict` if it is no longer what it was.
async fn put_down(
    cx: &Context,
    place: &Place,
    key: &Key,
    application: &Value,
    wanted: Depth,
) -> Result<Rested, NotCommitted> {
    let object = cx.cluster.workload(Lane::Beside, place).await?.filter(|object| !saved::leaving(object));
    let (depth, lost) = match object.as_ref().map(|object| allowed(object, wanted)).transpose() {
        Err(loss) => return Ok(Rested::WouldLoseData(loss)),
        Ok(allowed) => allowed.unwrap_or((wanted, None)),
    };
    let (to, depth) = match cx.settings.loco {
        LocoSleep::Replicas => (To::Replicas, Depth::Light),
        LocoSleep::Agreement => (To::Agreement(depth), depth),
    };
    let owners = cx.sight.owners(place);
    let replicas = original(application);
    let recorded = |before: Option<&SleepRecordSpec>| {
        recorded(place, before, object.as_ref(), Resting { key, depth, replicas })
    };
    record::commit(&cx.cluster, place, cx.epoch, &owners, recorded).await?;
    change(cx, Lane::Beside, key, application, to).await?;
    if let Some(object) = &object {
        remove(cx, place, object, depth).await?;
    }
    // A Deployment that was not there is not there: that is deep, and is left so where the controller leaves it out.
    let rests = match to {
        To::Agreement(_) if object.is_none() => Depth::Deep,
        To::Agreement(_) | To::Replicas | To::Awake => depth,
    };
    Ok(Rested::Asleep(rests, lost, Kept::Light(replicas)))
}

/// How deep it may sleep, and what would be lost if it slept deeper; or what would be lost in any case. That its
/// controller would make it again is what the agreement is about.
fn allowed(object: &Value, wanted: Depth) -> Result<(Depth, Option<String>), String> {
    match loss::allowed(object) {
        Allowed::Any | Allowed::Light(Why::Managed(_)) => Ok((wanted, None)),
        Allowed::Light(Why::WouldLoseData(what)) => {
            Ok((Depth::Light, (wanted == Depth::Deep).then_some(what)))
        }
        Allowed::Nothing(what) => Err(what),
    }
}

/// How an app of loco's is to rest.
struct Resting<'a> {
    key: &'a Key,
    depth: Depth,
    replicas: i32,
}

fn recorded(
    place: &Place,
    before: Option<&SleepRecordSpec>,
    object: Option<&Value>,
    resting: Resting<'_>,
) -> SleepRecordSpec {
    let mut record = before.cloned().unwrap_or_else(|| record::empty(place));
    if let Some(object) = object {
        record.workload.uid = object["metadata"]["uid"].as_str().map(str::to_owned);
        if saved::replicas(object) > 0 {
            record.replicas_by = saved::replicas_by(object);
        }
        (record.generation, record.spec_hash) = (saved::generation(object), saved::spec_hash(object));
    }
    record.rest = match resting.depth {
        Depth::Light => RestSpec::Light,
        Depth::Deep => RestSpec::Deep,
    };
    record.application = Some(ApplicationRef {
        namespace: resting.key.namespace.to_string(),
        name: resting.key.name.to_string(),
    });
    SleepRecordSpec { replicas: resting.replicas, saved: None, ..record }
}

/// What its controller no longer sees to, or would only in a while. Whatever the Deployment's version: by the
/// Application's, nobody has deployed anything.
async fn remove(cx: &Context, place: &Place, object: &Value, depth: Depth) -> Result<(), Trouble> {
    let Some(Identity { uid, .. }) = saved::identity(object) else { return Ok(()) };
    let identity = Identity { uid, version: None };
    let done = match depth {
        Depth::Light if saved::replicas(object) == 0 => Ok(()),
        Depth::Light => cx.cluster.scale(Lane::Beside, place, &identity, 0).await,
        Depth::Deep => cx.cluster.delete(place, &identity).await,
    };
    match done {
        Err(Trouble::NotFound) => Ok(()),
        done => done,
    }
}

/// Makes an app run: what is to be done by its Application comes first, so that its controller goes on from there should
/// we end.
pub(super) async fn wake(
    cx: &Context,
    place: &Place,
    application: &SeenApplication,
    seen: Option<&Seen>,
) -> Result<(), NotWoken> {
    let pulls = pulls(place);
    pull::fresh(cx, place, &pulls, seen).await.map_err(|why| NotWoken::Failed(Failure::ImagePull, why))?;
    let Some(woken) = unmark(cx, Lane::Wake, &application.key).await? else { return Err(NotWoken::Nothing) };
    let Some(seen) = seen.filter(|seen| seen.replicas == 0) else { return Ok(()) };
    let Woken::AsItWas(replicas) = woken else { return Ok(()) };
    let identity = Identity { uid: seen.uid.clone(), version: None };
    match cx.cluster.scale(Lane::Wake, place, &identity, replicas).await {
        // It is another one by now, or gone: its controller's, who knows what to do.
        Err(Trouble::NotFound | Trouble::Conflict(_)) => Ok(()),
        done => Ok(done?),
    }
}

/// What its pods pull with, by loco's names: of one that is not there, nothing else says it.
fn pulls(place: &Place) -> Kept {
    let secret = json!([{ "name": format!("{}-image-pull", place.name()) }]);
    let body = json!({ "spec": { "template": { "spec": { "imagePullSecrets": secret } } } });
    Kept::Deep(body.to_string().into())
}

/// An Application that says that its app runs.
enum Woken {
    /// Nobody has deployed it since it fell asleep: so many replicas of what there was are right.
    AsItWas(i32),
    /// What there is may be an earlier version: its controller's matter.
    AsItsControllerMakesIt,
}

/// Takes back what an Application says of sleep. `None` if there is no such Application.
async fn unmark(cx: &Context, lane: Lane, key: &Key) -> Result<Option<Woken>, Trouble> {
    let mut last = Trouble::NotFound;
    for _ in 0..TRIES {
        let Some(application) = read(cx, lane, key).await?.filter(is_there) else { return Ok(None) };
        let woken = match sleeps(&application) {
            Some(_) => Woken::AsItWas(original(&application)),
            None => Woken::AsItsControllerMakesIt,
        };
        match change(cx, lane, key, &application, To::Awake).await {
            Err(changed @ Trouble::Conflict(_)) => last = changed,
            done => return done.map(|()| Some(woken)),
        }
    }
    Err(last)
}

/// Says in the Application and in the record that the app runs.
pub(super) async fn awake(cx: &Context, place: &Place, key: &Key) -> Result<(), NotCommitted> {
    unmark(cx, Lane::Beside, key).await?;
    sleep::awake(cx, place).await
}

/// How it stands; and what of its Application and its record is no longer so is set right.
pub(super) async fn settle(cx: &Context, place: &Place, key: &Key) -> Result<Judgement, NotCommitted> {
    let record = record::read(&cx.cluster, Lane::Beside, place).await?;
    let application = read(cx, Lane::Beside, key).await?.filter(is_there);
    let object = cx.cluster.workload(Lane::Beside, place).await?;
    let verdict =
        judge::judge(application.as_ref(), record.as_ref().map(|record| &record.spec), object.as_ref());
    if verdict.runs {
        awake(cx, place, key).await?;
    }
    let marked = application.as_ref().filter(|application| mark(application).is_some() || record.is_some());
    let kept = marked.map_or(Kept::Unknown, |application| Kept::Light(original(application)));
    Ok((Judged { standing: verdict.standing, mend: Mend::Nothing }, kept))
}
