//! The events of a wake (HTML Standard, "Server-sent events"), for the waiting page: `progress` with each change, and in
//! the end `awake`, `failed` or `again`. `progress` and `failed` bring what the page is to show, as it would show it itself;
//! `awake` brings the URL to open, or nothing for the page's own; `again` says that the page should look again.
//!
//! A stream is no use of the app: it neither keeps it awake nor wakes it. But as long as it is read, somebody wants the app.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use config::link::{Failure, Status};
use http::{Method, Request, Response};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::answer::{self, Refusal};
use crate::app::{Follower, Seen};
use crate::body::Body;
use crate::host;
use crate::page;
use crate::pipeline::Pipeline;
use crate::redirect::{Link, PAGE_LIFE, Purpose, Unfit};
use crate::stop::Stop;
use crate::table::Route;
use crate::wake_answer::Progress;
use crate::worker::{Slot, Worker};

use super::Origin;

/// Where the events are.
pub(super) const PATH: &str = "/.loco/events";

/// How many pages may follow one app's wake; those beyond reload, as all do without scripts.
const MOST: u32 = 1_000;
/// After this long without news the same is said once more: proxies and pages take silence for an end.
const STILL_HERE: Duration = Duration::from_secs(10);
/// So long a page may wait for the beginning of the wake that was asked for when it was made.
const BEGINS_WITHIN: Duration = Duration::from_secs(5);
/// Estimates that differ by less are the same.
const SAME: Duration = Duration::from_secs(1);

/// Answers a request for events, or whatever else is asked for below `/.loco/`.
pub(super) fn answer<B>(pipeline: &Pipeline, request: &Request<B>) -> Result<Response<Body>, Stop> {
    let worker = &pipeline.worker;
    if request.uri().path() != PATH || *request.method() != Method::GET {
        return Err(Stop::nobodys(Refusal::ReservedPath));
    }
    let query = request.uri().query().unwrap_or_default();
    let link = Link::read(query, Purpose::Follow, &worker.keys, SystemTime::now());
    let link = link.map_err(|unfit| match unfit {
        Unfit::Forged(_) => Stop::nobodys(Refusal::LinkForged),
        Unfit::Expired(_) => Stop::nobodys(Refusal::LinkExpired),
    })?;
    let route = super::app_of(worker, &link.app).ok_or_else(|| Stop::nobodys(Refusal::UnknownHost))?;
    if worker.is_ending() {
        return Err(Stop::at(&route, Refusal::ShuttingDown));
    }
    let follower = if pipeline.fleet.is_crowded() { None } else { Follower::of(&route.app, MOST) };
    let follower = follower.ok_or_else(|| Stop::at(&route, Refusal::TooManyFollow))?;
    // One piece may wait: what is not taken is not added to, but said anew when there is room.
    let (stream, pieces) = mpsc::channel(1);
    let origin =
        (!link.asked.is_empty()).then(|| Origin { link, at: (pipeline.entry.clone(), host::port(request)) });
    // Now, while the app is known to be there: its slot is not kept beyond it.
    let slot = worker.slot(&route.app);
    let view = View { worker: worker.clone(), slot, route, follower, origin, begun: Instant::now() };
    tokio::task::spawn_local(async move {
        tokio::select! {
            () = view.tell(&stream) => {}
            () = stream.closed() => {}
        }
    });
    Ok(answer::events(pieces))
}

/// One page's view of a wake.
struct View {
    worker: Rc<Worker>,
    slot: Rc<Slot>,
    route: Arc<Route>,
    follower: Follower,
    origin: Option<Origin>,
    begun: Instant,
}

/// What is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// It goes on.
    Progress(Progress),
    /// It has ended, and the app is up.
    Awake,
    /// It has ended.
    Failed { failure: Failure, retry_after: Duration },
    /// There is no more to be said here.
    Again,
}

/// What was said of a wake that goes on, and when.
#[derive(Clone, Copy, Debug)]
struct Said {
    progress: Progress,
    at: Instant,
}

impl View {
    async fn tell(&self, stream: &mpsc::Sender<Bytes>) {
        let mut said: Option<Said> = None;
        let mut has_asked = false;
        loop {
            let mut changed = pin!(self.slot.changed.notified());
            changed.as_mut().enable();
            let word = self.word();
            let Word::Progress(progress) = word else { return self.end(word, said.is_none(), stream).await };
            if matches!(self.follower.app().state().status, Status::Waking { .. })
                && !std::mem::replace(&mut has_asked, true)
            {
                // Who made the page may have left since, and then nobody would be taken to want the app.
                self.follower.app().ask();
            }
            if said.is_none_or(|said| said.is_old(&progress)) {
                if stream.send(self.event(&progress, said.is_none())).await.is_err() {
                    return;
                }
                said = Some(Said { progress, at: Instant::now() });
                // Sending may have taken its time.
                continue;
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(self.next_look(said)) => {}
            }
        }
    }

    fn word(&self) -> Word {
        let app = self.follower.app();
        let is_there =
            self.worker.table.load().of_app(&app.id).is_some_and(|route| Arc::ptr_eq(&route.app, app));
        if !is_there || self.worker.is_ending() {
            Word::Again
        } else {
            word(&app.state(), self.begun.elapsed())
        }
    }

    fn next_look(&self, said: Option<Said>) -> Instant {
        let early = self.begun + BEGINS_WITHIN;
        let ends =
            [Some(early).filter(|early| *early > Instant::now()), said.map(|said| said.at + STILL_HERE)];
        ends.into_iter().flatten().fold(self.begun + PAGE_LIFE, Instant::min)
    }

    /// The last word. An app that was up before there was anything to follow has others in line, or the page would not
    /// have come: it is not opened at once, or pages and streams would chase each other.
    async fn end(&self, word: Word, is_first: bool, stream: &mpsc::Sender<Bytes>) {
        if is_first && word == Word::Awake {
            tokio::time::sleep(page::RELOAD_AFTER).await;
        }
        let event = match word {
            Word::Awake => event("awake", &self.home().unwrap_or_default()),
            Word::Failed { failure, retry_after } => {
                let app = self.route.model.name.as_str();
                let next = super::PageLinks::new(&self.worker, &self.route.app.id, self.origin.as_ref()).next;
                let failed = page::Failed { app, failure, retry_after, next: next.as_deref() };
                event("failed", &page::failed_inside(&failed))
            }
            Word::Progress(_) | Word::Again => event("again", ""),
        };
        // A reader who has left needs no last word.
        let _left = stream.send(event.into()).await;
    }

    /// What a page at the edge's own host is to open.
    fn home(&self) -> Option<String> {
        let Origin { link, at: (entry, port) } = self.origin.as_ref()?;
        super::back(&self.worker, &self.route, &link.asked, (entry, *port))
    }

    fn event(&self, progress: &Progress, is_first: bool) -> Bytes {
        // A line that begins with a colon is a comment. Readers that come back by themselves do so after `retry` milliseconds.
        let begin = if is_first { "retry: 2000\n" } else { ":\n" };
        let waiting = progress.waiting(self.route.model.name.as_str(), page::Links::default());
        (begin.to_owned() + &event("progress", &page::progress(&waiting))).into()
    }
}

/// Whoever reads this has been told of a wake at `age` ago.
fn word(seen: &Seen, age: Duration) -> Word {
    if age >= PAGE_LIFE {
        return Word::Again;
    }
    match &seen.status {
        Status::Awake { .. } => Word::Awake,
        Status::Waking { .. } => Word::Progress(Progress::of(seen)),
        Status::Failed { failure, .. } if !seen.is_retriable() => {
            Word::Failed { failure: *failure, retry_after: seen.retry_after() }
        }
        Status::Failed { .. } | Status::Asleep { .. } | Status::Draining { .. } => {
            if age < BEGINS_WITHIN {
                Word::Progress(Progress::of(seen))
            } else {
                Word::Again
            }
        }
    }
}

impl Said {
    /// Whether it is to be said once more.
    fn is_old(&self, now: &Progress) -> bool {
        let passed = self.at.elapsed();
        let expected = self.progress.estimate.map(|estimate| estimate.saturating_sub(passed));
        let as_expected = match (expected, now.estimate) {
            (None, None) => true,
            (Some(expected), Some(estimate)) => expected.abs_diff(estimate) < SAME,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let same = self.progress.phase == now.phase && self.progress.position == now.position && as_expected;
        !same || passed >= STILL_HERE
    }
}

/// An event with one line of data: what is rendered has no others.
fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
