//! The table: which request is whose. Immutable; a change builds a new one, and one request sees one table.

use std::collections::HashMap;
use std::sync::Arc;

use config::model::{self, AppId, PathPrefix};

use crate::app::App;
use crate::forward::Ready;
use crate::host::Patterns;

/// All routes of one generation.
#[derive(Debug, Default)]
pub struct Table {
    hosts: Patterns<Rules>,
    apps: HashMap<AppId, Arc<Route>>,
}

/// The rules of one host, the longest prefix first.
#[derive(Debug, Default)]
struct Rules(Vec<(PathPrefix, Arc<Route>)>);

/// Where a request goes, and what goes with it.
#[derive(Debug)]
pub struct Route {
    /// The app.
    pub app: Arc<App>,
    /// What the platform says of it.
    pub model: Arc<model::App>,
    /// The headers that say whose it is.
    pub identity: Ready,
}

/// Why there is no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No app has this host.
    UnknownHost,
    /// The host is known, the path is nobody's.
    UnknownPath,
}

impl Table {
    /// Builds a table. Where two apps claim the same host and path, the first has it.
    pub fn build(routes: Vec<Arc<Route>>) -> Self {
        let mut table = Self::default();
        for route in routes {
            for rule in &route.model.routes {
                table.hosts.entry(&rule.host).0.push((rule.path.clone(), route.clone()));
            }
            table.apps.insert(route.app.id.clone(), route);
        }
        for rules in table.hosts.values_mut() {
            rules.0.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.as_str().len()));
        }
        table
    }

    /// The route of a request by its host (lower case, without port) and path: an exact host before a wildcard,
    /// the longest wildcard suffix before shorter ones, the longest path prefix before shorter ones.
    ///
    /// # Errors
    /// Where the request is nobody's.
    pub fn find(&self, host: &str, path: &str) -> Result<&Arc<Route>, NoRoute> {
        let rules = self.hosts.find(host).ok_or(NoRoute::UnknownHost)?;
        let matching = rules.0.iter().find(|(prefix, _)| prefix.matches(path));
        matching.map(|(_, route)| route).ok_or(NoRoute::UnknownPath)
    }

    /// The route of an app that was asked for at its own port.
    pub fn of_app(&self, app: &AppId) -> Option<&Arc<Route>> {
        self.apps.get(app)
    }

    /// All routes, one for each app.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.apps.values()
    }
}

#[cfg(test)]
mod tests;
