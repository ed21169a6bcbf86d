//! What a gateway says of itself, on a listener of its own: whether it lives, whether it is ready, its figures.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections at once; more wait.
const MAX_CONNECTIONS: usize = 64;
/// How long a request's head may take, and a whole connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long accepting pauses when there is no descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Says "ready" once it has been told so.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on, or no longer.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Relaxed);
    }
}

/// Answers until the task is ended.
pub async fn serve(listener: TcpListener, registry: Arc<Registry>, ready: Readiness) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Their connections end with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok(room) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                while connections.try_join_next().is_some() {}
                let (registry, ready) = (registry.clone(), ready.clone());
                connections.spawn(async move {
                    serve_connection(stream, registry, ready).await;
                    drop(room);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the admin listener cannot accept connections; trying again");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, registry: Arc<Registry>, ready: Readiness) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, &registry, &ready);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).keep_alive(false);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // How a client left, or that it took too long, is its own matter.
    let _ended = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

fn answer<B>(request: &Request<B>, registry: &Registry, ready: &Readiness) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n");
    }
    match request.uri().path() {
        "/healthz" | "/livez" => response(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" if ready.0.load(Relaxed) => response(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => {
            response(StatusCode::SERVICE_UNAVAILABLE, TEXT, "not ready: no table yet, or shutting down\n")
        }
        "/metrics" => {
            let mut text = String::new();
            match prometheus_client::encoding::text::encode(&mut text, registry) {
                Ok(()) => response(
                    StatusCode::OK,
                    "application/openmetrics-text; version=1.0.0; charset=utf-8",
                    text,
                ),
                Err(error) => {
                    tracing::error!(%error, "the figures cannot be shown");
                    response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the figures cannot be shown\n")
                }
            }
        }
        _ => response(StatusCode::NOT_FOUND, TEXT, "there are /healthz, /readyz and /metrics\n"),
    }
}

fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let content_type = header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
