//! What can end a connection of HTTP/2, looked at in every wake-up.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::task::coop::unconstrained;
use tokio::time::sleep;

use super::streams::{Course, Streams};
use crate::conn::End;
use crate::conn::clocks::{Alarm, Late};
use crate::conn::drain::Drain;
use crate::conn::violation::Violation;
use crate::conn::watch::{Registered, Signs, hang_up, has_hung_up};

/// Why the work on a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// hyper says so: the client closed, or the last stream has ended after a GOAWAY.
    Served,
    /// hyper cannot go on, and has said so to the client if it could.
    Failed,
    /// The client left while somebody worked for it.
    Left,
    Cut(Violation),
    /// The client did not answer to a GOAWAY, and nothing is open.
    Silent,
    /// Time was up before it had ended.
    Over,
    Stalled,
}

/// Runs hyper until something ends the connection; `tell` has it send a GOAWAY and end when the last stream does.
pub(super) async fn watch<F, E>(
    streams: &Streams,
    mut hyper: Pin<&mut F>,
    tell: fn(Pin<&mut F>),
    drain: &mut Drain,
) -> Ending
where
    F: Future<Output = Result<(), E>>,
{
    let line = &*streams.line;
    let flag = drain.clone();
    let draining = pin!(unconstrained(drain.begun()));
    let hang_up = pin!(unconstrained(hang_up(line)));
    let mut signs = Signs::new(draining, hang_up);
    let timer = pin!(sleep(line.limits.header_timeout));
    let mut alarm = Alarm::new(timer);
    poll_fn(|cx| {
        let registered = signs.registered(cx);
        if registered == Registered::Elsewhere {
            streams.watched_by(cx);
        }
        let served = hyper.as_mut().poll(cx);
        if let Some(ending) = finished(streams, served) {
            return Poll::Ready(ending);
        }
        signs.poll(line, &flag, registered, cx);
        if streams.is_busy() && has_hung_up(line) {
            return Poll::Ready(Ending::Left);
        }
        if flag.has_begun() {
            if flag.is_over() {
                return Poll::Ready(Ending::Over);
            }
            streams.end(End::Drained);
        }
        let late = poll_late(streams, &mut alarm, registered, cx);
        if let Course::Ending(why) = streams.course() {
            tell(hyper.as_mut());
            streams.told(why);
            // It is for hyper to send it, and for the alarm to be set.
            cx.waker().wake_by_ref();
        }
        late
    })
    .await
}

fn finished<E>(streams: &Streams, served: Poll<Result<(), E>>) -> Option<Ending> {
    match (streams.course(), served) {
        (Course::Cut(violation), _) => Some(Ending::Cut(violation)),
        (Course::Open | Course::Ending(_) | Course::Told { .. }, Poll::Pending) => None,
        (Course::Open | Course::Ending(_) | Course::Told { .. }, Poll::Ready(Ok(()))) => Some(Ending::Served),
        (Course::Open | Course::Ending(_) | Course::Told { .. }, Poll::Ready(Err(_))) => Some(Ending::Failed),
    }
}

fn poll_late(
    streams: &Streams,
    alarm: &mut Alarm<'_>,
    registered: Registered,
    cx: &mut Context<'_>,
) -> Poll<Ending> {
    let late = match alarm.poll(&streams.line.clocks, registered, cx) {
        Poll::Pending => return Poll::Pending,
        Poll::Ready(late) => late,
    };
    match late {
        Late::Write => Poll::Ready(Ending::Stalled),
        Late::Head if streams.is_in_head() => Poll::Ready(Ending::Cut(Violation::HeaderTimeout)),
        // Nothing of a request since the accept, or for long.
        Late::Head | Late::Request | Late::Body => match streams.course() {
            Course::Open => {
                streams.end(End::Idle);
                Poll::Pending
            }
            Course::Ending(_) => Poll::Pending,
            Course::Told { .. } => Poll::Ready(Ending::Silent),
            Course::Cut(violation) => Poll::Ready(Ending::Cut(violation)),
        },
    }
}
