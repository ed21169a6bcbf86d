//! One request and its response: how far they are, and the task that hyper makes of them.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use http::HeaderMap;
use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::request::Proof;
use super::streams::Streams;
use super::timer::Timer;
use crate::conn::End;
use crate::conn::clocks::time_for;
use crate::conn::line::Tunnel;
use crate::conn::violation::Violation;

/// How much of a response hyper takes before the client has taken it.
pub(super) const SEND_BUFFER: usize = 64 << 10;

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The handler has it.
    Handling,
    /// The client broke a rule, and is answered for it.
    Refused(Violation),
    /// hyper has the response, and has asked for more of it.
    Responding,
    /// hyper was given a piece of the response, and must ask for the next one before this.
    Sending(Instant),
    /// The client broke a rule when the response had begun: the stream is reset.
    Cut(Violation),
    /// The client takes nothing: the same.
    Stalled,
}

/// What the parts of one stream share.
pub(in crate::conn) struct Stream {
    pub(super) streams: Rc<Streams>,
    phase: Cell<Phase>,
    /// Header lines of the request; trailer lines count with them.
    pub(super) lines: usize,
    proof: Option<Proof>,
    tunnel: Cell<Option<Tunnel>>,
    task: Cell<Option<Waker>>,
}

impl Stream {
    pub(super) fn new(streams: Rc<Streams>, lines: usize, proof: Option<Proof>) -> Self {
        Self {
            streams,
            phase: Cell::new(Phase::Handling),
            lines,
            proof,
            tunnel: Cell::new(None),
            task: Cell::new(None),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// See `Exchange::close_after`.
    pub(in crate::conn) fn close_after(&self) {
        self.streams.end(End::Finished);
    }

    /// See `Exchange::upgrade`.
    pub(in crate::conn) fn set_tunnel(&self, tunnel: Tunnel) {
        self.tunnel.set(Some(tunnel));
    }

    pub(super) fn take_tunnel(&self) -> Option<Tunnel> {
        self.tunnel.take()
    }

    /// See `Exchange::is_accepted_by`.
    pub(in crate::conn) fn is_accepted_by(&self, headers: &HeaderMap) -> bool {
        self.proof.as_ref().is_some_and(|proof| proof.is_in(headers))
    }

    /// The handler's response is there.
    pub(super) fn respond(&self) {
        self.phase.set(Phase::Responding);
    }

    /// hyper asks for the next piece of the response.
    pub(super) fn piece_asked(&self) {
        if matches!(self.phase.get(), Phase::Sending(_)) {
            self.phase.set(Phase::Responding);
        }
    }

    /// hyper is given a piece. That it waits for the client to open its window for it can only be told by the time
    /// that passes until it asks for the next.
    pub(super) fn piece_given(&self, bytes: usize) {
        let limits = self.streams.limits();
        self.streams.accompany(bytes);
        if matches!(self.phase.get(), Phase::Responding) {
            let at_most = limits.write_timeout + time_for(bytes + SEND_BUFFER, limits);
            self.phase.set(Phase::Sending(Instant::now() + at_most));
        }
    }

    /// Ends the request for this reason, with an answer if none has begun.
    pub(super) fn refuse(&self, violation: Violation) {
        match self.phase.get() {
            Phase::Handling => self.phase.set(Phase::Refused(violation)),
            Phase::Responding | Phase::Sending(_) => self.phase.set(Phase::Cut(violation)),
            Phase::Refused(_) | Phase::Cut(_) | Phase::Stalled => return,
        }
        self.wake();
    }

    /// The client takes nothing of a tunnel.
    pub(super) fn stalled(&self) {
        self.phase.set(Phase::Stalled);
        self.wake();
    }

    /// What a tunnel was given last is on its way.
    pub(super) fn finish(&self) {
        self.piece_given(0);
        self.wake();
    }

    fn wake(&self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// Who is woken by `refuse`.
    pub(super) fn worked_on_by(&self, cx: &Context<'_>) {
        let task = self.task.take().filter(|task| task.will_wake(cx.waker()));
        self.task.set(Some(task.unwrap_or_else(|| cx.waker().clone())));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.ended();
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("phase", &self.phase.get()).finish_non_exhaustive()
    }
}

/// Runs what hyper makes of the streams of one connection, each in a task of its own.
#[derive(Clone)]
pub(super) struct Tasks(pub(super) Rc<Streams>);

impl<F: Future<Output = ()> + 'static> Executor<F> for Tasks {
    fn execute(&self, work: F) {
        // There is one: whoever has hyper call this says for which.
        if let Some(stream) = self.0.begun.take() {
            drop(tokio::task::spawn_local(Task { work, stream, timer: Timer::default() }));
        }
    }
}

pin_project! {
    /// One stream at work, or the writing side of its tunnel. Dropping it early resets the stream.
    struct Task<F> {
        #[pin]
        work: F,
        stream: Rc<Stream>,
        timer: Timer,
    }
}

impl<F: Future<Output = ()>> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.work.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match this.stream.phase() {
            Phase::Cut(_) | Phase::Stalled => return Poll::Ready(()),
            // The client does not take it.
            Phase::Sending(until) if this.timer.poll_until(until, cx).is_ready() => return Poll::Ready(()),
            Phase::Handling | Phase::Refused(_) | Phase::Responding | Phase::Sending(_) => {}
        }
        this.stream.worked_on_by(cx);
        Poll::Pending
    }
}
