//! The gateway's end of the link with revive: what revive says becomes the table and the apps' states, what the
//! serving threads notice becomes messages.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use config::link::{self, Activity, Depth, GatewayEnd, Round, Status, ToGateway, ToRevive};
use config::model::{self, AppId};
use http::header::InvalidHeaderValue;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::app::{App, Sent};
use crate::limit::Limits;
use crate::listen::Fleet;
use crate::note::{Note, Notes};
use crate::probe::Probers;
use crate::table::{Route, Table};
use crate::tenant;
use crate::worker::Order;

/// How long activity is gathered before revive is told; nothing is sent where nothing goes on.
const ACTIVITY_INTERVAL: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Debug)]
pub struct Session {
    link: GatewayEnd,
    table: Arc<ArcSwap<Table>>,
    limits: Arc<Limits>,
    fleet: Arc<Fleet>,
    notes: Notes,
    apps: HashMap<AppId, Arc<App>>,
    /// Apps that a table took out, as long as a request is at them: one that comes back goes on as it was.
    departed: HashMap<AppId, Weak<App>>,
    /// The next app's place; places are not used again.
    next_index: usize,
    probers: Probers,
    touched: HashMap<AppId, Arc<App>>,
    /// When `touched` is sent.
    report_at: Option<Instant>,
}

impl Session {
    /// A session that has heard nothing yet.
    pub fn new(
        link: GatewayEnd,
        table: Arc<ArcSwap<Table>>,
        limits: Arc<Limits>,
        fleet: Arc<Fleet>,
        notes: Notes,
    ) -> Self {
        let probers = Probers::new(link.tx.clone());
        Self {
            link,
            table,
            limits,
            fleet,
            notes,
            apps: HashMap::new(),
            departed: HashMap::new(),
            next_index: 0,
            probers,
            touched: HashMap::new(),
            report_at: None,
        }
    }

    /// Runs until revive is gone. `ready` is told of the first table.
    pub async fn run(mut self, mut notes: mpsc::UnboundedReceiver<Note>, ready: oneshot::Sender<()>) {
        let mut ready = Some(ready);
        loop {
            let report_at = self.report_at;
            let report = async {
                match report_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = self.link.rx.recv() => match message {
                    Some(ToGateway::Table(table)) => {
                        self.replace(table).await;
                        // Whoever waited for the first table may have left.
                        let _left = ready.take().map(|ready| ready.send(()));
                    }
                    Some(ToGateway::Limits(limits)) => self.limit(limits).await,
                    // Within one process nothing comes between the halves, so the endpoints it was told of are right.
                    Some(ToGateway::Lease { .. }) => {}
                    Some(ToGateway::State { app, status }) => self.change(&app, status).await,
                    None => return,
                },
                Some(note) = notes.recv() => self.note(note).await,
                () = report => self.report().await,
            }
        }
    }

    /// A new table. Apps that were there before go on as they are.
    async fn replace(&mut self, table: link::Table) {
        let mut routes = Vec::with_capacity(table.apps.len());
        let mut apps = HashMap::with_capacity(table.apps.len());
        let (mut states, mut refused) = (Vec::new(), Vec::new());
        for (model, status) in table.apps {
            let name = model.name.clone();
            let route = match self.route(model, &status) {
                Ok(route) => route,
                Err(error) => {
                    refused.push((name.to_string(), format!("its identity is no header value: {error}")));
                    continue;
                }
            };
            apps.insert(route.app.id.clone(), route.app.clone());
            states.push((route.app.clone(), status));
            routes.push(Arc::new(route));
        }
        let before = std::mem::replace(&mut self.apps, apps);
        let built = Table::build(routes, table.rules, &self.table.load());
        self.table.store(Arc::new(built.table));
        tracing::info!(generation = table.generation, apps = self.apps.len(), "table in use");
        for (name, why) in built.refused {
            tracing::error!(%name, %why, "a rule is refused, and left as it was");
            refused.push((name.to_string(), why.to_string()));
        }
        self.take_out(before);
        for (app, status) in states {
            self.apply(&app, status).await;
        }
        for (id, round) in table.leaving {
            self.leave(id, round).await;
        }
        self.send(ToRevive::InUse { generation: table.generation, refused }).await;
    }

    /// Of apps that the new table does not have, nothing more is let in: who has just looked at the old one is held, and
    /// is then routed once more.
    fn take_out(&mut self, before: HashMap<AppId, Arc<App>>) {
        self.departed.retain(|_, app| app.strong_count() > 0);
        for (id, gone) in before.into_iter().filter(|(id, _)| !self.apps.contains_key(id)) {
            gone.set(Status::Asleep { depth: Depth::Deep });
            self.probers.end(&id);
            self.tell_threads(&gone);
            self.departed.insert(id, Arc::downgrade(&gone));
        }
    }

    /// Says what is open at an app that is about to be ended, once every thread lets in nothing more.
    async fn leave(&self, app: AppId, round: Round) {
        let known = self.apps.get(&app).cloned();
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

    fn route(&mut self, model: Arc<model::App>, status: &Status) -> Result<Route, InvalidHeaderValue> {
        let tenant = &model.tenant;
        let identity = tenant::identity(&model).inspect_err(|error| {
            tracing::error!(app = %model.name, org = %tenant.org, workspace = %tenant.workspace, region = %tenant.region, environment = %tenant.environment, %error, "left out of the table: its identity is no header value");
        })?;
        let departed = || self.departed.get(&model.id)?.upgrade();
        let app = self.apps.get(&model.id).cloned().or_else(departed).unwrap_or_else(|| {
            let index = self.next_index;
            self.next_index += 1;
            App::new(model.id.clone(), index, status.clone(), self.notes.clone())
        });
        Ok(Route::new(app, model, identity))
    }

    async fn change(&mut self, id: &AppId, status: Status) {
        // A state may cross a table that no longer has the app.
        let Some(app) = self.apps.get(id).cloned() else { return };
        self.apply(&app, status).await;
    }

    /// A state takes effect.
    async fn apply(&mut self, app: &Arc<App>, status: Status) {
        app.set(status.clone());
        match &status {
            Status::Draining { round } => self.quiesce(app, *round),
            // Those who came while it was put to sleep have asked already, but of a state that is past.
            Status::Asleep { .. } if app.held() > 0 => {
                self.send(ToRevive::Wake { app: app.id.clone() }).await
            }
            Status::Waking { probe: Some(probe), .. } => {
                if let Some(route) = self.table.load().of_app(&app.id) {
                    self.probers.begin(*probe, route);
                }
            }
            Status::Asleep { .. } | Status::Waking { probe: None, .. } => {}
            Status::Awake { .. } | Status::Failed { .. } => {}
        }
        if !matches!(status, Status::Waking { .. }) {
            self.probers.end(&app.id);
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
        let (notes, app) = (self.notes.clone(), app.clone());
        // Ends by itself: each thread answers in its own loop, or drops its end.
        tokio::spawn(async move {
            for ack in acks {
                let _ended = ack.await;
            }
            notes.send(Note::Quiesced(app, round));
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
            Note::Unreachable(app, instance) => {
                self.send(ToRevive::Unreachable { app: app.id.clone(), instance }).await;
            }
            Note::Quiesced(app, round) => {
                self.send(ToRevive::Quiesced { round, activity: app.activity() }).await;
            }
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

    async fn send(&self, message: ToRevive) {
        // Revive is gone: `run` is about to see the same from its other half.
        let _ended = self.link.tx.send(message).await;
    }
}
