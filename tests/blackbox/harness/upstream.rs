//! An app that the test plays itself: what no program that one can start would do with a connection.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::apps::App;

/// `Content-Length: 2`, `ok`.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A server in the test's own process; ends when dropped.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

/// One connection to it.
#[derive(Debug)]
pub(crate) struct Far {
    /// For what is no request and no response.
    pub(crate) stream: TcpStream,
    seen: Vec<u8>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// Plays `connection` on each connection. That the edge leaves in the middle of it is no error.
    pub(crate) async fn playing<F>(connection: impl Fn(Far) -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), connection).await
    }

    /// The same at this address.
    pub(crate) async fn at<F>(address: SocketAddr, connection: impl Fn(Far) -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hearing = Arc::clone(&heard);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let far = Far { stream, seen: Vec::new(), heard: Arc::clone(&hearing) };
                let play = connection(far);
                tokio::spawn(async move { drop(play.await) });
            }
        });
        Self { address, heard, accepting }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// As an app of this name.
    pub(crate) fn app(&self, name: &str) -> App {
        App::elsewhere(name).line(&format!("upstreams = [\"{}\"]", self.address))
    }

    /// The heads of all requests that reached it, and what [`Far::hear`] was given, in that order.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it heard a request that begins so.
    pub(crate) fn times(&self, begin: &str) -> usize {
        self.heard().iter().filter(|head| head.starts_with(begin)).count()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Far {
    /// The next request's head, with its empty line; `None` at the end.
    pub(crate) async fn head(&mut self) -> io::Result<Option<String>> {
        let head = self.until("\r\n\r\n").await?;
        if let Some(head) = &head {
            self.hear(head);
        }
        Ok(head)
    }

    /// What comes up to and with `end`; `None` if the connection ends first.
    pub(crate) async fn until(&mut self, end: &str) -> io::Result<Option<String>> {
        loop {
            let found = self.seen.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.seen.split_off(at + end.len());
                let found = std::mem::replace(&mut self.seen, rest);
                return Ok(Some(String::from_utf8_lossy(&found).into_owned()));
            }
            if self.stream.read_buf(&mut self.seen).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Says something.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Notes something, for [`Upstream::heard`].
    pub(crate) fn hear(&self, what: &str) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_owned());
    }
}
