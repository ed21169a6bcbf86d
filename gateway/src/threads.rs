//! Starting and ending the data plane.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use config::model::AppId;
use config::settings;
use prometheus_client::registry::Registry;
use tokio::runtime::LocalRuntime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::attach::Figures;
use crate::conn::Serving;
use crate::limit::Limits;
use crate::listen::{Fleet, Listener, Post};
use crate::note::Notes;
use crate::redirect::Keys;
use crate::session::{Revive, Session};
use crate::table::Table;
use crate::telemetry::{GatewayMetrics, Refusals};
use crate::worker::{Order, Worker};

/// How long the last answers may take to be written, and then connections to end.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// A running data plane.
#[derive(Debug)]
pub struct Gateway {
    threads: Vec<JoinHandle<()>>,
    session: AbortHandle,
    fleet: Arc<Fleet>,
    table: Arc<ArcSwap<Table>>,
    limits: Arc<Limits>,
    refusals: Arc<Refusals>,
}

/// Why the data plane did not start.
#[derive(Debug, thiserror::Error)]
#[error("a serving thread could not be started: {0}")]
pub struct StartError(#[from] io::Error);

impl Gateway {
    /// Starts the serving threads, and on the caller's runtime the session with revive, which sets `figures`. Links are
    /// signed with `keys`. The receiver hears when the first table is in use.
    ///
    /// # Errors
    /// Where the system gives no threads or descriptors.
    pub fn start(
        settings: &settings::Gateway,
        listeners: &[Listener],
        (revive, figures): (Revive, Figures),
        keys: Keys,
    ) -> Result<(Self, oneshot::Receiver<()>), StartError> {
        let count = settings.serving_threads();
        let (orders, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::unbounded_channel()).unzip();
        let fleet = Fleet::new(orders, settings.max_connections);
        let table = Arc::new(ArcSwap::from_pointee(Table::default()));
        let limits = Arc::new(Limits::new(settings));
        let refusals = Arc::new(Refusals::default());
        let keys = Arc::new(keys);
        let mut threads = Vec::with_capacity(count);
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let listeners = listeners.iter().map(Listener::share).collect::<io::Result<Vec<_>>>()?;
            let (settings, table, refusals) = (settings.clone(), table.clone(), refusals.clone());
            let (fleet, limits, keys) = (fleet.clone(), limits.clone(), keys.clone());
            let serve = move || {
                let (serving, drain) = Serving::begin();
                let worker = Worker::new(table, settings, limits, refusals, keys);
                let (ended, accepting) = (Rc::default(), Rc::default());
                let post = Post { worker, index, fleet, drain, ended, accepting };
                if let Err(error) = run(post, serving, listeners, inbox) {
                    tracing::error!(%error, "a serving thread has no runtime");
                }
            };
            threads.push(std::thread::Builder::new().name(format!("serve-{index}")).spawn(serve)?);
        }
        let (notes, inbox) = Notes::channel();
        let (ready, is_ready) = oneshot::channel();
        let session = Session::new(revive, table.clone(), limits.clone(), fleet.clone(), notes, figures);
        let session = tokio::spawn(session.run(inbox, ready)).abort_handle();
        Ok((Self { threads, session, fleet, table, limits, refusals }, is_ready))
    }

    /// Shows the gateway's figures to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let (table, limits, refusals) = (self.table.clone(), self.limits.clone(), self.refusals.clone());
        let metrics = GatewayMetrics { table, limits, refusals };
        registry.register_collector(Box::new(metrics));
    }

    /// Accepts connections there, too.
    ///
    /// # Errors
    /// Where the system gives no descriptors.
    pub fn listen(&self, listener: &Listener) -> io::Result<()> {
        let shares = self.fleet.orders.iter().map(|_| listener.share()).collect::<io::Result<Vec<_>>>()?;
        for (orders, listener) in self.fleet.orders.iter().zip(shares) {
            // One that has ended accepts nothing.
            let _ended = orders.send(Order::Listen(listener));
        }
        Ok(())
    }

    /// Accepts no more connections at an app's own port.
    pub fn close_up(&self, app: &AppId) {
        for orders in &self.fleet.orders {
            let _ended = orders.send(Order::CloseUp(app.clone()));
        }
    }

    /// Takes no new connections, lets those finish that are answering something, for at most `limit` or until `hurry`,
    /// and ends.
    pub async fn shut_down(self, limit: Duration, hurry: impl Future<Output = ()>) {
        order_shut_down(&self.fleet, limit);
        let threads = self.threads;
        let joining =
            tokio::task::spawn_blocking(|| threads.into_iter().map(JoinHandle::join).all(|t| t.is_ok()));
        let mut joining = pin!(joining);
        let joined = tokio::select! {
            joined = &mut joining => joined,
            () = hurry => {
                order_shut_down(&self.fleet, Duration::ZERO);
                joining.await
            }
        };
        if !matches!(joined, Ok(true)) {
            tracing::error!("a serving thread had panicked");
        }
        // Until here apps have still come up for those who waited.
        self.session.abort();
    }
}

fn order_shut_down(fleet: &Fleet, limit: Duration) {
    for orders in &fleet.orders {
        // One that has ended already has nothing to finish.
        let _ended = orders.send(Order::ShutDown(limit));
    }
}

/// A serving thread's life.
fn run(
    post: Post,
    serving: Serving,
    listeners: Vec<Listener>,
    mut inbox: mpsc::UnboundedReceiver<Order>,
) -> io::Result<()> {
    let runtime = LocalRuntime::new()?;
    runtime.block_on(async move {
        listeners.into_iter().for_each(|listener| post.listen(listener));
        while let Some(order) = inbox.recv().await {
            if let Some(limit) = obey(&post, order) {
                post.accepting.end().await;
                finish(&post, &serving, &mut inbox, limit).await;
                return;
            }
        }
    });
    Ok(())
}

/// Carries out an order; returns the time left if it is the last.
pub(crate) fn obey(post: &Post, order: Order) -> Option<Duration> {
    match order {
        Order::Quiesce(app, done) => post.worker.quiesce(&app, done),
        Order::Look(app) => post.worker.look(&app),
        Order::LookAtAll => post.worker.look_at_all(),
        Order::Adopt(stream, peer, entry, room) => post.adopt(stream, peer, entry, room),
        Order::Listen(listener) => post.listen(listener),
        Order::CloseUp(app) => post.close_up(&app),
        Order::ShutDown(limit) => return Some(limit),
    }
    None
}

/// Serves what is open until it is done, or until time is up; a further order to shut down may bring that forward.
async fn finish(post: &Post, serving: &Serving, inbox: &mut mpsc::UnboundedReceiver<Order>, limit: Duration) {
    serving.drain();
    post.worker.end();
    let mut deadline = Instant::now() + limit;
    loop {
        tokio::select! {
            () = post.idle() => return,
            () = tokio::time::sleep_until(deadline) => break,
            // Apps still come up, and those who are held for them still go.
            Some(order) = inbox.recv() => if let Some(limit) = obey(post, order) {
                deadline = deadline.min(Instant::now() + limit);
            },
        }
    }
    // Whoever waits is told to come back; then whatever still goes on is cut, and seen to be cut.
    post.worker.close();
    if tokio::time::timeout(LAST_WORDS, post.idle()).await.is_err() {
        serving.end();
        // What lingers after that has had its answer; the kernel sends what is still to be sent.
        let _lingering = tokio::time::timeout(LAST_WORDS, post.idle()).await;
    }
}
