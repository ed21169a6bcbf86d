//! A gateway's side: what comes is parsed, and of its pages the whole table is put together again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::link::wire::Welcome;
use crate::link::wire::message::{
    FromRevive, Told, WireElsewhere, WireEntry, WireLeaving, WireLimits, WireNumbered, WireRun, WireTable,
    WireWelcome,
};
use crate::link::wire::parse::{Clear, Span, Unclear, app_id};
use crate::link::wire::rule::Understood;
use crate::link::{Limits, Round, Status, Table, ToGateway};
use crate::model::{App, AppId, Limit, Rule, Then};

/// Apps, rules and limits that are taken, of each: ten times what the product is made for. More are refused.
const MOST: usize = 1 << 20;
/// Refusals that are remembered.
const MOST_REFUSED: usize = 4_096;

/// Before the names of what is refused.
const APP: &str = "app/";
const RULE: &str = "rule/";
const LIMIT: &str = "limit/";

/// What came from revive.
#[derive(Clone, Debug)]
pub enum Heard {
    /// It introduces itself.
    Welcome(Welcome),
    /// The leader is there, or nobody knows where.
    Elsewhere(Option<String>),
    /// A message of the link.
    Said(ToGateway),
    /// A page, and more are to come.
    More,
    /// Something that a newer revive says: it is passed over.
    Strange,
}

/// All that one link has told.
#[derive(Debug, Default)]
pub struct Hearer {
    apps: BTreeMap<AppId, Known>,
    rules: BTreeMap<u64, Arc<Rule>>,
    /// The rules that are not understood: name, and why.
    unclear: HashMap<u64, (String, Unclear)>,
    /// Of pages whose table is not all there yet.
    order: Vec<WireRun>,
    leaving: Vec<WireLeaving>,
    limits: Vec<Arc<Limit>>,
    /// Pages of limits that are not all there yet.
    coming: Vec<Arc<Limit>>,
    /// Apps and limits that are not understood.
    refused: BTreeMap<String, String>,
}

/// What is understood of an app; it is in the table if there is all of it.
#[derive(Debug, Default)]
struct Known {
    app: Option<Arc<App>>,
    status: Option<Status>,
}

impl Hearer {
    /// What this says.
    ///
    /// # Errors
    /// Which part of it cannot be understood. The link goes on without it.
    pub fn hear(&mut self, message: FromRevive) -> Result<Heard, Unclear> {
        let Some(told) = message.told else { return Ok(Heard::Strange) };
        Ok(match told {
            Told::Welcome(WireWelcome { epoch, leads, leader }) => {
                Heard::Welcome(Welcome { epoch, leads, leader })
            }
            Told::Elsewhere(WireElsewhere { leader }) => Heard::Elsewhere(leader),
            Told::Table(page) => self.table(page),
            Told::Limits(page) => self.limits(page),
            Told::Lease(lease) => {
                let valid = Span::parse(lease.valid, "lease")?;
                Heard::Said(ToGateway::Lease { renewal: lease.renewal, valid })
            }
            Told::State(change) => {
                let (app, status) = (app_id(&change.app)?, change.status.as_ref().or_unclear("state")?);
                let status: Status = status.try_into()?;
                if let Some(known) = self.apps.get_mut(&app) {
                    known.status = Some(status.clone());
                }
                Heard::Said(ToGateway::State { app, status })
            }
        })
    }

    /// What is not understood now, as `app/ID`, `rule/NAME` or `limit/NAME`, and why; it is as it was before.
    pub fn refused(&self) -> Vec<(String, String)> {
        let rules: BTreeMap<_, _> = self.unclear.values().map(|(name, why)| (name, why)).collect();
        let rules = rules.into_iter().map(|(name, why)| (name.clone(), why.to_string()));
        self.refused.clone().into_iter().chain(rules).collect()
    }

    fn table(&mut self, page: WireTable) -> Heard {
        for entry in page.apps {
            self.app(entry);
        }
        for gone in page.gone {
            if let Ok(id) = app_id(&gone) {
                self.apps.remove(&id);
            }
            self.refused.remove(&format!("{APP}{gone}"));
        }
        let mut before = None;
        for rule in page.rules {
            self.rule(rule, &mut before);
        }
        if self.order.len() + page.order.len() <= MOST && self.leaving.len() + page.leaving.len() <= MOST {
            self.order.extend(page.order);
            self.leaving.extend(page.leaving);
        }
        if page.ends { Heard::Said(ToGateway::Table(self.whole(page.generation))) } else { Heard::More }
    }

    fn app(&mut self, entry: WireEntry) {
        let name = format!("{APP}{}", entry.id);
        let Ok(id) = app_id(&entry.id) else { return self.refuse(name, Unclear("id")) };
        if self.apps.len() >= MOST && !self.apps.contains_key(&id) {
            return self.refuse(name, Unclear("place (there are too many)"));
        }
        let known = self.apps.entry(id.clone()).or_default();
        let mut unclear = None;
        match entry.status.as_ref().map(Status::try_from) {
            None => {}
            Some(Ok(status)) => known.status = Some(status),
            Some(Err(why)) => unclear = Some(why),
        }
        match entry.app.as_ref().map(App::try_from) {
            None => {}
            Some(Ok(app)) if app.id == id => {
                known.app = Some(Arc::new(app));
                self.refused.remove(&name);
            }
            Some(Ok(_)) => unclear = Some(Unclear("id")),
            Some(Err(why)) => unclear = Some(why),
        }
        if let Some(why) = unclear {
            self.refuse(name, why);
        }
    }

    /// A rule that is not understood is as it was before. If there was none, its requests get an error rather than what
    /// another rule would make of them.
    fn rule(
        &mut self,
        WireNumbered { number, rule, instead_of }: WireNumbered,
        before: &mut Option<Arc<Then>>,
    ) {
        if self.rules.len() + self.unclear.len() >= 2 * MOST {
            return;
        }
        let rule = rule.unwrap_or_default();
        let (stands, unclear) = match (rule.parse(before), self.rules.get(&instead_of)) {
            (Ok(Understood::Whole(rule)), _) => (Some(Arc::new(rule)), None),
            (Ok(Understood::Matches(_, why)) | Err(why), Some(last)) => (Some(last.clone()), Some(why)),
            (Ok(Understood::Matches(rule, why)), None) => (Some(Arc::new(rule)), Some(why)),
            (Err(why), None) => (None, Some(why)),
        };
        if let Some(why) = unclear {
            self.unclear.insert(number, (format!("{RULE}{}", rule.name), why));
        }
        if let Some(stands) = stands {
            self.rules.insert(number, stands);
        }
    }

    /// The table, when its last page has come.
    fn whole(&mut self, generation: u64) -> Table {
        let app = |known: &Known| Some((known.app.clone()?, known.status.clone()?));
        let apps = self.apps.values().filter_map(app).collect();
        let (order, leaving) = (std::mem::take(&mut self.order), std::mem::take(&mut self.leaving));
        let leaving =
            leaving.iter().filter_map(|leaving| Some((app_id(&leaving.app).ok()?, Round(leaving.round))));
        Table { generation, apps, rules: self.in_order(&order), leaving: leaving.collect() }
    }

    /// The rules, each once; those that are left out are not needed any more.
    fn in_order(&mut self, order: &[WireRun]) -> Vec<Arc<Rule>> {
        let (mut rules, mut used) = (Vec::with_capacity(self.rules.len()), HashSet::new());
        let last = |run: &WireRun| run.first.saturating_add(run.count.saturating_sub(1));
        for run in order.iter().filter(|run| run.count > 0) {
            for (number, rule) in self.rules.range(run.first..=last(run)) {
                if used.insert(*number) {
                    rules.push(rule.clone());
                }
            }
            // A run that goes over the same again gives nothing, and there is no end to such runs.
            if used.len() == self.rules.len() {
                break;
            }
        }
        self.rules.retain(|number, _| used.contains(number));
        let is_meant = |number: &u64| order.iter().any(|run| (run.first..=last(run)).contains(number));
        self.unclear.retain(|number, _| is_meant(number));
        rules
    }

    fn limits(&mut self, page: WireLimits) -> Heard {
        if page.begins {
            self.coming.clear();
            self.refused.retain(|name, _| !name.starts_with(LIMIT));
        }
        for limit in &page.limits {
            let last = || self.limits.iter().find(|last| last.name.as_str() == limit.name).cloned();
            let stands = match Limit::try_from(limit) {
                Ok(limit) => Some(Arc::new(limit)),
                Err(why) => {
                    let last = last();
                    self.refuse(format!("{LIMIT}{}", limit.name), why);
                    last
                }
            };
            if self.coming.len() < MOST {
                self.coming.extend(stands);
            }
        }
        if !page.ends {
            return Heard::More;
        }
        self.limits = std::mem::take(&mut self.coming);
        let limits = self.limits.clone();
        Heard::Said(ToGateway::Limits(Limits { generation: page.generation, limits }))
    }

    fn refuse(&mut self, name: String, why: Unclear) {
        if self.refused.len() < MOST_REFUSED || self.refused.contains_key(&name) {
            self.refused.insert(name, why.to_string());
        }
    }
}
