//! Holding: requests wait, unread, until their app is up, in the order in which they came.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::link::Status;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::app::{App, Place};
use crate::worker::{Slot, Worker};

/// How many held requests an app that has just come up gets at first; each one that it answers lets two more go.
const FIRST_RELEASED: u32 = 8;

/// An app that has not answered for this long is not slow to come up, but slow in its work: it gets more all the same.
const SLOW_HEAD: Duration = Duration::from_millis(100);

/// Those of one thread that wait for one app.
#[derive(Debug)]
pub struct Queue {
    /// By arrival; a map, so that one who leaves takes its place along.
    waiting: BTreeMap<u64, Seated>,
    next: u64,
    /// How many released requests may be on their way at once.
    window: u32,
    /// How many are.
    on_their_way: u32,
    /// How many of these do not count as open at the app yet.
    to_arrive: u32,
    pace: Pace,
}

/// One who waits.
#[derive(Debug)]
struct Seated {
    released: oneshot::Sender<Released>,
    deadline: Instant,
}

/// What lets more go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Answers alone.
    Answers,
    /// Time, too: [`widen`] runs.
    Time,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            next: 0,
            window: FIRST_RELEASED,
            on_their_way: 0,
            to_arrive: 0,
            pace: Pace::Answers,
        }
    }
}

/// Why a wait ended.
#[derive(Debug)]
enum Released {
    /// The app is up, and it is this one's turn. The ticket travels inside, so that it is given back even if the
    /// one who waited leaves before looking.
    Go(Ticket),
    /// The app's state has changed for the worse.
    Look,
}

impl Queue {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The app is up: the next one to be let go, the longest waiting first, if it may get one more now. One is
    /// always let go, even where other threads have filled the app, so that nobody depends on another thread to
    /// say that there is room.
    pub fn pop(&mut self, open: u32, max_open: u32) -> Option<Waiter> {
        if self.waiting.is_empty() && self.on_their_way == 0 {
            self.window = FIRST_RELEASED;
        }
        let open = open.saturating_add(self.to_arrive);
        let room = self.on_their_way == 0 || (self.on_their_way < self.window && open < max_open);
        let (_, waiter) = if room { self.waiting.pop_first() } else { None }?;
        self.on_their_way += 1;
        self.to_arrive += 1;
        Some(Waiter(waiter.released))
    }

    /// Whether time must be made to let more go, because nobody does yet. The caller sees to it with [`widen`].
    pub fn needs_time(&mut self) -> bool {
        !self.waiting.is_empty() && std::mem::replace(&mut self.pace, Pace::Time) == Pace::Answers
    }

    /// The app will not be up soon: everybody looks for their answer.
    pub fn dismiss(&mut self) {
        for waiter in std::mem::take(&mut self.waiting).into_values() {
            // Whoever has left in this moment needs no answer.
            let _left = waiter.released.send(Released::Look);
        }
    }

    /// The app will not be up before `up_at`: those who cannot wait for that look for their answer now.
    pub fn dismiss_until(&mut self, up_at: Instant) {
        for (_, waiter) in self.waiting.extract_if(.., |_, waiter| waiter.deadline < up_at) {
            let _left = waiter.released.send(Released::Look);
        }
    }

    fn join(&mut self, deadline: Instant) -> (u64, oneshot::Receiver<Released>) {
        let (released, rx) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, Seated { released, deadline });
        (number, rx)
    }

    fn leave(&mut self, number: u64) {
        self.waiting.remove(&number);
    }
}

/// Lets more go as time passes, as long as anybody waits for an app that is awake.
pub async fn widen(worker: Rc<Worker>, slot: Rc<Slot>, app: Arc<App>) {
    loop {
        tokio::time::sleep(SLOW_HEAD).await;
        {
            let mut queue = slot.queue.borrow_mut();
            if queue.is_empty() || !matches!(app.state().status, Status::Awake { .. }) {
                queue.pace = Pace::Answers;
                return;
            }
            queue.window = queue.window.saturating_mul(2);
        }
        worker.let_go(&app);
    }
}

/// One whose turn has come. Consume it with [`Waiter::go`], without the queue being borrowed.
#[derive(Debug)]
pub struct Waiter(oneshot::Sender<Released>);

impl Waiter {
    /// Lets it go.
    pub fn go(self, worker: &Rc<Worker>, slot: &Rc<Slot>, app: &Arc<App>) {
        let has_arrived = Cell::new(false);
        let ticket = Ticket { worker: worker.clone(), slot: slot.clone(), app: app.clone(), has_arrived };
        // One who has left gives the ticket back by dropping it.
        let _left = self.0.send(Released::Go(ticket));
    }
}

/// Leave to go to an app that has come up, ahead of those who have just arrived. To be dropped when the app has
/// begun to answer, or has failed to.
#[derive(Debug)]
pub struct Ticket {
    worker: Rc<Worker>,
    slot: Rc<Slot>,
    app: Arc<App>,
    has_arrived: Cell<bool>,
}

impl Ticket {
    /// Whether it is leave to go to this app.
    pub fn is_for(&self, app: &Arc<App>) -> bool {
        Arc::ptr_eq(&self.app, app)
    }

    /// The request counts as open from now on, or never will.
    pub fn arrived(&self) {
        if !self.has_arrived.replace(true) {
            let mut queue = self.slot.queue.borrow_mut();
            queue.to_arrive = queue.to_arrive.saturating_sub(1);
        }
    }

    /// The app has answered: it may have more at once from now on.
    pub fn answered(&self) {
        let mut queue = self.slot.queue.borrow_mut();
        queue.window = queue.window.saturating_add(1);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut queue = self.slot.queue.borrow_mut();
        queue.on_their_way = queue.on_their_way.saturating_sub(1);
        drop(queue);
        self.arrived();
        self.worker.let_go(&self.app);
    }
}

/// How a wait ended.
#[derive(Debug)]
pub enum Waited {
    /// The app is up.
    Up(Ticket),
    /// Something has changed; look again.
    Changed,
    /// The deadline has passed.
    TooLong,
}

/// Waits for an app, at most until `deadline`; `place` is given up at the end.
pub async fn wait(worker: &Rc<Worker>, app: &Arc<App>, place: Place, deadline: Instant) -> Waited {
    let slot = worker.slot(app);
    let (number, released) = slot.queue.borrow_mut().join(deadline);
    let seat = Seat { slot, number };
    // Of an app that is awake no further news comes. For any other the caller has just looked at the state; a change
    // since then is still to come to this thread as an order.
    worker.let_go(app);
    let waited = tokio::time::timeout_at(deadline, released).await;
    drop((seat, place));
    match waited {
        Ok(Ok(Released::Go(ticket))) => Waited::Up(ticket),
        Ok(Ok(Released::Look) | Err(_)) => Waited::Changed,
        Err(_) => Waited::TooLong,
    }
}

/// A seat in the queue; whoever leaves, for whatever reason, takes it along.
struct Seat {
    slot: Rc<Slot>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.slot.queue.borrow_mut().leave(self.number);
    }
}
