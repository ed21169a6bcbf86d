//! From a connection to an answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State as Shared, WebSocketUpgrade};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tokio::net::TcpListener;

use crate::request::Wish;
use crate::state::{State, nanoseconds};
use crate::{answers, bodies, faults, websocket};

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, state: Arc<State>) -> io::Result<()> {
    let app = Router::new()
        .route("/echo", any(bodies::echo))
        .route("/upload", any(bodies::upload))
        .route("/slow", get(bodies::slow))
        .route("/huge", get(bodies::huge))
        .route("/sse", get(bodies::events))
        .route("/crash", any(faults::crash))
        .route("/crash-mid", any(faults::crash_mid))
        .route("/cut", any(faults::cut))
        .route("/env", get(answers::environment))
        .fallback(answers::describe)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), wishes))
        // Outermost of all and uncounted, because how often an edge asks is its own matter.
        .layer(middleware::from_fn_with_state(Arc::clone(&state), health))
        .with_state(state);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}

async fn health(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    match request.uri().path() {
        "/healthz" => answers::health(&state).into_response(),
        "/readyz" => answers::ready(&state).into_response(),
        _ => next.run(request).await,
    }
}

/// What any path understands: counting, `?delay`, `?status`, `?header`, and WebSockets.
async fn wishes(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let at = nanoseconds();
    let number = state.count(request.method().as_str(), target);
    let wish = Wish::of(request.uri());
    if !wish.delay.is_zero() {
        // Even nothing would be a millisecond.
        tokio::time::sleep(wish.delay).await;
    }
    let (mut parts, body) = request.into_parts();
    if let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        return wish.dress(upgrade.on_upgrade(websocket::echo));
    }
    parts.extensions.insert(wish.clone());
    parts.extensions.insert(answers::Arrival { remote, number, at });
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if wish.trailers {
        response = bodies::with_trailers(response);
    }
    wish.dress(response)
}
