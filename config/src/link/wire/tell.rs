//! Revive's side: of each table only what is other than what this gateway was told last, in pages.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::link::wire::PAGE;
use crate::link::wire::app::WireApp;
use crate::link::wire::limit::WireLimit;
use crate::link::wire::message::{
    FromRevive, Told, WireChange, WireElsewhere, WireEntry, WireLease, WireLeaving, WireLimits, WireNumbered,
    WireRun, WireTable, WireWelcome,
};
use crate::link::wire::rule::WireRule;
use crate::link::{Limits, Round, Status, Table, ToGateway};
use crate::model::{App, AppId, Limit, Rule, Then};

/// The first that revive says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Of its leader, as far as it knows; a leader's own.
    pub epoch: u64,
    /// Whether it leads.
    pub leads: bool,
    /// Where the leader is attached to, as `host:port`, if it knows.
    pub leader: Option<String>,
}

impl FromRevive {
    /// The first message.
    pub fn welcome(welcome: Welcome) -> Self {
        let Welcome { epoch, leads, leader } = welcome;
        Told::Welcome(WireWelcome { epoch, leads, leader }).into()
    }

    /// The leader is there, or nobody knows where.
    pub fn elsewhere(leader: Option<String>) -> Self {
        Told::Elsewhere(WireElsewhere { leader }).into()
    }
}

/// What one gateway was told last.
#[derive(Debug, Default)]
pub struct Teller {
    apps: HashMap<AppId, (Arc<App>, Status)>,
    /// The rules of each name, in their order, with their numbers.
    rules: HashMap<Arc<str>, Vec<(u64, Arc<Rule>)>>,
    /// The number of the last rule.
    numbers: u64,
}

impl Teller {
    /// What is to be sent so that the gateway hears this.
    pub fn tell(&mut self, message: ToGateway) -> Pages {
        match message {
            ToGateway::Table(table) => Pages(Left::Table(Box::new(self.table(table)))),
            ToGateway::Limits(limits) => {
                let Limits { generation, limits } = limits;
                Pages(Left::Limits { generation, limits: limits.into(), begins: true })
            }
            ToGateway::Lease { renewal, valid } => {
                Pages::one(Told::Lease(WireLease { renewal, valid: Some(valid.into()) }))
            }
            ToGateway::State { app, status } => {
                let change = WireChange { app: app.to_string(), status: Some((&status).into()) };
                if let Some((_, last)) = self.apps.get_mut(&app) {
                    *last = status;
                }
                Pages::one(Told::State(change))
            }
        }
    }

    fn table(&mut self, table: Table) -> TableLeft {
        let Table { generation, apps, rules, leaving } = table;
        let mut before = std::mem::replace(&mut self.apps, HashMap::with_capacity(apps.len()));
        let mut changed = VecDeque::new();
        for (app, status) in apps {
            let entry = match before.remove(&app.id) {
                Some((known, last)) => Entry {
                    model: (!Arc::ptr_eq(&known, &app) && known != app).then(|| app.clone()),
                    status: (last != status).then(|| status.clone()),
                    id: app.id.clone(),
                },
                None => Entry { id: app.id.clone(), model: Some(app.clone()), status: Some(status.clone()) },
            };
            if entry.model.is_some() || entry.status.is_some() {
                changed.push_back(entry);
            }
            self.apps.insert(app.id.clone(), (app, status));
        }
        let gone = before.into_keys().filter(|id| !self.apps.contains_key(id)).collect();
        let (rules, order) = self.number(rules);
        TableLeft { generation, apps: changed, gone, rules, order: order.into(), leaving: leaving.into() }
    }

    /// Numbers the rules; one is compared with the one that had its name and its place among those of that name.
    fn number(&mut self, rules: Vec<Arc<Rule>>) -> (VecDeque<New>, Vec<WireRun>) {
        let before = std::mem::take(&mut self.rules);
        let (mut new, mut order) = (VecDeque::new(), Vec::<WireRun>::new());
        for rule in rules {
            let named = self.rules.entry(rule.name.clone()).or_default();
            let known = before.get(&rule.name).and_then(|before| before.get(named.len()));
            let number = match known {
                Some((number, known)) if Arc::ptr_eq(known, &rule) || *known == rule => *number,
                Some(_) | None => {
                    self.numbers += 1;
                    let instead_of = known.map_or(0, |(number, _)| *number);
                    new.push_back(New { number: self.numbers, rule: rule.clone(), instead_of });
                    self.numbers
                }
            };
            named.push((number, rule));
            match order.last_mut() {
                Some(run) if run.first + run.count == number => run.count += 1,
                Some(_) | None => order.push(WireRun { first: number, count: 1 }),
            }
        }
        (new, order)
    }
}

/// What is still to be sent of a message; made page by page, because a table may be large.
#[derive(Debug)]
pub struct Pages(Left);

#[derive(Debug)]
enum Left {
    Table(Box<TableLeft>),
    Limits { generation: u64, limits: VecDeque<Arc<Limit>>, begins: bool },
    One(Box<FromRevive>),
    Nothing,
}

#[derive(Debug)]
struct TableLeft {
    generation: u64,
    apps: VecDeque<Entry>,
    gone: VecDeque<AppId>,
    rules: VecDeque<New>,
    order: VecDeque<WireRun>,
    leaving: VecDeque<(AppId, Round)>,
}

/// What is new of an app.
#[derive(Debug)]
struct Entry {
    id: AppId,
    model: Option<Arc<App>>,
    status: Option<Status>,
}

/// A rule that was not sent before.
#[derive(Debug)]
struct New {
    number: u64,
    rule: Arc<Rule>,
    instead_of: u64,
}

impl Pages {
    fn one(told: Told) -> Self {
        Self(Left::One(Box::new(told.into())))
    }
}

impl Iterator for Pages {
    type Item = FromRevive;

    fn next(&mut self) -> Option<FromRevive> {
        match std::mem::replace(&mut self.0, Left::Nothing) {
            Left::Table(mut left) => {
                let page = left.page();
                if !page.ends {
                    self.0 = Left::Table(left);
                }
                Some(Told::Table(page).into())
            }
            Left::Limits { generation, mut limits, begins } => {
                let mut room = Room::new();
                let taken =
                    room.take(&mut limits, |limit| (&**limit).into(), |limit| WireLimit::named(limit));
                let ends = limits.is_empty();
                if !ends {
                    self.0 = Left::Limits { generation, limits, begins: false };
                }
                Some(Told::Limits(WireLimits { generation, begins, ends, limits: taken }).into())
            }
            Left::One(told) => Some(*told),
            Left::Nothing => None,
        }
    }
}

impl TableLeft {
    fn page(&mut self) -> WireTable {
        let mut room = Room::new();
        let entry = |entry: &Entry, model: Option<WireApp>| WireEntry {
            id: entry.id.to_string(),
            app: model,
            status: entry.status.as_ref().map(Into::into),
        };
        let apps = room.take(
            &mut self.apps,
            |app| entry(app, app.model.as_ref().map(|model| (&**model).into())),
            |app| entry(app, app.model.as_ref().map(|model| WireApp::named(model))),
        );
        let gone = room.take(&mut self.gone, ToString::to_string, ToString::to_string);
        let numbered = |new: &New, rule| WireNumbered {
            number: new.number,
            rule: Some(rule),
            instead_of: new.instead_of,
        };
        let before: Cell<Option<Arc<Then>>> = Cell::default();
        let rule = |new: &New| {
            let rule = WireRule::of(&new.rule, before.take().as_ref());
            before.set(Some(new.rule.then.clone()));
            numbered(new, rule)
        };
        let named = |new: &New| {
            before.set(None);
            numbered(new, WireRule::named(&new.rule))
        };
        let rules = room.take(&mut self.rules, rule, named);
        let order = room.take(&mut self.order, |run| *run, |run| *run);
        let leaving = |(app, round): &(AppId, Round)| WireLeaving { app: app.to_string(), round: round.0 };
        let leaving = room.take(&mut self.leaving, leaving, leaving);
        let Self { generation, .. } = *self;
        let ends = self.is_empty();
        WireTable { generation, ends, apps, gone, rules, order, leaving }
    }

    fn is_empty(&self) -> bool {
        let Self { generation: _, apps, gone, rules, order, leaving } = self;
        apps.is_empty() && gone.is_empty() && rules.is_empty() && order.is_empty() && leaving.is_empty()
    }
}

/// Bytes that are left of a page.
struct Room {
    bytes: usize,
    /// Whether the page has nothing yet: then the next item is taken, however large.
    untouched: bool,
}

/// Bytes that an item takes beside itself: a tag, and a length.
const FRAME: usize = 8;
/// Bytes of the largest item: larger ones are named, and so refused, rather than ending the link again and again.
const MAX_ITEM: usize = super::MAX_MESSAGE - PAGE;

impl Room {
    fn new() -> Self {
        Self { bytes: PAGE - 64, untouched: true }
    }

    /// Takes items from the front, as many as there is room for. What is too large for any page is `named` only.
    fn take<T, W: prost::Message>(
        &mut self,
        items: &mut VecDeque<T>,
        whole: impl Fn(&T) -> W,
        named: impl Fn(&T) -> W,
    ) -> Vec<W> {
        let mut taken = Vec::new();
        while let Some(item) = items.front() {
            let mut wire = whole(item);
            let mut size = wire.encoded_len() + FRAME;
            if size > MAX_ITEM {
                wire = named(item);
                size = wire.encoded_len() + FRAME;
            }
            if size > self.bytes && !self.untouched {
                // Nothing that comes later goes into this page: a table's parts come in their order.
                self.bytes = 0;
                break;
            }
            self.bytes = self.bytes.saturating_sub(size);
            self.untouched = false;
            taken.push(wire);
            items.pop_front();
        }
        taken
    }
}
