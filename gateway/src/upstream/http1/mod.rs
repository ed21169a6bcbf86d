//! HTTP/1.1 with an app, driven by the request that it is for.
//!
//! ```text
//!   forward ──► head, at once ──► socket ──► head ─── 1xx ──► the client
//!   RequestBody ──► upload ──────►   │        └─► Coming ──► Body
//! ```
//!
//! Hyper's client gives each connection a task, moves every request and response through channels to it, and takes the
//! request as a map of headers: some 20,000 instructions and 12 allocations for what is a write and a read here. A
//! request without a body needs no second task. One with a body sends it in its own future until the response begins,
//! and in a task from then on, so that neither side waits for the other.

mod chunked;
mod coming;
mod head;
mod intake;
mod patience;
#[cfg(test)]
mod tests;
mod upload;

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, Method, Response, Version};
use http_body::Body as _;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::Instant;

pub(super) use coming::{Broken, Coming};

use super::reading::Heard;
use super::{Call, Fault, RequestBody, Upload};
use crate::{conn, interim};
use head::Parsed;
use intake::Intake;
use patience::Patience;
use upload::Sending;

/// A connection to an app. Dropping it closes it, whatever is under way on it.
#[derive(Debug)]
pub struct Line {
    socket: Rc<TcpStream>,
    intake: Intake,
    patience: Patience,
    sending: Sending,
    after: After,
    /// An empty map, whose memory is the next response's.
    spare: HeaderMap,
}

/// Whether the connection goes on when the response is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Reuse,
    Close,
}

/// What became of a request that got no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Not a byte of it was sent.
    Unsent,
    /// The app may have seen it.
    Lost(Fault),
}

/// A connection that is no longer HTTP: the socket, and what came behind the head of the response.
#[derive(Debug)]
pub struct Freed {
    /// The app.
    pub stream: TcpStream,
    /// Its first bytes.
    pub before: bytes::Bytes,
}

impl Line {
    /// A connection that has just been made.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            socket: Rc::new(stream),
            intake: Intake::default(),
            patience: Patience::default(),
            sending: Sending::Nothing,
            after: After::Close,
            spare: HeaderMap::new(),
        }
    }

    /// Whether a connection that has been idle for so long can be used again: the app has neither closed it nor said what
    /// nobody asked for. One that was used just now is asked for no more than the runtime knows; of any other a system
    /// call tells, because the runtime may not have been told yet.
    pub fn is_open(&self, idle: Duration) -> bool {
        /// In so short a time an app that means to go on does not close.
        const LATELY: Duration = Duration::from_millis(10);
        let read = if idle < LATELY {
            self.socket.try_read(&mut [0])
        } else {
            SockRef::from(&*self.socket).peek(&mut [MaybeUninit::uninit()])
        };
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether the app has begun with a frame of HTTP/2, and perhaps closed then.
    pub fn has_met_http2(&mut self) -> bool {
        if self.intake.is_empty() {
            self.intake.fill_now(&self.socket);
        }
        Heard::of(self.intake.bytes()) == Some(Heard::Settings)
    }

    /// Whether all of the exchange is over, and another may follow it.
    pub fn is_reusable(&self) -> bool {
        self.after == After::Reuse && self.intake.is_empty() && self.sending.is_done()
    }

    /// Sends a request and waits for the head of the response; 1xx responses go to the client as they come.
    ///
    /// # Errors
    /// Says whether the request may be sent again. Its body is taken only once some of the request was sent.
    pub async fn send(
        &mut self,
        call: &mut Call<'_>,
        client: &conn::Exchange,
        (response_timeout, now): (Duration, Instant),
    ) -> Result<Response<Coming>, Unanswered> {
        self.after = After::Close;
        let unsent = upload::send_head(&self.socket, call)?;
        let body = std::mem::replace(call.request.body_mut(), RequestBody::Empty);
        let progress = body.upload();
        if !(body.is_end_stream() && unsent.is_empty()) {
            self.sending = Sending::begin(&self.socket, unsent, body);
        }
        self.patience.begin(response_timeout, now);
        let response = poll_fn(|cx| self.poll_response(call, client, progress.as_ref(), cx)).await?;
        self.sending.detach(&self.socket);
        Ok(response)
    }

    fn poll_response(
        &mut self,
        call: &mut Call<'_>,
        client: &conn::Exchange,
        progress: Option<&Upload>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<Coming>, Unanswered>> {
        // Who cannot send its body to its end gets no response that would make sense.
        if self.sending.poll(cx).is_err() {
            return Poll::Ready(Err(Unanswered::Lost(Fault::Reset)));
        }
        loop {
            if let Some(response) = self.parse(call, client)? {
                return Poll::Ready(Ok(response));
            }
            match self.intake.poll_fill(&self.socket, cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Unanswered::Lost(Fault::Reset))),
                Poll::Pending => {
                    ready!(self.patience.poll_over(progress, cx));
                    return Poll::Ready(Err(Unanswered::Lost(Fault::Timeout)));
                }
            }
        }
    }

    /// The head of the response, if it has come.
    fn parse(
        &mut self,
        call: &mut Call<'_>,
        client: &conn::Exchange,
    ) -> Result<Option<Response<Coming>>, Unanswered> {
        let malformed = |_| Unanswered::Lost(Fault::Malformed);
        loop {
            let is_head = *call.request.method() == Method::HEAD;
            match head::parse(&mut self.intake, &mut self.spare, is_head).map_err(malformed)? {
                Parsed::Partial => return Ok(None),
                Parsed::Interim(status, headers) => interim::pass(client, status, headers),
                Parsed::Final { response, keep_alive } => {
                    // A change of protocol may yet be refused, and then the request is looked at once more.
                    if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
                        self.spare = std::mem::take(call.request.headers_mut());
                        self.spare.clear();
                    }
                    let closes = *response.body() == Coming::UntilClosed;
                    if keep_alive && !closes && response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
                        self.after = After::Reuse;
                    }
                    return Ok(Some(response));
                }
            }
        }
    }

    /// The socket of a connection that became something else. `None` if a body is still being sent on it.
    pub fn into_freed(self) -> Option<Freed> {
        drop(self.sending);
        let before = self.intake.into_rest();
        Rc::try_unwrap(self.socket).ok().map(|stream| Freed { stream, before })
    }
}

/// An empty response with this head.
fn response(status: http::StatusCode, headers: HeaderMap, coming: Coming) -> Response<Coming> {
    let mut response = Response::new(coming);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    *response.version_mut() = Version::HTTP_11;
    response
}
