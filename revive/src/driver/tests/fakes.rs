//! An edge whose platform does nothing but take commands, and gateways that say what a test has them say.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use config::link::{
    self, Activity, Depth, Failure, GatewayEnd, Instance, Limits, Phase, ReviveEnd, Round, Status, Table,
    ToGateway, ToRevive,
};
use config::model::{
    After, App, AppId, AppName, Check, Health, HostPattern, Label, Limit, PathPrefix, ProcessSpec,
    RouteMatch, SleepPolicy, Source, Tenant, WakeMode, WakePolicy,
};
use config::settings;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::brakes::{Brakes, RemovalGuard, RemovalLimits, Scope};
use crate::clock;
use crate::driver::braking::BrakesView;
use crate::driver::reload::{Model, Reloaded};
use crate::driver::view::AppView;
use crate::driver::{Ask, Driver, Handle, NotAsleep, Parts};
use crate::platform::{Command, Event, Light, Note, Platform, Report, Reports, Standing};
use crate::publish::Attachment;
use crate::store::{Keep, LoadedApps, Store, Writer};

/// How long a test waits for what must happen, on paused time: less than any clock of the product.
pub(super) const SOON: Duration = Duration::from_millis(50);
/// How long the apps here must be idle for light sleep.
pub(super) const IDLE: Duration = Duration::from_secs(30);
/// And for deep sleep.
pub(super) const REMOVE: Duration = Duration::from_secs(300);

/// How long a new leader puts nothing to sleep.
pub(super) const SLEEPLESS: Duration = Duration::from_secs(12);
/// When it all begins, by the wall clock: a Monday, 06:00 UTC.
pub(super) const BEGAN: Duration = Duration::from_secs(1_795_413_600);
/// How long what is open may take to end.
pub(super) const DRAIN: Duration = Duration::from_secs(10);

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(super) fn id(name: &str) -> AppId {
    AppId::from_name(&AppName::parse(name).unwrap())
}

/// An app that the edge runs.
pub(super) fn app(name: &str) -> App {
    let label = |text| Label::parse(text).unwrap();
    let host = HostPattern::parse(&format!("{name}.localhost")).unwrap();
    App {
        id: id(name),
        name: AppName::parse(name).unwrap(),
        tenant: Tenant {
            org: label("acme"),
            workspace: label("shop"),
            region: label("local"),
            environment: label("dev"),
        },
        routes: vec![RouteMatch { host, path: PathPrefix::parse("/").unwrap() }],
        source: Source::Process(ProcessSpec {
            command: vec!["none".into()],
            dir: "/".into(),
            env: BTreeMap::new(),
        }),
        protocol: config::model::Protocol::default(),
        health: Health { check: Check::Tcp, timeout: seconds(1), grace: seconds(30) },
        sleep: SleepPolicy { idle_after: After::Elapsed(IDLE), remove_after: After::Elapsed(REMOVE) },
        wake: WakePolicy {
            mode: WakeMode::Auto,
            page_after: seconds(2),
            hold_timeout: seconds(30),
            max_held: 10,
            passersby: config::model::Passersby::default(),
        },
        response_timeout: seconds(30),
    }
}

pub(super) fn of_workspace(mut app: App, workspace: &str) -> App {
    app.tenant.workspace = Label::parse(workspace).unwrap();
    app
}

pub(super) fn with_sleep(mut app: App, idle_after: After, remove_after: After) -> App {
    app.sleep = SleepPolicy { idle_after, remove_after };
    app
}

/// All that there is, and `DRAIN` for what is open.
pub(super) fn model(apps: impl IntoIterator<Item = App>, max_concurrent_wakes: usize) -> Model {
    Model {
        apps: apps.into_iter().map(Arc::new).collect(),
        settings: settings::Revive { max_concurrent_wakes, ..settings::Revive::default() },
        drain: DRAIN,
        ..Model::default()
    }
}

struct Submit(mpsc::UnboundedSender<Command>, Light);

impl Platform for Submit {
    fn light(&self) -> Light {
        self.1
    }

    fn submit(&mut self, command: Command) {
        // Of a process nothing is kept.
        if self.1 == Light::Stopped || !matches!(command, Command::Forget(_)) {
            self.0.send(command).unwrap();
        }
    }
}

/// A driver with its surroundings.
pub(super) struct Edge {
    pub(super) handle: Handle,
    pub(super) driver: JoinHandle<()>,
    commands: mpsc::UnboundedReceiver<Command>,
    reports: Reports,
    light: Light,
    /// Seconds by which somebody has put the wall clock forward.
    pub(super) clock_step: Arc<AtomicU64>,
    pub(super) store: Writer,
    _state: tempfile::TempDir,
}

impl Edge {
    /// One with a slot for each of many wakes.
    pub(super) fn start(apps: impl IntoIterator<Item = App>) -> Self {
        Self::with(apps, 1_000, RemovalLimits::default())
    }

    pub(super) fn with(
        apps: impl IntoIterator<Item = App>,
        max_concurrent_wakes: usize,
        limits: RemovalLimits,
    ) -> Self {
        Self::braked(apps, max_concurrent_wakes, limits, Brakes::default())
    }

    /// One whose file has these limits.
    pub(super) fn limited(apps: impl IntoIterator<Item = App>, of_file: Vec<Arc<Limit>>) -> Self {
        Self::made(model(apps, 1_000), RemovalLimits::default(), Brakes::default(), of_file)
    }

    /// One of a cluster, that did not lead before; its apps stand so.
    pub(super) fn on_cluster(apps: impl IntoIterator<Item = (App, Standing)>) -> Self {
        let (apps, standings): (Vec<App>, Vec<Standing>) = apps.into_iter().unzip();
        let ids = apps.iter().map(|app| app.id.clone());
        let standings = ids.zip(standings).collect();
        let model = Model { standings, ..model(apps, 1_000) };
        Self::on(Light::Stopped, model, RemovalLimits::default(), Brakes::default(), Vec::new())
    }

    /// One of which all is said.
    pub(super) fn of(model: Model, limits: RemovalLimits) -> Self {
        Self::made(model, limits, Brakes::default(), Vec::new())
    }

    /// One whose earlier run has left these pauses.
    pub(super) fn braked(
        apps: impl IntoIterator<Item = App>,
        max_concurrent_wakes: usize,
        limits: RemovalLimits,
        brakes: Brakes,
    ) -> Self {
        Self::made(model(apps, max_concurrent_wakes), limits, brakes, Vec::new())
    }

    fn made(model: Model, limits: RemovalLimits, brakes: Brakes, of_file: Vec<Arc<Limit>>) -> Self {
        Self::on(Light::Paused, model, limits, brakes, of_file)
    }

    fn on(
        light: Light,
        model: Model,
        limits: RemovalLimits,
        brakes: Brakes,
        of_file: Vec<Arc<Limit>>,
    ) -> Self {
        let state = tempfile::tempdir().unwrap();
        let store = Writer::spawn(Store::open(state.path()).unwrap()).unwrap();
        let (submit, commands) = mpsc::unbounded_channel();
        let (reports, reported) = mpsc::unbounded_channel();
        let (began, began_wall) = (clock::now(), SystemTime::UNIX_EPOCH + BEGAN);
        let clock_step = Arc::new(AtomicU64::new(0));
        let step = clock_step.clone();
        let (driver, handle) = Driver::new(Parts {
            model,
            stored: LoadedApps::default(),
            platform: Box::new(Submit(submit, light)),
            reports: reported,
            instances: 1..1_000_000,
            brakes,
            limits: of_file,
            limits_said: Vec::new(),
            guard: RemovalGuard::new(limits, began, began_wall.into()),
            store: Arc::new(store.clone()),
            sleepless: if light == Light::Stopped { SLEEPLESS } else { Duration::ZERO },
            metrics: crate::metrics::Metrics::register(&mut Registry::default()),
            wall: Box::new(move || began_wall + (clock::now() - began) + seconds(step.load(Relaxed))),
        });
        let driver = tokio::spawn(driver.run());
        Self { handle, driver, commands, reports, light, clock_step, store, _state: state }
    }

    /// The next command, such as `start a 1` or `pause 1`, that comes soon.
    pub(super) async fn command(&mut self) -> String {
        self.command_within(SOON).await
    }

    pub(super) async fn command_within(&mut self, time: Duration) -> String {
        let command = tokio::time::timeout(time, self.commands.recv()).await;
        match command.unwrap_or_else(|_| panic!("no command came")).unwrap() {
            Command::Start { app, instance } => format!("start {} {instance}", app.id),
            Command::Pause(instance) => format!("pause {instance}"),
            Command::Resume(instance) => format!("resume {instance}"),
            Command::Stop { instance, depth } if self.light == Light::Stopped => {
                format!("stop {instance} {}", depth.as_str())
            }
            Command::Stop { instance, .. } => format!("stop {instance}"),
            Command::Adopt { app, instance } => format!("adopt {} {instance}", app.id),
            Command::Remove(app) => format!("remove {}", app.id),
            Command::Forget(app) => format!("forget {app}"),
        }
    }

    /// No command comes, in so much time.
    pub(super) async fn idles(&mut self, time: Duration) {
        let command = tokio::time::timeout(time, self.commands.recv()).await;
        assert!(command.is_err(), "{command:?}");
    }

    pub(super) fn report(&self, app: &str, instance: u64, event: Event) {
        let report = Report::Happened { app: id(app), instance: Instance(instance), event };
        self.reports.send(report).unwrap();
    }

    /// Somebody else has done something to an app.
    pub(super) fn stands(&self, app: &str, standing: Standing) {
        self.reports.send(Report::Stands { app: id(app), standing }).unwrap();
    }

    pub(super) fn notes(&self, app: &str, note: Note) {
        self.reports.send(Report::Noted { app: id(app), note }).unwrap();
    }

    pub(super) fn created(&self, app: &str, instance: u64) {
        self.report(app, instance, Event::Created { endpoint: endpoint(instance), pid: None });
    }

    /// Attaches a gateway and reads its table.
    pub(super) async fn gateway(&self) -> Gateway {
        let (end, revive) = link::channel();
        self.attach(end, revive, Attachment::InProcess).await
    }

    /// One over a wire, that has no lease yet.
    pub(super) async fn far_gateway(&self) -> Gateway {
        let (end, revive) = link::channel();
        self.attach(end, revive, Attachment::Leased).await
    }

    /// One whose link holds so many messages.
    pub(super) async fn gateway_with_room(&self, messages: usize) -> Gateway {
        let (to_revive, from_gateway) = mpsc::channel(messages);
        let (to_gateway, from_revive) = mpsc::channel(messages);
        let end = GatewayEnd { tx: to_revive, rx: from_revive };
        self.attach(end, ReviveEnd { tx: to_gateway, rx: from_gateway }, Attachment::InProcess).await
    }

    async fn attach(&self, end: GatewayEnd, revive: ReviveEnd, attachment: Attachment) -> Gateway {
        self.handle.attach(revive, attachment).await.unwrap();
        let (mut end, in_line) = (end, HashSet::new());
        let (limits, table) = match (soon(end.rx.recv()).await.unwrap(), soon(end.rx.recv()).await.unwrap()) {
            (ToGateway::Limits(limits), ToGateway::Table(table)) => (limits, table),
            other => panic!("first the limits, then the table, not {other:?}"),
        };
        Gateway { end, limits, table, in_line }
    }

    /// Has an app woken by this gateway, which says that it is up; returns its instance.
    pub(super) async fn wake(&mut self, gateway: &mut Gateway, app: &str) -> u64 {
        gateway.wants(app);
        let start = self.command().await;
        let (subject, instance) = start.strip_prefix("start ").unwrap().split_once(' ').unwrap();
        assert_eq!(subject, app);
        let instance = instance.parse().unwrap();
        self.created(app, instance);
        gateway.reaches(app, instance);
        gateway.sees(app, awake(instance)).await;
        instance
    }

    /// Has an app put to light sleep by its idle time, after which this gateway, the only one, says that nothing is
    /// open.
    pub(super) async fn fall_asleep(&mut self, gateway: &mut Gateway, app: &str, instance: u64) {
        let round = gateway.drains(app, IDLE + SOON).await;
        gateway.quiesced(app, round, 0);
        assert_eq!(self.command().await, format!("pause {instance}"));
        self.report(app, instance, Event::Paused);
        gateway.sees(app, asleep(Depth::Light)).await;
    }

    pub(super) async fn view(&self, name: &str) -> AppView {
        self.handle.ask(|reply| Ask::Show(id(name), reply)).await.unwrap().unwrap()
    }

    /// There are these apps from now on.
    pub(super) async fn reload(&self, apps: impl IntoIterator<Item = App>) -> Reloaded {
        let model = Box::new(model(apps, 1_000));
        self.handle.ask(|reply| Ask::Reload(model, reply)).await.unwrap()
    }

    /// Whether the driver still knows an app, and in which state.
    pub(super) async fn knows(&self, name: &str) -> Option<&'static str> {
        self.handle.ask(|reply| Ask::Show(id(name), reply)).await.unwrap().map(|view| view.state)
    }

    pub(super) async fn pause(&self, scope: Scope) {
        self.handle.ask(|reply| Ask::Pause(scope, "ann".into(), reply)).await.unwrap().unwrap();
    }

    pub(super) async fn resume(&self, scope: Scope) {
        self.handle.ask(|reply| Ask::Resume(scope, "ann".into(), reply)).await.unwrap().unwrap();
    }

    pub(super) async fn brakes(&self) -> BrakesView {
        self.handle.ask(Ask::Brakes).await.unwrap()
    }

    /// What has been audited: action, subject, before and after; the newest first. Ends paused time, which would
    /// pass while the disk is waited for.
    pub(super) async fn audited(&self) -> Vec<Value> {
        tokio::time::resume();
        let entries = self.store.audit(100, seconds(10)).await.unwrap();
        entries.into_iter().map(|e| json!([e.actor, e.action, e.subject, e.before, e.after])).collect()
    }

    /// An admin asks an app to sleep; the answer comes later.
    pub(super) fn sleep(&self, app: &str, depth: Depth) -> JoinHandle<Result<(), NotAsleep>> {
        let (handle, app) = (self.handle.clone(), id(app));
        tokio::spawn(
            async move { handle.ask(|reply| Ask::Sleep(app, depth, "ann".into(), reply)).await.unwrap() },
        )
    }
}

/// A gateway's end of a link.
pub(super) struct Gateway {
    pub(super) end: GatewayEnd,
    /// What it got when it attached.
    pub(super) limits: Limits,
    /// And then.
    pub(super) table: Table,
    /// Apps that it has heard stand in line.
    pub(super) in_line: HashSet<AppId>,
}

impl Gateway {
    pub(super) fn say(&self, message: ToRevive) {
        self.end.tx.try_send(message).unwrap();
    }

    /// Asks for its lease and gets it.
    pub(super) async fn renews(&mut self, renewal: u64) {
        self.say(ToRevive::Renew { renewal });
        let answer = soon(self.end.rx.recv()).await;
        let valid = seconds(10);
        assert!(
            matches!(answer, Some(ToGateway::Lease { renewal: to, valid: time }) if to == renewal && time == valid),
            "{answer:?}"
        );
    }

    pub(super) fn wants(&self, app: &str) {
        self.say(ToRevive::Wake { app: id(app) });
    }

    pub(super) fn wants_no_more(&self, app: &str) {
        self.say(ToRevive::Unwanted { app: id(app) });
    }

    pub(super) fn reaches(&self, app: &str, instance: u64) {
        self.say(ToRevive::Reachable { app: id(app), instance: Instance(instance) });
    }

    /// Says what is open, and that something has just begun or ended.
    pub(super) fn uses(&self, app: &str, open: u32) {
        self.say(ToRevive::Activity(vec![activity(app, open, Some(Duration::ZERO))]));
    }

    pub(super) fn quiesced(&self, app: &str, round: Round, open: u32) {
        self.say(ToRevive::Quiesced { round, activity: activity(app, open, None) });
    }

    /// The next state of this app that it is told of, within this time; other apps' are passed over, and so is how long
    /// the line is by now.
    pub(super) async fn hears(&mut self, app: &str, time: Duration) -> Status {
        let heard = async {
            loop {
                match self.end.rx.recv().await.unwrap() {
                    ToGateway::State { app: subject, status } => {
                        let queued = matches!(status, Status::Waking { phase: Phase::Queued, .. });
                        let known = queued && !self.in_line.insert(subject.clone());
                        if !queued {
                            self.in_line.remove(&subject);
                        }
                        if subject == id(app) && !known {
                            return status;
                        }
                    }
                    ToGateway::Limits(_) | ToGateway::Lease { .. } => {}
                    ToGateway::Table(table) => panic!("nobody changed the table: {table:?}"),
                }
            }
        };
        tokio::time::timeout(time, heard)
            .await
            .unwrap_or_else(|_| panic!("{app} stayed as it was for {time:?}"))
    }

    /// Reads until it gets a new table, soon.
    pub(super) async fn reads_table(&mut self) -> &Table {
        loop {
            if let ToGateway::Table(table) = soon(self.end.rx.recv()).await.unwrap() {
                self.table = table;
                return &self.table;
            }
        }
    }

    /// What its table says of an app.
    pub(super) fn tabled(&self, app: &str) -> Option<&Status> {
        self.table.apps.iter().find(|(model, _)| model.id == id(app)).map(|(_, status)| status)
    }

    /// Reads until it is told this state, soon.
    pub(super) async fn sees(&mut self, app: &str, status: Status) {
        let mut seen = Vec::new();
        while seen.last() != Some(&status) {
            let heard = tokio::time::timeout(SOON, self.hears(app, IDLE)).await;
            seen.push(heard.unwrap_or_else(|_| panic!("{app} is not {status:?} but was {seen:?}")));
        }
    }

    /// The next thing it hears of this app is that it drains; and by this time.
    pub(super) async fn drains(&mut self, app: &str, by: Duration) -> Round {
        match self.hears(app, by).await {
            Status::Draining { round } => round,
            other => panic!("{app} should drain, and is {other:?}"),
        }
    }

    /// It hears nothing of this app, for so long.
    pub(super) async fn hears_nothing(&mut self, app: &str, time: Duration) {
        let heard = tokio::time::timeout(time, self.hears(app, time * 2)).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}

pub(super) fn activity(app: &str, open: u32, idle_for: Option<Duration>) -> Activity {
    Activity { app: id(app), open, held: 0, idle_for }
}

/// Where an instance listens: a port of its own.
pub(super) fn endpoint(instance: u64) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 4_000 + u16::try_from(instance).unwrap()).into()
}

pub(super) fn awake(instance: u64) -> Status {
    Status::Awake { instance: Instance(instance), endpoints: [endpoint(instance).into()].into() }
}

pub(super) fn asleep(depth: Depth) -> Status {
    Status::Asleep { depth }
}

pub(super) fn failed(failure: Failure, retry_after: Duration) -> Status {
    Status::Failed { failure, retry_after }
}

pub(super) async fn soon<F: Future>(event: F) -> F::Output {
    tokio::time::timeout(SOON, event).await.unwrap_or_else(|_| panic!("it did not happen"))
}

/// Lets everybody do what there is to do. Paused time passes only when all of them wait.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
