//! The brakes.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use config::model::Label;
use serde::Deserialize;
use serde_json::json;

use super::access::Actor;
use super::extract::Parameters;
use super::problem::Problem;
use super::{Admin, FLUSH};
use crate::brakes::{Change, Scope};
use crate::driver::Ask;
use crate::driver::braking::BrakesView;

pub(super) async fn show(State(admin): State<Admin>) -> Result<Json<BrakesView>, Problem> {
    Ok(Json(admin.handle.ask(Ask::Brakes).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeQuery {
    workspace: Option<String>,
}

pub(super) async fn pause(
    State(admin): State<Admin>,
    Actor(by): Actor,
    Parameters(query): Parameters<ScopeQuery>,
) -> Result<Response, Problem> {
    let scope = scope(query)?;
    let change = admin.handle.ask(|reply| Ask::Pause(scope.clone(), by, reply)).await??;
    settle(&admin, &scope, true, &change).await
}

pub(super) async fn resume(
    State(admin): State<Admin>,
    Actor(by): Actor,
    Parameters(query): Parameters<ScopeQuery>,
) -> Result<Response, Problem> {
    let scope = scope(query)?;
    let change = admin.handle.ask(|reply| Ask::Resume(scope.clone(), by, reply)).await??;
    settle(&admin, &scope, false, &change).await
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
