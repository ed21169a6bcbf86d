//! The reading side under hyper: a head is held back until it is complete and right, and no byte beyond the end of the
//! current request is given before the response to it is out.

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use hyper::rt::ReadBufCursor;

use super::body::Appetite;
use super::framing::Framing;
use super::head::{Head, HeadScan, Progress, Sizes};
use super::line::{Line, Stage};
use super::violation::Violation;

/// Bytes read from a socket at once.
const SCRATCH: usize = 32 << 10;
/// What a client of HTTP/2 says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

thread_local! {
    /// Where a socket's bytes land. One for each thread, so that a connection that waits holds no buffer of ours.
    static SCRATCH_BYTES: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// What the current request's bytes are.
enum Course {
    Head(HeadScan),
    Body(Framing),
}

/// Bytes that came and are not hyper's yet.
pub(super) struct Intake {
    /// A head that is not complete, or pipelined requests: empty, and without memory, otherwise.
    held: BytesMut,
    /// How many of the held bytes belong to the current request and may be given to hyper.
    cleared: usize,
    course: Course,
}

/// What of the bytes shown belongs to a request whose head is complete.
struct Admitted {
    head: Head,
    /// Head and body.
    len: usize,
}

impl Intake {
    pub(super) fn new() -> Self {
        Self { held: BytesMut::new(), cleared: 0, course: Course::Head(HeadScan::new()) }
    }

    /// Whether all bytes of the current request were given to hyper.
    pub(super) fn is_body_complete(&self) -> bool {
        self.cleared == 0 && matches!(self.course, Course::Body(Framing::Done))
    }

    /// Bytes that are nobody's after a 101.
    pub(super) fn take_held(&mut self) -> BytesMut {
        std::mem::take(&mut self.held)
    }

    pub(super) fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Gives hyper what is cleared and has room.
    fn give(&mut self, to: &mut ReadBufCursor<'_>) {
        let count = self.cleared.min(to.remaining());
        to.put_slice(&self.held[..count]);
        self.held.advance(count);
        self.cleared -= count;
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
    }
}

impl Course {
    /// Looks at the bytes of a head, and at those behind it if it is complete.
    fn admit(&mut self, bytes: &[u8], sizes: Sizes) -> Result<Option<Admitted>, Violation> {
        let Course::Head(scan) = self else { return Ok(None) };
        let head = match scan.follow(bytes, sizes)? {
            Progress::Partial => return Ok(None),
            Progress::Complete(head) => head,
        };
        let mut framing = Framing::of(&head, sizes.lines, sizes.head);
        let body = framing.claim(&bytes[head.len..])?;
        *self = Course::Body(framing);
        Ok(Some(Admitted { head, len: head.len + body }))
    }
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

    /// What hyper reads.
    pub(super) fn poll_intake(
        &self,
        cx: &mut Context<'_>,
        to: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let intake = &mut *self.intake.borrow_mut();
        match self.stage.get() {
            Stage::Idle => {
                intake.course = Course::Head(HeadScan::new());
                self.poll_head(intake, cx, to)
            }
            Stage::Head => self.poll_head(intake, cx, to),
            Stage::Handed | Stage::Handling | Stage::Responding | Stage::Finishing | Stage::Answered => {
                self.poll_body(intake, cx, to)
            }
            Stage::Switching | Stage::Preface | Stage::Refused(_) | Stage::Cut(_) => Poll::Pending,
        }
    }

    fn poll_head(
        &self,
        intake: &mut Intake,
        cx: &mut Context<'_>,
        to: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if intake.has_held() && self.stage.get() == Stage::Idle && self.admit_held(intake, to) {
            return Poll::Ready(Ok(()));
        }
        SCRATCH_BYTES.with_borrow_mut(|scratch| {
            while matches!(self.stage.get(), Stage::Idle | Stage::Head) {
                // No more than hyper has room for, so that a request which comes at once is copied once.
                let room = to.remaining().min(scratch.len());
                let count = ready!(self.poll_receive(cx, &mut scratch[..room]))?;
                if count == 0 {
                    return Poll::Ready(Ok(()));
                }
                let admitted = if intake.has_held() {
                    intake.held.extend_from_slice(&scratch[..count]);
                    self.admit_held(intake, to)
                } else {
                    self.admit(intake, &scratch[..count], to)
                };
                if admitted {
                    return Poll::Ready(Ok(()));
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

    /// Looks at bytes that came with nothing held before them. True if some were given to hyper.
    fn admit(&self, intake: &mut Intake, bytes: &[u8], to: &mut ReadBufCursor<'_>) -> bool {
        let bytes = without_leading_lines(bytes);
        match intake.course.admit(bytes, self.sizes()) {
            Ok(Some(admitted)) => {
                let (ours, next) = bytes.split_at(admitted.len);
                to.put_slice(ours);
                if !next.is_empty() {
                    intake.held.extend_from_slice(next);
                }
                self.head_complete(admitted.head.version);
                true
            }
            Ok(None) => {
                intake.held.extend_from_slice(bytes);
                self.head_begun(bytes);
                false
            }
            Err(violation) => {
                let admitted = self.refused(violation, bytes);
                if self.stage.get() == Stage::Preface {
                    intake.held.extend_from_slice(bytes);
                }
                admitted
            }
        }
    }

    /// The same for bytes that are held.
    fn admit_held(&self, intake: &mut Intake, to: &mut ReadBufCursor<'_>) -> bool {
        if self.stage.get() == Stage::Idle {
            let lines = intake.held.len() - without_leading_lines(&intake.held).len();
            intake.held.advance(lines);
        }
        match intake.course.admit(&intake.held, self.sizes()) {
            Ok(Some(admitted)) => {
                intake.cleared = admitted.len;
                intake.give(to);
                self.head_complete(admitted.head.version);
                true
            }
            Ok(None) => {
                self.head_begun(&intake.held);
                false
            }
            Err(violation) => self.refused(violation, &intake.held),
        }
    }

    fn head_begun(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.stage.set(Stage::Head);
            self.clocks.await_head(&self.limits);
        }
    }

    /// What is no HTTP/1.1 may be HTTP/2: only then is it asked, so that it costs HTTP/1.1 nothing.
    fn refused(&self, violation: Violation, bytes: &[u8]) -> bool {
        let common = bytes.len().min(PREFACE.len());
        if violation == Violation::UnsupportedVersion
            && self.requests() == 0
            && bytes[..common] == PREFACE[..common]
        {
            self.stage.set(Stage::Preface);
        } else {
            self.refuse(violation);
        }
        false
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
            look(&intake.held[..intake.held.len().min(to.remaining())]);
            intake.cleared = intake.held.len();
            intake.give(to);
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

    fn poll_body(
        &self,
        intake: &mut Intake,
        cx: &mut Context<'_>,
        to: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if intake.cleared > 0 {
            intake.give(to);
        } else if self.stage.get() == Stage::Handed {
            // hyper has the whole head and wants more of it: it reads it differently, which must not be.
            self.refuse(Violation::MalformedHead);
            return Poll::Pending;
        } else {
            ready!(self.poll_body_bytes(intake, cx, to))?;
        }
        if self.stage.get() == Stage::Answered && intake.is_body_complete() {
            self.next_request(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_body_bytes(
        &self,
        intake: &mut Intake,
        cx: &mut Context<'_>,
        to: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Course::Body(framing) = &mut intake.course else { return Poll::Pending };
        if *framing == Framing::Done {
            self.reader_waits.set(true);
            return Poll::Pending;
        }
        if self.appetite.get() == Appetite::Unasked {
            self.starve(cx);
            return Poll::Pending;
        }
        SCRATCH_BYTES.with_borrow_mut(|scratch| {
            let room = framing.at_most(to.remaining().min(scratch.len()));
            let Poll::Ready(count) = self.poll_receive(cx, &mut scratch[..room])? else {
                self.starve(cx);
                return Poll::Pending;
            };
            self.feed(count);
            match framing.claim(&scratch[..count]) {
                Ok(ours) => {
                    to.put_slice(&scratch[..ours]);
                    intake.held.extend_from_slice(&scratch[ours..count]);
                    Poll::Ready(Ok(()))
                }
                Err(violation) => {
                    self.refuse(violation);
                    Poll::Pending
                }
            }
        })
    }
}
