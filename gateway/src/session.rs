//! The gateway's end of the link with revive: what revive says becomes the table and the apps' states, what the
//! serving threads notice becomes messages.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use config::link::{self, Activity, Depth, GatewayEnd, Round, Status, ToGateway, ToRevive};
use config::model::{self, AppId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::app::{App, Sent};
use crate::attach::Figures;
use crate::lease::Lease;
use crate::limit::Limits;
use crate::listen::Fleet;
use crate::note::{Note, Notes};
use crate::probe::Probers;
use crate::shown::{CLUSTER, Cluster, Trust, shown};
use crate::table::{Route, Table};
use crate::tenant;
use crate::worker::Order;

/// How long activity is gathered before revive is told; nothing is sent where nothing goes on.
const ACTIVITY_INTERVAL: Duration = Duration::from_millis(250);

/// How long a link over a wire may take no message; then it is given up for another.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a Service's own address that refused is not tried again, while somebody waits for it.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Where revive is.
#[derive(Debug)]
pub enum Revive {
    /// In this process: one link, and no lease.
    Within(GatewayEnd),
    /// Elsewhere: links come and go, each replaces the one before.
    Beyond(mpsc::Receiver<GatewayEnd>),
}

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

/// The link, if there is one.
#[derive(Debug)]
enum Link {
    /// None: what was told last is all there is.
    Gone,
    /// One that has not told its table yet.
    New(GatewayEnd),
    /// One whose table is in use.
    Heard(GatewayEnd),
}

impl Link {
    /// What it says; `None` when it has ended. Where there is none, nothing is ever said.
    async fn says(&mut self) -> Option<ToGateway> {
        match self {
            Self::Gone => std::future::pending().await,
            Self::New(link) | Self::Heard(link) => link.rx.recv().await,
        }
    }
}

/// An app, and what is known of it.
#[derive(Clone, Debug)]
struct Known {
    app: Arc<App>,
    model: Arc<model::App>,
    /// What revive told last.
    told: Status,
    cluster: Cluster,
}

impl Known {
    fn shown(&self, trust: Trust) -> Status {
        shown(&self.told, &self.model.source, trust, self.cluster)
    }
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

    /// How far can be relied on what was told.
    fn trust_now(&self) -> Trust {
        match (self.lease.holds(Instant::now()), &self.link) {
            (true, _) => Trust::All,
            (false, Link::Heard(_)) => Trust::News,
            (false, Link::New(_) | Link::Gone) => Trust::Nothing,
        }
    }

    /// Has every app of a cluster show another state, if what was told can be relied on more than before, or less.
    fn see_to_trust(&mut self) {
        let trust = self.trust_now();
        if trust == self.trust {
            return;
        }
        self.trust = trust;
        self.figures.lease(trust == Trust::All);
        tracing::info!(?trust, "what revive has said of endpoints can be relied on so far");
        let others = self.apps.values_mut().filter_map(|known| {
            known.cluster = Cluster::Untried;
            (known.app.state().status != known.shown(trust)).then(|| known.clone())
        });
        for known in others.collect::<Vec<_>>() {
            self.show(&known);
        }
        for orders in &self.fleet.orders {
            let _ended = orders.send(Order::LookAtAll);
        }
    }

    /// A new table. Apps that were there before go on as they are.
    async fn replace(&mut self, table: link::Table) {
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

    /// Tells all that goes on.
    async fn report_all(&mut self) {
        let busy = self.apps.values().map(|known| &known.app).filter(|app| {
            let Activity { app: _, open, held, idle_for } = app.activity();
            open > 0 || held > 0 || idle_for.is_some()
        });
        self.touched = busy.map(|app| (app.id.clone(), app.clone())).collect();
        if !self.touched.is_empty() {
            self.report().await;
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
    async fn limit(&mut self, limits: link::Limits) {
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

    /// Requests see its state, as far as it can be relied on; one that comes up is probed.
    fn show(&mut self, known: &Known) {
        let status = known.shown(self.trust);
        known.app.set(status.clone());
        match status {
            Status::Waking { probe: Some(probe), .. } => {
                if let Some(route) = self.table.load().of_app(&known.app.id) {
                    self.probers.begin(probe, route);
                }
            }
            // One that is probed already goes on being so until something else is said.
            Status::Waking { probe: None, .. } => {}
            Status::Awake { .. }
            | Status::Draining { .. }
            | Status::Asleep { .. }
            | Status::Failed { .. } => {
                self.probers.end(&known.app.id);
            }
        }
    }

    /// Nobody answers at the own address of an app's Service: nothing runs, it seems. Whoever wants it waits.
    async fn refused(&mut self, app: Arc<App>) {
        let Some(known) = self.apps.get_mut(&app.id) else { return };
        known.cluster = Cluster::Refuses;
        let known = known.clone();
        if known.app.state().status == known.shown(self.trust) {
            return;
        }
        self.show(&known);
        self.tell_threads(&app);
        self.try_at.get_or_insert_with(|| Instant::now() + TRY_AGAIN_AFTER);
        self.send(ToRevive::Wake { app: app.id.clone() }).await;
    }

    /// Tries the Services' own addresses once more that somebody waits for: without a link nobody says that they answer.
    fn try_again(&mut self) {
        self.try_at = None;
        let waited = |known: &&mut Known| known.cluster == Cluster::Refuses && known.app.is_wanted();
        let waited = self.apps.values_mut().filter(waited).map(|known| {
            known.cluster = Cluster::Untried;
            known.clone()
        });
        for known in waited.collect::<Vec<_>>() {
            self.show(&known);
            self.tell_threads(&known.app);
        }
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

    async fn note(&mut self, note: Note) {
        match note {
            Note::Wanted(app) => {
                app.note_read(Sent::Wanted);
                if self.apps.get(&app.id).is_some_and(|known| known.cluster == Cluster::Refuses) {
                    self.try_at.get_or_insert_with(|| Instant::now() + TRY_AGAIN_AFTER);
                }
                self.send(ToRevive::Wake { app: app.id.clone() }).await;
            }
            Note::Unwanted(app) => {
                if !app.is_wanted() {
                    self.send(ToRevive::Unwanted { app: app.id.clone() }).await;
                }
            }
            Note::Touched(app) => {
                self.touched.insert(app.id.clone(), app);
                self.report_at.get_or_insert_with(|| Instant::now() + ACTIVITY_INTERVAL);
            }
            Note::Unreachable(app, CLUSTER) => self.refused(app).await,
            Note::Unreachable(app, instance) => {
                self.send(ToRevive::Unreachable { app: app.id.clone(), instance }).await;
            }
            // Rounds are one leader's: another's may have the same number.
            Note::Quiesced(_, _, number) if number != self.number => {}
            Note::Quiesced(app, round, _) => {
                self.send(ToRevive::Quiesced { round, activity: app.activity() }).await;
            }
            Note::Found(finding) => self.send(finding).await,
        }
    }

    async fn report(&mut self) {
        self.report_at = None;
        let touched = std::mem::take(&mut self.touched).into_values();
        let activities = touched.map(|app| {
            // Before the counts are read: what changes from here on is sent with the next report.
            app.note_read(Sent::Touched);
            app.activity()
        });
        let activities = activities.collect();
        self.send(ToRevive::Activity(activities)).await;
    }

    /// Says something to revive, if there is a link: what matters is said anew to the next one.
    async fn send(&mut self, message: ToRevive) {
        let (Link::New(link) | Link::Heard(link)) = &self.link else { return };
        let sent = match self.lease {
            // Revive is gone: `run` is about to see the same from its other half.
            Lease::Always => return drop(link.tx.send(message).await),
            // The lease must be seen to end, whatever becomes of the link.
            Lease::Until(_) => timeout(PATIENCE, link.tx.send(message)).await,
        };
        if !matches!(sent, Ok(Ok(()))) {
            tracing::warn!("the link to revive takes no more messages");
            self.part();
        }
    }
}

async fn sleep_until(timer: Option<Instant>) {
    match timer {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
