//! A client's connection when its first bytes were the preface of HTTP/2 (RFC 9113, section 3.3): what sits between the
//! socket and hyper's HTTP/2.
//!
//! ```text
//!  socket ──► Line ──► wire ──► hyper (h2) ──► request: the checks of HTTP/1.1's head ──► handler, in a Task
//!              │        │                                                                   │        │
//!              │        └─ frames: counted as they pass                             StreamBody: its clock
//!              └─ clocks: header, idle, write                                               │
//!    part ◄── watch: hang-up · cut · late · drain, with a GOAWAY     Answer: 200 for 101 ◄──┘ how far it is sent
//! ```
//!
//! hyper 1.12 and h2 0.4 bound what a client makes them keep (streams, header blocks, CONTINUATIONs, empty DATA, resets
//! before a request was taken). They do not count resets after that, nor frames that ask for nothing; have no clock but
//! that of their own PINGs; do not end when a client never answers to a GOAWAY; and say of none of it how often it was.

mod answer;
mod body;
mod frames;
mod request;
mod stream;
mod streams;
mod timer;
mod tunnel;
mod watch;
mod wire;

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use config::settings::Gateway;
use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http2::{Builder, Connection};
use hyper::service::service_fn;

pub(super) use body::StreamBody;
pub(super) use stream::Stream;
pub(super) use tunnel::Tunnelled;

use super::drain::Drain;
use super::line::{Client, Line};
use super::violation::Violation;
use super::{End, Exchange, Handler, RequestBody, parting};
use crate::language::{self, Language};
use answer::{Answer, Answering};
use request::Asked;
use stream::{SEND_BUFFER, Tasks};
use streams::Streams;
use watch::{Ending, watch};
use wire::Wire;

/// The codes of a GOAWAY (RFC 9113, section 7).
const NO_ERROR: u32 = 0x0;
const PROTOCOL_ERROR: u32 = 0x1;
const ENHANCE_YOUR_CALM: u32 = 0xb;
/// Requests that a client may take back before they were looked at: more is an attack on its own.
const PENDING_ACCEPTS: usize = 20;
/// The largest window there is (RFC 9113, section 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// Serves one connection to its end.
pub(super) async fn serve<H: Handler>(line: Rc<Line>, handler: Rc<H>, mut drain: Drain) -> End {
    let streams = Rc::new(Streams::new(line));
    let ending = {
        let service = service_fn(|request| handle(&streams, &handler, request));
        let hyper = builder(&streams).serve_connection(Wire(streams.clone()), service);
        watch(&streams, pin!(hyper), Connection::graceful_shutdown, &mut drain).await
        // hyper is gone from here on, and with it, in the same turn of the runtime, the tasks of its streams.
    };
    part(&streams, ending, &*handler).await
}

fn builder(streams: &Rc<Streams>) -> Builder<Tasks> {
    let limits: &Gateway = streams.limits();
    let mut builder = Builder::new(Tasks(streams.clone()));
    builder
        .max_concurrent_streams(limits.max_streams)
        .initial_stream_window_size(limits.stream_window)
        // With less, as many held uploads as fill it would stop all other streams.
        .initial_connection_window_size(
            limits.stream_window.saturating_mul(limits.max_streams).min(MAX_WINDOW),
        )
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.max_head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(PENDING_ACCEPTS)
        .max_local_error_reset_streams(limits.max_stream_resets as usize)
        .enable_connect_protocol();
    builder
}

/// One request, from hyper to the handler and back.
fn handle<H: Handler>(
    streams: &Rc<Streams>,
    handler: &Rc<H>,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Answer<H::Body>>, Infallible>> + use<H> {
    let number = streams.open();
    let lines = request.headers().len();
    let bodiless = request.method() == Method::HEAD;
    let (asked, refused) = match request::take(&mut request, streams.limits()) {
        Ok(asked) => (asked, None),
        Err(violation) => (if bodiless { Asked::Head } else { Asked::Response }, Some(violation)),
    };
    // Whoever sends no body can break no rule any more.
    let in_language = refused.is_some() || !request.body().is_end_stream();
    let language = if in_language { Language::of(&request) } else { Language::Problem };
    let stream = Rc::new(Stream::new(streams.clone(), lines, asked.proof().cloned()));
    streams.begun.set(Some(stream.clone()));
    let handling = match refused {
        Some(violation) => {
            stream.refuse(violation);
            None
        }
        None => {
            let exchange = Exchange::of_stream(Rc::downgrade(&stream), number);
            let is_call = language::is_grpc(&request);
            let body = |body| RequestBody::of_stream(StreamBody::new(body, stream.clone(), is_call));
            let request = request.map(body);
            Some(handler.clone().handle(request, exchange))
        }
    };
    Answering::new(handler.clone(), handling, stream, (asked, language))
}

/// Ends the connection in the way that lets the client see what happened.
async fn part<H: Handler>(streams: &Streams, ending: Ending, handler: &H) -> End {
    let line = &*streams.line;
    match ending {
        Ending::Served | Ending::Failed if line.client.get() == Client::Gone && streams.is_busy() => {
            End::Abandoned
        }
        Ending::Failed if line.client.get() == Client::Gone => streams.reason(),
        Ending::Served | Ending::Silent => {
            parting::linger_briefly(line).await;
            streams.reason()
        }
        Ending::Left => End::Abandoned,
        // hyper has said why.
        Ending::Failed => {
            handler.cut(Violation::MalformedFrame);
            parting::linger(line, &[]).await;
            End::Cut(Violation::MalformedFrame)
        }
        Ending::Cut(violation) => {
            handler.cut(violation);
            go_away(streams, if violation == Violation::Flood { ENHANCE_YOUR_CALM } else { PROTOCOL_ERROR })
                .await;
            End::Cut(violation)
        }
        Ending::Over => {
            go_away(streams, NO_ERROR).await;
            End::Broken
        }
        Ending::Stalled => {
            parting::reset(line);
            End::Stalled
        }
    }
}

/// Closes, after a GOAWAY (RFC 9113, section 6.8) if hyper was not in the middle of a frame.
async fn go_away(streams: &Streams, code: u32) {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend_from_slice(&streams.last_stream().to_be_bytes());
    frame.extend_from_slice(&code.to_be_bytes());
    let last = if streams.line.is_written() { &frame[..] } else { &[] };
    parting::linger(&streams.line, last).await;
}
