//! A request's way, on one screen: `Pipeline::proceed`.
//!
//! ```text
//!   conn ─► route ─► limit ─► visitor ─► admit ──awake──► tenant, hop ─► upstream ─► tenant, hop ─► conn
//!             │        │                   │ not awake                        │
//!             │        │                   ▼                                  │
//!             │        │             wake_answer ─► hold ─► route once more   │
//!             └────────┴───────────────────┴──────────── answer ◄─────────────┘ whoever stops it says why
//! ```

use std::cell::OnceCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::model::WakePolicy;
use http::header::{self, HeaderValue};
use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::time::Instant;

use crate::answer::{self, AllIsWell, Onward, Refusal};
use crate::app::{Place, UNREACHABLE_AFTER};
use crate::backlog::Unread;
use crate::balance::Tried;
use crate::balance::retry::{self, Again};
use crate::body::Body;
use crate::conn;
use crate::deadline::Deadline;
use crate::forward::Ready;
use crate::hold::{self, Ticket, Waited};
use crate::language::Language;
use crate::limit::{Asked, Leave, Told};
use crate::listen::{Entry, Fleet};
use crate::loco::{self, Manner, Origin, Own, PageLinks};
use crate::outbound::{Outbound, Unsent};
use crate::page;
use crate::table::{NoRoute, Route};
use crate::visitor::{self, Passerby, Visitor};
use crate::wake_answer::{self, Progress, TooLong, WakeAnswer};
use crate::worker::{Entered, Shut, Worker};
use crate::{host, inbound};

/// How often a request is tried whose app refuses the connection, and how long it waits before it is tried again: of
/// an app that has just died, or has refused so often that revive was told, one knows so a moment later, and then the
/// request is held instead.
const ATTEMPTS: u32 = UNREACHABLE_AFTER + 1;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How often the waiting page reloads itself, without scripts.
pub(crate) const PAGE_RELOAD: Duration = Duration::from_secs(1);

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
}

/// How often a request was tried, and at which of several endpoints.
#[derive(Debug, Default)]
struct Tries {
    count: u32,
    at: Tried,
}

impl Tries {
    fn add(&mut self, endpoint: SocketAddr) {
        self.count += 1;
        self.at.add(endpoint);
    }
}

/// Who asks, through all turns of one request.
#[derive(Debug)]
pub(crate) struct Caller {
    passerby: Option<Passerby>,
    began: Instant,
    /// Whether it may wake the app: a budget is spent once, however often the request looks again.
    has_leave: bool,
    /// Read when the request is first held.
    deadline: OnceCell<Option<Deadline>>,
}

/// Why a request does not reach its app.
#[derive(Debug)]
pub struct Stop {
    route: Option<Arc<Route>>,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Refused(Refusal),
    Limited(Box<Told>),
    Waiting(Progress),
    Redirected(HeaderValue),
    AllIsWell(AllIsWell),
}

/// Whose a request is.
enum Whose {
    App(Arc<Route>),
    Ours(Own),
}

impl Pipeline {
    /// Answers a request.
    pub async fn answer(
        self: Rc<Self>,
        request: Request<conn::RequestBody>,
        exchange: conn::Exchange,
    ) -> Response<Body> {
        let language = Language::of(&request);
        match self.proceed(request, exchange).await {
            Ok(response) => response,
            Err(stop) => self.stopped(stop, None, language),
        }
    }

    /// The whole way of a request to its app and back.
    async fn proceed(
        &self,
        request: Request<conn::RequestBody>,
        exchange: conn::Exchange,
    ) -> Result<Response<Body>, Stop> {
        let began = Instant::now();
        let mut route = match self.whose(&request)? {
            Whose::App(route) => route,
            Whose::Ours(own) => return Box::pin(loco::answer(self, own, &request)).await,
        };
        self.check_length(&request, &route)?;
        let leave = self.limit(&request, &route, began)?;
        let mut caller = Caller::new(Passerby::of(&request, &route.model), began);
        let mut tries = Tries::default();
        let mut passage = self.admit(&request, route, &mut caller, &tries).await?;
        let mut outbound = Outbound::new(request, self.worker.settings.max_body, exchange);
        loop {
            if let Some(deadline) = caller.deadline_if_held() {
                outbound.forward_deadline(deadline, began.elapsed());
            }
            match outbound.send(self, &passage).await {
                Ok(answered) => {
                    passage.entered.open.succeeded();
                    return Ok(inbound::response(&self.worker, passage, leave, outbound, answered, began));
                }
                // Boxed, because few requests need it, and it would make room in every connection.
                Err(unsent) => Box::pin(self.again(&outbound, unsent, passage, &mut tries)).await?,
            }
            route = self.route(outbound.request())?;
            passage = self.admit(outbound.request(), route, &mut caller, &tries).await?;
        }
    }

    /// Returns when a request that its app did not answer may be tried again.
    async fn again(
        &self,
        outbound: &Outbound,
        unsent: Unsent,
        passage: Passage,
        tries: &mut Tries,
    ) -> Result<(), Stop> {
        let Passage { route, entered, .. } = &passage;
        let refusal = outbound.refusal(unsent);
        // Otherwise the client is to blame.
        if matches!(refusal, Refusal::Upstream(_)) {
            entered.open.failed(&self.worker.settings);
        }
        let Unsent::Again(_, outcome) = unsent else { return Err(Stop::at(route, refusal)) };
        tries.add(entered.endpoint);
        let others = route.app.state().endpoints.as_ref().is_some_and(|all| all.has_other_than(&tries.at));
        let spend = || route.app.spend_retry(self.worker.settings.retry_budget);
        match retry::decide(outcome, tries.count, ATTEMPTS, others, spend) {
            Again::Elsewhere => {}
            Again::Later => {
                drop(passage);
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
            Again::No => return Err(Stop::at(route, refusal)),
        }
        Ok(())
    }

    /// The app that a request is for, in the table of this moment.
    fn route<B>(&self, request: &Request<B>) -> Result<Arc<Route>, Stop> {
        match self.whose(request)? {
            Whose::App(route) => Ok(route),
            Whose::Ours(_) => Err(Stop::nobodys(Refusal::UnknownHost)),
        }
    }

    /// Whose a request is, in the table of this moment.
    fn whose<B>(&self, request: &Request<B>) -> Result<Whose, Stop> {
        if loco::is_reserved(request.uri().path()) {
            return Ok(Whose::Ours(Own::Reserved));
        }
        let table = self.worker.table.load();
        let found = match &self.entry {
            Entry::App(app) => table.of_app(app).ok_or(NoRoute::UnknownHost),
            Entry::Hosts => {
                let mut buffer = host::Buffer::default();
                let host = host::of(request, &mut buffer).unwrap_or_default();
                if loco::is_revive(&self.worker, host) {
                    return Ok(Whose::Ours(Own::Revive));
                }
                table.find(host, request.uri().path())
            }
        };
        found.cloned().map(Whose::App).map_err(|no_route| {
            Stop::nobodys(match no_route {
                NoRoute::UnknownHost => Refusal::UnknownHost,
                NoRoute::UnknownPath => Refusal::UnknownPath,
            })
        })
    }

    /// What is too large is refused by what its head says, before it wakes anything.
    fn check_length(&self, request: &Request<conn::RequestBody>, route: &Arc<Route>) -> Result<(), Stop> {
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length = length.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        if length > self.worker.settings.max_body {
            return Err(Stop::at(route, Refusal::BodyTooLarge));
        }
        Ok(())
    }

    /// Counts a request, once, however long it waits and however often it is tried.
    fn limit<B>(&self, request: &Request<B>, route: &Arc<Route>, now: Instant) -> Result<Leave, Stop> {
        let asked = Asked { route, entry: &self.entry, client: self.peer };
        let admitted = self.worker.limits.admit(request, asked, now);
        admitted.map_err(|told| Stop { route: Some(route.clone()), why: Why::Limited(told) })
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
        let keeps_awake = caller.passerby.is_none();
        loop {
            match self.worker.enter(&route, ticket.as_ref(), keeps_awake, &tries.at) {
                Ok(entered) => return Ok(Passage { route, entered, ticket }),
                // One that was let in before waits for its turn.
                Err(Shut::Busy) if tries.count == 0 => return Err(Stop::at(&route, Refusal::AppBusy)),
                Err(Shut::Busy | Shut::InLine | Shut::NotAwake) => {}
            }
            drop(ticket.take());
            let room = self.fleet.backlog.take(request.body().unread(), self.worker.settings.max_held_bytes);
            let _held = room.ok_or_else(|| Stop::at(&route, Refusal::TooManyHeld))?;
            // Boxed, because few requests wait, and what waiting needs would make room in every connection.
            let manner = loco::manner(self, request, &route);
            ticket = Box::pin(self.wait(request, &route, &manner, caller)).await?;
            route = self.route(request)?;
        }
    }

    /// Waits for an app that is not awake, or says what the request gets instead.
    pub(crate) async fn wait<B>(
        &self,
        request: &Request<B>,
        route: &Arc<Route>,
        manner: &Manner,
        caller: &mut Caller,
    ) -> Result<Option<Ticket>, Stop> {
        if self.worker.is_closing() {
            return Err(Stop::at(route, Refusal::ShuttingDown));
        }
        let policy = &WakePolicy { mode: manner.mode(), ..route.model.wake };
        let asks = caller.asks(request);
        let may_wake = || caller.may_wake(|| route.app.spend_budget(policy.passersby.budget));
        let answer = wake_answer::decide(&route.app.state(), policy, asks, may_wake);
        if matches!(answer, WakeAnswer::Hold { .. } | WakeAnswer::Page) {
            self.check_wake(route)?;
        }
        let (at_most, or) = match answer {
            WakeAnswer::Hold { at_most, or } => (at_most, or),
            WakeAnswer::Page => {
                route.app.ask();
                return Err(Stop::waiting(route));
            }
            WakeAnswer::Redirect => return Err(Stop::redirected(route, manner)),
            WakeAnswer::AllIsWell => return Err(Stop::all_is_well(route, request)),
            WakeAnswer::Refuse(refusal) => return Err(Stop::at(route, refusal)),
        };
        let place = Place::take(&route.app, policy.max_held);
        let place = place.ok_or_else(|| Stop::at(route, Refusal::TooManyHeld))?;
        match hold::wait(&self.worker, &route.app, place, caller.began + at_most).await {
            Waited::Up(ticket) => Ok(Some(ticket)),
            Waited::Changed => Ok(None),
            Waited::TooLong => Err(match or {
                TooLong::Page => Stop::waiting(route),
                TooLong::Refuse(refusal) => Stop::at(route, refusal),
            }),
        }
    }

    /// Who would be the first to ask for an app may do so only for so many.
    fn check_wake(&self, route: &Arc<Route>) -> Result<(), Stop> {
        if !route.app.sleeps_unasked() {
            return Ok(());
        }
        let may = self.worker.limits.admit_wake(self.peer, route, Instant::now());
        may.map_err(|retry_after| Stop::at(route, Refusal::TooManyWakes(retry_after)))
    }

    /// The answer to a request that does not reach its app.
    pub(crate) fn stopped(
        &self,
        Stop { route, why }: Stop,
        origin: Option<&Origin>,
        language: Language,
    ) -> Response<Body> {
        let app = route.as_ref().map(|route| route.model.name.as_str());
        let links = |route: &Arc<Route>| PageLinks::new(&self.worker, &route.app.id, origin);
        let refuse = |refusal: Refusal| {
            let counts = route.as_ref().map_or(&*self.worker.refusals, |route| &route.app.stats.refusals);
            counts.count(&refusal);
            // Links are signed: not for a flood of refusals, of which nobody reads a page.
            let links = origin.and(route.as_ref()).map(links);
            let next = links.as_ref().and_then(|links| links.next.as_deref());
            refusal.response_onward(app, Onward { next, home: None }, language)
        };
        match why {
            Why::Refused(refusal) => refuse(refusal),
            Why::Limited(told) => {
                let mut response = refuse(told.refusal());
                told.describe(response.headers_mut());
                response
            }
            Why::AllIsWell(what) => answer::all_is_well(what, language),
            Why::Waiting(progress) => {
                let links = route.as_ref().map(links);
                let events = links.as_ref().map(|links| links.events.as_str());
                let next = links.as_ref().and_then(|links| links.next.as_deref());
                answer::waiting(&progress.waiting(app.unwrap_or_default(), page::Links { events, next }))
            }
            Why::Redirected(to) => answer::redirect(to),
        }
    }
}

impl Caller {
    /// One who has asked for nothing yet.
    pub(crate) fn new(passerby: Option<Passerby>, began: Instant) -> Self {
        Self { passerby, began, has_leave: passerby.is_none(), deadline: OnceCell::new() }
    }

    /// What the answer to it depends on while its app is not awake.
    fn asks<B>(&self, request: &Request<B>) -> wake_answer::Caller {
        let deadline = self.deadline.get_or_init(|| Deadline::of(request.headers()));
        wake_answer::Caller {
            visitor: Visitor::of(request, self.passerby),
            waited: self.began.elapsed(),
            deadline: deadline.map(|deadline| deadline.allowed),
        }
    }

    fn may_wake(&mut self, spend: impl FnOnce() -> bool) -> bool {
        self.has_leave = self.has_leave || spend();
        self.has_leave
    }

    /// What the app is to be told of its deadline; a request that was not held says itself what is right.
    fn deadline_if_held(&self) -> Option<Deadline> {
        self.deadline.get().copied().flatten()
    }
}

impl Stop {
    /// A refusal that is an app's.
    pub fn at(route: &Arc<Route>, refusal: Refusal) -> Self {
        Self { route: Some(route.clone()), why: Why::Refused(refusal) }
    }

    /// A refusal that is no app's.
    pub(crate) fn nobodys(refusal: Refusal) -> Self {
        Self { route: None, why: Why::Refused(refusal) }
    }

    fn redirected(route: &Arc<Route>, manner: &Manner) -> Self {
        let why = match manner {
            Manner::Redirect(to) => Why::Redirected(to.clone()),
            Manner::As(_) => Why::Waiting(Progress::of(&route.app.state())),
        };
        Self { route: Some(route.clone()), why }
    }

    fn waiting(route: &Arc<Route>) -> Self {
        let progress = Progress::of(&route.app.state());
        Self { route: Some(route.clone()), why: Why::Waiting(progress) }
    }
    fn all_is_well<B>(route: &Arc<Route>, request: &Request<B>) -> Self {
        let is_check = visitor::is_grpc_check(request);
        let what = if is_check { AllIsWell::Serving } else { AllIsWell::Asleep };
        Self { route: Some(route.clone()), why: Why::AllIsWell(what) }
    }
}
