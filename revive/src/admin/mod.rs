//! The admin API: its own listener, JSON, problems by RFC 9457. `docs/admin-api.md` describes it.

mod extract;
mod guard;
mod problem;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use config::link::Depth;
use config::model::Label;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use extract::{Named, Parameters};
pub use guard::Guard;
use problem::Problem;

use crate::brakes::{Change, Scope};
use crate::driver::braking::BrakesView;
use crate::driver::view::AppView;
use crate::driver::{Ask, Handle, NotAsleep};
use crate::store::{AuditEntry, Writer};

/// How long a brake may take to be on disk.
const FLUSH: Duration = Duration::from_secs(2);

/// Connections to the API at once; more wait.
const MAX_CONNECTIONS: usize = 64;
/// How long a request's head may take, and a whole connection: deep sleep of a stubborn app takes its `stop_timeout`.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long accepting pauses when there is no descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// How long the audit may take to be read, behind what is being written.
const READ: Duration = Duration::from_secs(5);
/// How many entries of the audit are shown, unless more or fewer are asked for.
const AUDIT_SHOWN: u32 = 100;
/// How long the driver may take to say how things are.
const MEASURE: Duration = Duration::from_secs(1);

/// What the API speaks for.
#[derive(Clone)]
pub struct Admin {
    /// The driver.
    pub handle: Handle,
    /// Where brakes are written down.
    pub store: Writer,
    /// All figures.
    pub registry: Arc<Registry>,
    /// Whether requests are being served.
    pub ready: Readiness,
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
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin API cannot accept connections; trying again");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let Ok(room) = room.clone().acquire_owned().await else { return };
        let service = TowerToHyperService::new(router.clone());
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
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/v1/apps", get(list))
        .route("/v1/apps/{name}", get(show))
        .route("/v1/apps/{name}/wake", post(wake))
        .route("/v1/apps/{name}/sleep", post(sleep))
        .route("/v1/sleep", get(brakes))
        .route("/v1/sleep/pause", post(pause))
        .route("/v1/sleep/resume", post(resume))
        .route("/v1/audit", get(audit))
        .fallback(|| async { Problem::not_found("there is nothing at this path; see docs/admin-api.md") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .with_state(admin)
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.ready.0.load(Relaxed) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: starting, or shutting down\n")
    }
}

async fn metrics(State(admin): State<Admin>) -> Result<Response, Problem> {
    // A driver that is stuck must be seen: what it counted last is shown all the same.
    if timeout(MEASURE, admin.handle.ask(Ask::Measure)).await.is_err() {
        tracing::warn!("the driver does not answer; some figures are old");
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &admin.registry)
        .map_err(|error| Problem::internal(&error))?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

async fn list(State(admin): State<Admin>) -> Result<Response, Problem> {
    let apps = admin.handle.ask(Ask::List).await?;
    Ok(Json(json!({ "apps": apps })).into_response())
}

async fn show(State(admin): State<Admin>, app: Named) -> Result<Json<AppView>, Problem> {
    described(&admin, app).await
}

async fn wake(State(admin): State<Admin>, app: Named) -> Result<Json<AppView>, Problem> {
    let view = admin.handle.ask(|reply| Ask::Wake(app.id, actor(), reply)).await?;
    view.map(Json).ok_or_else(|| Problem::unknown_app(&app.name))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SleepQuery {
    depth: Option<String>,
}

async fn sleep(
    State(admin): State<Admin>,
    app: Named,
    Parameters(query): Parameters<SleepQuery>,
) -> Result<Json<AppView>, Problem> {
    let depth = match query.depth.as_deref() {
        None | Some("light") => Depth::Light,
        Some("deep") => Depth::Deep,
        Some(_) => return Err(Problem::bad_request("`depth` is `light` or `deep`")),
    };
    let slept = admin.handle.ask(|reply| Ask::Sleep(app.id.clone(), depth, actor(), reply)).await?;
    match slept {
        Err(NotAsleep::Unknown) => Err(Problem::unknown_app(&app.name)),
        Err(why) => Err(Problem::not_asleep(&why)),
        Ok(()) => described(&admin, app).await,
    }
}

async fn described(admin: &Admin, app: Named) -> Result<Json<AppView>, Problem> {
    let view = admin.handle.ask(|reply| Ask::Show(app.id, reply)).await?;
    view.map(Json).ok_or_else(|| Problem::unknown_app(&app.name))
}

async fn brakes(State(admin): State<Admin>) -> Result<Json<BrakesView>, Problem> {
    Ok(Json(admin.handle.ask(Ask::Brakes).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeQuery {
    workspace: Option<String>,
}

async fn pause(
    State(admin): State<Admin>,
    Parameters(query): Parameters<ScopeQuery>,
) -> Result<Response, Problem> {
    let scope = scope(query)?;
    let change = admin.handle.ask(|reply| Ask::Pause(scope.clone(), actor(), reply)).await??;
    settle(&admin, &scope, true, &change).await
}

async fn resume(
    State(admin): State<Admin>,
    Parameters(query): Parameters<ScopeQuery>,
) -> Result<Response, Problem> {
    let scope = scope(query)?;
    let change = admin.handle.ask(|reply| Ask::Resume(scope.clone(), actor(), reply)).await??;
    settle(&admin, &scope, false, &change).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    limit: Option<u32>,
}

async fn audit(
    State(admin): State<Admin>,
    Parameters(query): Parameters<AuditQuery>,
) -> Result<Response, Problem> {
    let entries = admin.store.audit(query.limit.unwrap_or(AUDIT_SHOWN), READ).await?;
    let entries: Vec<Value> = entries.into_iter().map(entry).collect();
    Ok(Json(json!({ "entries": entries })).into_response())
}

fn entry(AuditEntry { at, actor, action, subject, before, after }: AuditEntry) -> Value {
    let at = at.to_string();
    json!({ "at": at, "actor": actor, "action": action, "subject": subject, "before": before, "after": after })
}

/// A brake must hold after a restart too: the answer comes when it is on disk.
async fn settle(admin: &Admin, scope: &Scope, paused: bool, change: &Change) -> Result<Response, Problem> {
    admin.store.flush(FLUSH).await.map_err(|error| Problem::not_saved(&error))?;
    let changed = !matches!(change, Change::Nothing);
    Ok(Json(json!({ "scope": scope.to_string(), "paused": paused, "changed": changed })).into_response())
}

fn scope(query: ScopeQuery) -> Result<Scope, Problem> {
    query.workspace.map_or(Ok(Scope::All), |workspace| {
        let label = Label::parse(&workspace);
        label.map(Scope::Workspace).map_err(|error| Problem::bad_request(&format!("`workspace` {error}")))
    })
}

/// Who acts, for the audit. The listener is on loopback and has no names yet.
fn actor() -> String {
    "local".to_owned()
}
