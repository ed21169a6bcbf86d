//! The limits. A change is answered when it is on disk and every gateway counts by it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use config::model::Label;
use serde_json::{Value, json};

use super::access::Actor;
use super::extract::{Body, LimitName};
use super::problem::Problem;
use super::{Admin, FLUSH};
use crate::driver::Ask;
use crate::limits::{Belief, Change, LimitView, parse};

/// How long gateways may take to say that they count by it; then the answer says how many have.
const SPREAD: Duration = Duration::from_secs(2);

pub(super) async fn list(State(admin): State<Admin>) -> Result<Response, Problem> {
    let view = admin.handle.ask(Ask::Limits).await?;
    let limits: Vec<Value> = view.limits.iter().map(LimitView::json).collect();
    Ok(Json(json!({ "limits": limits, "in_use": view.in_use })).into_response())
}

pub(super) async fn show(
    State(admin): State<Admin>,
    LimitName(name): LimitName,
) -> Result<Response, Problem> {
    let view = admin.handle.ask(Ask::Limits).await?;
    let limit = view.limits.iter().find(|view| view.limit.name == name);
    let limit = limit.ok_or_else(|| Problem::unknown_limit(&name))?;
    Ok(([(header::ETAG, limit.tag())], Json(limit.json())).into_response())
}

pub(super) async fn set(
    State(admin): State<Admin>,
    Actor(by): Actor,
    LimitName(name): LimitName,
    headers: HeaderMap,
    Body(words): Body,
) -> Result<Response, Problem> {
    let limit = parse(name.clone(), &words).map_err(Problem::invalid_limit)?;
    change(&admin, name, Change::Set(Arc::new(limit)), &headers, by).await
}

pub(super) async fn delete(
    State(admin): State<Admin>,
    Actor(by): Actor,
    LimitName(name): LimitName,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    change(&admin, name, Change::Drop, &headers, by).await
}

pub(super) async fn restore(
    State(admin): State<Admin>,
    Actor(by): Actor,
    LimitName(name): LimitName,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    change(&admin, name, Change::Restore, &headers, by).await
}

async fn change(
    admin: &Admin,
    name: Label,
    change: Change,
    headers: &HeaderMap,
    by: String,
) -> Result<Response, Problem> {
    let belief = belief(headers)?;
    let changed = admin.handle.ask(|reply| Ask::ChangeLimit(name, change, belief, by, reply)).await??;
    let in_use = admin.handle.limits_in_use(changed.generation, SPREAD);
    let (on_disk, in_use) = tokio::join!(admin.store.flush(FLUSH), in_use);
    on_disk.map_err(|error| Problem::not_saved(&error))?;
    let outcome = changed.outcome;
    let status = match (in_use.everywhere(), &outcome.before, &outcome.after) {
        (false, ..) => StatusCode::ACCEPTED,
        (true, None, Some(_)) => StatusCode::CREATED,
        (true, ..) => StatusCode::OK,
    };
    let limit = outcome.after.as_ref().map(LimitView::json);
    let body = Json(json!({ "changed": outcome.changed(), "limit": limit, "in_use": in_use }));
    let tag = outcome.after.map(|view| [(header::ETAG, view.tag())]);
    Ok(match tag {
        Some(tag) => (status, tag, body).into_response(),
        None => (status, body).into_response(),
    })
}

/// What the request believes to be there (RFC 9110, sections 13.1.1 and 13.1.2).
fn belief(headers: &HeaderMap) -> Result<Belief, Problem> {
    let said = |name: HeaderName| {
        let values: Vec<_> = headers.get_all(&name).iter().collect();
        let text = |value: &&axum::http::HeaderValue| value.to_str().ok().map(str::to_owned);
        let values: Option<Vec<String>> = values.iter().map(text).collect();
        values.ok_or_else(|| Problem::bad_request(&format!("`{name}` is not visible ASCII")))
    };
    let (matching, none) = (said(header::IF_MATCH)?.join(","), said(header::IF_NONE_MATCH)?.join(","));
    match (matching.trim(), none.trim()) {
        ("", "") => Ok(Belief::None),
        ("*", "") => Ok(Belief::Something),
        // Our tags have no comma.
        (tags, "") => Ok(Belief::Exactly(tags.split(',').map(|tag| tag.trim().to_owned()).collect())),
        ("", "*") => Ok(Belief::Nothing),
        (_, _) => Err(Problem::bad_request("`If-None-Match` is `*` here, and without `If-Match`")),
    }
}
