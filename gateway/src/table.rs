//! The table: which request is whose. Immutable; a change builds a new one, and one request sees one table.
//!
//! ```text
//!   port ─► host: exact, else the longest wildcard, else any ─► its rules in order, the first that matches ─► To ─► Route
//! ```

mod build;
mod destination;
mod matching;

use std::collections::HashMap;
use std::sync::Arc;

use config::model::{self, AppId};
use http::{HeaderMap, Method, Request, Uri};

pub use build::Built;
pub use destination::{One, Split, To};
use matching::Conditions;

use crate::app::App;
use crate::filter::Way;
use crate::forward::Ready;
use crate::host::Patterns;

/// All rules and apps of one generation.
#[derive(Debug, Default)]
pub struct Table {
    /// The rules of those ports that some rule names.
    ports: Vec<(u16, Hosts)>,
    /// The rules of all other ports: those that name none.
    elsewhere: Hosts,
    apps: HashMap<AppId, Arc<Route>>,
    /// As they were told.
    rules: Vec<Arc<model::Rule>>,
}

/// The rules of one port, by host.
#[derive(Debug, Default)]
struct Hosts {
    named: Patterns<Rules>,
    any: Rules,
}

/// The rules of one host, in order of precedence.
#[derive(Clone, Debug, Default)]
struct Rules(Vec<Rule>);

/// One rule at one host.
#[derive(Clone, Debug)]
struct Rule {
    told: Arc<model::Rule>,
    /// What must hold beside the path; most rules ask for nothing.
    conditions: Option<Arc<Conditions>>,
    to: To,
}

/// Where a request goes, and what goes with it: an app, by the way of one rule.
#[derive(Debug)]
pub struct Route {
    /// The app.
    pub app: Arc<App>,
    /// What the platform says of it.
    pub model: Arc<model::App>,
    /// The headers that say whose it is.
    pub identity: Arc<Ready>,
    /// What is done on the way there; most rules do nothing.
    pub way: Option<Box<Way>>,
}

/// Why there is no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No rule has this host.
    UnknownHost,
    /// The host is known, and no rule of it matches.
    UnknownPath,
}

/// What rules look at of a request, but for its host.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

impl<'a> Asked<'a> {
    /// Of this request.
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

impl Route {
    /// Straight to an app.
    pub fn new(app: Arc<App>, model: Arc<model::App>, identity: Ready) -> Self {
        Self { app, model, identity: Arc::new(identity), way: None }
    }

    /// The port that requests go to, if it is not that of the app's endpoints.
    pub fn port(&self) -> Option<u16> {
        self.way.as_ref().and_then(|way| way.port)
    }

    /// How long a request is held at most, from its beginning.
    pub fn hold_timeout(&self) -> std::time::Duration {
        let timeout = self.way.as_ref().and_then(|way| way.timeout);
        timeout.map_or(self.model.wake.hold_timeout, |timeout| timeout.min(self.model.wake.hold_timeout))
    }
}

impl Table {
    /// Where a request goes that has come in at this port for this host (lower case, without port): of the rules of an
    /// exact host, else of the longest wildcard, else of any host, the first that matches.
    ///
    /// # Errors
    /// Where the request is nobody's.
    pub fn find(&self, port: Option<u16>, host: &str, asked: Asked<'_>) -> Result<&To, NoRoute> {
        let rules = self.hosts(port).find(host).ok_or(NoRoute::UnknownHost)?;
        let path = asked.uri.path();
        let rule = rules.0.iter().find(|rule| rule.matches(path, &asked));
        rule.map(|rule| &rule.to).ok_or(NoRoute::UnknownPath)
    }

    /// Whether requests for this path at this very host may go to the app: by a rule that names the host. Any host could
    /// be named to a rule for any.
    pub fn leads(&self, port: Option<u16>, (host, path): (&str, &str), app: &Arc<App>) -> bool {
        let rules = self.hosts(port).named.find(host);
        let matching = |rule: &&Rule| rule.matches_path(path) && rule.to.may_be(app);
        rules.is_some_and(|rules| rules.0.iter().find(matching).is_some())
    }

    /// The route of an app that was asked for at its own port.
    pub fn of_app(&self, app: &AppId) -> Option<&Arc<Route>> {
        self.apps.get(app)
    }

    /// The same by the text of its id.
    pub fn of_id(&self, id: &str) -> Option<&Arc<Route>> {
        self.apps.get(id)
    }

    /// The straight routes, one for each app.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.apps.values()
    }

    fn hosts(&self, port: Option<u16>) -> &Hosts {
        let Some(port) = port else { return &self.elsewhere };
        let named = self.ports.iter().find(|(named, _)| *named == port);
        named.map_or(&self.elsewhere, |(_, hosts)| hosts)
    }
}

impl Hosts {
    fn find(&self, host: &str) -> Option<&Rules> {
        self.named.find(host).or_else(|| (!self.any.0.is_empty()).then_some(&self.any))
    }
}

#[cfg(test)]
mod tests;
