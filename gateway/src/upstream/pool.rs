//! Idle connections of one thread to one app.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::link::{Instance, Status};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::task::AbortHandle;

use super::reading::{Ear, Heard};
use super::{Fault, Findings, RequestBody, http2};
use crate::app::App;

/// How many idle connections one thread keeps to one app.
const MAX_IDLE: usize = 64;

/// What a request is carried on.
#[derive(Debug)]
pub enum Carrier {
    /// A connection of its own.
    Http1(Connection),
    /// One of several streams of a connection.
    Http2(http2::Stream),
}

impl Carrier {
    /// Whether its app is awake and still the run that it goes to. Of one that is being put to sleep no connection is
    /// kept: its pool has been emptied for good.
    pub fn is_current(&self, app: &App) -> bool {
        let mine = match self {
            Self::Http1(connection) => connection.instance,
            Self::Http2(stream) => stream.instance(),
        };
        matches!(&app.state().status, Status::Awake { instance, .. } if *instance == mine)
    }
}

/// A connection to an instance. Dropping it closes it, whatever is under way on it.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<RequestBody>,
    task: AbortHandle,
    instance: Instance,
    endpoint: SocketAddr,
    heard: Ear,
    pooled: bool,
}

impl Connection {
    /// A new connection.
    pub(super) fn new(
        sender: SendRequest<RequestBody>,
        task: AbortHandle,
        (instance, endpoint): (Instance, SocketAddr),
        heard: Ear,
    ) -> Self {
        Self { sender, task, instance, endpoint, heard, pooled: false }
    }

    /// Whether the other end has begun with a frame of HTTP/2.
    pub(super) fn has_met_http2(&self) -> bool {
        self.heard.get() == Some(&Heard::Settings)
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

/// The connections that are there for the next request, and what is known of where they go.
#[derive(Debug, Default)]
pub struct Pool {
    /// Idle ones over HTTP/1.1, the one used last at the end.
    idle: Vec<(Connection, Instant)>,
    pub(super) http2: http2::Pool,
    pub(super) findings: Findings,
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
        self.http2.clear();
    }

    /// Closes those idle for longer than `limit`; returns whether any is left.
    pub fn sweep(&mut self, now: Instant, limit: Duration) -> bool {
        self.idle.retain(|(connection, since)| {
            !connection.sender.is_closed() && now.saturating_duration_since(*since) < limit
        });
        let http2 = self.http2.sweep(now, limit);
        http2 || !self.idle.is_empty()
    }
}
