//! A request on its way out: its head at once, its body as fast as the app takes it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use super::Unanswered;
use crate::forward;
use crate::upstream::Call;

thread_local! {
    /// Where heads are written before they are sent.
    static HEAD: RefCell<Vec<u8>> = RefCell::default();
}

/// What a head of common size needs; what a large one needed is not kept.
const USUAL_HEAD: usize = 8 << 10;

/// Sends the head of a request, as far as the socket takes it; returns what it did not take.
pub(super) fn send_head(socket: &TcpStream, call: &Call<'_>) -> Result<Vec<u8>, Unanswered> {
    HEAD.with_borrow_mut(|head| {
        head.clear();
        forward::write(call.request, call.added, head);
        let sent = match socket.try_write(head) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return Err(Unanswered::Unsent),
        };
        let unsent = head[sent..].to_vec();
        head.shrink_to(USUAL_HEAD);
        Ok(unsent)
    })
}

/// How the end of a body is told to the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

/// Why a body was not sent to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The app takes no more. What it said before it closed is still there to be read, and says why.
    App,
    /// The client did not finish it, or it was too large.
    Client,
}

/// What has become of a body that is sent by a task of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    UnderWay,
    Sent,
    Stopped,
    /// Not by the app.
    Failed,
}

type Work = Pin<Box<dyn Future<Output = Result<(), Stop>>>>;

/// What of a request is still to be sent.
pub(super) enum Sending {
    /// Nothing.
    Nothing,
    /// This, while the response is waited for.
    Here(Work),
    /// While the response is read.
    Apart(Apart),
    /// Some of it, but the app takes no more, or there is no more.
    Stopped,
}

/// A body that is sent by a task of its own; dropping this ends it.
pub(super) struct Apart {
    task: AbortHandle,
    outcome: Rc<Cell<Outcome>>,
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sending {
    /// Sends what of the head was not sent, and the body.
    pub(super) fn begin<B>(socket: &Rc<TcpStream>, head: Vec<u8>, body: B) -> Self
    where
        B: Body<Data = Bytes> + Unpin + 'static,
    {
        Self::Here(Box::pin(send(socket.clone(), head, body)))
    }

    /// Goes on.
    ///
    /// # Errors
    /// If the client did not finish its request: then there will be no response to it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Result<(), Failed> {
        let Self::Here(work) = self else { return Ok(()) };
        match work.as_mut().poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(())) => {
                *self = Self::Nothing;
                Ok(())
            }
            Poll::Ready(Err(Stop::App)) => {
                *self = Self::Stopped;
                Ok(())
            }
            Poll::Ready(Err(Stop::Client)) => {
                *self = Self::Stopped;
                Err(Failed)
            }
        }
    }

    /// The response has begun: what is still to be sent must wait neither for the client to read it, nor it for that.
    pub(super) fn detach(&mut self, socket: &Rc<TcpStream>) {
        let work = match std::mem::replace(self, Self::Nothing) {
            Self::Here(work) => work,
            other => return *self = other,
        };
        let (socket, outcome) = (socket.clone(), Rc::new(Cell::new(Outcome::UnderWay)));
        let told = outcome.clone();
        let task = tokio::task::spawn_local(async move {
            told.set(match work.await {
                Ok(()) => Outcome::Sent,
                Err(Stop::App) => Outcome::Stopped,
                Err(Stop::Client) => Outcome::Failed,
            });
            if told.get() == Outcome::Failed {
                // A response to half a request makes no sense; whoever reads it is woken by this. A socket that is
                // closed already wakes them, too.
                let _closed = SockRef::from(&*socket).shutdown(Shutdown::Both);
            }
        });
        *self = Self::Apart(Apart { task: task.abort_handle(), outcome });
    }

    /// Whether all was sent.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Apart(apart) => apart.outcome.get() == Outcome::Sent,
            Self::Here(_) | Self::Stopped => false,
        }
    }

    /// Whether the client did not finish its request.
    pub(super) fn has_failed(&self) -> bool {
        match self {
            Self::Apart(apart) => apart.outcome.get() == Outcome::Failed,
            Self::Nothing | Self::Here(_) | Self::Stopped => false,
        }
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Here(_) => "Here",
            Self::Apart(_) => "Apart",
            Self::Stopped => "Stopped",
        })
    }
}

/// The client did not finish its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

async fn send<B>(socket: Rc<TcpStream>, head: Vec<u8>, mut body: B) -> Result<(), Stop>
where
    B: Body<Data = Bytes> + Unpin,
{
    write_all(&socket, [&head, b"", b""]).await?;
    drop(head);
    let mut framing = match body.size_hint().exact() {
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    };
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame.map_err(|_| Stop::Client)?.into_data() {
            Ok(data) => send_data(&socket, &mut framing, data).await?,
            Err(frame) => {
                return match (framing, frame.into_trailers()) {
                    (Framing::Chunked, Ok(trailers)) => end(&socket, &trailers).await,
                    (Framing::Chunked | Framing::Length(_), _) => Ok(()),
                };
            }
        }
        if body.is_end_stream() {
            break;
        }
    }
    match framing {
        Framing::Length(0) => Ok(()),
        // Fewer bytes than were promised.
        Framing::Length(_) => Err(Stop::Client),
        Framing::Chunked => end(&socket, &HeaderMap::new()).await,
    }
}

async fn send_data(socket: &TcpStream, framing: &mut Framing, data: Bytes) -> Result<(), Stop> {
    match framing {
        Framing::Length(left) => {
            *left = left.checked_sub(data.len() as u64).ok_or(Stop::Client)?;
            write_all(socket, [&data, b"", b""]).await
        }
        // An empty chunk is the end.
        Framing::Chunked if data.is_empty() => Ok(()),
        Framing::Chunked => {
            let size = format!("{:x}\r\n", data.len());
            write_all(socket, [size.as_bytes(), &data, b"\r\n"]).await
        }
    }
}

/// The last chunk.
async fn end(socket: &TcpStream, trailers: &HeaderMap) -> Result<(), Stop> {
    let mut last = b"0\r\n".to_vec();
    for (name, value) in trailers {
        forward::write_line(name, value, &mut last);
    }
    last.extend_from_slice(b"\r\n");
    write_all(socket, [&last, b"", b""]).await
}

async fn write_all(socket: &TcpStream, mut parts: [&[u8]; 3]) -> Result<(), Stop> {
    while parts.iter().any(|part| !part.is_empty()) {
        poll_fn(|cx| socket.poll_write_ready(cx)).await.map_err(|_| Stop::App)?;
        let mut written = match socket.try_write_vectored(&parts.map(IoSlice::new)) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return Err(Stop::App),
        };
        for part in &mut parts {
            let count = written.min(part.len());
            *part = &part[count..];
            written -= count;
        }
    }
    Ok(())
}
