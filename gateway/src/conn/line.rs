//! What the parts of one connection share: the socket, how far the current request is, its clocks.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use config::settings::Gateway;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::body::Appetite;
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
    /// The head is complete and right, and hyper has it, or is being given it.
    Handed,
    /// The handler has the request.
    Handling,
    /// hyper has the handler's response and sends it.
    Responding,
    /// hyper has all of the response, and may have to write some of it yet.
    Finishing,
    /// The response is written; the request's body is still read.
    Answered,
    /// The response was 101: after it the bytes are no longer HTTP.
    Switching,
    /// The first bytes were the preface of HTTP/2: hyper's HTTP/1.1 has seen none of them, and is dropped.
    Preface,
    /// Refused before a response began: hyper and the handler are dropped, and the refusal is written.
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

/// Whether bytes may be put between hyper's writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    Whole,
    /// hyper wrote a part of what it has.
    Partial,
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
    /// hyper asked for bytes when there could be none, and must be woken when there can be.
    pub(super) reader_waits: Cell<bool>,
    /// What the handler does with the body of the request it has.
    pub(super) appetite: Cell<Appetite>,
    /// Who asked for bytes of the body when there were none, or nobody wanted them.
    starved: Cell<Option<Waker>>,
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
            reader_waits: Cell::new(false),
            appetite: Cell::new(Appetite::Unasked),
            starved: Cell::new(None),
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
            Stage::Handed
            | Stage::Handling
            | Stage::Responding
            | Stage::Finishing
            | Stage::Answered
            | Stage::Switching => true,
            Stage::Idle | Stage::Head | Stage::Preface | Stage::Refused(_) | Stage::Cut(_) => false,
        }
    }

    /// The head of a request is complete.
    pub(super) fn head_complete(&self, version: Version) {
        self.stage.set(Stage::Handed);
        self.version.set(version);
        self.appetite.set(Appetite::Unasked);
        self.clocks.head_complete(&self.limits);
    }

    /// The handler is given the request: its number on this connection.
    pub(super) fn handled(&self) -> u32 {
        self.stage.set(Stage::Handling);
        self.count_request()
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

    /// hyper found no bytes of the body, or none that somebody wants.
    pub(super) fn starve(&self, cx: &Context<'_>) {
        self.starved.set(Some(cx.waker().clone()));
        if self.appetite.get() == Appetite::Hungry {
            self.clocks.await_body();
        }
    }

    /// hyper is given so many bytes of the body.
    pub(super) fn feed(&self, bytes: usize) {
        self.starved.set(None);
        self.clocks.body_came(bytes, &self.limits);
    }

    /// The handler did this with the body of the request with this number.
    pub(super) fn note_appetite(&self, number: u32, now: Appetite) {
        if self.served.get() != number || self.appetite.replace(now) == now {
            return;
        }
        match now {
            Appetite::Hungry | Appetite::Over => {
                if now == Appetite::Over {
                    self.clocks.body_came(0, &self.limits);
                }
                // A clock is set, or the gate opened, by who is woken.
                if let Some(waker) = self.starved.take() {
                    waker.wake();
                }
            }
            Appetite::Unasked | Appetite::Fed => {}
        }
    }

    /// Whether the request's body will not be read to its end.
    pub(super) fn is_body_refused(&self) -> bool {
        self.appetite.get() == Appetite::Over && !self.intake.borrow().is_body_complete()
    }

    /// Whether all that hyper gave was written, so that something of ours can follow.
    pub(super) fn is_written(&self) -> bool {
        self.writes.get() == Writes::Whole
    }

    /// hyper has all of the response.
    pub(super) fn response_ended(&self) {
        if self.stage.get() == Stage::Responding {
            self.stage.set(Stage::Finishing);
        }
    }

    /// hyper has nothing left to write.
    pub(super) fn flushed(&self, cx: &mut Context<'_>) {
        self.writes.set(Writes::Whole);
        if self.stage.get() == Stage::Finishing {
            self.stage.set(Stage::Answered);
            if self.intake.borrow().is_body_complete() {
                self.next_request(cx);
            }
        }
    }

    /// The request is over on both sides.
    pub(super) fn next_request(&self, cx: &mut Context<'_>) {
        self.stage.set(Stage::Idle);
        self.clocks.await_request(&self.limits);
        if self.reader_waits.take() {
            cx.waker().wake_by_ref();
        }
    }

    /// Ends the connection for this reason, with an answer where there can be one.
    pub(super) fn refuse(&self, violation: Violation) {
        let clean = self.writes.get() == Writes::Whole && self.ahead.borrow().is_empty();
        match self.stage.get() {
            Stage::Idle | Stage::Head | Stage::Handed => self.stage.set(Stage::Refused(violation)),
            Stage::Handling if clean => self.stage.set(Stage::Refused(violation)),
            Stage::Handling | Stage::Responding | Stage::Finishing | Stage::Answered => {
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
            ready!(self.stream.poll_read_ready(cx))?;
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
                (Ok(count), _) | (Err(_), Some(count)) => return Poll::Ready(Ok(count)),
                (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => {}
                (Err(error), None) => {
                    self.client.set(Client::Gone);
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Writes, with this way to write, what hyper has, after what is ahead of it.
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

    /// Writes what waits ahead of hyper's writes.
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
            if self.stream.poll_write_ready(cx)?.is_pending() {
                self.clocks.write_blocked(&self.limits);
                return Poll::Pending;
            }
            match write(&self.stream) {
                Ok(count) => {
                    self.clocks.written();
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.client.set(Client::Gone);
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Puts these bytes before what hyper writes next; nothing if hyper is in the middle of something, or if the client
    /// has not taken what was put there before: an app could fill the memory with them else.
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
