//! A client's connection: what sits between a socket and hyper's HTTP/1.1, and holds what hyper cannot. One that begins
//! with the preface of HTTP/2 goes on in `http2`.
//!
//! ```text
//!  socket ──► Line ──► intake: a head, complete and checked raw (head, target), then its body (framing) ──► hyper
//!    ▲         │ ▲                                                                                           │
//!    │         │ └── stage: how far the request is                             handler ◄── request, Exchange ─┤
//!    │         └──── clocks: one alarm for all deadlines                          │                          │
//!    │                                                                            └─► Answer (its end is seen)
//!    └── parting: the last answer, lingering close or reset ◄── watch: hang-up · refusal · late · drain ◄────┘
//! ```
//!
//! hyper 1.12 does not see a client leave while bytes of it are unread, answers no slow client, removes a
//! Content-Length that contradicts a Transfer-Encoding before anybody sees it, and closes with unread data, which
//! resets an upload before its sender reads the refusal.

mod answer;
mod body;
mod clocks;
mod drain;
mod exchange;
pub(crate) mod framing;
mod head;
mod http2;
mod intake;
mod line;
mod parting;
mod target;
#[cfg(test)]
mod tests;
mod upgrade;
mod violation;
mod watch;
mod wire;

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use config::settings::Gateway;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::TcpStream;

pub use body::{BodyError, RequestBody};
pub use drain::{Drain, Serving};
pub use exchange::Exchange;
pub use upgrade::Upgraded;
pub use violation::Violation;

use crate::language::Language;
use head::Version;
use line::{Client, Line, Stage};
use watch::{Ending, watch};
use wire::Wire;

/// Who answers the requests of a connection.
pub trait Handler: 'static {
    /// The body of the answers.
    type Body: http_body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + 'static;

    /// Answers one request. The future, and then the response's body, are dropped when the client leaves: its FIN or
    /// RST ends the work in the wake-up that brings it.
    fn handle(
        self: Rc<Self>,
        request: Request<RequestBody>,
        exchange: Exchange,
    ) -> impl Future<Output = Response<Self::Body>> + 'static;

    /// The whole raw HTTP/1.1 response, `Connection: close` in its head, to what is refused before there is a request.
    /// Called once for each refusal that is answered; so it is also where they are counted.
    fn refuse(&self, violation: Violation) -> Bytes;

    /// The same for a request over HTTP/2, whose head has come: so it is known what its sender reads.
    fn refuse_stream(&self, violation: Violation, language: Language) -> Response<Self::Body>;

    /// A connection was cut for it without an answer: only to be counted.
    fn cut(&self, violation: Violation);
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closed it between requests.
    Closed,
    /// We closed it after a response that said so, or whose request was not read to its end.
    Finished,
    /// The client left while its request was handled or answered.
    Abandoned,
    /// No request came for `idle_timeout`, or `header_timeout` after the accept.
    Idle,
    /// We closed it idle because serving ends.
    Drained,
    /// What the client sent, or how slowly, was refused with an answer.
    Refused(Violation),
    /// The same, when a response had begun that could only be cut; or a connection of HTTP/2, that got a GOAWAY.
    Cut(Violation),
    /// The handler's body ended with an error, or time was up, and the response was cut.
    Broken,
    /// The client took nothing of its response for `write_timeout`, and was reset.
    Stalled,
    /// It became something else with a 101, and that ended.
    Upgraded,
}

/// Serves one connection to its end. `TCP_NODELAY` is for who accepts to set.
pub async fn serve<H: Handler>(
    stream: TcpStream,
    handler: Rc<H>,
    limits: Rc<Gateway>,
    mut drain: Drain,
) -> End {
    let line = Rc::new(Line::new(stream, limits));
    let ending = {
        let service = service_fn(|request| handle(&line, &handler, request));
        let hyper = builder(&line.limits).serve_connection(Wire(line.clone()), service);
        watch(&line, pin!(hyper), &mut drain).await
        // hyper, and with it the handler's future and bodies, is gone from here on.
    };
    if ending == Ending::Preface {
        // Boxed, so that it makes no room in connections of HTTP/1.1.
        return Box::pin(http2::serve(line, handler, drain)).await;
    }
    part(line, ending, drain, &*handler).await
}

/// hyper, made to leave to us what is ours.
fn builder(limits: &Gateway) -> http1::Builder {
    /// hyper takes no less.
    const LEAST_BUFFER: usize = 8 << 10;
    /// What hyper keeps on the stack; more would cost an allocation for each request.
    const HEADERS_ON_STACK: usize = 100;
    let mut builder = http1::Builder::new();
    builder
        // We see the client leave. With this, hyper does not look for it in the middle of a message, and asks for the
        // next head in the same wake-up in which the response is out.
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(limits.max_head.max(LEAST_BUFFER))
        // Of trailers, too, where hyper counts the line ends that we do not.
        .max_header_size(limits.max_head + 4 * (limits.max_header_lines + 1));
    if limits.max_header_lines > HEADERS_ON_STACK {
        builder.max_headers(limits.max_header_lines);
    }
    builder
}

/// One request, from hyper to the handler and back.
fn handle<H: Handler>(
    line: &Rc<Line>,
    handler: &Rc<H>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<answer::Answer<H::Body>>, Infallible>> + use<H> {
    let line = line.clone();
    let number = line.handled();
    let exchange = Exchange::of_line(Rc::downgrade(&line), number);
    let request = request.map(|body| RequestBody::of_line(body, Rc::downgrade(&line), number));
    answer::Answering::new(handler.clone().handle(request, exchange), line)
}

/// Ends the connection in the way that lets the client see what happened.
async fn part<H: Handler>(line: Rc<Line>, ending: Ending, drain: Drain, handler: &H) -> End {
    match ending {
        Ending::Served | Ending::Failed if line.client.get() == Client::Gone => {
            if line.is_busy() {
                End::Abandoned
            } else {
                End::Closed
            }
        }
        Ending::Served if line.stage.get() == Stage::Switching => tunnel(line, drain).await,
        Ending::Served => {
            parting::linger(&line, &[]).await;
            End::Finished
        }
        // hyper gave up on a head without an answer of its own.
        Ending::Failed if line.stage.get() == Stage::Handed => {
            refuse(&line, Violation::MalformedHead, handler).await
        }
        Ending::Failed => {
            cut(&line).await;
            End::Broken
        }
        Ending::Refused(violation) => refuse(&line, violation, handler).await,
        Ending::Cut(violation) => {
            handler.cut(violation);
            cut(&line).await;
            End::Cut(violation)
        }
        // It went on elsewhere.
        Ending::Preface => End::Closed,
        Ending::Left => End::Abandoned,
        Ending::Idle => End::Idle,
        Ending::Drained => {
            parting::linger_briefly(&line).await;
            End::Drained
        }
        Ending::Over => {
            cut(&line).await;
            End::Broken
        }
        Ending::Stalled => {
            parting::reset(&line);
            End::Stalled
        }
    }
}

async fn refuse<H: Handler>(line: &Line, violation: Violation, handler: &H) -> End {
    parting::linger(line, &handler.refuse(violation)).await;
    End::Refused(violation)
}

/// Ends a response that cannot be ended well. In HTTP/1.1 its framing shows that it is cut, and what arrived can be
/// read; in HTTP/1.0 the end of the connection may be the end of the body, so there it must be an error.
async fn cut(line: &Line) {
    match line.version() {
        Version::Http11 => parting::linger(line, &[]).await,
        Version::Http10 => parting::reset(line),
    }
}

async fn tunnel(line: Rc<Line>, drain: Drain) -> End {
    match line.take_tunnel() {
        // It has no end that one could wait for; when time is up, dropping it closes both sides.
        Some(tunnel) => tokio::select! {
            () = tunnel(Upgraded::of_line(line)) => End::Upgraded,
            () = drain.over() => End::Broken,
        },
        // Nobody said what to do with the socket.
        None => End::Broken,
    }
}
