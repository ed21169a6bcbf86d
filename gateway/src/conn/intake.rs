//! The reading side: a request is made of a head only when that is complete and right, and of what follows it no more
//! is taken than its own body.

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Frame;
use hyper::rt::ReadBufCursor;

use super::body::BodyError;
use super::framing::Framing;
use super::head::{Declared, Head, HeadScan, Progress, Sizes};
use super::line::{Line, Stage};
use super::receiving::Receiving;
use super::violation::Violation;

/// Bytes read from a socket at once.
const SCRATCH: usize = 32 << 10;
/// The same where a head is waited for: of a body that comes with it, no more is kept unasked.
const HEAD_READ: usize = 8 << 10;
/// What the heads of a thread's requests are copied to. Each takes off what it needs, so that one allocation serves some
/// forty requests, and a connection that waits holds no buffer.
const HEADS: usize = 8 << 10;
/// What a client of HTTP/2 says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

thread_local! {
    /// Where a socket's bytes land. One for each thread, so that a connection that waits holds no buffer of ours.
    static SCRATCH_BYTES: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
    static HEAD_BYTES: RefCell<BytesMut> = RefCell::default();
}

/// What the current request's bytes are.
enum Course {
    Head(HeadScan),
    /// Boxed, because few requests have a body.
    Body(Box<Receiving>),
    /// All of them were taken.
    Over,
}

/// Bytes that came and nobody has taken yet.
pub(super) struct Intake {
    /// A head that is not complete, or pipelined requests: empty, and without memory, otherwise.
    held: BytesMut,
    course: Course,
}

/// A request whose head is complete.
pub(super) struct Arrived {
    pub(super) head: Head,
    /// The head, the empty line included.
    pub(super) bytes: Bytes,
}

impl Intake {
    pub(super) fn new() -> Self {
        Self { held: BytesMut::new(), course: Course::Head(HeadScan::new()) }
    }

    /// Whether all bytes of the current request have come.
    pub(super) fn is_body_complete(&self) -> bool {
        match &self.course {
            Course::Head(_) => false,
            Course::Body(body) => body.has_come(),
            Course::Over => true,
        }
    }

    /// Whether all of the current request was taken.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.course, Course::Over)
    }

    /// Bytes that are nobody's after a 101.
    pub(super) fn take_held(&mut self) -> BytesMut {
        std::mem::take(&mut self.held)
    }

    pub(super) fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes these bytes off what is held, which has no memory when it is empty.
    fn release(&mut self, count: usize) {
        self.held.advance(count);
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
    }
}

impl Course {
    /// Looks at the bytes of a head, and at those behind it if it is complete. How many are the request's.
    fn admit(&mut self, bytes: &[u8], sizes: Sizes) -> Result<Option<(Arrived, usize)>, Violation> {
        let Course::Head(scan) = self else { return Ok(None) };
        let head = match scan.follow(bytes, sizes)? {
            Progress::Partial => return Ok(None),
            Progress::Complete(head) => head,
        };
        let (bytes, behind) = bytes.split_at(head.len);
        let mut taken = head.len;
        *self = match head.body {
            Declared::Nothing | Declared::Length(0) => Course::Over,
            Declared::Length(_) | Declared::Chunked => {
                let mut body = Receiving::new(Framing::of(&head, sizes.lines, sizes.head));
                taken += body.receive(behind)?;
                Course::Body(Box::new(body))
            }
        };
        Ok(Some((Arrived { head, bytes: kept(bytes) }, taken)))
    }
}

/// A head, for as long as somebody needs something of it.
fn kept(head: &[u8]) -> Bytes {
    HEAD_BYTES.with_borrow_mut(|space| {
        if space.capacity() < head.len() {
            space.reserve(HEADS.max(head.len()));
        }
        space.extend_from_slice(head);
        space.split().freeze()
    })
}

/// RFC 9112, section 2.2: empty lines before a request line are ignored; some clients send one after a body.
fn without_leading_lines(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    &bytes[start..]
}

impl Line {
    /// Reads what nobody wants any more: how many bytes, 0 at the client's FIN.
    pub(super) fn poll_ignore(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH_BYTES.with_borrow_mut(|scratch| self.poll_receive(cx, scratch))
    }

    /// The next request; `None` at the client's FIN. It never comes once something was refused.
    pub(super) fn poll_head(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Arrived>>> {
        let intake = &mut *self.intake.borrow_mut();
        if self.stage.get() == Stage::Idle {
            intake.course = Course::Head(HeadScan::new());
            if intake.has_held()
                && let Some(arrived) = self.admit_held(intake)
            {
                return Poll::Ready(Ok(Some(arrived)));
            }
        }
        SCRATCH_BYTES.with_borrow_mut(|scratch| {
            while matches!(self.stage.get(), Stage::Idle | Stage::Head) {
                let count = ready!(self.poll_receive(cx, &mut scratch[..HEAD_READ]))?;
                if count == 0 {
                    return Poll::Ready(Ok(None));
                }
                let arrived = if intake.has_held() {
                    intake.held.extend_from_slice(&scratch[..count]);
                    self.admit_held(intake)
                } else {
                    self.admit(intake, &scratch[..count])
                };
                if arrived.is_some() {
                    return Poll::Ready(Ok(arrived));
                }
            }
            Poll::Pending
        })
    }

    fn sizes(&self) -> Sizes {
        Sizes {
            line: self.limits.max_request_line,
            head: self.limits.max_head,
            lines: self.limits.max_header_lines,
        }
    }

    /// Looks at bytes that came with nothing held before them.
    fn admit(&self, intake: &mut Intake, bytes: &[u8]) -> Option<Arrived> {
        let bytes = without_leading_lines(bytes);
        match intake.course.admit(bytes, self.sizes()) {
            Ok(Some((arrived, taken))) => {
                if taken < bytes.len() {
                    intake.held.extend_from_slice(&bytes[taken..]);
                }
                Some(arrived)
            }
            Ok(None) => {
                intake.held.extend_from_slice(bytes);
                self.head_begun(bytes);
                None
            }
            Err(violation) => {
                self.refused(violation, bytes);
                if self.stage.get() == Stage::Preface {
                    intake.held.extend_from_slice(bytes);
                }
                None
            }
        }
    }

    /// The same for bytes that are held.
    fn admit_held(&self, intake: &mut Intake) -> Option<Arrived> {
        if self.stage.get() == Stage::Idle {
            let lines = intake.held.len() - without_leading_lines(&intake.held).len();
            intake.release(lines);
        }
        match intake.course.admit(&intake.held, self.sizes()) {
            Ok(Some((arrived, taken))) => {
                intake.release(taken);
                Some(arrived)
            }
            Ok(None) => {
                self.head_begun(&intake.held);
                None
            }
            Err(violation) => {
                self.refused(violation, &intake.held);
                None
            }
        }
    }

    fn head_begun(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.stage.set(Stage::Head);
            self.clocks.await_head(&self.limits);
        }
    }

    /// What is no HTTP/1.1 may be HTTP/2: only then is it asked, so that it costs HTTP/1.1 nothing.
    fn refused(&self, violation: Violation, bytes: &[u8]) {
        let common = bytes.len().min(PREFACE.len());
        if violation == Violation::UnsupportedVersion
            && self.requests() == 0
            && bytes[..common] == PREFACE[..common]
        {
            self.stage.set(Stage::Preface);
        } else {
            self.refuse(violation);
        }
    }

    /// What hyper's HTTP/2 reads, shown to `look` first.
    pub(super) fn poll_plain(
        &self,
        cx: &mut Context<'_>,
        to: &mut ReadBufCursor<'_>,
        look: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<()>> {
        let intake = &mut *self.intake.borrow_mut();
        if intake.has_held() {
            let count = intake.held.len().min(to.remaining());
            look(&intake.held[..count]);
            to.put_slice(&intake.held[..count]);
            intake.release(count);
            return Poll::Ready(Ok(()));
        }
        SCRATCH_BYTES.with_borrow_mut(|scratch| {
            let room = to.remaining().min(scratch.len());
            let count = ready!(self.poll_receive(cx, &mut scratch[..room]))?;
            look(&scratch[..count]);
            to.put_slice(&scratch[..count]);
            Poll::Ready(Ok(()))
        })
    }

    /// The next part of the current request's body, for whoever reads it, in whatever task.
    pub(super) fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let intake = &mut *self.intake.borrow_mut();
        loop {
            let Course::Body(body) = &mut intake.course else { return Poll::Ready(None) };
            match body.next() {
                Ok(None) if body.has_come() => {}
                Ok(None) => {
                    ready!(self.poll_body_bytes(intake, cx))?;
                    continue;
                }
                Ok(Some(frame)) if !body.is_over() => return Poll::Ready(Some(Ok(frame))),
                Ok(Some(frame)) => {
                    self.body_over(intake);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Err(violation) => {
                    self.refuse_body(violation);
                    return Poll::Pending;
                }
            }
            self.body_over(intake);
        }
    }

    fn body_over(&self, intake: &mut Intake) {
        intake.course = Course::Over;
        self.body_settled();
    }

    /// Reads more of the body, which is not at its end.
    fn poll_body_bytes(&self, intake: &mut Intake, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let Course::Body(body) = &mut intake.course else { return Poll::Ready(Ok(())) };
        self.continue_body();
        SCRATCH_BYTES.with_borrow_mut(|scratch| {
            let room = body.framing.at_most(scratch.len());
            let Poll::Ready(read) = self.poll_receive(cx, &mut scratch[..room]) else {
                self.starve(cx);
                return Poll::Pending;
            };
            let count = match read {
                Ok(count @ 1..) => count,
                Ok(0) | Err(_) => return Poll::Ready(Err(BodyError::Unfinished)),
            };
            self.clocks.body_came(count, &self.limits);
            match body.receive(&scratch[..count]) {
                Ok(ours) => {
                    intake.held.extend_from_slice(&scratch[ours..count]);
                    Poll::Ready(Ok(()))
                }
                Err(violation) => {
                    self.refuse_body(violation);
                    Poll::Pending
                }
            }
        })
    }

    /// Once nobody reads the current request's body any more: whether another request can follow, because the rest of
    /// the body is here, or is small and comes at once.
    pub(super) fn skip_body(&self, cx: &mut Context<'_>) -> bool {
        let intake = &mut *self.intake.borrow_mut();
        if let Course::Body(body) = &mut intake.course
            && !body.has_come()
        {
            SCRATCH_BYTES.with_borrow_mut(|scratch| {
                let room = body.framing.at_most(scratch.len());
                if let Poll::Ready(Ok(count)) = self.poll_receive(cx, &mut scratch[..room])
                    && let Ok(ours) = body.framing.claim(&scratch[..count])
                {
                    intake.held.extend_from_slice(&scratch[ours..count]);
                }
            });
        }
        intake.is_body_complete()
    }
}
