//! A client of HTTP/2 with prior knowledge (RFC 9113, section 3.3): many requests at once on one connection. It goes on
//! only while the runtime it was made in runs.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::Request;
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::task::JoinHandle;
use tokio::time;

use crate::Outcome;
use crate::client::Answer;

/// What answers may fill before they are read: more than any scenario asks for.
const WINDOW: u32 = 16 << 20;

/// One connection. Dropping it closes it, whatever is under way.
#[derive(Debug)]
pub struct Http2 {
    sender: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A request whose answer has not been read.
#[derive(Debug)]
pub struct Asked {
    answer: ResponseFuture,
    body: SendStream<Bytes>,
}

/// One thread's runtime, for all connections of a scenario.
///
/// # Errors
/// Where the kernel has none.
pub fn runtime() -> Outcome<Runtime> {
    Ok(runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Gives up after `limit`.
///
/// # Errors
/// After `limit`, and those of the work.
pub async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    time::timeout(limit, work).await.map_err(|_| format!("{what}: not within {limit:?}"))?
}

impl Http2 {
    /// Connects.
    ///
    /// # Errors
    /// As of connect(2).
    pub async fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut builder = client::Builder::new();
        builder.initial_connection_window_size(WINDOW).initial_window_size(WINDOW);
        let (sender, connection) = builder.handshake(stream).await?;
        Ok(Self { sender, connection: tokio::spawn(connection) })
    }

    /// Sends a request's head when the server has room for a stream; without a body this is all of it.
    ///
    /// # Errors
    /// Where the connection has ended.
    pub async fn send(&mut self, method: &str, host: &str, target: &str, has_body: bool) -> Outcome<Asked> {
        poll_fn(|cx| self.sender.poll_ready(cx)).await?;
        let head = Request::builder().method(method).uri(format!("http://{host}{target}")).body(())?;
        let (answer, body) = self.sender.send_request(head, !has_body)?;
        Ok(Asked { answer, body })
    }

    /// Sends a request with this body and reads the answer.
    ///
    /// # Errors
    /// Where it is cut.
    pub async fn ask(&mut self, method: &str, host: &str, target: &str, body: &Bytes) -> Outcome<Answer> {
        let mut asked = self.send(method, host, target, !body.is_empty()).await?;
        if !body.is_empty() {
            // h2 keeps what the windows have no room for yet.
            asked.body.send_data(body.clone(), true)?;
        }
        asked.read().await
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Asked {
    /// Sends so many bytes of the body, as the windows open, and says that there are more to come.
    ///
    /// # Errors
    /// Where the stream ends.
    pub async fn fill(&mut self, mut bytes: usize) -> Outcome<()> {
        while bytes > 0 {
            self.body.reserve_capacity(bytes);
            let room = poll_fn(|cx| self.body.poll_capacity(cx)).await.ok_or("the stream has ended")??;
            let now = room.min(bytes);
            self.body.send_data(Bytes::from(vec![b'x'; now]), false)?;
            bytes -= now;
        }
        self.body.reserve_capacity(1);
        Ok(())
    }

    /// Whether there is no window for another byte.
    ///
    /// # Errors
    /// Where the stream has ended.
    pub async fn is_blocked(&mut self) -> Outcome<bool> {
        poll_fn(|cx| {
            Poll::Ready(match self.body.poll_capacity(cx) {
                Poll::Pending => Ok(true),
                Poll::Ready(Some(Ok(_))) => Ok(false),
                Poll::Ready(Some(Err(error))) => Err(error.into()),
                Poll::Ready(None) => Err("the stream has ended".into()),
            })
        })
        .await
    }

    /// Takes it back.
    pub fn cancel(mut self) {
        self.body.send_reset(Reason::CANCEL);
    }

    /// Reads the whole answer.
    ///
    /// # Errors
    /// Where it is cut.
    pub async fn read(self) -> Outcome<Answer> {
        let (head, mut incoming) = self.answer.await?.into_parts();
        let mut body = Vec::new();
        while let Some(data) = incoming.data().await {
            let data = data?;
            incoming.flow_control().release_capacity(data.len())?;
            body.extend_from_slice(&data);
        }
        Ok(Answer { status: head.status.as_u16(), body })
    }
}
