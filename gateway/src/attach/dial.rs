//! One attachment: from an address to a welcome.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use config::link::tls::{FilesError, revive_name};
use config::link::wire::{
    ATTACH, FromGateway, FromRevive, Heard, Hearer, Hello, MAX_MESSAGE, Unclear, Welcome,
};
use futures_util::stream::poll_fn;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

/// How long an attempt may take, to the welcome.
const LIMIT: Duration = Duration::from_secs(5);
/// A peer that says nothing for so long is asked, and has so long to answer: a dead one is found within ten seconds.
const PING_AFTER: Duration = Duration::from_secs(4);
const PING_ANSWER: Duration = Duration::from_secs(4);
/// Messages that wait to be sent; behind them the session's own wait, and say less.
const OUTBOX: usize = 64;
/// Bytes that revive may send before they are read: a page and the beginning of the next.
const WINDOW: u32 = 2 << 20;

/// A stream to revive that has been welcomed. Dropping it ends the connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) address: SocketAddr,
    pub(super) welcome: Welcome,
    pub(super) tx: mpsc::Sender<FromGateway>,
    pub(super) rx: Streaming<FromRevive>,
    pub(super) hearer: Hearer,
    /// Ends with it.
    pub(super) connection: Connection,
}

/// The task that moves a connection's bytes.
#[derive(Debug)]
pub(super) struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why an attempt came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("no answer within {LIMIT:?}")]
    TimedOut,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Name(#[from] FilesError),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("refused: {}", .0.message())]
    Refused(#[from] Status),
    #[error("it is no revive: {0}")]
    Unclear(#[from] Unclear),
    #[error("it is no revive: it does not say how it stands")]
    NoWelcome,
}

/// Attaches to the revive at an address.
pub(super) async fn dial(
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    hello: Hello,
) -> Result<Wire, DialError> {
    tokio::time::timeout(LIMIT, attach(address, tls, hello)).await.map_err(|_| DialError::TimedOut)?
}

async fn attach(address: SocketAddr, tls: Arc<ClientConfig>, hello: Hello) -> Result<Wire, DialError> {
    let stream = TcpStream::connect(address).await?;
    // Latency before bandwidth; one that cannot have it is slower.
    let _slower = stream.set_nodelay(true);
    let stream = TlsConnector::from(tls).connect(revive_name()?, stream).await?;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_ANSWER)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let (sender, moving) = builder.handshake(TokioIo::new(stream)).await?;
    // How it ends is seen where something is expected of it.
    let connection = Connection(tokio::spawn(async move { drop(moving.await) }).abort_handle());
    let (tx, mut outbox) = mpsc::channel(OUTBOX);
    // There is room for the first.
    let _sent = tx.try_send(FromGateway::hello(hello));
    let messages = poll_fn(move |context| outbox.poll_recv(context));
    let mut grpc = Grpc::with_origin(Sender(sender), Uri::from_static("https://revive.edge.loco.io"))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let codec = ProstCodec::<FromGateway, FromRevive>::default();
    let request = tonic::Request::new(messages);
    let mut rx = grpc.streaming(request, PathAndQuery::from_static(ATTACH), codec).await?.into_inner();
    let first = rx.message().await?.ok_or(DialError::NoWelcome)?;
    let mut hearer = Hearer::default();
    let Heard::Welcome(welcome) = hearer.hear(first)? else { return Err(DialError::NoWelcome) };
    Ok(Wire { address, welcome, tx, rx, hearer, connection })
}

/// A connection that tonic's client can use.
struct Sender(SendRequest<Body>);

impl GrpcService<Body> for Sender {
    type ResponseBody = Incoming;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
