//! A server with a tiny application, and clients that speak bytes.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use config::settings::Gateway;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use crate::conn::{Drain, End, Exchange, Handler, RequestBody, Serving, Violation, serve};
use crate::language::Language;

/// How long a test waits for what must happen.
const SOON: Duration = Duration::from_secs(100);

/// Answers by path.
#[derive(Default)]
pub(super) struct App {
    /// Method, target and body of each request that was read whole.
    pub(super) seen: RefCell<Vec<String>>,
    /// A request came.
    pub(super) begun: Notify,
    /// A future or body that never ends was dropped.
    pub(super) dropped: Rc<Notify>,
    /// Lets `/wait` answer, and `/stuck` end.
    pub(super) go: Rc<Notify>,
    pub(super) refused: RefCell<Vec<Violation>>,
    pub(super) cut: RefCell<Vec<Violation>>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Tells when it is dropped.
pub(super) struct Guard(Rc<Notify>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

pub(super) enum TestBody {
    Whole(Option<Bytes>),
    /// One chunk after the other without end.
    Endless {
        _guard: Guard,
    },
    /// One chunk, and then nothing until the notification.
    Stuck {
        first: Option<Bytes>,
        then: Pin<Box<dyn Future<Output = ()>>>,
        _guard: Guard,
    },
    /// One chunk, and later an error.
    Broken(Vec<Bytes>),
}

impl Body for TestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Whole(body) => Poll::Ready(body.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Endless { .. } => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16 << 10]))))),
            Self::Stuck { first, then, .. } => match first.take() {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => then.as_mut().poll(cx).map(|()| None),
            },
            Self::Broken(parts) => match parts.pop() {
                Some(bytes) if bytes.is_empty() => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => Poll::Ready(Some(Err("the application broke".into()))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Endless { .. } | Self::Stuck { .. } | Self::Broken(_) => SizeHint::default(),
        }
    }
}

fn answer(status: StatusCode, body: TestBody) -> Response<TestBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

impl Handler for App {
    type Body = TestBody;

    async fn handle(self: Rc<Self>, request: Request<RequestBody>, exchange: Exchange) -> Response<TestBody> {
        self.begun.notify_one();
        let guard = Guard(self.dropped.clone());
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/hang" => {
                // Kept: the request's body is neither read nor dropped.
                let _kept = (request, guard);
                return pending().await;
            }
            "/both" => {
                let read = Box::pin(async move {
                    let _whole_or_not = request.into_body().collect().await;
                    pending().await
                });
                let body = TestBody::Stuck { first: Some("first".into()), then: read, _guard: guard };
                return answer(StatusCode::OK, body);
            }
            "/wait" => self.go.notified().await,
            "/refuse" => {
                return answer(StatusCode::PAYLOAD_TOO_LARGE, TestBody::Whole(Some("too large".into())));
            }
            "/endless" => return answer(StatusCode::OK, TestBody::Endless { _guard: guard }),
            "/stuck" => {
                let go = self.go.clone();
                let go = Box::pin(async move { go.notified().await });
                let body = TestBody::Stuck { first: Some("first".into()), then: go, _guard: guard };
                return answer(StatusCode::OK, body);
            }
            "/short" => {
                // Its end is no error, but comes too early.
                let end = Box::pin(std::future::ready(()));
                let body = TestBody::Stuck { first: Some("first".into()), then: end, _guard: guard };
                let mut response = answer(StatusCode::OK, body);
                response.headers_mut().insert("content-length", HeaderValue::from_static("7"));
                return response;
            }
            "/broken" => return answer(StatusCode::OK, TestBody::Broken(vec![Bytes::new(), "first".into()])),
            "/hints" => {
                let mut headers = HeaderMap::new();
                headers.insert("link", HeaderValue::from_static("</a.css>; rel=preload"));
                exchange.interim(StatusCode::EARLY_HINTS, &headers);
                exchange.interim(StatusCode::SWITCHING_PROTOCOLS, &headers);
                exchange.interim(StatusCode::OK, &headers);
            }
            "/last" => exchange.close_after(),
            "/headers" => {
                return answer(
                    StatusCode::OK,
                    TestBody::Whole(Some(format!("{:?}", request.headers()).into())),
                );
            }
            "/flooding" => {
                exchange.upgrade(|mut client| async move {
                    let _guard = guard;
                    while client.write_all(&[b'x'; 1_000]).await.is_ok() {}
                });
                return answer(StatusCode::SWITCHING_PROTOCOLS, TestBody::Whole(None));
            }
            "/upgrade" => {
                exchange.upgrade(|mut client| async move {
                    client.write_all(b"hello ").await.unwrap();
                    let mut said = Vec::new();
                    client.read_to_end(&mut said).await.unwrap();
                    client.write_all(&said).await.unwrap();
                });
                return answer(StatusCode::SWITCHING_PROTOCOLS, TestBody::Whole(None));
            }
            _ => {}
        }
        self.echo(request).await
    }

    fn refuse(&self, violation: Violation) -> Bytes {
        self.refused.borrow_mut().push(violation);
        let (status, code) = (violation.status().as_u16(), violation.code());
        format!(
            "HTTP/1.1 {status} refused\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{code}",
            code.len()
        )
        .into()
    }

    fn refuse_stream(&self, violation: Violation, _: Language) -> Response<TestBody> {
        self.refused.borrow_mut().push(violation);
        answer(violation.status(), TestBody::Whole(Some(violation.code().into())))
    }

    fn cut(&self, violation: Violation) {
        self.cut.borrow_mut().push(violation);
    }
}

impl App {
    async fn echo(&self, request: Request<RequestBody>) -> Response<TestBody> {
        let begin = format!("{} {} ", request.method(), request.uri());
        let Ok(body) = request.into_body().collect().await else {
            return answer(StatusCode::BAD_GATEWAY, TestBody::Whole(None));
        };
        let trailers = body.trailers().map(|trailers| format!("{trailers:?}")).unwrap_or_default();
        let text = begin + &String::from_utf8_lossy(&body.to_bytes()) + &trailers;
        self.seen.borrow_mut().push(text.clone());
        answer(StatusCode::OK, TestBody::Whole(Some(text.into())))
    }
}

/// A server on a port of its own.
pub(super) struct Server {
    address: SocketAddr,
    pub(super) app: Rc<App>,
    ends: mpsc::UnboundedReceiver<End>,
    pub(super) serving: Serving,
}

impl Server {
    pub(super) async fn start(limits: Gateway) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Rc::new(App::default());
        let (serving, drain) = Serving::begin();
        let (sender, ends) = mpsc::unbounded_channel();
        spawn_local(accept(listener, app.clone(), Rc::new(limits), drain, sender));
        Self { address, app, ends, serving }
    }

    pub(super) async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        // Paused time does not wait for a kernel that waits for an acknowledgement.
        stream.set_nodelay(true).unwrap();
        Client(stream)
    }

    /// How the next connection to end did.
    pub(super) async fn end(&mut self) -> End {
        soon(self.ends.recv()).await.unwrap()
    }

    /// Sends these bytes on a new connection, and reads all that comes back.
    pub(super) async fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }
}

async fn accept(
    listener: TcpListener,
    app: Rc<App>,
    limits: Rc<Gateway>,
    drain: Drain,
    ends: mpsc::UnboundedSender<End>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let connection = serve(stream, app.clone(), limits.clone(), drain.clone());
        let ends = ends.clone();
        spawn_local(async move {
            let _test_over = ends.send(connection.await);
        });
    }
}

pub(super) struct Client(pub(super) TcpStream);

impl Client {
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Reads until what was read ends so.
    pub(super) async fn until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            let mut byte = [0];
            let count = soon(self.0.read(&mut byte)).await.unwrap();
            assert_ne!(count, 0, "closed after {:?}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&byte);
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads until the server closes.
    pub(super) async fn rest(&mut self) -> String {
        self.try_rest().await.unwrap()
    }

    pub(super) async fn try_rest(&mut self) -> std::io::Result<String> {
        let mut read = Vec::new();
        soon(self.0.read_to_end(&mut read)).await?;
        Ok(String::from_utf8(read).unwrap())
    }
}

pub(super) async fn soon<F: Future>(event: F) -> F::Output {
    timeout(SOON, event).await.expect("it did not happen")
}

/// A request with a body of this length.
pub(super) fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// Runs a test on one thread, on time that passes only when nothing else happens.
pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}
