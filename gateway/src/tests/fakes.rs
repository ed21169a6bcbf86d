//! An edge whose serving threads are tasks, revive's end of its link, apps, and clients.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use config::link::{
    self, Activity, Depth, GatewayEnd, Instance, Phase, ReviveEnd, Round, Status, ToGateway, ToRevive,
};
use config::model::{
    After, App, AppId, AppName, Check, Health, HostPattern, Label, Limit, PathPrefix, ProcessSpec,
    RouteMatch, Rule, SleepPolicy, Source, Tenant, WakeMode, WakePolicy,
};
use config::settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::timeout;

use crate::app;
use crate::attach::Figures;
use crate::conn::Serving;
use crate::limit::Limits;
use crate::listen::{Entry, Fleet, Listener, Post};
use crate::note::Notes;
use crate::redirect::Keys;
use crate::session::{self, Session};
use crate::table::Table;
use crate::telemetry::Refusals;
use crate::threads::obey;
use crate::worker::{Order, Worker};

/// How long a test waits for what must happen, on paused time: less than any clock of the product.
const SOON: Duration = Duration::from_millis(900);

pub(super) const ASLEEP: Status = Status::Asleep { depth: Depth::Deep };
pub(super) const CREATING: Status = Status::Waking {
    phase: Phase::Creating,
    elapsed: Duration::ZERO,
    estimate: None,
    position: None,
    probe: None,
};

/// Runs a test on one thread, on time that passes only when nothing else happens.
pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

pub(super) async fn soon<F: Future>(event: F) -> F::Output {
    timeout(SOON, event).await.unwrap_or_else(|_| panic!("it did not happen"))
}

/// Lets everybody do what there is to do. Paused time passes only when all of them wait.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub(crate) fn id(name: &str) -> AppId {
    AppId::from_name(&AppName::parse(name).unwrap())
}

/// An app at `NAME.localhost`.
pub(crate) fn app(name: &str) -> App {
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
        health: Health { check: Check::Tcp, timeout: Duration::from_secs(1), grace: Duration::from_secs(30) },
        sleep: SleepPolicy { idle_after: After::Never, remove_after: After::Never },
        wake: WakePolicy {
            mode: WakeMode::Auto,
            page_after: Duration::from_secs(2),
            hold_timeout: Duration::from_secs(30),
            max_held: 10_000,
            passersby: config::model::Passersby::default(),
        },
        response_timeout: Duration::from_secs(30),
    }
}

/// A gateway with as many serving threads as a test wants, and revive's end of its link.
pub(super) struct Edge {
    revive: ReviveEnd,
    pub(super) table: Arc<ArcSwap<Table>>,
    threads: Vec<Thread>,
    _serving: Serving,
}

struct Thread {
    worker: Rc<Worker>,
    address: SocketAddr,
    /// Whether it takes orders.
    obeys: watch::Sender<bool>,
}

impl Edge {
    pub(super) fn start(threads: usize, settings: &settings::Gateway) -> Self {
        let (end, revive) = link::channel();
        Self::start_with(threads, settings, session::Revive::Within(end), revive)
    }

    /// One thread, and revive on the other end of a wire; it is not there yet.
    pub(super) fn start_beyond(settings: &settings::Gateway) -> (Self, mpsc::Sender<GatewayEnd>) {
        let (links_tx, links) = mpsc::channel(1);
        // Its session's end is dropped: there is no link.
        let revive = link::channel().1;
        (Self::start_with(1, settings, session::Revive::Beyond(links), revive), links_tx)
    }

    /// Another link takes the place of the one before.
    pub(super) async fn meet(&mut self, links: &mpsc::Sender<GatewayEnd>) {
        let (end, revive) = link::channel();
        links.send(end).await.unwrap();
        settle().await;
        self.revive = revive;
    }

    /// Grants the lease that it has just asked for.
    pub(super) async fn grants(&mut self, valid: Duration) {
        loop {
            if let ToRevive::Renew { renewal } = self.says().await {
                return self.tell(ToGateway::Lease { renewal, valid }).await;
            }
        }
    }

    fn start_with(
        threads: usize,
        settings: &settings::Gateway,
        at: session::Revive,
        revive: ReviveEnd,
    ) -> Self {
        let (orders, inboxes): (Vec<_>, Vec<_>) = (0..threads).map(|_| mpsc::unbounded_channel()).unzip();
        let fleet = Fleet::new(orders, 10_000);
        let (serving, drain) = Serving::begin();
        let table = Arc::new(ArcSwap::from_pointee(Table::default()));
        let keys = Arc::new(Keys::random().unwrap());
        let limits = Arc::new(Limits::new(settings));
        let thread = |(index, inbox)| {
            let refusals = Arc::new(Refusals::default());
            let worker = Worker::new(table.clone(), settings.clone(), limits.clone(), refusals, keys.clone());
            let post = Post {
                worker,
                index,
                fleet: fleet.clone(),
                drain: drain.clone(),
                ended: Rc::default(),
                accepting: Rc::default(),
            };
            Thread::start(post, inbox)
        };
        let threads = inboxes.into_iter().enumerate().map(thread).collect();
        let (notes, inbox) = Notes::channel();
        let figures = Figures::default();
        let session = Session::new(at, table.clone(), limits, fleet.clone(), notes, figures);
        spawn_local(session.run(inbox, oneshot::channel().0));
        Self { revive, table, threads, _serving: serving }
    }

    /// One thread, these settings, and one app, `a`, that sleeps.
    pub(super) async fn with_a(app: App, settings: &settings::Gateway) -> Self {
        let edge = Self::start(1, settings);
        edge.use_table([(app, ASLEEP)]).await;
        edge
    }

    pub(super) async fn use_table(&self, apps: impl IntoIterator<Item = (App, Status)>) {
        self.use_table_without(apps, []).await;
    }

    /// One of which revive wants to know what is still open at some that are to be ended.
    pub(super) async fn use_table_without(
        &self,
        apps: impl IntoIterator<Item = (App, Status)>,
        leaving: impl IntoIterator<Item = (&str, Round)>,
    ) {
        let apps: Vec<_> = apps.into_iter().map(|(app, status)| (Arc::new(app), status)).collect();
        let leaving = leaving.into_iter().map(|(name, round)| (id(name), round)).collect();
        let rules = Rule::of_apps(apps.iter().map(|(app, _)| &**app));
        self.tell(ToGateway::Table(link::Table { generation: 1, apps, rules, leaving })).await;
    }

    /// One with these rules, whatever is said of where the apps are.
    pub(super) async fn use_rules(
        &self,
        apps: impl IntoIterator<Item = (App, Status)>,
        rules: Vec<Arc<Rule>>,
    ) {
        let apps = apps.into_iter().map(|(app, status)| (Arc::new(app), status)).collect();
        self.tell(ToGateway::Table(link::Table { generation: 1, apps, rules, leaving: Vec::new() })).await;
    }

    /// What it next says that it has refused of a table.
    pub(super) async fn in_use(&mut self) -> Vec<(String, String)> {
        loop {
            if let ToRevive::InUse { refused, .. } = soon(self.revive.rx.recv()).await.unwrap() {
                return refused;
            }
        }
    }

    pub(super) async fn change(&self, app: &str, status: Status) {
        self.tell(ToGateway::State { app: id(app), status }).await;
    }

    pub(super) async fn use_limits(&self, generation: u64, limits: impl IntoIterator<Item = Limit>) {
        let limits = limits.into_iter().map(Arc::new).collect();
        self.tell(ToGateway::Limits(link::Limits { generation, limits })).await;
    }

    async fn tell(&self, message: ToGateway) {
        self.revive.tx.send(message).await.unwrap();
        settle().await;
    }

    /// What it says next, whatever it is about.
    pub(super) async fn hears(&mut self) -> Option<ToRevive> {
        self.revive.rx.recv().await
    }

    /// What it says next, soon, but for activity.
    pub(super) async fn says(&mut self) -> ToRevive {
        let word = async {
            loop {
                match self.revive.rx.recv().await.unwrap() {
                    ToRevive::Activity(_) | ToRevive::InUse { .. } => {}
                    word => return word,
                }
            }
        };
        timeout(SOON, word).await.unwrap_or_else(|_| panic!("it says nothing"))
    }

    /// All that it has said until now, but for activity.
    pub(super) fn said(&mut self) -> Vec<ToRevive> {
        let said = std::iter::from_fn(|| self.revive.rx.try_recv().ok());
        said.filter(|word| !matches!(word, ToRevive::Activity(_) | ToRevive::InUse { .. })).collect()
    }

    /// What it says of activity within this time.
    pub(super) async fn reports(&mut self, time: Duration) -> Vec<Vec<Activity>> {
        let mut reports = Vec::new();
        let end = tokio::time::Instant::now() + time;
        while let Ok(word) = tokio::time::timeout_at(end, self.revive.rx.recv()).await {
            match word.unwrap() {
                ToRevive::Activity(activities) => reports.push(activities),
                ToRevive::InUse { .. } => {}
                other => panic!("not about activity: {other:?}"),
            }
        }
        reports
    }

    pub(super) async fn quiesced(&mut self) -> (Round, Activity) {
        match self.says().await {
            ToRevive::Quiesced { round, activity } => (round, activity),
            other => panic!("it should say that it holds, and says {other:?}"),
        }
    }

    pub(super) fn worker(&self, thread: usize) -> &Rc<Worker> {
        &self.threads[thread].worker
    }

    /// What the table in use has of an app.
    pub(super) fn app(&self, name: &str) -> Arc<app::App> {
        self.table.load().of_app(&id(name)).unwrap().app.clone()
    }

    /// Has a thread take orders, or leave them.
    pub(super) async fn obeys(&self, thread: usize, obeys: bool) {
        self.threads[thread].obeys.send_replace(obeys);
        settle().await;
    }

    /// A client's connection to this thread.
    pub(super) async fn connect(&self, thread: usize) -> TcpStream {
        TcpStream::connect(self.threads[thread].address).await.unwrap()
    }

    /// A client asks this thread for a path of an app; its answer comes later. When this returns, the request is
    /// where it waits.
    pub(super) async fn ask(&self, thread: usize, app: &str, path: &str) -> Client {
        self.say(thread, &format!("GET {path} HTTP/1.1\r\nHost: {app}.localhost")).await
    }

    /// Where a thread listens.
    pub(super) fn address(&self, thread: usize) -> SocketAddr {
        self.threads[thread].address
    }

    /// The same with these first lines of a head.
    pub(super) async fn say(&self, thread: usize, lines: &str) -> Client {
        let address = self.address(thread);
        let request = format!("{lines}\r\nConnection: close\r\n\r\n");
        let answer = spawn_local(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        });
        settle().await;
        Client(answer)
    }
}

impl Thread {
    fn start(post: Post, mut inbox: mpsc::UnboundedReceiver<Order>) -> Self {
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), Entry::Hosts { port: None }).unwrap();
        let (address, worker) = (listener.address().unwrap(), post.worker.clone());
        post.listen(listener);
        let (obeys, mut may) = watch::channel(true);
        spawn_local(async move {
            while let Some(order) = inbox.recv().await {
                if may.wait_for(|obeys| *obeys).await.is_err() {
                    return;
                }
                obey(&post, order);
            }
        });
        Self { worker, address, obeys }
    }
}

/// A client that waits for its answer.
pub(super) struct Client(JoinHandle<String>);

impl Client {
    /// Its status and, of a refusal, its code.
    pub(super) async fn answer(self) -> String {
        let answer = self.whole().await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        let code = answer.split("\"code\":\"").nth(1).and_then(|rest| rest.split('"').next());
        [Some(status), code].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// All of it, as it came.
    pub(super) async fn whole(self) -> String {
        soon(self.0).await.unwrap()
    }

    /// Its head, line by line.
    pub(super) async fn head(self) -> Vec<String> {
        let answer = self.whole().await;
        let head = answer.split_once("\r\n\r\n").map_or("", |(head, _)| head);
        head.split("\r\n").map(str::to_ascii_lowercase).collect()
    }

    pub(super) fn is_answered(&self) -> bool {
        self.0.is_finished()
    }

    /// Hangs up.
    pub(super) async fn leave(self) {
        self.0.abort();
        settle().await;
    }
}

/// An app that answers when it is told to.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    /// How many connections it has had.
    pub(super) connections: Rc<Cell<usize>>,
    /// How many of them are open.
    pub(super) open: Rc<Cell<usize>>,
    arrived: mpsc::UnboundedReceiver<Arrived>,
}

/// A request that is at its app.
pub(super) struct Arrived {
    pub(super) path: String,
    /// All of its head.
    pub(super) head: String,
    answer: oneshot::Sender<()>,
}

impl Arrived {
    pub(super) async fn answer(self) {
        self.answer.send(()).unwrap();
        settle().await;
    }
}

impl Upstream {
    pub(super) async fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST).await
    }

    pub(super) async fn start_at(address: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tx, arrived) = mpsc::unbounded_channel();
        let (connections, open) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (count, now) = (connections.clone(), open.clone());
        spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.set(count.get() + 1);
                let (now, tx) = (now.clone(), tx.clone());
                spawn_local(async move {
                    now.set(now.get() + 1);
                    serve(stream, tx).await;
                    now.set(now.get() - 1);
                });
            }
        });
        Self { address, connections, open, arrived }
    }

    pub(super) fn awake(&self) -> Status {
        Status::Awake { instance: Instance(1), endpoints: [self.address.into()].into() }
    }

    /// All requests that have come since the last time.
    pub(super) async fn arrived(&mut self) -> Vec<Arrived> {
        settle().await;
        std::iter::from_fn(|| self.arrived.try_recv().ok()).collect()
    }
}

async fn serve(mut stream: TcpStream, arrived: mpsc::UnboundedSender<Arrived>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let (answer, may) = oneshot::channel();
        if arrived.send(Arrived { path, head, answer }).is_err() || may.await.is_err() {
            return;
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.is_err() {
            return;
        }
    }
}

pub(super) fn paths(arrived: &[Arrived]) -> Vec<&str> {
    let mut paths: Vec<_> = arrived.iter().map(|request| &*request.path).collect();
    paths.sort_unstable();
    paths
}
