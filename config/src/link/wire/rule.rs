//! A rule of routing.

use std::sync::Arc;

use crate::link::wire::parse::{Clear, FORMAT, Span, Unclear, all, app_id, understood};
use crate::model::{
    Backend, Filter, HeaderChange, HostPattern, PathChange, PathMatch, PathPrefix, Pattern, Redirect,
    RequestMatch, Rewrite, Rule, Then, ValueMatch,
};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireRule {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(uint32, repeated, tag = "2")]
    ports: Vec<u32>,
    #[prost(string, optional, tag = "3")]
    host: Option<String>,
    #[prost(message, optional, tag = "4")]
    matches: Option<WireMatch>,
    /// Not there: that of the rule before it in the same page. The rules of one route share theirs.
    #[prost(message, optional, tag = "5")]
    then: Option<WireThen>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireMatch {
    #[prost(oneof = "WirePath", tags = "1, 2, 3")]
    path: Option<WirePath>,
    #[prost(string, optional, tag = "4")]
    method: Option<String>,
    #[prost(message, repeated, tag = "5")]
    headers: Vec<WireValue>,
    #[prost(message, repeated, tag = "6")]
    query: Vec<WireValue>,
    #[prost(uint32, tag = "15")]
    needs: u32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WirePath {
    #[prost(string, tag = "1")]
    Prefix(String),
    #[prost(string, tag = "2")]
    Exact(String),
    #[prost(string, tag = "3")]
    Regex(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireValue {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(oneof = "WirePattern", tags = "2, 3")]
    value: Option<WirePattern>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WirePattern {
    #[prost(string, tag = "2")]
    Exact(String),
    #[prost(string, tag = "3")]
    Regex(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireThen {
    #[prost(message, repeated, tag = "1")]
    filters: Vec<WireFilter>,
    #[prost(message, repeated, tag = "2")]
    backends: Vec<WireBackend>,
    #[prost(message, optional, tag = "3")]
    timeout: Option<Span>,
    #[prost(uint32, tag = "15")]
    needs: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireFilter {
    #[prost(oneof = "WireFilterKind", tags = "1, 2, 3, 4")]
    kind: Option<WireFilterKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WireFilterKind {
    #[prost(message, tag = "1")]
    RequestHeaders(WireHeaders),
    #[prost(message, tag = "2")]
    ResponseHeaders(WireHeaders),
    #[prost(message, tag = "3")]
    Redirect(WireRedirect),
    #[prost(message, tag = "4")]
    Rewrite(WireRewrite),
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireHeaders {
    #[prost(message, repeated, tag = "1")]
    set: Vec<WireHeader>,
    #[prost(message, repeated, tag = "2")]
    add: Vec<WireHeader>,
    #[prost(string, repeated, tag = "3")]
    remove: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireHeader {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireRedirect {
    #[prost(string, optional, tag = "1")]
    scheme: Option<String>,
    #[prost(string, optional, tag = "2")]
    host: Option<String>,
    #[prost(uint32, optional, tag = "3")]
    port: Option<u32>,
    #[prost(message, optional, tag = "4")]
    path: Option<WirePathChange>,
    #[prost(uint32, tag = "5")]
    status: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireRewrite {
    #[prost(string, optional, tag = "1")]
    host: Option<String>,
    #[prost(message, optional, tag = "2")]
    path: Option<WirePathChange>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WirePathChange {
    #[prost(oneof = "WirePathKind", tags = "1, 2")]
    kind: Option<WirePathKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WirePathKind {
    #[prost(string, tag = "1")]
    Full(String),
    #[prost(string, tag = "2")]
    Prefix(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireBackend {
    #[prost(string, optional, tag = "1")]
    app: Option<String>,
    #[prost(uint32, tag = "2")]
    weight: u32,
    #[prost(uint32, optional, tag = "3")]
    port: Option<u32>,
    #[prost(message, repeated, tag = "4")]
    filters: Vec<WireFilter>,
}

/// A rule as far as it is understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Understood {
    /// All of it.
    Whole(Rule),
    /// Which requests it is about, but not what is done with them.
    Matches(Rule, Unclear),
}

impl WireRule {
    /// With what is done, unless that is as with the rule before.
    pub(super) fn of(rule: &Rule, before: Option<&Arc<Then>>) -> Self {
        let same = before.is_some_and(|then| Arc::ptr_eq(then, &rule.then));
        Self {
            name: rule.name.to_string(),
            ports: rule.ports.iter().map(|port| u32::from(*port)).collect(),
            host: rule.host.as_ref().map(ToString::to_string),
            matches: Some((&rule.matches).into()),
            then: (!same).then(|| (&*rule.then).into()),
        }
    }

    /// Its name and nothing else: it is refused by that.
    pub(super) fn named(rule: &Rule) -> Self {
        Self { name: rule.name.to_string(), ..Self::default() }
    }

    /// What it says; `before` is what is done by the rule before it.
    pub(super) fn parse(&self, before: &mut Option<Arc<Then>>) -> Result<Understood, Unclear> {
        let then = match (&self.then, &*before) {
            (Some(then), _) => Then::try_from(then).map(Arc::new),
            (None, Some(then)) => Ok(then.clone()),
            (None, None) => Err(Unclear("action")),
        };
        *before = then.as_ref().ok().cloned();
        let host = self.host.as_deref().map(HostPattern::parse).transpose().or_unclear("host")?;
        let port = |port: &u32| u16::try_from(*port).or_unclear("port");
        let rule = |then| {
            Ok(Rule {
                name: self.name.as_str().into(),
                ports: self.ports.iter().map(port).collect::<Result<_, _>>()?,
                host: host.clone(),
                matches: self.matches.as_ref().or_unclear("match")?.try_into()?,
                then,
            })
        };
        match then {
            Ok(then) => rule(then).map(Understood::Whole),
            Err(unclear) => rule(Arc::default()).map(|rule| Understood::Matches(rule, unclear)),
        }
    }
}

#[cfg(test)]
impl WireRule {
    /// The same as a newer peer would send it that does something which is not known here.
    pub(super) fn forget_action(&mut self) {
        self.then = Some(WireThen { filters: vec![WireFilter { kind: None }], ..WireThen::default() });
    }
}

impl From<&RequestMatch> for WireMatch {
    fn from(matches: &RequestMatch) -> Self {
        let path = match &matches.path {
            PathMatch::Prefix(prefix) => WirePath::Prefix(prefix.to_string()),
            PathMatch::Exact(path) => WirePath::Exact(path.to_string()),
            PathMatch::Regex(regex) => WirePath::Regex(regex.to_string()),
        };
        Self {
            path: Some(path),
            method: matches.method.as_ref().map(ToString::to_string),
            headers: matches.headers.iter().map(Into::into).collect(),
            query: matches.query.iter().map(Into::into).collect(),
            needs: FORMAT,
        }
    }
}

impl TryFrom<&WireMatch> for RequestMatch {
    type Error = Unclear;

    fn try_from(matches: &WireMatch) -> Result<Self, Unclear> {
        understood(matches.needs, "match")?;
        let path = match matches.path.as_ref().or_unclear("path")? {
            WirePath::Prefix(prefix) => PathMatch::Prefix(PathPrefix::parse(prefix).or_unclear("path")?),
            WirePath::Exact(path) if path.starts_with('/') => PathMatch::Exact(path.as_str().into()),
            WirePath::Exact(_) => return Err(Unclear("path")),
            WirePath::Regex(regex) => PathMatch::Regex(regex.as_str().into()),
        };
        Ok(Self {
            path,
            method: matches.method.as_deref().map(Into::into),
            headers: all(&matches.headers)?,
            query: all(&matches.query)?,
        })
    }
}

impl From<&ValueMatch> for WireValue {
    fn from(value: &ValueMatch) -> Self {
        let pattern = match &value.value {
            Pattern::Exact(text) => WirePattern::Exact(text.to_string()),
            Pattern::Regex(regex) => WirePattern::Regex(regex.to_string()),
        };
        Self { name: value.name.to_string(), value: Some(pattern) }
    }
}

impl TryFrom<&WireValue> for ValueMatch {
    type Error = Unclear;

    fn try_from(value: &WireValue) -> Result<Self, Unclear> {
        let pattern = match value.value.as_ref().or_unclear("match")? {
            WirePattern::Exact(text) => Pattern::Exact(text.as_str().into()),
            WirePattern::Regex(regex) => Pattern::Regex(regex.as_str().into()),
        };
        Ok(Self { name: value.name.as_str().into(), value: pattern })
    }
}

impl From<&Then> for WireThen {
    fn from(then: &Then) -> Self {
        Self {
            filters: then.filters.iter().map(Into::into).collect(),
            backends: then.backends.iter().map(Into::into).collect(),
            timeout: then.timeout.map(Into::into),
            needs: FORMAT,
        }
    }
}

impl TryFrom<&WireThen> for Then {
    type Error = Unclear;

    fn try_from(then: &WireThen) -> Result<Self, Unclear> {
        understood(then.needs, "action")?;
        let timeout = then.timeout.map(|span| Span::parse(Some(span), "timeout")).transpose()?;
        Ok(Self { filters: all(&then.filters)?, backends: all(&then.backends)?, timeout })
    }
}

impl From<&Backend> for WireBackend {
    fn from(backend: &Backend) -> Self {
        Self {
            app: backend.app.as_ref().map(ToString::to_string),
            weight: backend.weight,
            port: backend.port.map(u32::from),
            filters: backend.filters.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<&WireBackend> for Backend {
    type Error = Unclear;

    fn try_from(backend: &WireBackend) -> Result<Self, Unclear> {
        Ok(Self {
            app: backend.app.as_deref().map(app_id).transpose()?,
            weight: backend.weight,
            port: backend.port.map(|port| u16::try_from(port).or_unclear("port")).transpose()?,
            filters: all(&backend.filters)?,
        })
    }
}

impl From<&Filter> for WireFilter {
    fn from(filter: &Filter) -> Self {
        let kind = match filter {
            Filter::RequestHeaders(change) => WireFilterKind::RequestHeaders(change.into()),
            Filter::ResponseHeaders(change) => WireFilterKind::ResponseHeaders(change.into()),
            Filter::Redirect(redirect) => WireFilterKind::Redirect(WireRedirect {
                scheme: redirect.scheme.as_ref().map(ToString::to_string),
                host: redirect.host.as_ref().map(ToString::to_string),
                port: redirect.port.map(u32::from),
                path: redirect.path.as_ref().map(Into::into),
                status: u32::from(redirect.status),
            }),
            Filter::Rewrite(rewrite) => WireFilterKind::Rewrite(WireRewrite {
                host: rewrite.host.as_ref().map(ToString::to_string),
                path: rewrite.path.as_ref().map(Into::into),
            }),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<&WireFilter> for Filter {
    type Error = Unclear;

    fn try_from(filter: &WireFilter) -> Result<Self, Unclear> {
        let path = |path: &Option<WirePathChange>| path.as_ref().map(PathChange::try_from).transpose();
        Ok(match filter.kind.as_ref().or_unclear("filter")? {
            WireFilterKind::RequestHeaders(change) => Self::RequestHeaders(change.into()),
            WireFilterKind::ResponseHeaders(change) => Self::ResponseHeaders(change.into()),
            WireFilterKind::Redirect(redirect) => Self::Redirect(Redirect {
                scheme: redirect.scheme.as_deref().map(Into::into),
                host: redirect.host.as_deref().map(Into::into),
                port: redirect.port.map(|port| u16::try_from(port).or_unclear("port")).transpose()?,
                path: path(&redirect.path)?,
                status: redirection(redirect.status)?,
            }),
            WireFilterKind::Rewrite(rewrite) => Self::Rewrite(Rewrite {
                host: rewrite.host.as_deref().map(Into::into),
                path: path(&rewrite.path)?,
            }),
        })
    }
}

/// A status that sends a client elsewhere, as the Gateway API has them.
fn redirection(status: u32) -> Result<u16, Unclear> {
    let status = u16::try_from(status).or_unclear("status")?;
    matches!(status, 301 | 302 | 303 | 307 | 308).then_some(status).or_unclear("status")
}

impl From<&HeaderChange> for WireHeaders {
    fn from(change: &HeaderChange) -> Self {
        let header = |(name, value): &(Box<str>, Box<str>)| WireHeader {
            name: name.to_string(),
            value: value.to_string(),
        };
        Self {
            set: change.set.iter().map(header).collect(),
            add: change.add.iter().map(header).collect(),
            remove: change.remove.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&WireHeaders> for HeaderChange {
    fn from(change: &WireHeaders) -> Self {
        let header = |WireHeader { name, value }: &WireHeader| (name.as_str().into(), value.as_str().into());
        Self {
            set: change.set.iter().map(header).collect(),
            add: change.add.iter().map(header).collect(),
            remove: change.remove.iter().map(|name| name.as_str().into()).collect(),
        }
    }
}

impl From<&PathChange> for WirePathChange {
    fn from(change: &PathChange) -> Self {
        let kind = match change {
            PathChange::Full(path) => WirePathKind::Full(path.to_string()),
            PathChange::Prefix(path) => WirePathKind::Prefix(path.to_string()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<&WirePathChange> for PathChange {
    type Error = Unclear;

    fn try_from(change: &WirePathChange) -> Result<Self, Unclear> {
        Ok(match change.kind.as_ref().or_unclear("path change")? {
            WirePathKind::Full(path) => Self::Full(path.as_str().into()),
            WirePathKind::Prefix(path) => Self::Prefix(path.as_str().into()),
        })
    }
}
