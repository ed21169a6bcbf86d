//! Where gateways attach: one stream of gRPC for each, over mutual TLS.
//!
//! ```text
//!   listener ─► TLS (a gateway's certificate) ─► HTTP/2, kept alive ─► stream: Hello ─► Welcome ─► Attached ─► driver
//!                                                                        │                           or follower
//!                                                            ToGateway ◄─┴─► ToRevive
//! ```
//!
//! Whom an attachment goes to is not decided here: `Attached` says how this revive stood when it welcomed the gateway, and
//! the stream ends as soon as it leads no longer, or begins to.

mod connection;
mod stream;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::link::ReviveEnd;
use config::link::tls::Current;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

/// Gateways that are attached, or about to be; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1_024;
/// How long accepting pauses when there is no descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// How this revive stands among its likes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The leader's, as far as it is known.
    pub epoch: u64,
    /// Whether it leads.
    pub leads: bool,
    /// Where gateways attach to the leader, as `host:port`, if that is known.
    pub leader: Option<String>,
}

/// A gateway that has attached.
#[derive(Debug)]
pub struct Attached {
    /// Who it says it is, for people.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// How this revive stood when it welcomed the gateway.
    pub standing: Standing,
    /// The link. The gateway has left when nothing more comes; dropping it ends the stream.
    pub end: ReviveEnd,
}

/// What all connections share.
#[derive(Clone, Debug)]
struct Shared {
    tls: Arc<Mutex<Current<ServerConfig>>>,
    standing: watch::Receiver<Standing>,
    attached: mpsc::Sender<Attached>,
}

impl Shared {
    /// The certificate and the authority of this moment.
    fn tls(&self) -> Arc<ServerConfig> {
        let mut current = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        current.now().unwrap_or_else(|error| {
            tracing::warn!(%error, "the link's certificate has changed and cannot be used: the one before stays in use");
            current.last()
        })
    }
}

/// Takes gateways until the task is ended; each goes to `attached`.
pub async fn serve(
    listener: TcpListener,
    tls: Current<ServerConfig>,
    standing: watch::Receiver<Standing>,
    attached: mpsc::Sender<Attached>,
) {
    let shared = Shared { tls: Arc::new(Mutex::new(tls)), standing, attached };
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // They end with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok(room) = room.clone().acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "gateways cannot be accepted; trying again");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let shared = shared.clone();
        connections.spawn(async move {
            if let Err(error) = connection::serve(stream, peer, shared).await {
                tracing::info!(%peer, %error, "a gateway's connection has ended");
            }
            drop(room);
        });
    }
}
