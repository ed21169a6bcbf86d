//! The apps.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use config::link::Depth;
use serde::Deserialize;
use serde_json::json;

use super::Admin;
use super::access::Actor;
use super::extract::{Named, Parameters};
use super::problem::Problem;
use crate::driver::view::AppView;
use crate::driver::{Ask, NotAsleep};

pub(super) async fn list(State(admin): State<Admin>) -> Result<Response, Problem> {
    let apps = admin.handle.ask(Ask::List).await?;
    Ok(Json(json!({ "apps": apps })).into_response())
}

pub(super) async fn show(State(admin): State<Admin>, app: Named) -> Result<Json<AppView>, Problem> {
    described(&admin, app).await
}

pub(super) async fn wake(
    State(admin): State<Admin>,
    Actor(by): Actor,
    app: Named,
) -> Result<Json<AppView>, Problem> {
    let view = admin.handle.ask(|reply| Ask::Wake(app.id, by, reply)).await?;
    view.map(Json).ok_or_else(|| Problem::unknown_app(&app.name))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SleepQuery {
    depth: Option<String>,
}

pub(super) async fn sleep(
    State(admin): State<Admin>,
    Actor(by): Actor,
    app: Named,
    Parameters(query): Parameters<SleepQuery>,
) -> Result<Json<AppView>, Problem> {
    let depth = match query.depth.as_deref() {
        None | Some("light") => Depth::Light,
        Some("deep") => Depth::Deep,
        Some(_) => return Err(Problem::bad_request("`depth` is `light` or `deep`")),
    };
    let slept = admin.handle.ask(|reply| Ask::Sleep(app.id.clone(), depth, by, reply)).await?;
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
