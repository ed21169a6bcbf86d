//! Making a table of what revive tells. What cannot be used is named and left as it was; all else goes on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use config::model::{self, AppId, Backend};

use super::matching::Conditions;
use super::{Hosts, One, Route, Rule, Table, To};
use crate::filter::{Redirect, Unfit, Way};

/// A new table, and what it does without.
#[derive(Debug)]
pub struct Built {
    /// The table.
    pub table: Table,
    /// The rules that were refused, by name, and why. Of those that were there `before`, that is kept.
    pub refused: BTreeMap<Arc<str>, Unfit>,
}

impl Table {
    /// Makes a table of apps and rules, in their order of precedence.
    pub fn build(routes: Vec<Arc<Route>>, rules: Vec<Arc<model::Rule>>, before: &Self) -> Built {
        let apps: HashMap<_, _> = routes.into_iter().map(|route| (route.app.id.clone(), route)).collect();
        let (mut ready, mut refused) = (Vec::with_capacity(rules.len()), BTreeMap::new());
        for rule in rules {
            match Rule::of(&rule, &apps) {
                Ok(rule) => ready.push(rule),
                Err(unfit) => {
                    refused.entry(rule.name.clone()).or_insert(unfit);
                    // Where it would stand, those stand that it should have replaced.
                    let formerly = before.rules.iter().filter(|former| former.name == rule.name);
                    ready.extend(formerly.filter_map(|former| Rule::of(former, &apps).ok()));
                }
            }
        }
        if !refused.is_empty() {
            leave_as_they_were(&mut ready, &refused, before);
        }
        let rules = ready.iter().map(|rule| rule.told.clone()).collect();
        let mut table = Self { ports: named_ports(&ready), elsewhere: Hosts::default(), apps, rules };
        ready.into_iter().for_each(|rule| table.add(rule));
        Built { table, refused }
    }

    fn add(&mut self, rule: Rule) {
        let ports = rule.told.ports.clone();
        let here = |port: &u16| ports.is_empty() || ports.contains(port);
        self.ports.iter_mut().filter(|(port, _)| here(port)).for_each(|(_, hosts)| hosts.add(rule.clone()));
        if ports.is_empty() {
            self.elsewhere.add(rule);
        }
    }
}

/// A rule whose name is refused is as it was before in all of its parts.
fn leave_as_they_were(ready: &mut Vec<Rule>, refused: &BTreeMap<Arc<str>, Unfit>, before: &Table) {
    let mut kept = Vec::<Rule>::with_capacity(ready.len());
    for rule in ready.drain(..) {
        let is_former = || before.rules.iter().any(|former| Arc::ptr_eq(former, &rule.told));
        let is_twice = || kept.iter().any(|other| Arc::ptr_eq(&other.told, &rule.told));
        if !refused.contains_key(&rule.told.name) || (is_former() && !is_twice()) {
            kept.push(rule);
        }
    }
    *ready = kept;
}

fn named_ports(rules: &[Rule]) -> Vec<(u16, Hosts)> {
    let mut ports: Vec<u16> = rules.iter().flat_map(|rule| rule.told.ports.iter().copied()).collect();
    ports.sort_unstable();
    ports.dedup();
    ports.into_iter().map(|port| (port, Hosts::default())).collect()
}

impl Hosts {
    fn add(&mut self, rule: Rule) {
        let rules = match &rule.told.host {
            Some(host) => self.named.entry(host),
            None => &mut self.any,
        };
        rules.0.push(rule);
    }
}

impl Rule {
    fn of(told: &Arc<model::Rule>, apps: &HashMap<AppId, Arc<Route>>) -> Result<Self, Unfit> {
        let conditions = Conditions::of(&told.matches)?.map(Arc::new);
        let to = match Redirect::of(told, None)? {
            Some(redirect) => To::All(One::Redirect(Arc::new(redirect))),
            None => {
                let part = |backend: &Backend| Ok((backend.weight, One::of(told, backend, apps)?));
                To::of(told.then.backends.iter().map(part).collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { told: told.clone(), conditions, to })
    }
}

impl One {
    fn of(rule: &model::Rule, backend: &Backend, apps: &HashMap<AppId, Arc<Route>>) -> Result<Self, Unfit> {
        if let Some(redirect) = Redirect::of(rule, Some(backend))? {
            return Ok(Self::Redirect(Arc::new(redirect)));
        }
        let way = Way::of(rule, backend)?;
        let Some(route) = backend.app.as_ref().and_then(|app| apps.get(app)) else { return Ok(Self::Nobody) };
        let Some(way) = way else { return Ok(Self::App(route.clone())) };
        let Route { app, model, identity, way: _ } = &**route;
        let (app, model, identity) = (app.clone(), model.clone(), identity.clone());
        Ok(Self::App(Arc::new(Route { app, model, identity, way: Some(way) })))
    }
}
