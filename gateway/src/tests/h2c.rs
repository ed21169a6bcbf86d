//! An app that speaks HTTP/2 in the clear and nothing else, and a client of HTTP/1.1 that sends and reads piece by piece.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use bytes::Bytes;
use config::link::{Instance, Status};
use config::model::{App, Protocol};
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;

use super::fakes::{self, Edge, settle, soon};

/// The app `a`, that says this of its protocol.
pub(super) fn app(protocol: Protocol) -> App {
    App { protocol, ..fakes::app("a") }
}

/// An app; the test is what answers.
pub(super) struct H2c {
    pub(super) address: SocketAddr,
    /// How many connections it has had.
    pub(super) connections: Rc<Cell<usize>>,
    /// How many of them are open.
    pub(super) open: Rc<Cell<usize>>,
    calls: mpsc::UnboundedReceiver<Call>,
    goodbye: watch::Sender<bool>,
}

/// A request that is at its app.
pub(super) struct Call {
    pub(super) head: http::request::Parts,
    pub(super) body: RecvStream,
    pub(super) respond: SendResponse<Bytes>,
}

impl H2c {
    pub(super) async fn start() -> Self {
        Self::with(&Builder::new()).await
    }

    pub(super) async fn with(builder: &Builder) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tx, calls) = mpsc::unbounded_channel();
        let (connections, open) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (goodbye, leaving) = watch::channel(false);
        let (had, now, builder) = (connections.clone(), open.clone(), builder.clone());
        spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                had.set(had.get() + 1);
                let (now, builder, tx, leaving) = (now.clone(), builder.clone(), tx.clone(), leaving.clone());
                spawn_local(async move {
                    now.set(now.get() + 1);
                    serve(stream, &builder, tx, leaving).await;
                    now.set(now.get() - 1);
                });
            }
        });
        Self { address, connections, open, calls, goodbye }
    }

    pub(super) fn awake(&self, instance: u64) -> Status {
        Status::Awake { instance: Instance(instance), endpoints: [self.address.into()].into() }
    }

    /// The next request.
    pub(super) async fn call(&mut self) -> Call {
        soon(self.calls.recv()).await.unwrap()
    }

    /// Says on all connections that it takes no more.
    pub(super) async fn goes_away(&self) {
        self.goodbye.send_replace(true);
        settle().await;
        self.goodbye.send_replace(false);
    }
}

async fn serve(
    stream: TcpStream,
    builder: &Builder,
    tx: mpsc::UnboundedSender<Call>,
    mut leaving: watch::Receiver<bool>,
) {
    // The kernel's clocks do not stand still with ours.
    stream.set_nodelay(true).unwrap();
    // Whoever does not speak HTTP/2 has been told so by our settings.
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    let (head, body) = request.into_parts();
                    // A test may have ended.
                    let _over = tx.send(Call { head, body, respond });
                }
                Some(Err(_)) | None => return,
            },
            changed = leaving.changed() => match changed {
                Ok(()) if *leaving.borrow() => connection.graceful_shutdown(),
                Ok(()) => {}
                Err(_) => return,
            },
        }
    }
}

impl Call {
    pub(super) fn header(&self, name: &str) -> &str {
        self.head.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// All of its body.
    pub(super) async fn whole_body(&mut self) -> String {
        let mut whole = Vec::new();
        while let Some(data) = self.next().await {
            whole.extend_from_slice(&data);
        }
        String::from_utf8(whole).unwrap()
    }

    /// The next of its body; `None` is the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let data = soon(self.body.data()).await?.unwrap();
        self.body.flow_control().release_capacity(data.len()).unwrap();
        Some(data)
    }

    /// Begins its response.
    pub(super) async fn begin(&mut self) -> SendStream<Bytes> {
        let stream = self.respond.send_response(Response::new(()), false).unwrap();
        settle().await;
        stream
    }

    pub(super) async fn answer(&mut self, text: &'static str) {
        let mut stream = self.begin().await;
        stream.send_data(Bytes::from_static(text.as_bytes()), true).unwrap();
        settle().await;
    }

    pub(super) async fn reset(&mut self, reason: Reason) {
        self.respond.send_reset(reason);
        settle().await;
    }

    /// With what it is reset.
    pub(super) async fn is_reset(&mut self) -> Option<Reason> {
        soon(std::future::poll_fn(|cx| self.respond.poll_reset(cx))).await.ok()
    }
}

/// Trailers that say how a call went.
pub(super) fn status(code: &str) -> HeaderMap {
    Request::get("/").header("grpc-status", code).body(()).unwrap().headers().clone()
}

/// A client that sends and reads piece by piece.
pub(super) struct Caller(TcpStream);

impl Caller {
    /// Begins a gRPC call whose body comes in chunks.
    pub(super) async fn grpc(edge: &Edge, more: &str) -> Self {
        let kind = "Content-Type: application/grpc\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n";
        Self::post(edge, &format!("{kind}{more}")).await
    }

    pub(super) async fn connect(edge: &Edge) -> Self {
        let stream = edge.connect(0).await;
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub(super) async fn post(edge: &Edge, headers: &str) -> Self {
        let mut caller = Self::connect(edge).await;
        caller
            .write(&format!("POST /pkg.Service/Method HTTP/1.1\r\nHost: a.localhost\r\n{headers}\r\n"))
            .await;
        caller
    }

    pub(super) async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        settle().await;
    }

    pub(super) async fn chunk(&mut self, text: &str) {
        self.write(&format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    pub(super) async fn end(&mut self) {
        self.write("0\r\n\r\n").await;
    }

    /// Reads until this has come, and returns all until then.
    pub(super) async fn read_until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains(text) {
            let byte = soon(self.0.read_u8()).await;
            read.push(byte.unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&read))));
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads to the end.
    pub(super) async fn rest(mut self) -> String {
        let mut rest = Vec::new();
        soon(self.0.read_to_end(&mut rest)).await.unwrap();
        String::from_utf8(rest).unwrap()
    }
}
