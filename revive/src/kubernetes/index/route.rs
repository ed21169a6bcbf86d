//! HTTPRoutes and GRPCRoutes, as they are written. Both are one type here, because what they share is written in the same
//! words; what an object says that is not listed below is not kept.

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::meta::{Meta, Object};

/// The two kinds of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RouteKind {
    /// An HTTPRoute.
    Http,
    /// A GRPCRoute.
    Grpc,
}

impl RouteKind {
    /// The kind as Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTPRoute",
            Self::Grpc => "GRPCRoute",
        }
    }
}

/// A route.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its metadata.
    pub meta: Meta,
    /// Its kind.
    pub kind: RouteKind,
    /// What is asked for.
    pub spec: RouteSpec,
    /// What controllers say of it, each for a parent.
    pub parents: Vec<ParentStatus>,
}

impl Object for Route {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn compiles_like(&self, other: &Self) -> bool {
        self.meta == other.meta && self.spec == other.spec
    }
}

/// `HTTPRouteSpec` and `GRPCRouteSpec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteSpec {
    /// What it is to be attached to.
    pub parent_refs: Vec<ParentRef>,
    /// The hosts it is for; none: those of its listeners.
    pub hostnames: Vec<String>,
    /// Its rules.
    pub rules: Vec<RouteRule>,
}

/// A Gateway, or one of its listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentRef {
    /// Its group; that of the Gateway API if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its kind; Gateway if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its namespace; the route's if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The listener's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    /// The listener's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

/// `HTTPRouteRule` and `GRPCRouteRule`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteRule {
    /// Any of these; none: every request.
    pub matches: Vec<RouteMatch>,
    /// What is done.
    pub filters: Vec<RouteFilter>,
    /// Where requests go.
    pub backend_refs: Vec<BackendRef>,
    /// How long they may take.
    pub timeouts: Timeouts,
}

/// `HTTPRouteMatch` and `GRPCRouteMatch`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteMatch {
    /// Of an HTTPRoute: the path.
    pub path: Option<PathMatch>,
    /// The headers.
    pub headers: Vec<ValueMatch>,
    /// Of an HTTPRoute: the query.
    pub query_params: Vec<ValueMatch>,
    /// The method: two things of one name.
    pub method: Option<Method>,
}

/// `HTTPPathMatch`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PathMatch {
    /// `Exact`, `PathPrefix` (if it is not said) or `RegularExpression`.
    pub r#type: Option<String>,
    /// The path; `/` if it is not said.
    pub value: Option<String>,
}

/// `HTTPHeaderMatch`, `GRPCHeaderMatch` and `HTTPQueryParamMatch`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ValueMatch {
    /// `Exact` (if it is not said) or `RegularExpression`.
    pub r#type: Option<String>,
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// What is called `method`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Method {
    /// `HTTPMethod`.
    Http(String),
    /// `GRPCMethodMatch`.
    Grpc(GrpcMethod),
}

/// `GRPCMethodMatch`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GrpcMethod {
    /// `Exact` (if it is not said) or `RegularExpression`.
    pub r#type: Option<String>,
    /// The service, with its package.
    pub service: Option<String>,
    /// The method.
    pub method: Option<String>,
}

/// `HTTPRouteFilter` and `GRPCRouteFilter`, of a rule or of a backend.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteFilter {
    /// Which of them.
    pub r#type: String,
    /// With `RequestHeaderModifier`.
    pub request_header_modifier: Option<HeaderModifier>,
    /// With `ResponseHeaderModifier`.
    pub response_header_modifier: Option<HeaderModifier>,
    /// With `RequestRedirect`.
    pub request_redirect: Option<RequestRedirect>,
    /// With `URLRewrite`.
    pub url_rewrite: Option<UrlRewrite>,
}

/// `HTTPHeaderFilter`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HeaderModifier {
    /// Replaced.
    pub set: Vec<Header>,
    /// Added.
    pub add: Vec<Header>,
    /// Taken out.
    pub remove: Vec<String>,
}

/// `HTTPHeader`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// `HTTPRequestRedirectFilter`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestRedirect {
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// The host.
    pub hostname: Option<String>,
    /// The path.
    pub path: Option<PathModifier>,
    /// The port.
    pub port: Option<i32>,
    /// 302 if it is not said.
    pub status_code: Option<i64>,
}

/// `HTTPURLRewriteFilter`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct UrlRewrite {
    /// The host.
    pub hostname: Option<String>,
    /// The path.
    pub path: Option<PathModifier>,
}

/// `HTTPPathModifier`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PathModifier {
    /// Which of the two.
    pub r#type: String,
    /// With `ReplaceFullPath`.
    pub replace_full_path: Option<String>,
    /// With `ReplacePrefixMatch`.
    pub replace_prefix_match: Option<String>,
}

/// `HTTPBackendRef` and `GRPCBackendRef`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BackendRef {
    /// Its group; the core's if it is not said.
    pub group: Option<String>,
    /// Its kind; Service if it is not said.
    pub kind: Option<String>,
    /// Its namespace; the route's if it is not said.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: Option<i32>,
    /// Its part; 1 if it is not said.
    pub weight: Option<i32>,
    /// What is done to requests that go there.
    pub filters: Vec<RouteFilter>,
}

/// `HTTPRouteTimeouts`, in GEP-2257's form.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timeouts {
    /// Of the whole request.
    pub request: Option<String>,
    /// Of one try.
    pub backend_request: Option<String>,
}

/// `RouteParentStatus`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentStatus {
    /// Which parent.
    pub parent_ref: ParentRef,
    /// Who says it.
    pub controller_name: String,
    /// What is said.
    pub conditions: Vec<Condition>,
}
