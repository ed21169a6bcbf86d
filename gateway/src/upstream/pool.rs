//! Idle connections of one thread to one app.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::link::{Instance, Status};

use super::http1::Line;
use super::{Findings, Peer, http2};
use crate::app::App;

/// How many idle connections one thread keeps to one app.
const MAX_IDLE: usize = 64;

/// What a request is carried on.
#[derive(Debug)]
pub enum Carrier {
    /// A connection of its own.
    Http1(Box<Connection>),
    /// One of several streams of a connection.
    Http2(http2::Stream),
    /// Nothing more: the connection is no longer HTTP.
    Tunnel,
}

impl Carrier {
    /// Whether its app is awake and still the run that it goes to, with this endpoint. Of one that is being put to sleep no connection is
    /// kept: its pool has been emptied for good.
    pub fn is_current(&self, app: &App) -> bool {
        let (mine, address) = match self {
            Self::Http1(connection) => (connection.instance, connection.endpoint),
            Self::Http2(stream) => stream.peer(),
            Self::Tunnel => return false,
        };
        let state = app.state();
        matches!(&state.status, Status::Awake { instance, .. } if *instance == mine) && state.has(address)
    }
}

/// A connection to an instance. Dropping it closes it, whatever is under way on it. Boxed, because it is moved from hand
/// to hand with each request.
#[derive(Debug)]
pub struct Connection {
    /// How it is spoken on.
    pub line: Line,
    instance: Instance,
    endpoint: SocketAddr,
    pooled: bool,
}

impl Connection {
    /// A new connection.
    pub(super) fn new(line: Line, (instance, endpoint): Peer) -> Box<Self> {
        Box::new(Self { line, instance, endpoint, pooled: false })
    }

    /// Whether it has carried a request before.
    pub fn was_pooled(&self) -> bool {
        self.pooled
    }
}

/// The connections that are there for the next request, and what is known of where they go.
#[derive(Debug, Default)]
pub struct Pool {
    /// Idle ones over HTTP/1.1, the one used last at the end.
    idle: Vec<(Box<Connection>, Instant)>,
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
    ) -> Option<Box<Connection>> {
        // To an earlier run, whose address may be somebody else's by now.
        self.idle.retain(|(idle, _)| idle.instance == instance);
        loop {
            let place = self.idle.iter().rposition(|(idle, _)| idle.endpoint == endpoint)?;
            let idle = now.saturating_duration_since(self.idle[place].1);
            // All before it are older.
            if idle > oldest {
                return None;
            }
            let (mut connection, _) = self.idle.remove(place);
            if connection.line.is_open(idle) {
                connection.pooled = true;
                return Some(connection);
            }
        }
    }

    /// Keeps a connection; false if it is of no use any more.
    pub fn put(&mut self, connection: Box<Connection>, now: Instant) -> bool {
        let of_use = connection.line.is_reusable() && self.idle.len() < MAX_IDLE;
        if of_use {
            self.idle.push((connection, now));
        }
        of_use
    }

    /// Closes those to addresses that are not to be `kept`, and forgets what they speak.
    pub fn retain(&mut self, kept: impl Fn(SocketAddr) -> bool) {
        self.idle.retain(|(connection, _)| kept(connection.endpoint));
        self.http2.retain(&kept);
        self.findings.retain(&kept);
    }

    /// Closes all.
    pub fn clear(&mut self) {
        self.idle.clear();
        self.http2.clear();
    }

    /// Closes those idle for longer than `limit`; returns whether any is left.
    pub fn sweep(&mut self, now: Instant, limit: Duration) -> bool {
        self.idle.retain(|(connection, since)| {
            let idle = now.saturating_duration_since(*since);
            idle < limit && connection.line.is_open(idle)
        });
        let http2 = self.http2.sweep(now, limit);
        http2 || !self.idle.is_empty()
    }
}
