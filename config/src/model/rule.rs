//! A rule of routing: which requests, what is done to them, and which apps they go to. The words and their order are
//! the Gateway API's (gateway.networking.k8s.io/v1, `HTTPRouteRule`, `GRPCRouteRule`).

use std::sync::Arc;
use std::time::Duration;

use super::{App, AppId, HostPattern, PathPrefix};

/// One match of one rule at one host. A rule with several matches or hosts is several of these, which share the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whose it is, for people: `httproute/NAMESPACE/NAME/0`, or an app's name.
    pub name: Arc<str>,
    /// The listeners it is attached to, by their ports as the Gateway says; empty: all.
    pub ports: Arc<[u16]>,
    /// The hosts; `None`: any.
    pub host: Option<HostPattern>,
    /// Which requests.
    pub matches: RequestMatch,
    /// What is done with them.
    pub then: Arc<Then>,
}

/// What is done with the requests of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Then {
    /// In this order, before the request is sent on or answered.
    pub filters: Vec<Filter>,
    /// Where they go, each by its weight. Without any that has a weight the answer is 500, unless a filter answers.
    pub backends: Vec<Backend>,
    /// How long a request may take in all (`timeouts.request`); `None`: no limit of the rule's.
    pub timeout: Option<Duration>,
}

/// Which requests. All conditions hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestMatch {
    /// The path.
    pub path: PathMatch,
    /// The method, in capitals; `None`: any.
    pub method: Option<Box<str>>,
    /// Headers, by their names in lower case.
    pub headers: Vec<ValueMatch>,
    /// Parameters of the query.
    pub query: Vec<ValueMatch>,
}

/// A path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// At or below.
    Prefix(PathPrefix),
    /// Just this.
    Exact(Box<str>),
    /// The whole path is one of the expression's (RE2 syntax; it is known to be right).
    Regex(Box<str>),
}

impl PathMatch {
    /// As it is written.
    pub fn text(&self) -> &str {
        match self {
            Self::Prefix(prefix) => prefix.as_str(),
            Self::Exact(text) | Self::Regex(text) => text,
        }
    }
}

/// A name with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueMatch {
    /// The name.
    pub name: Box<str>,
    /// Its value.
    pub value: Pattern,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Just this.
    Exact(Box<str>),
    /// The whole value is one of the expression's (RE2 syntax; it is known to be right).
    Regex(Box<str>),
}

/// Something done to a request or its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The request's headers are changed (`RequestHeaderModifier`). Never those that say whose a request is.
    RequestHeaders(HeaderChange),
    /// The response's headers are changed (`ResponseHeaderModifier`).
    ResponseHeaders(HeaderChange),
    /// The client is sent elsewhere (`RequestRedirect`), and no app is asked or woken.
    Redirect(Redirect),
    /// The app is asked for something else (`URLRewrite`).
    Rewrite(Rewrite),
}

/// Changes of headers, in this order; names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderChange {
    /// Replaced.
    pub set: Vec<(Box<str>, Box<str>)>,
    /// Added to those that are there.
    pub add: Vec<(Box<str>, Box<str>)>,
    /// Removed.
    pub remove: Vec<Box<str>>,
}

/// Where a client is sent; what is not said stays as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// `http` or `https`.
    pub scheme: Option<Box<str>>,
    /// The host.
    pub host: Option<Box<str>>,
    /// The port; without it that of a named scheme, else of the listener.
    pub port: Option<u16>,
    /// The path.
    pub path: Option<PathChange>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// What the app is asked for instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The host.
    pub host: Option<Box<str>>,
    /// The path.
    pub path: Option<PathChange>,
}

/// Another path; the query stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathChange {
    /// `ReplaceFullPath`.
    Full(Box<str>),
    /// `ReplacePrefixMatch`: the prefix of the rule's match becomes this.
    Prefix(Box<str>),
}

/// An app that gets requests of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Which; `None`: the rule names something that there is not, and its share is answered with 500.
    pub app: Option<AppId>,
    /// Its part of the requests, against the others'; 0 gets none.
    pub weight: u32,
    /// The port of the app's instances, where it is not that of their endpoints: an app may listen on several.
    pub port: Option<u16>,
    /// What is done to requests that go there, after the rule's own.
    pub filters: Vec<Filter>,
}

impl Rule {
    /// The rules of apps that each have all requests at their hosts and paths. The longest path comes first; where two
    /// claim the same, the first has it.
    pub fn of_apps<'a>(apps: impl Iterator<Item = &'a App>) -> Vec<Arc<Self>> {
        let mut rules: Vec<_> = apps.flat_map(Self::of_app).collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.matches.path.text().len()));
        rules
    }

    /// The rules of an app that has all requests at its hosts and paths, as it names them.
    pub fn of_app(app: &App) -> Vec<Arc<Self>> {
        let backend = Backend { app: Some(app.id.clone()), weight: 1, port: None, filters: Vec::new() };
        let then = Arc::new(Then { backends: vec![backend], ..Then::default() });
        let (name, ports): (Arc<str>, Arc<[u16]>) = (app.name.as_str().into(), Arc::new([]));
        let rules = app.routes.iter().map(|route| {
            Arc::new(Self {
                name: name.clone(),
                ports: ports.clone(),
                host: Some(route.host.clone()),
                matches: RequestMatch::below(route.path.clone()),
                then: then.clone(),
            })
        });
        rules.collect()
    }
}

impl RequestMatch {
    /// All requests below a path.
    pub fn below(path: PathPrefix) -> Self {
        Self { path: PathMatch::Prefix(path), method: None, headers: Vec::new(), query: Vec::new() }
    }
}
