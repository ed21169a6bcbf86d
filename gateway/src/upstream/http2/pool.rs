//! HTTP/2 connections of one thread to one app. Each carries as many requests at once as the app allows.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::dial::Dialled;
use crate::upstream::spoken::Peer;

/// Requests at once on one connection, whatever the app allows: beyond that one that is slow to read from its socket
/// stands in the way of too many.
pub(super) const MAX_STREAMS: usize = 100;

/// A connection; it is closed when neither the pool nor a stream has it any more.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Bytes>,
    task: AbortHandle,
    peer: Peer,
    was_used: Cell<bool>,
    /// When the last stream ended.
    idle_since: Cell<Instant>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A place for one request on a connection.
#[derive(Debug)]
pub struct Stream {
    connection: Rc<Connection>,
    /// Whether the connection has carried another before.
    was_used: bool,
    /// Carries the request's body.
    upload: Option<AbortHandle>,
}

impl Stream {
    fn on(connection: &Rc<Connection>) -> Self {
        let was_used = connection.was_used.replace(true);
        Self { connection: connection.clone(), was_used, upload: None }
    }

    /// Whether its connection was there before it.
    pub(super) fn was_used(&self) -> bool {
        self.was_used
    }

    /// What sends the request.
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.connection.sender.clone()
    }

    /// This task ends with the stream, at the latest.
    pub(super) fn carries(&mut self, upload: AbortHandle) {
        self.upload = Some(upload);
    }

    /// Where its connection goes.
    pub(in crate::upstream) fn peer(&self) -> Peer {
        self.connection.peer
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.abort();
        }
        self.connection.idle_since.set(Instant::now());
    }
}

/// A connection that is being made; whoever needs it, too, waits for the same.
#[derive(Clone, Debug)]
pub(super) struct Dialling {
    peer: Peer,
    number: u64,
    pub(super) outcome: watch::Receiver<Option<Dialled>>,
}

/// The connections that take streams, and those that are being made.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Pool {
    connections: Vec<Rc<Connection>>,
    dialling: Vec<Dialling>,
    dialled: u64,
}

impl Pool {
    /// A place on a connection to this endpoint, if there is room on one.
    pub(super) fn take(&mut self, peer: Peer) -> Option<Stream> {
        // Of no use: closed or said to be closing by the app, or to an earlier run.
        self.connections.retain(|connection| connection.peer.0 == peer.0 && connection.takes_streams());
        let fits = |connection: &&Rc<Connection>| connection.peer == peer && connection.has_room();
        self.connections.iter().find(fits).map(Stream::on)
    }

    /// The connection to this endpoint that is being made.
    pub(super) fn dialling(&self, peer: Peer) -> Option<Dialling> {
        self.dialling.iter().find(|dialling| dialling.peer == peer).cloned()
    }

    /// One is being made from now on; its number is what [`Pool::dialled`] is told.
    pub(super) fn dial(&mut self, peer: Peer, outcome: watch::Receiver<Option<Dialled>>) -> (u64, Dialling) {
        self.dialled += 1;
        let dialling = Dialling { peer, number: self.dialled, outcome };
        self.dialling.push(dialling.clone());
        (self.dialled, dialling)
    }

    /// One is made, or could not be. False if it is not to be used, because the pool has been cleared since.
    pub(super) fn dialled(&mut self, number: u64, made: Option<(SendRequest<Bytes>, AbortHandle)>) -> bool {
        let Some(place) = self.dialling.iter().position(|dialling| dialling.number == number) else {
            return false;
        };
        let Dialling { peer, .. } = self.dialling.swap_remove(place);
        let Some((sender, task)) = made else { return false };
        let idle_since = Cell::new(Instant::now());
        self.connections.push(Rc::new(Connection {
            sender,
            task,
            peer,
            was_used: Cell::new(false),
            idle_since,
        }));
        true
    }

    /// The connection takes no more streams, and is closed after the last one.
    pub(super) fn retire(&mut self, stream: &Stream) {
        self.connections.retain(|connection| !Rc::ptr_eq(connection, &stream.connection));
    }

    /// Closes those to addresses that are not to be `kept`: at once without a stream, the others after their last one.
    pub(in crate::upstream) fn retain(&mut self, kept: impl Fn(SocketAddr) -> bool) {
        self.connections.retain(|connection| kept(connection.peer.1));
        self.dialling.retain(|dialling| kept(dialling.peer.1));
    }

    /// Closes those without a stream; the others after their last one.
    pub(in crate::upstream) fn clear(&mut self) {
        self.connections.clear();
        self.dialling.clear();
    }

    /// Closes those idle for longer than `limit`; returns whether any is left.
    pub(in crate::upstream) fn sweep(&mut self, now: Instant, limit: Duration) -> bool {
        self.connections.retain(|connection| {
            let idle = now.saturating_duration_since(connection.idle_since.get());
            connection.takes_streams() && (connection.streams() > 0 || idle < limit)
        });
        !self.connections.is_empty()
    }
}

impl Connection {
    /// How many streams have it, beside the pool.
    fn streams(self: &Rc<Self>) -> usize {
        Rc::strong_count(self) - 1
    }

    fn has_room(self: &Rc<Self>) -> bool {
        self.streams() < self.sender.current_max_send_streams().min(MAX_STREAMS)
    }

    /// Whether the app has neither closed it nor said that it will (GOAWAY).
    fn takes_streams(&self) -> bool {
        let ready = self.sender.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
        !matches!(ready, Poll::Ready(Err(_)))
    }
}
