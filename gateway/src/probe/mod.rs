//! Asking an instance that has just been made whether it is up. It is up when it answers, not when somebody's
//! next poll says so.

mod grpc;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::link::{Failure, Instance, Probe, ToRevive};
use config::model::{AppId, Check};
use http::Request;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::note::{Note, Notes};
use crate::table::Route;
use crate::upstream::Spoken;

/// Between two dials of an address that refuses: at first, when most programs begin to listen, and later. A refused dial
/// on this machine costs some 30 µs.
const DIAL_INTERVAL: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(4));
/// How many dials follow each other quickly.
const QUICK_DIALS: u32 = 100;
/// A dial that takes longer than this is lost (a packet that a pod's network dropped): the next one.
const DIAL_TIMEOUT: Duration = Duration::from_millis(50);
/// Between two readiness checks at first, and at most.
const CHECK_INTERVAL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// The probers of this gateway: at most one for an app.
#[derive(Debug)]
pub struct Probers {
    running: HashMap<AppId, (Instance, AbortHandle)>,
    notes: Notes,
}

impl Probers {
    /// None yet; what they find becomes notes.
    pub fn new(notes: Notes) -> Self {
        Self { running: HashMap::new(), notes }
    }

    /// Somebody else is told from now on: what has been found before is found once more, if it is asked for.
    pub fn forget_findings(&mut self) {
        self.running.retain(|_, (_, task)| !task.is_finished());
    }

    /// Begins to probe, unless this instance is already being probed. It goes on until [`Probers::end`]: how long a
    /// start may take is revive's matter.
    pub fn begin(&mut self, probe: Probe, route: &Arc<Route>) {
        let app = &route.app;
        if self.running.get(&app.id).is_some_and(|(instance, _)| *instance == probe.instance) {
            return;
        }
        self.end(&app.id);
        let task = tokio::spawn(run(probe, route.clone(), self.notes.clone()));
        self.running.insert(app.id.clone(), (probe.instance, task.abort_handle()));
    }

    /// Ends the app's prober, if there is one.
    pub fn end(&mut self, app: &AppId) {
        if let Some((_, task)) = self.running.remove(app) {
            task.abort();
        }
    }
}

async fn run(probe: Probe, route: Arc<Route>, notes: Notes) {
    let (app, instance) = (&route.app.id, probe.instance);
    let stream = listening(probe.endpoint).await;
    let health = &route.model.health;
    match &health.check {
        Check::Tcp => {}
        Check::Http { .. } | Check::Grpc { .. } => {
            let so_far = Failure::Unhealthy;
            notes.send(Note::Found(ToRevive::NotReachable { app: app.clone(), instance, so_far }));
            healthy(probe.endpoint, stream, &health.check, health.timeout).await;
        }
    }
    if let Check::Grpc { .. } = health.check {
        route.app.learn((instance, probe.endpoint), Spoken::Http2);
    }
    notes.send(Note::Found(ToRevive::Reachable { app: app.clone(), instance }));
}

/// Dials until somebody listens.
async fn listening(endpoint: SocketAddr) -> TcpStream {
    let (quick, slow) = DIAL_INTERVAL;
    let mut dials = 0_u32;
    loop {
        if let Ok(Ok(stream)) = timeout(DIAL_TIMEOUT, TcpStream::connect(endpoint)).await {
            return stream;
        }
        tokio::time::sleep(if dials < QUICK_DIALS { quick } else { slow }).await;
        dials = dials.saturating_add(1);
    }
}

/// Asks until the answer is right.
async fn healthy(endpoint: SocketAddr, stream: TcpStream, check: &Check, limit: Duration) {
    let mut stream = Some(stream);
    let (mut interval, slowest) = CHECK_INTERVAL;
    loop {
        if let Ok(Some(true)) = timeout(limit, ask(check, endpoint, stream.take())).await {
            return;
        }
        tokio::time::sleep(interval).await;
        interval = (interval * 2).min(slowest);
    }
}

async fn ask(check: &Check, endpoint: SocketAddr, stream: Option<TcpStream>) -> Option<bool> {
    match check {
        // It listens, and that was the question.
        Check::Tcp => Some(true),
        Check::Http { path } => http(endpoint, stream, path).await,
        Check::Grpc { service } => grpc::check(endpoint, stream, service).await,
    }
}

/// One readiness check; `None` if there was no answer at all.
async fn http(endpoint: SocketAddr, stream: Option<TcpStream>, path: &str) -> Option<bool> {
    let stream = match stream {
        Some(stream) => stream,
        None => TcpStream::connect(endpoint).await.ok()?,
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get(path).header("host", "localhost").header("user-agent", "loco-edge-probe");
    let request = request.body(Empty::<Bytes>::new()).ok()?;
    let (mut answer, mut connection) = (pin!(sender.send_request(request)), pin!(connection));
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // An HTTP/1.0 server ends the connection with its answer: both are there at once.
        _ended = &mut connection => answer.await,
    };
    answer.ok().map(|answer| answer.status().is_success() || answer.status().is_redirection())
}
