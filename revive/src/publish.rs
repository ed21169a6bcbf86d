//! Telling gateways. Each has an outbox of apps whose state it has not heard yet; what is sent is the state at the
//! moment of sending, so a gateway that is slow to read misses the steps between, never the last one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use config::link::{Limits, ReviveEnd, Table, ToGateway, ToRevive};
use config::model::AppId;
use tokio::sync::mpsc;

/// One gateway's attachment, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatewayId(u64);

/// How a gateway is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// In our own process: it ends with us, and what it says of itself is all there is to know.
    InProcess,
    /// Over a wire, which may break while it serves on: it sends requests to endpoints only with a routing lease.
    Leased,
}

/// How many messages of all gateways together may wait for the driver; more, and the links fill.
const INBOX: usize = 1_024;

/// What comes from a gateway.
#[derive(Debug)]
pub enum News {
    /// It says something.
    Said(ToRevive),
    /// It has left: nothing more comes from it.
    Left,
}

/// All attached gateways.
#[derive(Debug)]
pub struct Gateways {
    attached: HashMap<GatewayId, Outbox>,
    next: u64,
    inbox: mpsc::Sender<(GatewayId, News)>,
    /// What the gateways say.
    pub news: mpsc::Receiver<(GatewayId, News)>,
}

#[derive(Debug)]
struct Outbox {
    tx: mpsc::Sender<ToGateway>,
    /// What was granted last, if it has not heard it yet.
    lease: Option<(u64, Duration)>,
    /// The latest, if it has not heard them yet.
    limits: Option<Limits>,
    table: Option<Table>,
    order: VecDeque<AppId>,
    waiting: HashSet<AppId>,
}

impl Gateways {
    /// None yet.
    pub fn new() -> Self {
        let (inbox, news) = mpsc::channel(INBOX);
        Self { attached: HashMap::new(), next: 0, inbox, news }
    }

    /// A gateway attaches; it gets the limits first and then the table, so that no request passes that nobody counts.
    pub fn attach(&mut self, end: ReviveEnd, limits: Limits, table: Table) -> GatewayId {
        let id = GatewayId(self.next);
        self.next += 1;
        let (inbox, mut rx) = (self.inbox.clone(), end.rx);
        tokio::spawn(async move {
            while let Some(message) = rx.recv().await {
                if inbox.send((id, News::Said(message))).await.is_err() {
                    return;
                }
            }
            // Nothing else would tell a driver that has nothing to send.
            let _driver_ended = inbox.send((id, News::Left)).await;
        });
        let outbox = Outbox {
            tx: end.tx,
            lease: None,
            limits: Some(limits),
            table: Some(table),
            order: VecDeque::new(),
            waiting: HashSet::new(),
        };
        self.attached.insert(id, outbox);
        id
    }

    /// A gateway has left; whether it was still attached.
    pub fn detach(&mut self, id: GatewayId) -> bool {
        self.attached.remove(&id).is_some()
    }

    /// A gateway's lease is renewed: that goes before all else.
    pub fn lease(&mut self, id: GatewayId, renewal: u64, valid: Duration) {
        if let Some(outbox) = self.attached.get_mut(&id) {
            outbox.lease = Some((renewal, valid));
        }
    }

    /// A name, as one that is attached has.
    #[cfg(test)]
    pub(crate) fn id(number: u64) -> GatewayId {
        GatewayId(number)
    }

    /// Every gateway shall hear the state of this app.
    pub fn publish(&mut self, app: &AppId) {
        for outbox in self.attached.values_mut() {
            if outbox.waiting.insert(app.clone()) {
                outbox.order.push_back(app.clone());
            }
        }
    }

    /// Every gateway shall hear these limits; those it has not heard by then it never will.
    pub fn publish_limits(&mut self, limits: &Limits) {
        for outbox in self.attached.values_mut() {
            outbox.limits = Some(limits.clone());
        }
    }

    /// Every gateway shall hear this table, which has the newest states of all.
    pub fn replace(&mut self, table: &Table) {
        for outbox in self.attached.values_mut() {
            outbox.table = Some(table.clone());
            outbox.order.clear();
            outbox.waiting.clear();
        }
    }

    /// Sends what the links will take now. `message` says the state of an app, if it is still in the table. Returns
    /// the gateways that have left.
    pub fn flush(&mut self, message: impl Fn(&AppId) -> Option<ToGateway>) -> Vec<GatewayId> {
        let left: Vec<GatewayId> = self
            .attached
            .iter_mut()
            .filter_map(|(id, outbox)| (!outbox.flush(&message)).then_some(*id))
            .collect();
        for id in &left {
            self.attached.remove(id);
        }
        left
    }

    /// The links that were full: to be waited for with [`room`].
    pub fn full(&self) -> Vec<mpsc::Sender<ToGateway>> {
        self.attached.values().filter(|outbox| !outbox.is_empty()).map(|outbox| outbox.tx.clone()).collect()
    }
}

/// Waits until any of these links has room again; for ever without one.
pub async fn room(full: Vec<mpsc::Sender<ToGateway>>) {
    let mut reserving: Vec<_> = full.iter().map(|tx| Box::pin(tx.reserve())).collect();
    poll_fn(|cx| {
        // The permit is given back at once: `flush` takes what there is.
        let any = reserving.iter_mut().any(|room| room.as_mut().poll(cx).is_ready());
        if any { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Default for Gateways {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbox {
    fn is_empty(&self) -> bool {
        self.lease.is_none() && self.limits.is_none() && self.table.is_none() && self.order.is_empty()
    }

    /// Returns whether the gateway is still there.
    fn flush(&mut self, message: &impl Fn(&AppId) -> Option<ToGateway>) -> bool {
        while !self.is_empty() {
            let permit = match self.tx.try_reserve() {
                Ok(permit) => permit,
                Err(mpsc::error::TrySendError::Full(())) => return true,
                Err(mpsc::error::TrySendError::Closed(())) => return false,
            };
            if let Some((renewal, valid)) = self.lease.take() {
                permit.send(ToGateway::Lease { renewal, valid });
            } else if let Some(limits) = self.limits.take() {
                permit.send(ToGateway::Limits(limits));
            } else if let Some(table) = self.table.take() {
                permit.send(ToGateway::Table(table));
            } else if let Some(app) = self.order.pop_front() {
                self.waiting.remove(&app);
                if let Some(message) = message(&app) {
                    permit.send(message);
                }
            }
        }
        !self.tx.is_closed()
    }
}
