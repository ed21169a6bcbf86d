//! Makes workloads run again. Somebody waits: the request that does it comes first, and the record is set right after it.
//! Should that be missed, [`super::standing`] finds the workload awake whatever the record says.

use config::link::{Depth, Failure};
use serde_json::Value;

use super::cluster::{Identity, Lane};
use super::context::Context;
use super::place::Place;
use super::record::{self, NotCommitted};
use super::saved::{self, made_again};
use super::standing::{How, judge};
use super::trouble::Trouble;
use super::{loco, pull, sleep};
use crate::kubernetes::crd::{RestSpec, SleepRecordSpec};

/// What is known of how a workload rests, without asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing.
    #[default]
    Unknown,
    /// It is there, and has so many replicas when it is awake.
    Light(i32),
    /// It is not there, and this makes it again: JSON, which is a tenth of what it is when it is read.
    Deep(Box<str>),
}

impl Kept {
    /// What the record says.
    pub(super) fn of(record: &SleepRecordSpec) -> Self {
        match (record.rest, &record.saved) {
            (RestSpec::Deep, Some(saved)) => {
                Self::Deep(made_again(saved, record.replicas.max(1)).to_string().into())
            }
            (RestSpec::Deep, None) => Self::Unknown,
            (RestSpec::Awake | RestSpec::Light, _) => Self::Light(record.replicas.max(1)),
        }
    }
}

/// Why a workload was not made to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotWoken {
    /// There is nothing to make it of.
    Nothing,
    /// It cannot be, as things are.
    Failed(Failure, String),
    /// The API server is away: to be tried again.
    Away(String),
}

impl From<Trouble> for NotWoken {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Away(why) => Self::Away(why),
            other => Self::Failed(other.failure(), other.to_string()),
        }
    }
}

/// How a wake found what it was to make run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// At rest, or on its way up because somebody wants it to be.
    AsWanted,
    /// Put back from such a sleep by something that does not know of it.
    PutBack(Depth),
}

/// How often the one who is not us may make and delete it under our hands.
const TRIES: usize = 4;

/// Makes a workload run that somebody has asked for, if there is room for it: nothing is made that could only wait.
pub(super) async fn wake(cx: &Context, place: &Place, kept: Kept) -> Result<Found, NotWoken> {
    let runs = cx.sight.workload(place).is_some_and(|seen| !seen.leaving && seen.replicas > 0);
    if !runs {
        cx.room.admit(place).map_err(|lacks| NotWoken::Failed(lacks.failure(), lacks.to_string()))?;
    }
    let done = raise(cx, place, kept).await;
    match &done {
        Ok(_) | Err(NotWoken::Away(_)) => {}
        Err(NotWoken::Nothing | NotWoken::Failed(..)) => cx.room.release(place),
    }
    done
}

/// Makes a workload run.
pub(super) async fn raise(cx: &Context, place: &Place, kept: Kept) -> Result<Found, NotWoken> {
    let seen = cx.sight.workload(place).filter(|seen| !seen.leaving);
    if let Some(application) = cx.sight.application(place) {
        return loco::wake(cx, place, &application, seen.as_ref()).await.map(|()| Found::AsWanted);
    }
    pull::fresh(cx, place, &kept, seen.as_ref())
        .await
        .map_err(|why| NotWoken::Failed(Failure::ImagePull, why))?;
    let first = match (&seen, kept) {
        (None, Kept::Deep(body)) => make(cx, place, &body).await,
        (Some(seen), Kept::Unknown) if seen.replicas > 0 => Ok(()),
        // It was put down: what still shows it running may be older than that.
        (Some(seen), _) if seen.replicas > 0 => Err(Trouble::NotFound),
        (Some(seen), Kept::Light(replicas)) => scale(cx, place, &seen.uid, replicas).await,
        (None, Kept::Light(_) | Kept::Unknown) | (Some(_), Kept::Deep(_) | Kept::Unknown) => {
            Err(Trouble::NotFound)
        }
    };
    match first {
        Err(Trouble::NotFound | Trouble::Conflict(_)) => look_again(cx, place).await,
        done => done.map(|()| Found::AsWanted).map_err(NotWoken::from),
    }
}

/// What was seen is not what is: everything is asked for.
async fn look_again(cx: &Context, place: &Place) -> Result<Found, NotWoken> {
    let mut last = Trouble::NotFound;
    for _ in 0..TRIES {
        let record = record::read(&cx.cluster, Lane::Wake, place).await?.map(|record| record.spec);
        let object = cx.cluster.workload(Lane::Wake, place).await?;
        let tried = match (&object, record) {
            (Some(object), _) if saved::leaving(object) => {
                return Err(NotWoken::Away("the workload is being deleted".to_owned()));
            }
            (Some(object), record) if saved::replicas(object) > 0 => {
                return Ok(record.map_or(Found::AsWanted, |record| found(&record, object)));
            }
            (Some(object), record) => {
                let replicas = record.map_or(1, |record| record.replicas.max(1));
                scale(cx, place, object["metadata"]["uid"].as_str().unwrap_or_default(), replicas).await
            }
            (None, Some(SleepRecordSpec { saved: Some(saved), replicas, .. })) => {
                cx.cluster.make(Lane::Wake, place, &made_again(&saved, replicas.max(1))).await
            }
            (None, _) => return Err(NotWoken::Nothing),
        };
        match tried {
            Err(changed @ (Trouble::NotFound | Trouble::Conflict(_))) => last = changed,
            done => return done.map(|()| Found::AsWanted).map_err(NotWoken::from),
        }
    }
    Err(NotWoken::from(last))
}

/// Who asks for what has just been put back hides that: from then on it runs because it is wanted.
fn found(record: &SleepRecordSpec, object: &Value) -> Found {
    match (judge(Some(record), Some(object)).standing, record.rest) {
        (How::PutBack, RestSpec::Light) => Found::PutBack(Depth::Light),
        (How::PutBack, RestSpec::Deep) => Found::PutBack(Depth::Deep),
        (How::PutBack, RestSpec::Awake) | (How::Up | How::Asleep(_) | How::Nothing, _) => Found::AsWanted,
    }
}

async fn make(cx: &Context, place: &Place, body: &str) -> Result<(), Trouble> {
    let body: Value = serde_json::from_str(body).map_err(|_| Trouble::NotFound)?;
    cx.cluster.make(Lane::Wake, place, &body).await
}

/// Whatever its version: that its status or its image has changed does not make a wake wrong.
async fn scale(cx: &Context, place: &Place, uid: &str, replicas: i32) -> Result<(), Trouble> {
    let identity = Identity { uid: uid.to_owned(), version: None };
    cx.cluster.scale(Lane::Wake, place, &identity, replicas).await
}

/// Sets right, after a wake, what nobody waits for: who manages which fields, and then the record.
pub(super) async fn tidy(cx: &Context, place: &Place) -> Result<(), NotCommitted> {
    if let Some(application) = cx.sight.application(place) {
        loco::awake(cx, place, &application.key).await?;
    }
    let Some(record) = record::read(&cx.cluster, Lane::Beside, place).await? else { return Ok(()) };
    give_back(cx, place, &record.spec).await?;
    sleep::awake(cx, place).await
}

/// The fields are theirs again who had them: with us as a manager, the next `kubectl apply --server-side` of somebody who
/// changes one of them would end in a conflict.
async fn give_back(cx: &Context, place: &Place, record: &SleepRecordSpec) -> Result<(), Trouble> {
    let mut last = Trouble::NotFound;
    for _ in 0..TRIES {
        let Some(object) = cx.cluster.workload(Lane::Beside, place).await? else { return Ok(()) };
        let managers = match &record.saved {
            Some(saved) => saved::given_back(saved, &object),
            None => saved::replicas_given_back(&record.replicas_by, &object),
        };
        let (Some(managers), Some(identity)) = (managers, saved::identity(&object)) else { return Ok(()) };
        match cx.cluster.manage(place, &identity, &managers).await {
            Err(conflict @ Trouble::Conflict(_)) => last = conflict,
            done => return done,
        }
    }
    Err(last)
}
