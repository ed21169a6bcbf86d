//! Where connections come in. One listening socket is shared by all threads: it is bound once, without SO_REUSEPORT,
//! so that a port that somebody else has is found (with it, a second program binds silently and takes half of the
//! traffic), and no connection waits in the queue of a thread that is gone or busy.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener, TcpStream as StdTcpStream};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use config::model::AppId;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::answer::Refusal;
use crate::backlog::Backlog;
use crate::body::Body;
use crate::conn::{self, Drain, Handler, Violation};
use crate::hop;
use crate::language::Language;
use crate::pipeline::Pipeline;
use crate::visitor::Known;
use crate::worker::{Order, Orders, Worker};

/// Connections that may wait to be accepted; what the kernel allows, as a rule.
const BACKLOG: i32 = 4_096;
/// Connections are no longer kept for later when less than this part of the room is left.
const CROWDED: usize = 8;
/// How long accepting pauses when the process has no descriptor left for one more.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// How long a silent client is believed to be there; then the kernel asks its machine.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How many connections above the mean a thread keeps before it hands new ones on.
const IMBALANCE: usize = 16;

/// What a listener's requests are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Whichever app the rules name.
    Hosts {
        /// The listener's port by its Gateway, which the rules know it by; `None` where there is but one kind of listener.
        port: Option<u16>,
    },
    /// This app, whatever the host: its own port, for its neighbours.
    App(AppId),
}

impl Entry {
    /// The listener's port by its Gateway.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Hosts { port } => *port,
            Self::App(_) => None,
        }
    }
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: StdTcpListener,
    entry: Entry,
}

impl Listener {
    /// Binds.
    ///
    /// # Errors
    /// As of bind(2): the address is in use, or not ours.
    pub fn bind(address: SocketAddr, entry: Entry) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        // Only skips the wait for old connections (TIME_WAIT): on Linux a port that is listened on stays taken.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: socket.into(), entry })
    }

    /// The address, with its real port.
    ///
    /// # Errors
    /// As of getsockname(2).
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The same socket, for one more thread.
    ///
    /// # Errors
    /// As of dup(2).
    pub fn share(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()?, entry: self.entry.clone() })
    }
}

/// What all threads know of each other.
#[derive(Debug)]
pub struct Fleet {
    /// Open connections of each thread.
    connections: Box<[AtomicUsize]>,
    /// Where each takes orders.
    pub orders: Vec<Orders>,
    /// One permit for each connection there may be.
    room: Arc<Semaphore>,
    max_connections: usize,
    /// What waits to be read.
    pub backlog: Backlog,
}

impl Fleet {
    /// Threads without connections, which may have `max_connections` in all.
    pub fn new(orders: Vec<Orders>, max_connections: usize) -> Arc<Self> {
        let connections = orders.iter().map(|_| AtomicUsize::new(0)).collect();
        let room = Arc::new(Semaphore::new(max_connections));
        Arc::new(Self { connections, orders, room, max_connections, backlog: Backlog::default() })
    }

    /// Whether there is room for few connections more: then none is kept for later, so that idle ones do not keep out
    /// those that have something to ask.
    pub fn is_crowded(&self) -> bool {
        self.room.available_permits() < self.max_connections / CROWDED
    }

    /// Open connections in all.
    pub fn connections(&self) -> usize {
        self.connections.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// The thread that should have a new connection which `accepted` has accepted.
    fn choose(&self, accepted: usize) -> usize {
        let mine = self.connections[accepted].load(Relaxed);
        let mean = self.connections() / self.connections.len();
        if mine <= mean + IMBALANCE {
            return accepted;
        }
        let least = (0..self.connections.len()).min_by_key(|index| self.connections[*index].load(Relaxed));
        least.unwrap_or(accepted)
    }
}

/// One thread's part in accepting.
#[derive(Clone, Debug)]
pub struct Post {
    /// The thread.
    pub worker: Rc<Worker>,
    /// Its number.
    pub index: usize,
    /// The others.
    pub fleet: Arc<Fleet>,
    /// Ends connections.
    pub drain: Drain,
    /// Told of each connection's end.
    pub ended: Rc<Notify>,
    /// What accepts connections here.
    pub accepting: Rc<Accepting>,
}

/// The listeners of one thread, each a task.
#[derive(Debug, Default)]
pub struct Accepting {
    hosts: RefCell<Vec<Task>>,
    apps: RefCell<HashMap<AppId, Task>>,
}

#[derive(Debug)]
struct Task {
    task: JoinHandle<()>,
    close_up: Rc<Notify>,
}

impl Accepting {
    /// Accepts no more, anywhere; what waits in the kernel's queues is left to the other threads, or lost with the last.
    pub async fn end(&self) {
        let mut tasks: Vec<Task> = self.apps.borrow_mut().drain().map(|(_, task)| task).collect();
        tasks.append(&mut self.hosts.borrow_mut());
        for Task { task, .. } in tasks {
            task.abort();
            // Its socket is closed when it has ended; that it was told to is no error.
            let _ended = task.await;
        }
    }
}

impl Post {
    /// Accepts connections at a listener from now on.
    pub fn listen(&self, listener: Listener) {
        let entry = listener.entry.clone();
        let close_up = Rc::new(Notify::new());
        let (post, told) = (self.clone(), close_up.clone());
        let task = tokio::task::spawn_local(async move {
            if let Err(error) = post.accept(listener, &told).await {
                tracing::error!(%error, "a listener cannot be used");
            }
        });
        let task = Task { task, close_up };
        match entry {
            Entry::Hosts { .. } => self.accepting.hosts.borrow_mut().push(task),
            Entry::App(app) => {
                if let Some(before) = self.accepting.apps.borrow_mut().insert(app, task) {
                    before.close_up.notify_one();
                }
            }
        }
    }

    /// Accepts no more connections at an app's own port.
    pub fn close_up(&self, app: &AppId) {
        if let Some(task) = self.accepting.apps.borrow_mut().remove(app) {
            task.close_up.notify_one();
        }
    }

    /// Accepts until it is told to close up, and then what waits already: a listener that is closed resets those in its
    /// queue.
    async fn accept(self, listener: Listener, close_up: &Notify) -> io::Result<()> {
        let socket = TcpListener::from_std(listener.socket)?;
        let mut told = pin!(close_up.notified());
        loop {
            let accepted = tokio::select! {
                biased;
                accepted = socket.accept() => accepted,
                () = &mut told => return Ok(()),
            };
            match accepted {
                Ok((stream, peer)) => {
                    // Room is taken for a connection that is there: a loop that took it before would keep it from the
                    // other listeners for as long as nobody comes. The next ones wait in the kernel's queue.
                    let Ok(room) = self.fleet.room.clone().acquire_owned().await else { return Ok(()) };
                    self.place(stream, peer, &listener.entry, room);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections; trying again");
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
            }
        }
    }

    /// Serves a connection on this thread, or hands it on.
    fn place(&self, stream: TcpStream, peer: SocketAddr, entry: &Entry, room: OwnedSemaphorePermit) {
        let chosen = self.fleet.choose(self.index);
        if chosen == self.index {
            return self.serve(stream, peer, entry.clone(), room);
        }
        match stream.into_std() {
            Ok(stream) => {
                let order = Order::Adopt(stream, peer, entry.clone(), room);
                // A thread that has ended takes nothing; the connection is closed with the order.
                let _ended = self.fleet.orders[chosen].send(order);
            }
            Err(error) => tracing::warn!(%error, "a connection could not be handed to another thread"),
        }
    }

    /// Waits until this thread has no connection.
    pub async fn idle(&self) {
        while self.fleet.connections[self.index].load(Relaxed) > 0 {
            self.ended.notified().await;
        }
    }

    /// Serves a connection that another thread has accepted.
    pub fn adopt(&self, stream: StdTcpStream, peer: SocketAddr, entry: Entry, room: OwnedSemaphorePermit) {
        match TcpStream::from_std(stream) {
            Ok(stream) => self.serve(stream, peer, entry, room),
            Err(error) => tracing::warn!(%error, "a connection could not be taken from another thread"),
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, entry: Entry, room: OwnedSemaphorePermit) {
        tune(&stream, self.worker.settings.write_timeout);
        let (worker, fleet, forwarded) = (self.worker.clone(), self.fleet.clone(), hop::forwarded(peer.ip()));
        let pipeline =
            Rc::new(Pipeline { worker, fleet, entry, peer: peer.ip(), forwarded, known: Known::default() });
        let post = self.clone();
        let counted = Counted::new(self, room);
        tokio::task::spawn_local(async move {
            let limits = post.worker.settings.clone();
            let end = conn::serve(stream, pipeline, limits, post.drain).await;
            tracing::trace!(?end, %peer, "connection ended");
            drop(counted);
        });
    }
}

/// A socket that cannot be tuned is only slower, or slower to see its client vanish.
fn tune(stream: &TcpStream, write_timeout: Duration) {
    // Latency before bandwidth.
    let _slower = stream.set_nodelay(true);
    let socket = socket2::SockRef::from(stream);
    // A client whose machine has gone says nothing: a WebSocket or an event stream would keep its app awake for ever.
    let keepalive =
        socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4).with_retries(4);
    let _unseen = socket.set_tcp_keepalive(&keepalive);
    // What is not taken for this long, in a tunnel too, ends the connection (tcp(7)).
    #[cfg(target_os = "linux")]
    let _unseen = socket.set_tcp_user_timeout(Some(write_timeout));
}

/// A connection's part in the counts; given back however its task ends.
struct Counted {
    fleet: Arc<Fleet>,
    index: usize,
    ended: Rc<Notify>,
    _room: OwnedSemaphorePermit,
}

impl Counted {
    fn new(post: &Post, room: OwnedSemaphorePermit) -> Self {
        post.fleet.connections[post.index].fetch_add(1, Relaxed);
        Self { fleet: post.fleet.clone(), index: post.index, ended: post.ended.clone(), _room: room }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.fleet.connections[self.index].fetch_sub(1, Relaxed);
        self.ended.notify_one();
    }
}

impl Handler for Pipeline {
    type Body = Body;

    // Not async: its future would hold the request once more.
    fn handle(
        self: Rc<Self>,
        request: http::Request<conn::RequestBody>,
        exchange: conn::Exchange,
    ) -> impl Future<Output = http::Response<Body>> + 'static {
        if self.fleet.is_crowded() {
            exchange.close_after();
        }
        self.answer(request, exchange)
    }

    fn refuse(&self, violation: Violation) -> bytes::Bytes {
        let refusal = Refusal::Violation(violation);
        self.worker.refusals.count(&refusal);
        refusal.raw()
    }

    fn refuse_stream(&self, violation: Violation, language: Language) -> http::Response<Body> {
        self.cut(violation);
        Refusal::Violation(violation).response(None, language)
    }

    fn cut(&self, violation: Violation) {
        self.worker.refusals.count(&Refusal::Violation(violation));
    }
}

/// Errors that are about the connection which was to be accepted, not about accepting (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
