//! The way to an app: a pooled connection, or a new one; and what goes wrong there.

mod body;
mod choice;
mod http1;
mod http2;
mod kept;
mod pool;
mod reading;
mod response;
mod spoken;
mod upgrade;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::link::Instance;
use config::model::Protocol;
use http::{Request, Response};
use http_body::Body as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

pub use body::{RequestBody, Upload};
pub use choice::send;
pub use http1::Freed;
pub use http2::{Stream, Tunnel};
pub use pool::{Carrier, Connection, Pool};
pub use response::{BrokenOff, ResponseBody};
pub use spoken::{Findings, Peer, Spoken};
pub use upgrade::{Upgrade, splice};

use http1::Unanswered;

use crate::app::App;
use crate::balance::retry::Outcome;
use crate::conn;
use crate::forward::Added;
use crate::outbound::Unsent;
use crate::worker::{Slot, Worker};

/// An idle connection younger than this is trusted with any request. An older one may just be being closed by the
/// app (Node does so after 5 s, gunicorn after 2 s), and then nobody can tell whether a request that was written
/// has been read: so a request that must not be repeated gets a new connection instead (RFC 9112, section 9.3.1).
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// What went wrong between us and an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No connection: nothing listens, or it could not be reached in time. No byte of the request was sent.
    #[error("the app refused the connection")]
    Refused,
    /// The connection ended before the head of a response came.
    #[error("the app closed the connection without a response")]
    Reset,
    /// What came was not HTTP.
    #[error("the app's response was not understood")]
    Malformed,
    /// No head of a response within the app's `response_timeout`.
    #[error("the app did not respond in time")]
    Timeout,
    /// The request needs HTTP/2, and the app does not speak it. Nothing of the request was sent.
    #[error("the app does not speak HTTP/2")]
    NotHttp2,
    /// The app speaks HTTP/2, and not what the request was sent in. It was not processed.
    #[error("the app does not speak HTTP/1.1")]
    NotHttp1,
    /// The app speaks HTTP/2, and takes no WebSockets over it (RFC 8441, section 3). Nothing of the request was sent.
    #[error("the app takes no WebSockets over HTTP/2")]
    NoWebSocket,
}

/// Where and how a request is sent.
#[derive(Debug)]
pub struct Target<'a> {
    /// This thread.
    pub worker: &'a Rc<Worker>,
    /// The app.
    pub app: &'a Arc<App>,
    /// What this thread has of it.
    pub slot: &'a Rc<Slot>,
    /// The run.
    pub instance: Instance,
    /// Its address.
    pub endpoint: SocketAddr,
    /// What it speaks, as far as its owner has said.
    pub protocol: Protocol,
    /// The client's end, for what comes before the response.
    pub client: &'a conn::Exchange,
    /// When the request was let go, just now.
    pub now: Instant,
    /// How long from the end of the request to the head of the response.
    pub response_timeout: Duration,
}

/// A request and what goes with it.
#[derive(Debug)]
pub struct Call<'a> {
    /// The client's request. Its headers and its body are its own until it is answered, or the body is being sent.
    pub request: &'a mut Request<RequestBody>,
    /// What it gets on its way.
    pub added: Added<'a>,
}

/// A request that could not be sent over HTTP/2 or was not answered.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub fault: Fault,
    /// The request, if it may be tried again, and why it may.
    pub back: Option<(Outcome, Request<RequestBody>)>,
}

impl Failed {
    /// Nobody knows what the app has made of it.
    fn lost(fault: Fault) -> Self {
        Self { fault, back: None }
    }

    fn unsent(fault: Fault, request: Request<RequestBody>) -> Self {
        Self { fault, back: Some((Outcome::Unsent, request)) }
    }
}

/// The head of a response, and the connection it came on.
#[derive(Debug)]
pub struct Answered {
    /// The response.
    pub response: Response<ResponseBody>,
    /// To be given back at the end of the body, or dropped.
    pub connection: Carrier,
}

impl Target<'_> {
    fn peer(&self) -> Peer {
        (self.instance, self.endpoint)
    }

    /// What its endpoint speaks, as far as it has been found out.
    fn spoken(&self) -> Option<Spoken> {
        let here = self.slot.pool.borrow().findings.of(self.peer());
        here.or_else(|| {
            // Another thread may know, or the prober.
            let there = self.app.spoken(self.peer())?;
            self.slot.pool.borrow_mut().findings.learn(self.peer(), there);
            Some(there)
        })
    }

    /// Remembers what its endpoint speaks.
    fn learn(&self, spoken: Spoken) {
        self.slot.pool.borrow_mut().findings.learn(self.peer(), spoken);
        self.app.learn(self.peer(), spoken);
    }
}

/// Sends a request over HTTP/1.1 and waits for the head of its response. A pooled connection that turns out to be closed
/// before a byte was sent costs the client nothing: the next one is taken.
///
/// # Errors
/// Says what went wrong, and whether the request may be tried again.
async fn over_http1(target: &Target<'_>, call: &mut Call<'_>) -> Result<Answered, Unsent> {
    let repeatable = call.request.method().is_idempotent() && call.request.body().is_end_stream();
    loop {
        let (mut connection, now) = match take_pooled(target, repeatable) {
            Some(connection) => (connection, target.now),
            // Boxed, because few requests need it, and what dialling needs would make room in every connection.
            None => match Box::pin(dial(target)).await {
                Ok(connection) => (connection, Instant::now()),
                Err(fault) => return Err(Unsent::Again(fault, Outcome::Unsent)),
            },
        };
        let pooled = connection.was_pooled();
        match connection.line.send(call, target.client, (target.response_timeout, now)).await {
            Ok(response) => {
                let response = response.map(ResponseBody::Http1);
                return Ok(Answered { response, connection: Carrier::Http1(connection) });
            }
            Err(_) if connection.line.has_met_http2() => {
                target.learn(Spoken::Http2);
                return Err(Unsent::Lost(Fault::NotHttp1));
            }
            Err(Unanswered::Unsent) if pooled => {}
            Err(Unanswered::Unsent) => return Err(Unsent::Again(Fault::Reset, Outcome::Unsent)),
            // The app has ended, or has closed a connection in the moment in which it was used again.
            Err(Unanswered::Lost(Fault::Reset)) if repeatable => {
                return Err(Unsent::Again(Fault::Reset, Outcome::Repeatable));
            }
            Err(Unanswered::Lost(fault)) => return Err(Unsent::Lost(fault)),
        }
    }
}

fn may_repeat(target: &Target<'_>) -> bool {
    target.app.spend_retry(target.worker.settings.retry_budget)
}

/// Waits for as long as the app takes something of the request's body, and then for `limit`; `None` is too long.
async fn patiently<F: Future>(limit: Duration, upload: Option<&Upload>, sending: F) -> Option<F::Output> {
    let mut sending = pin!(sending);
    let mut before = 0;
    loop {
        if let Ok(answered) = tokio::time::timeout(limit, sending.as_mut()).await {
            return Some(answered);
        }
        let moved = upload.map_or(0, Upload::moved);
        // An app cannot answer what it waits for itself.
        if moved == before && !upload.is_some_and(Upload::is_awaited) {
            return None;
        }
        before = moved;
    }
}

fn take_pooled(target: &Target<'_>, repeatable: bool) -> Option<Box<Connection>> {
    let oldest = if repeatable { target.worker.settings.upstream_idle_timeout } else { TRUSTED_IDLE };
    target.slot.pool.borrow_mut().take((target.instance, target.endpoint), target.now.into_std(), oldest)
}

async fn dial(target: &Target<'_>) -> Result<Box<Connection>, Fault> {
    let stream = connect(target.app, target.peer(), target.worker.settings.connect_timeout).await?;
    Ok(Connection::new(http1::Line::new(stream), target.peer()))
}

async fn connect(app: &Arc<App>, (instance, endpoint): Peer, limit: Duration) -> Result<TcpStream, Fault> {
    let stream = match tokio::time::timeout(limit, TcpStream::connect(endpoint)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            // Only then nobody listens. One that is overrun by connections does not refuse them, but lets them wait.
            if error.kind() == io::ErrorKind::ConnectionRefused {
                app.refuses((instance, endpoint));
            }
            return Err(Fault::Refused);
        }
        Err(_) => return Err(Fault::Refused),
    };
    app.accepts((instance, endpoint));
    // Latency before bandwidth: a head must not wait for the acknowledgement of the one before.
    let _slower = stream.set_nodelay(true);
    Ok(stream)
}

/// Puts a connection back when the response on it has come to its end.
pub fn give_back(worker: &Rc<Worker>, slot: &Slot, carrier: Carrier, now: Instant) {
    match carrier {
        Carrier::Http1(connection) => {
            if slot.pool.borrow_mut().put(connection, now.into_std()) {
                worker.sweep_later();
            }
        }
        // Its connection is there for others all the time.
        Carrier::Http2(stream) => drop(stream),
        Carrier::Tunnel => {}
    }
}
