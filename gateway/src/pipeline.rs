//! A request's way, on one screen: `Pipeline::proceed`.
//!
//! ```text
//!   conn ─► whose ─► limit ─► caller ─► admit ──awake──► outbound ─► upstream ─► inbound ─► conn
//!             │        │                  │ ▲                           │
//!             │        │       not awake  ▼ │ whose, once more          ▼
//!             │        │                 wait ◄────────────────────── again, if that does nothing twice
//!             │        │                  │                             │
//!             └────────┴──────────────────┴─────────► stop ◄────────────┘
//! ```
//!
//! Each is a room of its own. Whoever stops a request says why, and it is answered in one place.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::time::Instant;

use crate::again::Tries;
use crate::answer::Refusal;
use crate::backlog::Unread;
use crate::body::Body;
use crate::caller::Caller;
use crate::forward::Ready;
use crate::hold::Ticket;
use crate::language::Language;
use crate::limit::{Asked, Leave};
use crate::listen::{Entry, Fleet};
use crate::outbound::Outbound;
use crate::stop::Stop;
use crate::table::Route;
use crate::visitor::Known;
use crate::whose::Whose;
use crate::worker::{Entered, Shut, Slot, Worker};
use crate::{conn, inbound, loco};

/// The way of the requests of one connection.
#[derive(Debug)]
pub struct Pipeline {
    /// This thread.
    pub worker: Rc<Worker>,
    /// All threads.
    pub fleet: Arc<Fleet>,
    /// Where the connection came in.
    pub entry: Entry,
    /// Who sends the requests.
    pub peer: IpAddr,
    /// What the app is told of the client.
    pub forwarded: Ready,
    /// Whom its last request's `User-Agent` named.
    pub known: Known,
}

/// A request that its app may have now.
#[derive(Debug)]
pub struct Passage {
    /// Whose it is.
    pub route: Arc<Route>,
    /// Its place at the app.
    pub entered: Entered,
    /// If it was held, its leave to go.
    pub ticket: Option<Ticket>,
    /// What this thread has of the app.
    pub slot: Rc<Slot>,
    /// Since when it may have it.
    pub since: Instant,
}

impl Pipeline {
    /// Answers a request.
    pub async fn answer(
        self: Rc<Self>,
        request: Request<conn::RequestBody>,
        exchange: conn::Exchange,
    ) -> Response<Body> {
        let mut outbound = Outbound::new(request, self.worker.settings.max_body, exchange);
        match self.proceed(&mut outbound).await {
            Ok(response) => response,
            Err(stop) => self.stopped(stop, None, Language::of(outbound.request())),
        }
    }

    /// The whole way of a request to its app and back. Who is stopped on it still has the headers that say how it reads.
    async fn proceed(&self, outbound: &mut Outbound) -> Result<Response<Body>, Stop> {
        let began = Instant::now();
        let request = outbound.request();
        let mut route = match self.whose(request)? {
            Whose::App(route) => route,
            Whose::Ours(own) => return Box::pin(loco::answer(self, own, request)).await,
        };
        self.check_length(request, &route)?;
        let leave = self.limit(request, &route, began)?;
        let mut caller = Caller::new(self.known.passerby(request, &route.model), began);
        let mut tries = Tries::default();
        let mut passage = self.admit(request, route, &mut caller, &tries).await?;
        loop {
            if let Some(deadline) = caller.deadline_if_held() {
                outbound.forward_deadline(deadline, began.elapsed());
            }
            match outbound.send(self, &passage, began).await {
                Ok(answered) => {
                    passage.entered.open.succeeded();
                    let asked = (outbound.upload.take(), outbound.client.clone());
                    return Ok(inbound::response(&self.worker, passage, leave, asked, answered, began));
                }
                // Boxed, because few requests need it, and it would make room in every connection.
                Err(unsent) => route = Box::pin(self.again(outbound, unsent, passage, &mut tries)).await?,
            }
            route = self.route(outbound.request(), &route)?;
            passage = self.admit(outbound.request(), route, &mut caller, &tries).await?;
        }
    }

    /// What is too large is refused by what its head says, before it wakes anything.
    fn check_length<B: HttpBody>(&self, request: &Request<B>, route: &Arc<Route>) -> Result<(), Stop> {
        // At least as many bytes come as are declared.
        if request.body().size_hint().lower() > self.worker.settings.max_body {
            return Err(Stop::at(route, Refusal::BodyTooLarge));
        }
        Ok(())
    }

    /// Counts a request, once, however long it waits and however often it is tried.
    fn limit<B>(&self, request: &Request<B>, route: &Arc<Route>, now: Instant) -> Result<Leave, Stop> {
        let asked = Asked { route, entry: &self.entry, client: self.peer };
        let admitted = self.worker.limits.admit(request, asked, now);
        admitted.map_err(|told| Stop::limited(route, told))
    }

    /// Lets a request go to its app, at once or when it is up.
    async fn admit<B: HttpBody + Unread>(
        &self,
        request: &Request<B>,
        mut route: Arc<Route>,
        caller: &mut Caller,
        tries: &Tries,
    ) -> Result<Passage, Stop> {
        let mut ticket = None;
        let mut since = if tries.is_first() { caller.began } else { Instant::now() };
        let keeps_awake = caller.keeps_awake();
        loop {
            match self.worker.enter(&route, ticket.as_ref(), keeps_awake, tries.at()) {
                Ok(entered) => {
                    let slot = self.worker.slot(&route.app);
                    return Ok(Passage { route, entered, ticket, slot, since });
                }
                // One that was let in before waits for its turn.
                Err(Shut::Busy) if tries.is_first() => return Err(Stop::at(&route, Refusal::AppBusy)),
                Err(Shut::NoEndpoints) => return Err(Stop::at(&route, Refusal::NoEndpoints)),
                Err(Shut::Busy | Shut::InLine | Shut::NotAwake) => {}
            }
            drop(ticket.take());
            let room = self.fleet.backlog.take(request.body().unread(), self.worker.settings.max_held_bytes);
            let _held = room.ok_or_else(|| Stop::at(&route, Refusal::TooManyHeld))?;
            // Boxed, because few requests wait, and what waiting needs would make room in every connection.
            let manner = loco::manner(self, request, &route);
            ticket = Box::pin(self.wait(request, &route, &manner, caller)).await?;
            route = self.route(request, &route)?;
            since = Instant::now();
        }
    }
}
