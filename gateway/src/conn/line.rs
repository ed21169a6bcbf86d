//! What the parts of one connection share: the socket, how far the current request is, its clocks.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use config::settings::Gateway;
use http_body::Frame;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::body::BodyError;
use super::clocks::Clocks;
use super::head::Version;
use super::intake::Intake;
use super::upgrade::Upgraded;
use super::violation::Violation;

/// How many bytes of 1xx responses may wait for the client.
const MAX_AHEAD: usize = 16 << 10;

/// How far the connection is with its current request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Between requests: no byte of the next one has come.
    Idle,
    /// A head has begun.
    Head,
    /// The handler has the request.
    Handling,
    /// The handler has answered, and its response is being written.
    Responding,
    /// The response is written; the request's body is still read.
    Answered,
    /// The response was 101: after it the bytes are no longer HTTP.
    Switching,
    /// The first bytes were the preface of HTTP/2.
    Preface,
    /// Refused before a response began: the handler is dropped, and the refusal is written.
    Refused(Violation),
    /// The same when a response had begun: it is cut.
    Cut(Violation),
}

/// Whether the client can be reached, as far as the socket has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Here,
    /// Its FIN or RST was read, or a write failed.
    Gone,
}

/// Whether bytes may be put between writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    Whole,
    /// A part of what there is was written.
    Partial,
}

/// Who reads the body of the current request. One that is held must wait unread, and not be called too slow for it: so
/// nothing is read, and no clock set, before it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Somebody may.
    Here,
    /// Nobody wants more of it.
    Gone,
}

/// Whether the client waits for leave to send the body (RFC 9110, section 10.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    Nothing,
    Continue,
}

/// How much came at the last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Slow,
    /// All that there was room for.
    Fast,
}

/// Whether the connection goes on after the response that is given next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeepAlive {
    Yes,
    No,
}

/// What the handler wants to do with the socket after a 101.
pub(super) type Tunnel = Box<dyn FnOnce(Upgraded) -> Pin<Box<dyn Future<Output = ()>>>>;

/// One connection.
pub(super) struct Line {
    pub(super) stream: TcpStream,
    pub(super) limits: Rc<Gateway>,
    pub(super) clocks: Clocks,
    pub(super) stage: Cell<Stage>,
    pub(super) client: Cell<Client>,
    pub(super) intake: RefCell<Intake>,
    pace: Cell<Pace>,
    reader: Cell<Reader>,
    expects: Cell<Expects>,
    /// Of the task that serves the connection: the request's body may be read in another one.
    watcher: RefCell<Waker>,
    version: Cell<Version>,
    writes: Cell<Writes>,
    keep_alive: Cell<KeepAlive>,
    /// Requests given to the handler so far.
    served: Cell<u32>,
    /// Interim responses that the socket had no room for.
    ahead: RefCell<Vec<u8>>,
    tunnel: Cell<Option<Tunnel>>,
}

impl Line {
    pub(super) fn new(stream: TcpStream, limits: Rc<Gateway>) -> Self {
        Self {
            stream,
            clocks: Clocks::new(&limits),
            limits,
            stage: Cell::new(Stage::Idle),
            client: Cell::new(Client::Here),
            intake: RefCell::new(Intake::new()),
            pace: Cell::new(Pace::Slow),
            reader: Cell::new(Reader::Here),
            expects: Cell::new(Expects::Nothing),
            watcher: RefCell::new(Waker::noop().clone()),
            version: Cell::new(Version::Http11),
            writes: Cell::new(Writes::Whole),
            keep_alive: Cell::new(KeepAlive::Yes),
            served: Cell::new(0),
            ahead: RefCell::new(Vec::new()),
            tunnel: Cell::new(None),
        }
    }

    /// Whether somebody works on a request: then the client's leaving ends that work.
    pub(super) fn is_busy(&self) -> bool {
        match self.stage.get() {
            Stage::Handling | Stage::Responding | Stage::Answered | Stage::Switching => true,
            Stage::Idle | Stage::Head | Stage::Preface | Stage::Refused(_) | Stage::Cut(_) => false,
        }
    }

    /// The handler is given a request: its number on this connection.
    pub(super) fn handled(&self, version: Version) -> u32 {
        self.stage.set(Stage::Handling);
        self.version.set(version);
        self.reader.set(Reader::Here);
        self.clocks.head_complete(&self.limits);
        self.count_request()
    }

    /// What the client waits for before it sends the body.
    pub(super) fn expect(&self, expects: Expects) {
        self.expects.set(expects);
    }

    /// Whether bytes behind the current request have come with it.
    pub(super) fn is_pipelined(&self) -> bool {
        self.intake.borrow().has_held()
    }

    /// One request more: its number.
    pub(super) fn count_request(&self) -> u32 {
        let number = self.served.get().wrapping_add(1);
        self.served.set(number);
        if number >= self.limits.max_requests_per_connection {
            self.close_after();
        }
        number
    }

    /// The next response is the last one.
    pub(super) fn close_after(&self) {
        self.keep_alive.set(KeepAlive::No);
    }

    pub(super) fn is_last(&self) -> bool {
        self.keep_alive.get() == KeepAlive::No
    }

    /// Whether the handler still has the request with this number, and has not answered it.
    pub(super) fn is_handling(&self, number: u32) -> bool {
        self.stage.get() == Stage::Handling && self.served.get() == number
    }

    /// Requests so far.
    pub(super) fn requests(&self) -> u32 {
        self.served.get()
    }

    pub(super) fn version(&self) -> Version {
        self.version.get()
    }

    /// Whether the request with this number is the one that is being answered, or refused.
    pub(super) fn is_at(&self, number: u32) -> bool {
        self.served.get() == number && !matches!(self.stage.get(), Stage::Idle | Stage::Head)
    }

    /// The next part of the body of the request that is being answered.
    pub(super) fn poll_body_of_request(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.stage.get() {
            Stage::Handling | Stage::Responding | Stage::Answered => self.poll_body(cx),
            // Who reads is dropped with the connection.
            Stage::Refused(_) | Stage::Cut(_) => Poll::Pending,
            Stage::Idle | Stage::Head | Stage::Switching | Stage::Preface => {
                Poll::Ready(Some(Err(BodyError::Unfinished)))
            }
        }
    }

    /// Before the body is read from the socket: a client that waits for it is told to send it (RFC 9110, section 10.1.1),
    /// unless it has its answer already.
    pub(super) fn continue_body(&self) {
        if self.expects.replace(Expects::Nothing) == Expects::Continue && self.stage.get() == Stage::Handling
        {
            self.write_ahead(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// Somebody wants bytes of the body, and there are none.
    pub(super) fn starve(&self, cx: &Context<'_>) {
        self.clocks.await_body();
        // The connection's alarm is set by its own task.
        let watcher = self.watcher.borrow();
        if !watcher.will_wake(cx.waker()) {
            watcher.wake_by_ref();
        }
    }

    /// The task that serves the connection is this one.
    pub(super) fn watched_by(&self, cx: &Context<'_>) {
        self.watcher.borrow_mut().clone_from(cx.waker());
    }

    /// Nobody wants more of the body of the request with this number.
    pub(super) fn body_unwanted(&self, number: u32) {
        if self.is_at(number) {
            self.reader.set(Reader::Gone);
            self.clocks.body_came(0, &self.limits);
            self.body_settled();
        }
    }

    /// The body was taken to its end, or is not wanted: who has the whole response may wait for that.
    pub(super) fn body_settled(&self) {
        if self.stage.get() == Stage::Answered {
            self.watcher.borrow().wake_by_ref();
        }
    }

    /// The body is not what it should be.
    pub(super) fn refuse_body(&self, violation: Violation) {
        self.refuse(violation);
        self.watcher.borrow().wake_by_ref();
    }

    /// Whether the request's body will not be read to its end.
    pub(super) fn is_body_refused(&self) -> bool {
        self.reader.get() == Reader::Gone && !self.has_whole_request()
    }

    /// Whether all that there was is written, so that something else can follow.
    pub(super) fn is_written(&self) -> bool {
        self.writes.get() == Writes::Whole
    }

    /// Whether all bytes of the current request have come.
    pub(super) fn has_whole_request(&self) -> bool {
        self.intake.borrow().is_body_complete()
    }

    /// The response is written.
    pub(super) fn answered(&self) {
        if self.stage.get() == Stage::Responding {
            self.stage.set(Stage::Answered);
        }
    }

    /// Whether another request can follow, as soon as that is known.
    pub(super) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let over = self.intake.borrow().is_over();
        match self.reader.get() {
            _ if over => Poll::Ready(true),
            // It may still be on its way to the handler.
            Reader::Here => Poll::Pending,
            Reader::Gone => Poll::Ready(self.skip_body(cx)),
        }
    }

    /// The request is over on both sides.
    pub(super) fn next_request(&self) {
        self.stage.set(Stage::Idle);
        self.clocks.await_request(&self.limits);
    }

    /// Ends the connection for this reason, with an answer where there can be one.
    pub(super) fn refuse(&self, violation: Violation) {
        let clean = self.writes.get() == Writes::Whole && self.ahead.borrow().is_empty();
        match self.stage.get() {
            Stage::Idle | Stage::Head => self.stage.set(Stage::Refused(violation)),
            Stage::Handling if clean => self.stage.set(Stage::Refused(violation)),
            Stage::Handling | Stage::Responding | Stage::Answered => {
                self.stage.set(Stage::Cut(violation));
            }
            Stage::Switching | Stage::Preface | Stage::Refused(_) | Stage::Cut(_) => {}
        }
    }

    pub(super) fn set_tunnel(&self, tunnel: Tunnel) {
        self.tunnel.set(Some(tunnel));
    }

    pub(super) fn take_tunnel(&self) -> Option<Tunnel> {
        self.tunnel.take()
    }

    /// Reads from the socket. 0 bytes is the client's FIN.
    pub(super) fn poll_receive(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            // Who always sends more uses up what one turn of a task may do.
            if self.pace.get() == Pace::Fast {
                ready!(self.stream.poll_read_ready(cx))?;
            }
            // A read that comes back short has emptied the socket. Its readiness, as it was before the read, is cleared
            // by the `WouldBlock`, so that the next read needs no system call to learn so; tokio's own does the same.
            let mut short = None;
            let outcome = self.stream.try_io(Interest::READABLE, || {
                match (&*SockRef::from(&self.stream)).read(into)? {
                    count if count > 0 && count < into.len() => {
                        short = Some(count);
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    count => Ok(count),
                }
            });
            match (outcome, short) {
                (Ok(0), _) => {
                    self.client.set(Client::Gone);
                    return Poll::Ready(Ok(0));
                }
                (Ok(count), _) => {
                    self.pace.set(Pace::Fast);
                    return Poll::Ready(Ok(count));
                }
                (Err(_), Some(count)) => {
                    self.pace.set(Pace::Slow);
                    return Poll::Ready(Ok(count));
                }
                // What is not ready is asked for when that is known, so that what is costs no question.
                (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_read_ready(cx))?;
                }
                (Err(error), None) => {
                    self.client.set(Client::Gone);
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Writes, with this way to write, after what is ahead of it.
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        len: usize,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ahead(cx))?;
        let written = self.poll_write_with(cx, write);
        if let Poll::Ready(Ok(count)) = written {
            self.writes.set(if count < len { Writes::Partial } else { Writes::Whole });
        }
        written
    }

    /// Writes what waits ahead of other writes.
    pub(super) fn poll_ahead(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut ahead = self.ahead.borrow_mut();
        while !ahead.is_empty() {
            let count = ready!(self.poll_write_with(cx, |stream| stream.try_write(&ahead)))?;
            ahead.drain(..count);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&self.stream) {
                Ok(count) => {
                    self.clocks.written();
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.stream.poll_write_ready(cx)?.is_pending() {
                        self.clocks.write_blocked(&self.limits);
                        return Poll::Pending;
                    }
                }
                Err(error) => {
                    self.client.set(Client::Gone);
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Puts these bytes before what is written next; nothing in the middle of something, or if the client has not taken
    /// what was put there before: an app could fill the memory with them else.
    pub(super) fn write_ahead(&self, bytes: &[u8]) {
        let mut ahead = self.ahead.borrow_mut();
        if self.writes.get() == Writes::Partial || ahead.len() + bytes.len() > MAX_AHEAD {
            return;
        }
        // An error is seen again, and told, by the next write that is polled.
        let written = if ahead.is_empty() { self.stream.try_write(bytes).unwrap_or(0) } else { 0 };
        ahead.extend_from_slice(&bytes[written..]);
    }
}
