//! What a rule does to requests and responses on their way. Made ready when the table is built: what could not be done
//! is found then, and the rule refused; what is left for a request is little.
//!
//! ```text
//!   model::Rule ─► Way ──► changed: the request as the app is asked ──► app ──► answered: its response
//!              └─► Redirect ──► the client is sent elsewhere; no app is asked
//! ```
//!
//! What says whose a message is, where it ends, and what belongs to one hop is beyond all rules: no filter can name it.

mod headers;
mod path;
mod redirect;
#[cfg(test)]
mod tests;

use std::time::Duration;

use config::model::{self, Backend, Filter, PathMatch, Rewrite};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Method, Request};

use headers::Edits;
use path::NewPath;
pub use redirect::{Asked, Redirect};

use crate::hop;
use crate::upstream::RequestBody;

/// Why a rule is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No regular expression, or one that would take too much room.
    #[error("the expression {0:?} is none, or too large")]
    Expression(Box<str>),
    /// Nothing can be called so.
    #[error("{0:?} is no header's name")]
    HeaderName(Box<str>),
    /// A header that no filter may touch.
    #[error("{0:?} says whose a message is, where it ends, or is meant for one hop: no filter may touch it")]
    Header(Box<str>),
    /// No header can have it.
    #[error("the value of {0:?} is none of a header")]
    HeaderValue(Box<str>),
    /// No method.
    #[error("{0:?} is no method")]
    Method(Box<str>),
    /// No host.
    #[error("{0:?} is no host")]
    Host(Box<str>),
    /// No path.
    #[error("{0:?} is no path: it begins with '/' and has neither query nor blanks")]
    Path(Box<str>),
    /// A prefix that is replaced without one that was matched.
    #[error("a prefix is replaced, and the rule matches none")]
    NoPrefix,
    /// No scheme that could be asked for.
    #[error("{0:?} is neither http nor https")]
    Scheme(Box<str>),
    /// No redirect.
    #[error("{0} is none of 301, 302, 303, 307 and 308")]
    Status(u16),
    /// Nothing listens there.
    #[error("there is no port 0")]
    Port,
}

/// What is done to a rule's requests to one of its apps, and to their responses.
#[derive(Debug)]
pub struct Way {
    /// The port of the app's instances, where it is not that of their endpoints.
    pub port: Option<u16>,
    /// How long a request may take until its response begins.
    pub timeout: Option<Duration>,
    request: Box<[Change]>,
    response: Box<[Edits]>,
}

/// A change of a request.
#[derive(Debug)]
enum Change {
    Headers(Edits),
    Host(HeaderValue),
    Path(NewPath),
}

impl Way {
    /// What a rule does for one of its backends; `None` for nothing at all.
    ///
    /// # Errors
    /// Where something of it cannot be done.
    pub fn of(rule: &model::Rule, backend: &Backend) -> Result<Option<Box<Self>>, Unfit> {
        if backend.port == Some(0) {
            return Err(Unfit::Port);
        }
        let (mut request, mut response) = (Vec::new(), Vec::new());
        for filter in rule.then.filters.iter().chain(&backend.filters) {
            match filter {
                Filter::RequestHeaders(change) => request.push(Change::Headers(Edits::of(change)?)),
                Filter::ResponseHeaders(change) => response.push(Edits::of(change)?),
                Filter::Rewrite(rewrite) => rewritten(rewrite, &rule.matches.path, &mut request)?,
                // It is answered before there is a way.
                Filter::Redirect(_) => {}
            }
        }
        // Zero turns it off (Gateway API, `HTTPRouteTimeouts`).
        let timeout = rule.then.timeout.filter(|timeout| !timeout.is_zero());
        let does_nothing =
            request.is_empty() && response.is_empty() && backend.port.is_none() && timeout.is_none();
        let way = Self { port: backend.port, timeout, request: request.into(), response: response.into() };
        Ok((!does_nothing).then(|| Box::new(way)))
    }

    /// The request as its app is asked, with the client's body; the client's own stays as it is, to be routed once more.
    pub fn changed(&self, request: &mut Request<RequestBody>) -> Request<RequestBody> {
        let body = std::mem::replace(request.body_mut(), RequestBody::Empty);
        let mut changed = Request::new(body);
        *changed.method_mut() = request.method().clone();
        *changed.version_mut() = request.version();
        *changed.uri_mut() = request.uri().clone();
        *changed.headers_mut() = request.headers().clone();
        // First: what a client names in `Connection` is what it sent itself, and nothing that is added here.
        hop::remove_named(changed.headers_mut());
        for change in &self.request {
            change.apply(&mut changed);
        }
        changed
    }

    /// Changes an app's response.
    pub fn answered(&self, headers: &mut HeaderMap) {
        self.response.iter().for_each(|edits| edits.apply(headers));
    }
}

fn rewritten(rewrite: &Rewrite, matched: &PathMatch, request: &mut Vec<Change>) -> Result<(), Unfit> {
    if let Some(host) = &rewrite.host {
        let value = model::Host::parse(host).ok().and_then(|_| HeaderValue::from_str(host).ok());
        request.push(Change::Host(value.ok_or_else(|| Unfit::Host(host.clone()))?));
    }
    if let Some(path) = &rewrite.path {
        request.push(Change::Path(NewPath::of(path, matched)?));
    }
    Ok(())
}

impl Change {
    fn apply(&self, request: &mut Request<RequestBody>) {
        match self {
            Self::Headers(edits) => edits.apply(request.headers_mut()),
            Self::Host(host) => {
                request.headers_mut().insert(header::HOST, host.clone());
            }
            Self::Path(path) => {
                if let Some(target) = target(path, request.uri()) {
                    *request.uri_mut() = target;
                }
            }
        }
    }
}

/// A target with another path and the same query. Made of parts that are each right, it is right.
fn target(path: &NewPath, asked: &Uri) -> Option<Uri> {
    let mut target = path.instead_of(asked.path())?;
    if let Some(query) = asked.query() {
        target.push('?');
        target.push_str(query);
    }
    PathAndQuery::try_from(target).ok().map(Uri::from)
}

/// A header's name that a rule has.
pub(crate) fn name(name: &str) -> Result<HeaderName, Unfit> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unfit::HeaderName(name.into()))
}

/// A method that a rule has.
pub(crate) fn method(method: &str) -> Result<Method, Unfit> {
    Method::from_bytes(method.as_bytes()).map_err(|_| Unfit::Method(method.into()))
}
