//! A client's connection over HTTP/1.1. One that begins with the preface of HTTP/2 goes on in `http2`, under hyper.
//!
//! ```text
//!  socket ──► Line ──► intake: a head, complete and checked raw (head, target) ──► http1 ──► request, Exchange ──► handler
//!    ▲         │ ▲        └──► receiving: its body (framing) ──► RequestBody                                        │
//!    │         │ └── stage: how far the request is                 http1: the response, as it comes ◄───────────────┘
//!    │         └──── clocks: one alarm for all deadlines             │
//!    └───────────────────────────────────────────────────────────────┘
//!    └── parting: the last answer, lingering close or reset ◄── watch: hang-up · refusal · late · drain
//! ```

mod body;
mod clocks;
mod drain;
mod exchange;
pub(crate) mod framing;
mod head;
mod http1;
mod http2;
mod intake;
mod line;
mod parting;
mod receiving;
mod target;
#[cfg(test)]
mod tests;
mod upgrade;
mod violation;
mod watch;

use std::error::Error;
use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;
use config::settings::Gateway;
use http::{Request, Response};
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
        // Boxed once for all requests: it has room for the handler's future, and is not needed to the end.
        let mut exchanges = Box::pin(http1::exchanges(line.clone(), handler.clone()));
        watch(&line, exchanges.as_mut(), &mut drain).await
        // The handler's future and all bodies are gone from here on.
    };
    if ending == Ending::Preface {
        // Boxed, so that it makes no room in connections of HTTP/1.1.
        return Box::pin(http2::serve(line, handler, drain)).await;
    }
    part(line, ending, drain, &*handler).await
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
