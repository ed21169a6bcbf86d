//! The gateway's end of the link with revive: what revive says becomes the table and the apps' states, what the
//! serving threads notice becomes messages.

mod link;
mod saying;
mod showing;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use config::link::{self as wire, Activity, Depth, GatewayEnd, Round, Status, ToGateway, ToRevive};
use config::model::{self, AppId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::app::App;
use crate::attach::Figures;
use crate::lease::Lease;
use crate::limit::Limits;
use crate::listen::Fleet;
use crate::note::{Note, Notes};
use crate::probe::Probers;
use crate::shown::{Cluster, Trust, shown};
use crate::table::{Route, Table};
use crate::tenant;
use crate::worker::Order;
use link::Link;
pub use link::Revive;
use showing::Known;

/// See the module. It outlives its links.
#[derive(Debug)]
pub struct Session {
    link: Link,
    links: mpsc::Receiver<GatewayEnd>,
    /// The number of this link: answers to what another has asked are of no use.
    number: u64,
    lease: Lease,
    /// What the apps' states were last made of.
    trust: Trust,
    table: Arc<ArcSwap<Table>>,
    limits: Arc<Limits>,
    fleet: Arc<Fleet>,
    notes: Notes,
    figures: Figures,
    apps: HashMap<AppId, Known>,
    /// Apps that a table took out, as long as a request is at them: one that comes back goes on as it was.
    departed: HashMap<AppId, Weak<App>>,
    /// The next app's place; places are not used again.
    next_index: usize,
    probers: Probers,
    touched: HashMap<AppId, Arc<App>>,
    /// When `touched` is sent.
    report_at: Option<Instant>,
    /// When Services' own addresses that refused are tried again, because somebody waits for one.
    try_at: Option<Instant>,
}

impl Session {
    /// A session that has heard nothing yet.
    pub fn new(
        revive: Revive,
        table: Arc<ArcSwap<Table>>,
        limits: Arc<Limits>,
        fleet: Arc<Fleet>,
        notes: Notes,
        figures: Figures,
    ) -> Self {
        let (link, links, lease, trust) = match revive {
            // No other link comes.
            Revive::Within(link) => (Link::New(link), mpsc::channel(1).1, Lease::Always, Trust::All),
            Revive::Beyond(links) => (Link::Gone, links, Lease::none(), Trust::Nothing),
        };
        Self {
            link,
            links,
            number: 0,
            trust,
            lease,
            table,
            limits,
            fleet,
            probers: Probers::new(notes.clone()),
            notes,
            figures,
            apps: HashMap::new(),
            departed: HashMap::new(),
            next_index: 0,
            touched: HashMap::new(),
            report_at: None,
            try_at: None,
        }
    }

    /// Runs for as long as it is let. `ready` is told of the first table.
    pub async fn run(mut self, mut notes: mpsc::UnboundedReceiver<Note>, ready: oneshot::Sender<()>) {
        let mut ready = Some(ready);
        loop {
            self.see_to_trust();
            let timer = self.next_timer();
            tokio::select! {
                message = self.link.says() => match message {
                    Some(ToGateway::Table(table)) => {
                        self.replace(table).await;
                        // Whoever waited for the first table may have left.
                        let _left = ready.take().map(|ready| ready.send(()));
                    }
                    Some(ToGateway::Limits(limits)) => self.limit(limits).await,
                    Some(ToGateway::Lease { renewal, valid }) => self.lease.granted(renewal, valid),
                    Some(ToGateway::State { app, status }) => self.change(&app, status).await,
                    None => self.part(),
                },
                Some(link) = self.links.recv() => self.meet(link),
                Some(note) = notes.recv() => self.note(note).await,
                () = sleep_until(timer) => self.tick().await,
            }
        }
    }

    fn next_timer(&self) -> Option<Instant> {
        let timers = [self.report_at, self.try_at, self.lease.next(Instant::now())];
        timers.into_iter().flatten().min()
    }

    async fn tick(&mut self) {
        let now = Instant::now();
        if self.report_at.is_some_and(|at| at <= now) {
            self.report().await;
        }
        if self.try_at.is_some_and(|at| at <= now) {
            self.try_again();
        }
        if let Some(question) = self.lease.renew(now) {
            self.send(question).await;
        }
    }

    /// Another link. What the one before told holds until this one has told its table.
    fn meet(&mut self, link: GatewayEnd) {
        self.link = Link::New(link);
        self.number += 1;
        self.lease.pause();
    }

    /// The link is gone. Apps are served on as they were told, for as long as there is a lease.
    fn part(&mut self) {
        self.link = Link::Gone;
        self.lease.pause();
    }

    /// A new table. Apps that were there before go on as they are.
    async fn replace(&mut self, table: wire::Table) {
        let is_first = self.heard();
        let generation = table.generation;
        let (mut routes, mut refused) = (Vec::with_capacity(table.apps.len()), Vec::new());
        let mut apps = HashMap::with_capacity(table.apps.len());
        for (model, told) in table.apps {
            let id = model.id.clone();
            match self.route(model, &told) {
                Ok(route) => {
                    let (app, model) = (route.app.clone(), route.model.clone());
                    apps.insert(id, Known { app, model, told, cluster: Cluster::Untried });
                    routes.push(Arc::new(route));
                }
                Err(why) => refused.push((format!("app/{id}"), why)),
            }
        }
        let states: Vec<Known> = apps.values().cloned().collect();
        let before = std::mem::replace(&mut self.apps, apps);
        let built = Table::build(routes, table.rules, &self.table.load());
        self.table.store(Arc::new(built.table));
        for (name, why) in built.refused {
            tracing::error!(%name, %why, "a rule is refused, and left as it was");
            refused.push((format!("rule/{name}"), why.to_string()));
        }
        tracing::info!(generation, apps = self.apps.len(), "table in use");
        self.figures.table(generation);
        self.take_out(before);
        for known in states {
            self.apply(&known, is_first).await;
        }
        for (id, round) in table.leaving {
            self.leave(id, round).await;
        }
        self.send(ToRevive::InUse { generation, refused }).await;
        if is_first {
            self.report_all().await;
        }
    }

    /// The link has told its table. Whether it is its first: it knows nothing yet of what goes on here.
    fn heard(&mut self) -> bool {
        match std::mem::replace(&mut self.link, Link::Gone) {
            Link::New(link) => {
                self.link = Link::Heard(link);
                self.probers.forget_findings();
                self.lease.begin(Instant::now());
                if self.trust == Trust::Nothing {
                    self.trust = self.trust_now();
                }
                true
            }
            heard @ (Link::Heard(_) | Link::Gone) => {
                self.link = heard;
                false
            }
        }
    }

    /// Of apps that the new table does not have, nothing more is let in: who has just looked at the old one is held, and
    /// is then routed once more.
    fn take_out(&mut self, before: HashMap<AppId, Known>) {
        self.departed.retain(|_, app| app.strong_count() > 0);
        let before = before.into_iter().map(|(id, known)| (id, known.app));
        for (id, gone) in before.filter(|(id, _)| !self.apps.contains_key(id)) {
            gone.set(Status::Asleep { depth: Depth::Deep });
            self.probers.end(&id);
            self.tell_threads(&gone);
            self.departed.insert(id, Arc::downgrade(&gone));
        }
    }

    /// Says what is open at an app that is about to be ended, once every thread lets in nothing more.
    async fn leave(&mut self, app: AppId, round: Round) {
        let known = self.apps.get(&app).map(|known| known.app.clone());
        match known.or_else(|| self.departed.get(&app)?.upgrade()) {
            Some(app) => self.quiesce(&app, round),
            None => {
                let activity = Activity { app, open: 0, held: 0, idle_for: None };
                self.send(ToRevive::Quiesced { round, activity }).await;
            }
        }
    }

    /// Other limits. When this is said to be done, no request is judged by those before.
    async fn limit(&mut self, limits: wire::Limits) {
        let (generation, count) = (limits.generation, limits.limits.len());
        self.limits.replace(limits.limits);
        tracing::info!(generation, limits = count, "limits in use");
        self.send(ToRevive::LimitsInUse { generation }).await;
    }

    /// A way to an app, which stays the same app if it was there before.
    fn route(&mut self, model: Arc<model::App>, told: &Status) -> Result<Route, String> {
        let identity = tenant::identity(&model).map_err(|error| {
            let tenant = &model.tenant;
            tracing::error!(app = %model.name, org = %tenant.org, workspace = %tenant.workspace, region = %tenant.region, environment = %tenant.environment, %error, "left out of the table: its identity is no header value");
            error.to_string()
        })?;
        let there = self.apps.get(&model.id).map(|known| known.app.clone());
        let departed = || self.departed.get(&model.id)?.upgrade();
        let app = there.or_else(departed).unwrap_or_else(|| {
            let index = self.next_index;
            self.next_index += 1;
            let status = shown(told, &model.source, self.trust, Cluster::Untried);
            App::new(model.id.clone(), index, status, self.notes.clone())
        });
        Ok(Route::new(app, model, identity))
    }

    async fn change(&mut self, id: &AppId, status: Status) {
        // A state may cross a table that no longer has the app.
        let Some(known) = self.apps.get_mut(id) else { return };
        (known.told, known.cluster) = (status, Cluster::Untried);
        let known = known.clone();
        self.apply(&known, false).await;
    }

    /// What was told of an app takes effect; `anew` by a link that knows nothing yet of who waits.
    async fn apply(&mut self, known: &Known, anew: bool) {
        self.show(known);
        let app = &known.app;
        let asks = match &known.told {
            Status::Draining { round } => {
                self.quiesce(app, *round);
                anew && app.is_wanted()
            }
            // Those who came while it was put to sleep have asked already, but of a state that is past.
            Status::Asleep { .. } => app.held() > 0 || (anew && app.is_wanted()),
            Status::Waking { .. } | Status::Failed { .. } => anew && app.is_wanted(),
            Status::Awake { .. } => false,
        };
        if asks {
            self.send(ToRevive::Wake { app: app.id.clone() }).await;
        }
        self.tell_threads(app);
    }

    /// Has every thread see that the app drains, and then says so.
    fn quiesce(&self, app: &Arc<App>, round: Round) {
        let mut acks = Vec::with_capacity(self.fleet.orders.len());
        for orders in &self.fleet.orders {
            let (done, ack) = oneshot::channel();
            // A thread that has ended has no requests; its ack comes as an error at once.
            let _ended = orders.send(Order::Quiesce(app.clone(), done));
            acks.push(ack);
        }
        let (notes, app, number) = (self.notes.clone(), app.clone(), self.number);
        // Ends by itself: each thread answers in its own loop, or drops its end.
        tokio::spawn(async move {
            for ack in acks {
                let _ended = ack.await;
            }
            notes.send(Note::Quiesced(app, round, number));
        });
    }

    fn tell_threads(&self, app: &Arc<App>) {
        for orders in &self.fleet.orders {
            let _ended = orders.send(Order::Look(app.clone()));
        }
    }
}

async fn sleep_until(timer: Option<Instant>) {
    match timer {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
