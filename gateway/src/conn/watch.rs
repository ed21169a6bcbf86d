//! What can end a connection, looked at in every wake-up.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::Interest;
use tokio::task::coop::unconstrained;
use tokio::time::sleep;

use super::clocks::{Alarm, Late};
use super::drain::Drain;
use super::line::{Client, Line, Stage};
use super::violation::Violation;

/// Readiness that a FIN or RST brings at once, whatever is unread. (Urgent data brings it too; HTTP has none, and who
/// sends it is taken to have left.)
#[cfg(any(target_os = "linux", target_os = "android"))]
const HANG_UP: [Interest; 2] = [Interest::PRIORITY, Interest::ERROR];
/// Elsewhere a FIN is seen when the bytes before it are read.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const HANG_UP: [Interest; 2] = [Interest::ERROR, Interest::ERROR];

/// Why the work on a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client closed, or the last response is out.
    Served,
    /// The client cannot be read from or written to, or its response is broken.
    Failed,
    /// The client left while somebody worked for it.
    Left,
    Refused(Violation),
    Cut(Violation),
    Idle,
    Drained,
    /// Time was up before it had ended.
    Over,
    Stalled,
    /// It goes on as HTTP/2.
    Preface,
}

/// Whether the task that polls now is the one that is woken by what was waited for before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Registered {
    Here,
    Elsewhere,
}

/// Serves requests until something ends the connection.
///
/// What else can end it wakes this task through wakers registered once, and is then found by a look at a flag: asking
/// each anew in every wake-up would cost a request some 500 instructions.
pub(super) async fn watch<E>(
    line: &Line,
    mut exchanges: Pin<&mut impl Future<Output = Result<(), E>>>,
    drain: &mut Drain,
) -> Ending {
    let flag = drain.clone();
    let draining = pin!(unconstrained(drain.begun()));
    let hang_up = pin!(unconstrained(hang_up(line)));
    let mut signs = Signs::new(draining, hang_up);
    let timer = pin!(sleep(line.limits.header_timeout));
    let mut alarm = Alarm::new(timer);
    poll_fn(|cx| {
        let registered = signs.registered(cx);
        if registered == Registered::Elsewhere {
            line.watched_by(cx);
        }
        let served = exchanges.as_mut().poll(cx);
        if let Some(ending) = refusal(line).or(finished(served)) {
            return Poll::Ready(ending);
        }
        signs.poll(line, &flag, registered, cx);
        if line.is_busy() && (has_hung_up(line) || has_left(line, cx)) {
            return Poll::Ready(Ending::Left);
        }
        if flag.has_begun() {
            line.close_after();
            if line.stage.get() == Stage::Idle {
                return Poll::Ready(Ending::Drained);
            }
            if flag.is_over() {
                return Poll::Ready(Ending::Over);
            }
        }
        poll_late(line, &mut alarm, registered, cx)
    })
    .await
}

/// What can end any connection, whatever it speaks: each wakes through a waker that is registered once.
pub(super) struct Signs<'a, D, H> {
    draining: Pin<&'a mut D>,
    hang_up: Pin<&'a mut H>,
    waker: Waker,
    /// Whether the last step of the end has come: `draining` is not to be asked any more.
    over: bool,
}

impl<'a, D: Future, H: Future> Signs<'a, D, H> {
    pub(super) fn new(draining: Pin<&'a mut D>, hang_up: Pin<&'a mut H>) -> Self {
        Self { draining, hang_up, waker: Waker::noop().clone(), over: false }
    }

    /// Asked first in every wake-up.
    pub(super) fn registered(&mut self, cx: &Context<'_>) -> Registered {
        if self.waker.will_wake(cx.waker()) {
            return Registered::Here;
        }
        self.waker.clone_from(cx.waker());
        Registered::Elsewhere
    }

    /// Has them wake this task. What they say is looked at where it is needed; both are asked again only if they were
    /// not ready.
    pub(super) fn poll(&mut self, line: &Line, drain: &Drain, registered: Registered, cx: &mut Context<'_>) {
        if registered == Registered::Elsewhere {
            let _hung_up = !has_hung_up(line) && self.hang_up.as_mut().poll(cx).is_ready();
        }
        // The first step of the end has used up the waker: asked again, it wakes for the last one too.
        if registered == Registered::Elsewhere || drain.has_begun() {
            self.over = self.over || self.draining.as_mut().poll(cx).is_ready();
        }
    }
}

/// Ends when the client's FIN or RST has arrived.
pub(super) fn hang_up(line: &Line) -> impl Future {
    line.stream.ready(HANG_UP[0] | HANG_UP[1])
}

/// Whether the client's FIN or RST has arrived.
pub(super) fn has_hung_up(line: &Line) -> bool {
    HANG_UP.iter().any(|sign| line.stream.try_io(*sign, || Ok(())).is_ok())
}

fn finished<E>(served: Poll<Result<(), E>>) -> Option<Ending> {
    match served {
        Poll::Pending => None,
        Poll::Ready(Ok(())) => Some(Ending::Served),
        Poll::Ready(Err(_)) => Some(Ending::Failed),
    }
}

fn refusal(line: &Line) -> Option<Ending> {
    match line.stage.get() {
        Stage::Refused(violation) => Some(Ending::Refused(violation)),
        Stage::Cut(violation) => Some(Ending::Cut(violation)),
        Stage::Preface => Some(Ending::Preface),
        Stage::Idle
        | Stage::Head
        | Stage::Handling
        | Stage::Responding
        | Stage::Answered
        | Stage::Switching => None,
    }
}

/// Whether a read or a write has met the client's leaving.
fn has_left(line: &Line, cx: &mut Context<'_>) -> bool {
    matches!(line.poll_ahead(cx), Poll::Ready(Err(_))) || line.client.get() == Client::Gone
}

fn poll_late(
    line: &Line,
    alarm: &mut Alarm<'_>,
    registered: Registered,
    cx: &mut Context<'_>,
) -> Poll<Ending> {
    let late = match alarm.poll(&line.clocks, registered, cx) {
        Poll::Pending => return Poll::Pending,
        Poll::Ready(late) => late,
    };
    match late {
        Late::Request => return Poll::Ready(Ending::Idle),
        // Not a byte since the accept: there is nobody to answer.
        Late::Head if line.stage.get() == Stage::Idle => return Poll::Ready(Ending::Idle),
        Late::Head => line.refuse(Violation::HeaderTimeout),
        Late::Body => line.refuse(Violation::BodyTooSlow),
        Late::Write => return Poll::Ready(Ending::Stalled),
    }
    Poll::Ready(refusal(line).unwrap_or(Ending::Idle))
}
