//! The admin API: its own listener, JSON, problems by RFC 9457. `docs/admin-api.md` describes it.
//!
//! ```text
//!   a request ─► counts ─► guard (Host, Origin) ─► a route of `routes` ─► its door (token, role) ─► its handler
//! ```

mod about;
mod access;
mod apps;
mod attempts;
mod brakes;
mod capacity;
mod configuration;
mod counts;
mod extract;
mod guard;
mod json;
mod limits;
mod problem;
mod routes;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use access::Peer;
pub use access::Tokens;
use attempts::Attempts;
pub use configuration::{Configuration, ConfigurationView, ReadView};
pub use counts::Counts;
pub use guard::Guard;

use crate::driver::Handle;
use crate::platform::kubernetes::room::Room;
use crate::store::Keep;

/// How long a change may take to be on disk.
const FLUSH: Duration = Duration::from_secs(2);
/// Connections to the API at once; more wait.
const MAX_CONNECTIONS: usize = 64;
/// How long a request's head may take, and a whole connection: deep sleep of a stubborn app takes its `stop_timeout`.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long accepting pauses when there is no descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of the largest body: a limit with all its hosts and paths is much smaller.
const MAX_BODY: usize = 64 << 10;

/// What the API speaks for.
#[derive(Clone)]
pub struct Admin {
    /// The driver.
    pub handle: Handle,
    /// Where changes are written down.
    pub store: Arc<dyn Keep>,
    /// All figures.
    pub registry: Arc<Registry>,
    /// Those of the API itself.
    pub counts: Counts,
    /// Whether requests are being served.
    pub ready: Readiness,
    /// Who may use it.
    pub tokens: Tokens,
    /// Which file is in use.
    pub configuration: Configuration,
    /// Of a cluster: whether there is room.
    pub room: Option<Arc<Room>>,
    attempts: Arc<Mutex<Attempts>>,
}

impl Admin {
    /// An API that is not ready yet.
    pub fn new(
        handle: Handle,
        store: Arc<dyn Keep>,
        figures: (Arc<Registry>, Counts),
        tokens: Tokens,
        configuration: Configuration,
    ) -> Self {
        let (registry, counts) = figures;
        let (ready, attempts) = (Readiness::default(), Arc::default());
        Self { handle, store, registry, counts, ready, tokens, configuration, room: None, attempts }
    }
}

/// Says "ready" once it has been told so.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on, or no longer.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Relaxed);
    }
}

/// Serves the API until the task is ended.
pub async fn serve(listener: TcpListener, admin: Admin) {
    let guard = match listener.local_addr() {
        Ok(address) => Guard::of(address),
        Err(error) => return tracing::error!(%error, "the admin API is not served"),
    };
    let router = router(admin, guard);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Their connections end with it.
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the admin API cannot accept connections; trying again");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let Ok(room) = room.clone().acquire_owned().await else { return };
        let routes = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: hyper::Request<_>| {
            request.extensions_mut().insert(Peer(peer.ip()));
            routes.call(request)
        });
        connections.spawn(async move {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).keep_alive(false);
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            // How a client left, or that it took too long, is its own matter.
            let _ended = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
            drop(room);
        });
    }
}

/// The routes, behind the guard.
pub fn router(admin: Admin, guard: Guard) -> Router {
    routes::router(&admin)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .layer(middleware::from_fn_with_state(admin.counts.clone(), counts::count))
        .with_state(admin)
}
