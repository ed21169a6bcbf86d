//! Idle connections of one thread to one app.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::link::{Instance, Status};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::task::AbortHandle;

use super::{Fault, RequestBody};
use crate::app::App;

/// How many idle connections one thread keeps to one app.
const MAX_IDLE: usize = 64;

/// A connection to an instance. Dropping it closes it, whatever is under way on it.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<RequestBody>,
    task: AbortHandle,
    instance: Instance,
    endpoint: SocketAddr,
    pooled: bool,
}

impl Connection {
    /// A new connection.
    pub fn new(
        sender: SendRequest<RequestBody>,
        task: AbortHandle,
        (instance, endpoint): (Instance, SocketAddr),
    ) -> Self {
        Self { sender, task, instance, endpoint, pooled: false }
    }

    /// Whether its app is awake and still the run that it goes to. Of one that is being put to sleep no connection is
    /// kept: its pool has been emptied for good.
    pub fn is_current(&self, app: &App) -> bool {
        matches!(&app.state().status, Status::Awake { instance, .. } if *instance == self.instance)
    }

    /// Whether it has carried a request before.
    pub fn was_pooled(&self) -> bool {
        self.pooled
    }

    /// Sends a request; on failure returns it if no byte of it was sent.
    pub async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, (Fault, Option<Request<RequestBody>>)> {
        // Just pooled, it may still be finishing the exchange before.
        if !self.sender.is_ready() && self.sender.ready().await.is_err() {
            return Err((Fault::Reset, Some(request)));
        }
        self.sender.try_send_request(request).await.map_err(|mut error| {
            let unsent = error.take_message();
            let fault = if error.error().is_parse() { Fault::Malformed } else { Fault::Reset };
            (fault, unsent)
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Idle connections, the one used last at the end.
#[derive(Debug, Default)]
pub struct Pool {
    idle: Vec<(Connection, Instant)>,
}

impl Pool {
    /// The connection to this endpoint used last, if it has been idle for at most `oldest`. Of several endpoints the
    /// few idle connections are searched; an app that we run has one.
    pub fn take(
        &mut self,
        (instance, endpoint): (Instance, SocketAddr),
        now: Instant,
        oldest: Duration,
    ) -> Option<Connection> {
        // Of no use: closed by the app, or to an earlier run, whose address may be somebody else's by now.
        self.idle.retain(|(idle, _)| idle.instance == instance && !idle.sender.is_closed());
        let fits = |(idle, since): &(Connection, Instant)| {
            idle.endpoint == endpoint && now.saturating_duration_since(*since) <= oldest
        };
        let place = self.idle.iter().rposition(fits)?;
        let (mut connection, _) = self.idle.remove(place);
        connection.pooled = true;
        Some(connection)
    }

    /// Keeps a connection; false if it is of no use any more.
    pub fn put(&mut self, connection: Connection, now: Instant) -> bool {
        let of_use = !connection.sender.is_closed() && self.idle.len() < MAX_IDLE;
        if of_use {
            self.idle.push((connection, now));
        }
        of_use
    }

    /// Closes all.
    pub fn clear(&mut self) {
        self.idle.clear();
    }

    /// Closes those idle for longer than `limit`; returns whether any is left.
    pub fn sweep(&mut self, now: Instant, limit: Duration) -> bool {
        self.idle.retain(|(connection, since)| {
            !connection.sender.is_closed() && now.saturating_duration_since(*since) < limit
        });
        !self.idle.is_empty()
    }
}
