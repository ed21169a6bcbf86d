//! What the admin API says where something is wrong (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use config::model::{Label, Role};
use serde_json::json;

use crate::brakes::UnknownWorkspace;
use crate::driver::NotAsleep;
use crate::driver::ask::Ended;
use crate::limits::{Mistake, Refused};
use crate::store::ReadError;

/// See the module.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    more: More,
}

/// What some problems say beside what all say.
#[derive(Debug)]
enum More {
    Nothing,
    /// Every mistake, in the body.
    Errors(Vec<Mistake>),
    /// The least role that may, in the body.
    Needed(Role),
    /// How to say who one is, in `WWW-Authenticate`.
    Challenge(&'static str),
    /// When to come again, in `Retry-After`.
    RetryAfter(Duration),
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl std::fmt::Display) -> Self {
        Self { status, code, detail: detail.to_string(), more: More::Nothing }
    }

    pub(super) fn unknown_app(name: &str) -> Self {
        let detail = format!("there is no app {name:?}; GET /v1/apps lists all");
        Self::new(StatusCode::NOT_FOUND, "unknown-app", detail)
    }

    pub(super) fn unknown_limit(name: &Label) -> Self {
        Refused::Unknown(name.clone()).into()
    }

    pub(super) fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// Asked of an edge that is on no cluster.
    pub(super) fn no_cluster() -> Self {
        let detail = "this edge runs processes: there is no cluster whose room could be asked for";
        Self::new(StatusCode::NOT_IMPLEMENTED, "no-cluster", detail)
    }

    pub(super) fn method_not_allowed() -> Self {
        let detail = "this path knows another method; see GET /v1/openapi.json";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
    }

    pub(super) fn bad_request(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// A body that is too large, or did not come.
    pub(super) fn body(status: StatusCode, detail: &str) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(status, "too-large", detail),
            _ => Self::bad_request(detail),
        }
    }

    pub(super) fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign-origin", detail)
    }

    pub(super) fn invalid_limit(mistakes: Vec<Mistake>) -> Self {
        let count = mistakes.len();
        let detail = format!("{count} of its fields {} wrong", if count == 1 { "is" } else { "are" });
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-limit", detail);
        Self { more: More::Errors(mistakes), ..problem }
    }

    /// No secret is said.
    pub(super) fn nobody() -> Self {
        let detail = "say who you are: `Authorization: Bearer SECRET`, with a secret of one of the file's [[admin.token]]";
        Self::unauthorized(detail, "Bearer realm=\"loco-edge\"")
    }

    /// A secret is said that is none.
    pub(super) fn wrong_secret() -> Self {
        let detail = "this secret is no token's; it may have been replaced";
        Self::unauthorized(detail, "Bearer realm=\"loco-edge\", error=\"invalid_token\"")
    }

    /// The challenge is RFC 6750, section 3.
    fn unauthorized(detail: &str, challenge: &'static str) -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail);
        Self { more: More::Challenge(challenge), ..problem }
    }

    pub(super) fn role_needed(name: &str, role: Role, needed: Role) -> Self {
        let detail = format!("{name} has the role {}, and this needs {}", role.as_str(), needed.as_str());
        let problem = Self::new(StatusCode::FORBIDDEN, "role-needed", detail);
        Self { more: More::Needed(needed), ..problem }
    }

    pub(super) fn too_many_attempts(retry_after: Duration) -> Self {
        let detail = "too many wrong secrets have come from your address";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", detail);
        Self { more: More::RetryAfter(retry_after), ..problem }
    }

    pub(super) fn not_asleep(why: &NotAsleep) -> Self {
        let status = match why {
            NotAsleep::Busy { .. }
            | NotAsleep::Wanted
            | NotAsleep::Waking
            | NotAsleep::Failed
            | NotAsleep::WouldLoseData { .. }
            | NotAsleep::JustBegun
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

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (status, code) = match &refused {
            Refused::Unknown(_) => (StatusCode::NOT_FOUND, "unknown-limit"),
            Refused::NotOfFile(_) => (StatusCode::CONFLICT, "not-of-file"),
            Refused::Changed(_) => (StatusCode::PRECONDITION_FAILED, "changed"),
            Refused::TooMany => (StatusCode::CONFLICT, "too-many-limits"),
        };
        Self::new(status, code, refused)
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
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        let mut headers = HeaderMap::new();
        match self.more {
            More::Nothing => {}
            More::Errors(mistakes) => body["errors"] = json!(mistakes),
            More::Needed(role) => body["needed"] = role.as_str().into(),
            More::Challenge(challenge) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            More::RetryAfter(span) => {
                headers.insert(header::RETRY_AFTER, span.as_secs().max(1).into());
            }
        }
        let mut response = (self.status, Json(body)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        response.headers_mut().extend(headers);
        response
    }
}
