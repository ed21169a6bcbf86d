//! What requests say, taken out of them; what cannot be understood is a problem like any other.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use config::model::{AppId, Label, Limit};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;
use super::{Admin, json};
use crate::driver::Ask;

/// The app that the path names, by its name or its id: of a cluster's these are `NAME.NAMESPACE` and `NAMESPACE/NAME`.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) id: AppId,
}

impl FromRequestParts<Admin> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, admin).await?;
        let found = admin.handle.ask(|reply| Ask::Find(name.clone(), reply)).await?;
        let id = found.ok_or_else(|| Problem::unknown_app(&name))?;
        Ok(Self { name, id })
    }
}

/// The limit that the path names; whether there is one is another question.
pub(super) struct LimitName(pub(super) Label);

impl<S: Send + Sync> FromRequestParts<S> for LimitName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await?;
        Limit::parse_name(&name).map(Self).map_err(|error| Problem::bad_request(&error.to_string()))
    }
}

/// The parameters of the query.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(parameters) = Query::from_request_parts(parts, state).await?;
        Ok(Self(parameters))
    }
}

/// The body, as JSON, whatever its type is said to be.
pub(super) struct Body(pub(super) Value);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await?;
        json::parse(&bytes)
            .map(Self)
            .map_err(|error| Problem::bad_request(&format!("the body cannot be read as JSON: {error}")))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(&rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(&rejection.body_text())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        Self::body(rejection.status(), &rejection.body_text())
    }
}
