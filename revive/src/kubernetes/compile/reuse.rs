//! What has not changed stays what it was, so that only what changed is published.

use std::collections::HashMap;
use std::sync::Arc;

use config::model::{App, AppId, Label, Limit, Rule};

use super::Compiled;

/// What was compiled before.
#[derive(Debug, Default)]
pub(super) struct Known<'p> {
    apps: HashMap<&'p AppId, &'p Arc<App>>,
    rules: HashMap<&'p str, Vec<&'p Arc<Rule>>>,
    limits: HashMap<&'p Label, &'p Arc<Limit>>,
}

/// What was compiled before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Previous<'p>(pub &'p Known<'p>);

impl<'p> Known<'p> {
    pub(super) fn of(compiled: Option<&'p Compiled>) -> Self {
        let Some(compiled) = compiled else { return Self::default() };
        let mut rules: HashMap<&str, Vec<_>> = HashMap::new();
        for rule in &compiled.rules {
            rules.entry(&rule.name).or_default().push(rule);
        }
        Self {
            apps: compiled.apps.iter().map(|app| (&app.id, app)).collect(),
            rules,
            limits: compiled.limits.iter().map(|limit| (&limit.name, limit)).collect(),
        }
    }
}

impl Previous<'_> {
    pub(super) fn app(self, app: App) -> Arc<App> {
        let known = self.0.apps.get(&app.id).filter(|known| ****known == app);
        known.map_or_else(|| Arc::new(app), |known| (*known).clone())
    }

    pub(super) fn rule(self, rule: Rule) -> Arc<Rule> {
        let named = self.0.rules.get(&*rule.name).into_iter().flatten();
        let known = named.into_iter().find(|known| ****known == rule).map(|known| (*known).clone());
        known.unwrap_or_else(|| Arc::new(rule))
    }

    pub(super) fn limit(self, limit: Limit) -> Arc<Limit> {
        let known = self.0.limits.get(&limit.name).filter(|known| ****known == limit);
        known.map_or_else(|| Arc::new(limit), |known| (*known).clone())
    }
}
