//! What the API says of the edge and of itself.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Admin;
use super::configuration::ConfigurationView;
use super::extract::Parameters;
use super::problem::Problem;
use crate::driver::Ask;
use crate::store::AuditEntry;

/// How long the audit may take to be read, behind what is being written.
const READ: Duration = Duration::from_secs(5);
/// How many entries of the audit are shown, unless more or fewer are asked for.
const AUDIT_SHOWN: u32 = 100;
/// How long the driver may take to say how things are.
const MEASURE: Duration = Duration::from_secs(1);
/// The description of the API.
pub(super) const OPENAPI: &str = include_str!("../../../docs/openapi.json");

pub(super) async fn livez() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.ready.0.load(Relaxed) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: starting, or shutting down\n")
    }
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

pub(super) async fn metrics(State(admin): State<Admin>) -> Result<Response, Problem> {
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    limit: Option<u32>,
}

pub(super) async fn audit(
    State(admin): State<Admin>,
    Parameters(query): Parameters<AuditQuery>,
) -> Result<Response, Problem> {
    let entries = admin.store.audit(query.limit.unwrap_or(AUDIT_SHOWN), READ).await?;
    let entries: Vec<Value> = entries.into_iter().map(entry).collect();
    Ok(Json(json!({ "entries": entries })).into_response())
}

pub(super) async fn configuration(State(admin): State<Admin>) -> Json<ConfigurationView> {
    Json(admin.configuration.view())
}

fn entry(AuditEntry { at, actor, action, subject, before, after }: AuditEntry) -> Value {
    let at = at.to_string();
    json!({ "at": at, "actor": actor, "action": action, "subject": subject, "before": before, "after": after })
}
