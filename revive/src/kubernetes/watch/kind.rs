//! The watch of one kind.

use std::fmt;

use futures_util::StreamExt;
use http::StatusCode;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, Client, Resource};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::sync::mpsc;

use super::restless::Last;
use super::retry::{self, Delays};
use super::trim::{Keeps, Watched, key};
use crate::kubernetes::index::{Seen, Update};

/// How often in a row a kind must be said not to be there before it counts: an API server that begins may not know its
/// custom resources yet, and a table without routes must not be made of that.
const SURE: u32 = 3;

/// What all watches need.
#[derive(Clone)]
pub(super) struct Kind {
    pub(super) client: Client,
    pub(super) keeps: Keeps,
    pub(super) tx: mpsc::Sender<Update>,
    pub(super) seen: Seens,
}

/// What watches have told, by kind.
pub(in crate::kubernetes) type Seens = Family<[(&'static str, String); 1], Counter>;

/// How far a watch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing is known yet; so often in a row it was said that the kind is not there.
    Unknown(u32),
    /// It was said to be not there, or not to be had.
    NotThere,
    /// It has been listed.
    Listed,
}

/// Nobody listens any more.
struct Over;

impl Kind {
    /// Watches a kind for as long as anybody listens. `listing` is dropped when the first list has been told.
    pub(super) async fn watch<K: Watched>(self, listing: mpsc::Sender<()>) {
        let api: Api<DeserializeGuard<K>> = Api::all(self.client.clone());
        let events = watcher::watcher(api, Config::default().page_size(K::PAGE)).backoff(Delays::default());
        let mut events = std::pin::pin!(events);
        let (mut progress, mut list, mut listing) = (Progress::Unknown(0), Vec::new(), Some(listing));
        let mut last = Last::default();
        while let Some(event) = events.next().await {
            let told = match event {
                Ok(event) if K::RESTLESS && !last.tells(&event) => continue,
                Ok(event) => {
                    let told = self.take::<K>(event, &mut list).await;
                    if matches!(told, Ok(Told::List)) {
                        progress = Progress::Listed;
                    }
                    told.map(|_| ())
                }
                Err(error) => self.fail::<K>(&error, &mut progress).await,
            };
            if told.is_err() {
                return;
            }
            match progress {
                Progress::Listed | Progress::NotThere => listing = None,
                Progress::Unknown(_) => {}
            }
        }
        drop(listing);
    }

    async fn take<K: Watched>(
        &self,
        event: Event<DeserializeGuard<K>>,
        list: &mut Vec<K::Kept>,
    ) -> Result<Told, Over> {
        let seen = match event {
            Event::Init => {
                list.clear();
                return Ok(Told::Nothing);
            }
            Event::InitApply(object) => {
                list.extend(self.trimmed(object));
                return Ok(Told::Nothing);
            }
            Event::InitDone => {
                self.tell::<K>(Seen::All(std::mem::take(list))).await?;
                return Ok(Told::List);
            }
            Event::Apply(object) => {
                let place = key(object.meta());
                // What became of no use, or cannot be read any more, is as good as gone.
                self.trimmed(object).map(Seen::Applied).or(place.map(Seen::Deleted))
            }
            Event::Delete(object) => key(object.meta()).map(Seen::Deleted),
        };
        if let Some(seen) = seen {
            self.tell::<K>(seen).await?;
        }
        Ok(Told::Nothing)
    }

    /// What is kept of an object; one that cannot be read is named and left out, and stops no other.
    fn trimmed<K: Watched>(&self, object: DeserializeGuard<K>) -> Option<K::Kept> {
        match object.0 {
            Ok(object) => object.trimmed(&self.keeps),
            Err(invalid) => {
                let place = key(&invalid.metadata).map(|key| key.to_string()).unwrap_or_default();
                tracing::warn!(kind = %K::kind(&()), object = place, error = invalid.error, "cannot be read; left out");
                None
            }
        }
    }

    async fn tell<K: Watched>(&self, seen: Seen<K::Kept>) -> Result<(), Over> {
        self.seen.get_or_create(&[("kind", K::kind(&()).into_owned())]).inc();
        self.tx.send(K::update(seen)).await.map_err(|_| Over)
    }

    /// What is not there is said once, and asked for again slowly. What was seen before stays: it may be the server that
    /// does not know.
    async fn fail<K: Watched>(&self, error: &watcher::Error, progress: &mut Progress) -> Result<(), Over> {
        let kind = K::kind(&());
        let Some(why) = not_to_be_had(error) else {
            tracing::debug!(%kind, %error, "watch interrupted");
            return Ok(());
        };
        match progress {
            Progress::Unknown(times) if *times + 1 < SURE => *times += 1,
            Progress::Unknown(_) => {
                tracing::warn!(%kind, %why, "goes on without it; asks again every 30 s");
                *progress = Progress::NotThere;
                self.tell::<K>(Seen::All(Vec::new())).await?;
            }
            Progress::NotThere | Progress::Listed => {
                tracing::debug!(%kind, %why, "still goes on without it");
                tokio::time::sleep(retry::not_there()).await;
            }
        }
        Ok(())
    }
}

/// What was told.
enum Told {
    Nothing,
    List,
}

/// Why a kind cannot be had at all, however often one asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotToBeHad {
    /// It is not installed.
    NotInstalled,
    /// We may not read it.
    NotPermitted,
}

impl fmt::Display for NotToBeHad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotInstalled => "it is not installed in the cluster",
            Self::NotPermitted => "it may not be read by this service account",
        })
    }
}

pub(super) fn not_to_be_had(error: &watcher::Error) -> Option<NotToBeHad> {
    let code = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => status.code,
        watcher::Error::WatchError(status) => status.code,
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => return None,
    };
    match StatusCode::from_u16(code) {
        Ok(StatusCode::NOT_FOUND) => Some(NotToBeHad::NotInstalled),
        Ok(StatusCode::FORBIDDEN) => Some(NotToBeHad::NotPermitted),
        Ok(_) | Err(_) => None,
    }
}
