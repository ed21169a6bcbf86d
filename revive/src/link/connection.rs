//! One connection: TLS, then HTTP/2 that is kept alive.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use config::link::tls::is_gateways;
use config::link::wire::{ATTACH, FromGateway, FromRevive, MAX_MESSAGE};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::body::Body;
use tonic::{Status, server};
use tonic_prost::ProstCodec;

use super::Shared;
use super::stream::Attach;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A peer that says nothing for so long is asked, and has so long to answer: a dead one is found within ten seconds.
const PING_AFTER: Duration = Duration::from_secs(4);
const PING_ANSWER: Duration = Duration::from_secs(4);
/// A gateway has one stream; one more while it is being replaced.
const MAX_STREAMS: u32 = 4;

/// Why a connection has ended before its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the handshake took too long")]
    HandshakeTimeout,
    #[error("the handshake failed: {0}")]
    Handshake(#[from] std::io::Error),
    #[error("its certificate is not a gateway's")]
    NoGateway,
    #[error("{0}")]
    Http(#[from] hyper::Error),
}

/// Serves a connection until it ends.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, shared: Shared) -> Result<(), Ended> {
    // Latency before bandwidth; one that cannot have it is slower.
    let _slower = stream.set_nodelay(true);
    let handshake = TlsAcceptor::from(shared.tls()).accept(stream);
    let stream = timeout(HANDSHAKE, handshake).await.map_err(|_| Ended::HandshakeTimeout)??;
    if !is_a_gateways(&stream) {
        return Err(Ended::NoGateway);
    }
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_ANSWER)
        .max_concurrent_streams(MAX_STREAMS);
    let service = service_fn(move |request| answer(request, peer, shared.clone()));
    Ok(builder.serve_connection(TokioIo::new(stream), service).await?)
}

fn is_a_gateways(stream: &TlsStream<TcpStream>) -> bool {
    let (_, connection) = stream.get_ref();
    connection.peer_certificates().and_then(<[_]>::first).is_some_and(is_gateways)
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    shared: Shared,
) -> Result<Response<Body>, Infallible> {
    if request.uri().path() != ATTACH {
        return Ok(Status::unimplemented("there is Attach, and nothing else").into_http());
    }
    let codec = ProstCodec::<FromRevive, FromGateway>::default();
    let mut grpc = server::Grpc::new(codec)
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    Ok(grpc.streaming(Attach { peer, shared }, request).await)
}
