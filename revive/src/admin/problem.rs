//! What the admin API says where something is wrong (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::brakes::UnknownWorkspace;
use crate::driver::NotAsleep;
use crate::driver::ask::Ended;
use crate::store::ReadError;

/// See the module.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl std::fmt::Display) -> Self {
        Self { status, code, detail: detail.to_string() }
    }

    pub(super) fn unknown_app(name: &str) -> Self {
        let detail = format!("there is no app {name:?}; GET /v1/apps lists all");
        Self::new(StatusCode::NOT_FOUND, "unknown-app", detail)
    }

    pub(super) fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    pub(super) fn method_not_allowed() -> Self {
        let detail = "this path knows another method; see docs/admin-api.md";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
    }

    pub(super) fn bad_request(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    pub(super) fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign-origin", detail)
    }

    pub(super) fn not_asleep(why: &NotAsleep) -> Self {
        let status = match why {
            NotAsleep::Busy { .. }
            | NotAsleep::Wanted
            | NotAsleep::Waking
            | NotAsleep::Failed
            | NotAsleep::NotOurs => StatusCode::CONFLICT,
            NotAsleep::Unknown => StatusCode::NOT_FOUND,
        };
        Self::new(status, why.code(), why)
    }

    pub(super) fn not_saved(error: &impl std::fmt::Display) -> Self {
        let detail =
            format!("it is in force, but not written down, so it would not outlive a restart: {}", error);
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "not-saved", detail)
    }

    pub(super) fn internal(error: &impl std::fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error)
    }
}

impl From<UnknownWorkspace> for Problem {
    fn from(unknown: UnknownWorkspace) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown-workspace", unknown)
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::internal(&error)
    }
}

impl From<Ended> for Problem {
    fn from(ended: Ended) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", ended)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        let mut response = (self.status, Json(body)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        response
    }
}
