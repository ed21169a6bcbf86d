//! What can end a connection, looked at in every wake-up.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::io::Interest;
use tokio::time::sleep;

use super::clocks::{Alarm, Late};
use super::drain::Drain;
use super::line::{Client, Line, Stage};
use super::violation::Violation;

/// Readiness that a FIN or RST brings at once, whatever is unread. (Urgent data brings it too; HTTP has none, and who
/// sends it is taken to have left.)
#[cfg(any(target_os = "linux", target_os = "android"))]
const HANG_UP: Interest = Interest::PRIORITY.add(Interest::ERROR);
/// Elsewhere a FIN is seen when the bytes before it are read.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const HANG_UP: Interest = Interest::ERROR;

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
    Stalled,
}

/// Runs hyper until something ends the connection.
pub(super) async fn watch<E>(
    line: &Line,
    mut hyper: Pin<&mut impl Future<Output = Result<(), E>>>,
    drain: &mut Drain,
) -> Ending {
    let mut hang_up = pin!(Event::of(line.stream.ready(HANG_UP)));
    let mut draining = pin!(Event::of(drain.begun()));
    let timer = pin!(sleep(line.limits.header_timeout));
    let mut alarm = Alarm::new(timer);
    poll_fn(|cx| {
        let served = hyper.as_mut().poll(cx);
        if let Some(ending) = refusal(line).or(finished(served)) {
            return Poll::Ready(ending);
        }
        let hung_up = hang_up.as_mut().has_happened(cx);
        if line.is_busy() && (hung_up || has_left(line, cx)) {
            return Poll::Ready(Ending::Left);
        }
        if draining.as_mut().has_happened(cx) {
            line.close_after();
            if line.stage.get() == Stage::Idle {
                return Poll::Ready(Ending::Drained);
            }
        }
        poll_late(line, &mut alarm, cx)
    })
    .await
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

fn poll_late(line: &Line, alarm: &mut Alarm<'_>, cx: &mut Context<'_>) -> Poll<Ending> {
    let late = match alarm.poll(&line.clocks, cx) {
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

pin_project! {
    /// Something that happens at most once, and has happened from then on.
    #[project = EventProjection]
    enum Event<F> {
        Awaited {
            #[pin]
            future: F,
        },
        Happened,
    }
}

impl<F: Future> Event<F> {
    fn of(future: F) -> Self {
        Self::Awaited { future }
    }

    fn has_happened(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        match self.as_mut().project() {
            EventProjection::Happened => true,
            EventProjection::Awaited { future } => {
                let happened = future.poll(cx).is_ready();
                if happened {
                    self.set(Self::Happened);
                }
                happened
            }
        }
    }
}
