//! Bytes that have come from an app and were not looked at yet.

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use memchr::memchr;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// What all connections of a thread read into. Each takes off what came, so that one allocation serves some fifty
/// responses, and a connection that waits holds no buffer.
const SHARED: usize = 16 << 10;
/// Less room than this is not read into.
const LEAST: usize = 4 << 10;
/// What is read at once of a body that comes faster than it is read.
const BULK: usize = 64 << 10;

thread_local! {
    static SPACE: RefCell<BytesMut> = RefCell::default();
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Intake {
    unread: Bytes,
    /// How many of them were found to be a part of a head.
    partial: usize,
    pace: Pace,
}

/// How much came at the last read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pace {
    #[default]
    Slow,
    /// All that there was room for.
    Fast,
}

impl Intake {
    /// What is there.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.unread
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }

    /// All that is there is a part of a head.
    pub(super) fn is_partial(&mut self) {
        self.partial = self.unread.len();
    }

    /// Whether the bytes may be a whole head by now. One that comes byte by byte is not looked at for each of them.
    pub(super) fn may_be_complete(&self) -> bool {
        self.partial == 0 || memchr(b'\n', &self.unread[self.partial..]).is_some()
    }

    /// Takes the first `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        self.partial = 0;
        // What is empty must not keep the memory that it came in.
        if count == self.unread.len() {
            std::mem::take(&mut self.unread)
        } else {
            self.unread.split_to(count)
        }
    }

    pub(super) fn into_rest(self) -> Bytes {
        self.unread
    }

    /// Reads more: how many bytes, 0 at the app's end.
    pub(super) fn poll_fill(&mut self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            // What always has more uses up what one turn of a task may do.
            if self.pace == Pace::Fast {
                ready!(socket.poll_read_ready(cx))?;
            }
            match self.fill(socket) {
                // What is not ready is asked for when that is known, so that what is costs no question.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(socket.poll_read_ready(cx))?;
                }
                read => return Poll::Ready(read),
            }
        }
    }

    /// Reads what may have come, of a connection on which nothing more is expected.
    pub(super) fn fill_now(&mut self, socket: &TcpStream) {
        // What cannot be read is not there.
        let _end = self.fill(socket);
    }

    fn fill(&mut self, socket: &TcpStream) -> io::Result<usize> {
        if !self.unread.is_empty() {
            return self.fill_behind(socket);
        }
        if self.pace == Pace::Fast {
            return self.read(socket, &mut BytesMut::with_capacity(BULK));
        }
        SPACE.with_borrow_mut(|space| {
            if space.capacity() < LEAST {
                space.reserve(SHARED);
            }
            self.read(socket, space)
        })
    }

    /// A head that came in parts must be in one piece. It is copied out of what is shared, once.
    fn fill_behind(&mut self, socket: &TcpStream) -> io::Result<usize> {
        let before = std::mem::take(&mut self.unread);
        let mut space = before.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        space.reserve(LEAST);
        let read = socket.try_read_buf(&mut space);
        self.unread = space.freeze();
        read
    }

    fn read(&mut self, socket: &TcpStream, space: &mut BytesMut) -> io::Result<usize> {
        let room = space.capacity();
        let count = socket.try_read_buf(space)?;
        if count == 0 {
            return Ok(0);
        }
        self.unread = space.split().freeze();
        if count < room {
            self.pace = Pace::Slow;
            // A read that comes back short has emptied the socket. Without this the next one would ask in vain.
            let _cleared =
                socket.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        } else {
            self.pace = Pace::Fast;
        }
        Ok(count)
    }
}
