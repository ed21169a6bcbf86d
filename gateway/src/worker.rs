//! One serving thread: what it has of each app, and the orders it takes.

use std::cell::{Cell, RefCell};
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use config::link::{Instance, Status};
use config::model::{AppId, Source};
use config::settings;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot};

use crate::app::{App, Open, Seen};
use crate::balance::{Endpoints, Share, Tried};
use crate::hold::{self, Queue, Ticket};
use crate::limit::Limits;
use crate::listen::{Entry, Listener};
use crate::redirect::Keys;
use crate::table::{Route, Table};
use crate::telemetry::Refusals;
use crate::upstream::Pool;

/// What a serving thread is told to do.
#[derive(Debug)]
pub enum Order {
    /// Close pooled connections to the app, and say so.
    Quiesce(Arc<App>, oneshot::Sender<()>),
    /// The app's state has changed: see to those who wait for it.
    Look(Arc<App>),
    /// The state of every app of a cluster may be another: close pooled connections to them, and see to those who wait.
    LookAtAll,
    /// Take this connection from a thread that has too many.
    Adopt(StdTcpStream, SocketAddr, Entry, OwnedSemaphorePermit),
    /// Accept connections there, too.
    Listen(Listener),
    /// Accept no more connections at this app's own port.
    CloseUp(AppId),
    /// Finish what is open, for at most this long.
    ShutDown(Duration),
}

/// Where orders for one thread go. Not bounded by a size, but by what is sent: one `Look` or `Quiesce` per change
/// of an app's state, one `LookAtAll` per change of the link, one `Adopt` per accepted connection, one `Listen` or `CloseUp` per change of the file, which are
/// bounded.
pub type Orders = mpsc::UnboundedSender<Order>;

/// A serving thread's own belongings.
#[derive(Debug)]
pub struct Worker {
    /// The table that all threads share.
    pub table: Arc<ArcSwap<Table>>,
    /// Sizes and clocks.
    pub settings: Rc<settings::Gateway>,
    /// The limits that all threads share.
    pub limits: Arc<Limits>,
    /// What was refused before it had an app.
    pub refusals: Arc<Refusals>,
    /// What links are signed with.
    pub keys: Arc<Keys>,
    slots: RefCell<Vec<Option<Rc<Slot>>>>,
    sweeping: Cell<bool>,
    /// Set when serving ends: whoever only looks on is told so.
    ending: Cell<bool>,
    /// Set when time is up: whoever still waits is told so.
    closing: Cell<bool>,
}

/// What one thread has of one app.
#[derive(Debug, Default)]
pub struct Slot {
    /// Idle connections to it.
    pub pool: RefCell<Pool>,
    /// Requests of this thread that wait for it.
    pub queue: RefCell<Queue>,
    /// For those of this thread who follow its wake: there is something to look at.
    pub changed: Notify,
}

/// Where a request may go, now.
#[derive(Debug)]
pub struct Entered {
    /// Keeps the app awake, unless the visitor may not.
    pub open: Open,
    /// The run it goes to.
    pub instance: Instance,
    /// One of its endpoints.
    pub endpoint: SocketAddr,
}

/// Why a request may not go to its app now.
#[derive(Debug)]
pub enum Shut {
    /// It is not awake.
    NotAwake,
    /// It is, but others have waited longer.
    InLine,
    /// It has as many requests as it may have.
    Busy,
    /// It is awake, and nobody knows of an endpoint that takes requests.
    NoEndpoints,
}

impl Worker {
    /// A thread with nothing yet.
    pub fn new(
        table: Arc<ArcSwap<Table>>,
        settings: settings::Gateway,
        limits: Arc<Limits>,
        refusals: Arc<Refusals>,
        keys: Arc<Keys>,
    ) -> Rc<Self> {
        Rc::new(Self {
            table,
            settings: Rc::new(settings),
            limits,
            refusals,
            keys,
            slots: RefCell::default(),
            sweeping: Cell::new(false),
            ending: Cell::new(false),
            closing: Cell::new(false),
        })
    }

    /// This thread's slot for an app.
    pub fn slot(&self, app: &App) -> Rc<Slot> {
        let mut slots = self.slots.borrow_mut();
        if slots.len() <= app.index {
            slots.resize(app.index + 1, None);
        }
        slots[app.index].get_or_insert_default().clone()
    }

    /// Lets a request in, if its app is awake and nobody waits before it. Reads the state and counts the request
    /// without an await between: that is what makes putting an app to sleep safe.
    ///
    /// # Errors
    /// Says why not.
    pub fn enter(
        &self,
        route: &Route,
        ticket: Option<&Ticket>,
        keeps_awake: bool,
        tried: &Tried,
    ) -> Result<Entered, Shut> {
        let state = route.app.state();
        let Status::Awake { instance, .. } = &state.status else { return Err(Shut::NotAwake) };
        if !ticket.is_some_and(|ticket| ticket.is_for(&route.app)) {
            if self.is_waited_for(&route.app) {
                return Err(Shut::InLine);
            }
            if route.app.open() >= self.settings.max_open_per_app {
                return Err(Shut::Busy);
            }
        }
        let (endpoint, share) = match &route.way {
            None => self.endpoint(&state, tried),
            Some(way) => self.endpoint_at(&state, way.port, tried),
        }
        .ok_or(Shut::NoEndpoints)?;
        let open = Open::enter(&route.app, keeps_awake, share);
        if let Some(ticket) = ticket {
            ticket.arrived();
        }
        Ok(Entered { open, instance: *instance, endpoint })
    }

    /// Where the next request goes.
    fn endpoint(&self, state: &Seen, tried: &Tried) -> Option<(SocketAddr, Option<Share>)> {
        match &state.endpoints {
            Some(several) => self.share(several, tried),
            None => state.listening().first().map(|only| (only.address, None)),
        }
    }

    /// The same at another port of the app.
    fn endpoint_at(
        &self,
        state: &Seen,
        port: Option<u16>,
        tried: &Tried,
    ) -> Option<(SocketAddr, Option<Share>)> {
        let Some(port) = port else { return self.endpoint(state, tried) };
        match state.several(Some(port)) {
            Some(several) => self.share(&several, tried),
            None => {
                let only = state.listening().first()?;
                Some((SocketAddr::new(only.address.ip(), port), None))
            }
        }
    }

    fn share(&self, several: &Arc<Endpoints>, tried: &Tried) -> Option<(SocketAddr, Option<Share>)> {
        // Where all have failed it, it is tried again where it began.
        let share = several.choose(tried, self.settings.slow_start);
        let share = share.or_else(|| several.choose(&Tried::default(), self.settings.slow_start))?;
        Some((share.address(), Some(share)))
    }

    /// The app drains: closes the pooled connections to it, and says that this thread has seen so.
    pub fn quiesce(&self, app: &App, done: oneshot::Sender<()>) {
        if let Some(slot) = self.existing(app) {
            slot.pool.borrow_mut().clear();
        }
        // A session that no longer listens has given the attempt up.
        let _given_up = done.send(());
    }

    /// Sees to those who wait for an app whose state has changed, or that has room again.
    pub fn look(self: &Rc<Self>, app: &Arc<App>) {
        let Some(slot) = self.existing(app) else { return };
        slot.changed.notify_waiters();
        let known = self.table.load().of_app(&app.id).is_some_and(|route| Arc::ptr_eq(&route.app, app));
        if !known {
            // Who has a ticket still has the slot.
            self.slots.borrow_mut()[app.index] = None;
            slot.pool.borrow_mut().clear();
            return slot.queue.borrow_mut().dismiss();
        }
        match &app.state().status {
            // Once its backoff is over, those who wait are waiting for the next try.
            Status::Failed { .. } if !app.state().is_retriable() => slot.queue.borrow_mut().dismiss(),
            Status::Awake { .. } => {
                // Endpoints may have gone: their addresses may be somebody else's next.
                let state = app.state();
                slot.pool.borrow_mut().retain(|address| state.has(address));
                self.release(app, &slot);
            }
            Status::Waking { estimate: Some(estimate), .. } => {
                slot.queue.borrow_mut().dismiss_until(tokio::time::Instant::now() + *estimate);
            }
            Status::Failed { .. }
            | Status::Draining { .. }
            | Status::Asleep { .. }
            | Status::Waking { .. } => {}
        }
    }

    /// What revive has said of endpoints is no longer relied on, or is again: connections made before are of no use.
    pub fn look_at_all(self: &Rc<Self>) {
        let table = self.table.load_full();
        for route in table.routes() {
            let Some(slot) = self.existing(&route.app) else { continue };
            if matches!(route.model.source, Source::Service(_)) {
                slot.pool.borrow_mut().clear();
            }
            self.look(&route.app);
        }
    }

    /// Lets those go who may, if the app is awake.
    pub fn let_go(self: &Rc<Self>, app: &Arc<App>) {
        if let (Some(slot), Status::Awake { .. }) = (self.existing(app), &app.state().status) {
            self.release(app, &slot);
        }
    }

    fn release(self: &Rc<Self>, app: &Arc<App>, slot: &Rc<Slot>) {
        loop {
            let next = slot.queue.borrow_mut().pop(app.open(), self.settings.max_open_per_app);
            let Some(waiter) = next else { break };
            waiter.go(self, slot, app);
        }
        if slot.queue.borrow_mut().needs_time() {
            tokio::task::spawn_local(hold::widen(self.clone(), slot.clone(), app.clone()));
        }
    }

    /// Serving ends: who only looks on is in the way of that.
    pub fn end(&self) {
        self.ending.set(true);
        self.slots.borrow().iter().flatten().for_each(|slot| slot.changed.notify_waiters());
    }

    /// Whether serving ends.
    pub fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Time is up: whoever still waits for an app gets an answer now.
    pub fn close(&self) {
        self.closing.set(true);
        for slot in self.slots.borrow().iter().flatten() {
            slot.queue.borrow_mut().dismiss();
        }
    }

    /// Whether time is up.
    pub fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Closes connections to apps that have been idle for too long; runs only while there are any.
    pub fn sweep_later(self: &Rc<Self>) {
        if self.sweeping.replace(true) {
            return;
        }
        let worker = self.clone();
        tokio::task::spawn_local(async move {
            let limit = worker.settings.upstream_idle_timeout;
            loop {
                tokio::time::sleep(limit / 2).await;
                if !worker.sweep(Instant::now()) {
                    break;
                }
            }
            worker.sweeping.set(false);
        });
    }

    /// Returns whether any idle connection is left.
    fn sweep(&self, now: Instant) -> bool {
        let limit = self.settings.upstream_idle_timeout;
        let slots = self.slots.borrow();
        let idle = slots.iter().flatten().map(|slot| slot.pool.borrow_mut().sweep(now, limit));
        idle.fold(false, |any, left| any | left)
    }

    fn is_waited_for(&self, app: &App) -> bool {
        self.existing(app).is_some_and(|slot| !slot.queue.borrow().is_empty())
    }

    fn existing(&self, app: &App) -> Option<Rc<Slot>> {
        self.slots.borrow().get(app.index).and_then(Clone::clone)
    }
}
