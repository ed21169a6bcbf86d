//! The way to an app: a pooled connection, or a new one; and what goes wrong there.

mod body;
mod choice;
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
use std::time::{Duration, Instant};

use config::link::Instance;
use config::model::Protocol;
use http::{Request, Response};
use http_body::Body as _;
use hyper::client::conn::http1;
use tokio::net::TcpStream;

pub use body::{RequestBody, Upload};
pub use choice::send;
pub use http2::{Stream, Tunnel};
pub use pool::{Carrier, Connection, Pool};
use reading::Reading;
pub use response::{BrokenOff, ResponseBody};
pub use spoken::{Findings, Peer, Spoken};
pub use upgrade::{Upgrade, splice};

use crate::app::App;
use crate::balance::retry::Outcome;
use crate::conn;
use crate::worker::{Slot, Worker};

/// An idle connection younger than this is trusted with any request. An older one may just be being closed by the
/// app (Node does so after 5 s, gunicorn after 2 s), and then nobody can tell whether a request that was written
/// has been read: so a request that must not be repeated gets a new connection instead (RFC 9112, section 9.3.1).
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Header lines of a response; more is taken for a malformed one.
const MAX_RESPONSE_HEADERS: usize = 256;

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
    /// How long from the end of the request to the head of the response.
    pub response_timeout: Duration,
    /// Whether a request that fails may be repeated at another endpoint.
    pub has_other: bool,
}

/// A request that could not be sent or was not answered.
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

    fn unsent(fault: Fault, request: Option<Request<RequestBody>>) -> Self {
        Self { fault, back: request.map(|request| (Outcome::Unsent, request)) }
    }

    /// A connection that ended may have carried it; `copy` is there if it may be repeated all the same.
    fn repeatable(fault: Fault, copy: Option<Request<RequestBody>>) -> Self {
        let copy = copy.filter(|_| fault == Fault::Reset);
        Self { fault, back: copy.map(|request| (Outcome::Repeatable, request)) }
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

/// Sends a request over HTTP/1.1 and waits for the head of its response. A pooled connection that turns out to be closed before a
/// byte was sent costs the client nothing: the next one is taken. A request that may be repeated is repeated once, on
/// a new connection: more often, one that ends its app would end it again and again.
///
/// # Errors
/// Says what went wrong, and gives the request back if it was not sent.
async fn over_http1(target: &Target<'_>, mut request: Request<RequestBody>) -> Result<Answered, Failed> {
    let repeatable = request.method().is_idempotent() && request.body().is_end_stream();
    let upload = request.body().upload();
    let mut repeated = false;
    loop {
        let pooled = if repeated { None } else { take_pooled(target, repeatable) };
        let mut connection = match pooled {
            Some(connection) => connection,
            None => match dial(target).await {
                Ok(connection) => connection,
                // Of a repeated request the first may have done its work: it is not held for another try.
                Err(fault) => return Err(Failed::unsent(fault, (!repeated).then_some(request))),
            },
        };
        // An app may close a connection in the moment in which it is used again. Only of a request that may be repeated
        // a copy is kept for that (RFC 9110, section 9.2.2); on a new connection there is no such moment.
        let copy = (repeatable && (connection.was_pooled() || target.has_other)).then(|| repeat(&request));
        let sending = connection.send(request);
        let (fault, unsent) = match patiently(target.response_timeout, upload.as_ref(), sending).await {
            Some(Ok(response)) => {
                let response = response.map(ResponseBody::Http1);
                return Ok(Answered { response, connection: Carrier::Http1(connection) });
            }
            Some(Err(error)) => error,
            None => return Err(Failed::lost(Fault::Timeout)),
        };
        if connection.has_met_http2() {
            target.learn(Spoken::Http2);
            return Err(Failed::unsent(Fault::NotHttp1, unsent));
        }
        request = match (unsent, copy) {
            (Some(unsent), _) if connection.was_pooled() => unsent,
            (None, Some(copy)) if fault == Fault::Reset && connection.was_pooled() && may_repeat(target) => {
                repeated = true;
                copy
            }
            (Some(unsent), _) => return Err(Failed::unsent(fault, Some(unsent))),
            // Once it was repeated, that was its second time.
            (None, copy) => {
                return Err(Failed::repeatable(fault, copy.filter(|_| target.has_other && !repeated)));
            }
        };
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

/// The same request once more; it has no body.
fn repeat(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    copy
}

fn take_pooled(target: &Target<'_>, repeatable: bool) -> Option<Connection> {
    let now = Instant::now();
    let oldest = if repeatable { target.worker.settings.upstream_idle_timeout } else { TRUSTED_IDLE };
    target.slot.pool.borrow_mut().take((target.instance, target.endpoint), now, oldest)
}

async fn dial(target: &Target<'_>) -> Result<Connection, Fault> {
    let stream = connect(target.app, target.peer(), target.worker.settings.connect_timeout).await?;
    let reading = Reading::new(stream);
    let heard = reading.heard();
    let mut builder = http1::Builder::new();
    builder.max_headers(MAX_RESPONSE_HEADERS);
    let io = hyper_util::rt::TokioIo::new(reading);
    let (sender, driver) = builder.handshake(io).await.map_err(|_| Fault::Reset)?;
    let task = tokio::task::spawn_local(async move {
        // What ends a connection is told to the request on it; without one it is of no interest.
        let _ended = driver.with_upgrades().await;
    });
    Ok(Connection::new(sender, task.abort_handle(), target.peer(), heard))
}

async fn connect(app: &Arc<App>, (instance, endpoint): Peer, limit: Duration) -> Result<TcpStream, Fault> {
    let stream = match tokio::time::timeout(limit, TcpStream::connect(endpoint)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            // Only then nobody listens. One that is overrun by connections does not refuse them, but lets them wait.
            if error.kind() == io::ErrorKind::ConnectionRefused {
                app.refuses(instance);
            }
            return Err(Fault::Refused);
        }
        Err(_) => return Err(Fault::Refused),
    };
    app.accepts();
    // Latency before bandwidth: a head must not wait for the acknowledgement of the one before.
    let _slower = stream.set_nodelay(true);
    Ok(stream)
}

/// Puts a connection back when the response on it has come to its end.
pub fn give_back(worker: &Rc<Worker>, slot: &Slot, carrier: Carrier) {
    match carrier {
        Carrier::Http1(connection) => {
            if slot.pool.borrow_mut().put(connection, Instant::now()) {
                worker.sweep_later();
            }
        }
        // Its connection is there for others all the time.
        Carrier::Http2(stream) => drop(stream),
    }
}
