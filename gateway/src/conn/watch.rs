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
pub(super) const HANG_UP: [Interest; 2] = [Interest::PRIORITY, Interest::ERROR];
/// Elsewhere a FIN is seen when the bytes before it are read.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const HANG_UP: [Interest; 2] = [Interest::ERROR, Interest::ERROR];

/// Why the work on a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// hyper says so: the client closed, or the last response is out.
    Served,
    /// hyper cannot go on.
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

/// Runs hyper until something ends the connection.
///
/// What else can end it wakes this task through wakers registered once, and is then found by a look at a flag: asking
/// each anew in every wake-up would cost a request some 500 instructions.
pub(super) async fn watch<E>(
    line: &Line,
    mut hyper: Pin<&mut impl Future<Output = Result<(), E>>>,
    drain: &mut Drain,
) -> Ending {
    let flag = drain.clone();
    let mut draining = pin!(unconstrained(drain.begun()));
    let mut hang_up = pin!(unconstrained(line.stream.ready(HANG_UP[0] | HANG_UP[1])));
    let timer = pin!(sleep(line.limits.header_timeout));
    let mut alarm = Alarm::new(timer);
    let mut waker = Waker::noop().clone();
    let mut over = false;
    poll_fn(|cx| {
        let registered = registered(&mut waker, cx);
        let served = hyper.as_mut().poll(cx);
        if let Some(ending) = refusal(line).or(finished(served)) {
            return Poll::Ready(ending);
        }
        if registered == Registered::Elsewhere {
            // What they say is looked at below. Both are asked again only if they were not ready.
            let _hung_up = !has_hung_up(line) && hang_up.as_mut().poll(cx).is_ready();
        }
        // The first step of the end has used up the waker: asked again, it wakes for the last one too.
        if registered == Registered::Elsewhere || flag.has_begun() {
            over = over || draining.as_mut().poll(cx).is_ready();
        }
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

pub(super) fn registered(waker: &mut Waker, cx: &Context<'_>) -> Registered {
    if waker.will_wake(cx.waker()) {
        return Registered::Here;
    }
    waker.clone_from(cx.waker());
    Registered::Elsewhere
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
        | Stage::Handed
        | Stage::Handling
        | Stage::Responding
        | Stage::Finishing
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
