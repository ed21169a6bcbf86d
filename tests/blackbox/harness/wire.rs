//! A client's connection, byte by byte: it sends what it is told, and sees how an answer ends.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use super::message::{Answer, Head, Request, values};
use super::wait::{PATIENCE, within};

/// A connection; closed when dropped.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    /// Of a request: sent while its answer is read.
    unsent: Bytes,
    /// Read, and not yet understood.
    seen: Vec<u8>,
    rest: Rest,
    trailers: Vec<(String, String)>,
}

/// What of the answer's body is still to come.
#[derive(Debug)]
enum Rest {
    Nothing,
    Length(usize),
    Chunks,
    UntilClose,
}

/// Why there was no whole answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The connection ended before the first byte of an answer.
    Unanswered,
    /// It ended inside an answer.
    Cut(Answer),
    /// The other side reset it before an answer.
    Reset(io::Error),
    /// Nothing came, and the connection stayed open.
    Silent,
    /// What came was no HTTP/1.1.
    Malformed(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered => f.write_str("closed without an answer"),
            Self::Cut(answer) => write!(f, "cut off in mid-answer: {answer:?}"),
            Self::Reset(error) => write!(f, "reset: {error}"),
            Self::Silent => f.write_str("neither an answer nor an end"),
            Self::Malformed(why) => write!(f, "no HTTP/1.1: {why}"),
        }
    }
}

impl Wire {
    /// A new connection.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let connecting = within(PATIENCE, "a connection", TcpStream::connect(address));
        let stream = connecting.await.unwrap_or_else(|error| panic!("no connection to {address}: {error}"));
        // Else a head and a body that are written apart wait for one another.
        stream.set_nodelay(true).expect("nodelay");
        Self { stream, unsent: Bytes::new(), seen: Vec::new(), rest: Rest::Nothing, trailers: Vec::new() }
    }

    /// Sends these bytes. That the other side has closed is seen when its answer is read.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        if let Err(error) = within(PATIENCE * 2, "the bytes to be taken", self.stream.write_all(bytes)).await
        {
            assert!(
                matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
                "send: {error}"
            );
        }
    }

    /// Sends a request and reads its whole answer.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Answer, Broken> {
        self.send(&request.bytes()).await;
        self.read(request).await
    }

    /// The same for an answer that may come before all of the request is there: an app that says again what it hears stops
    /// hearing when nobody listens.
    pub(crate) async fn converse(&mut self, request: &Request) -> Result<Answer, Broken> {
        self.unsent = request.bytes().into();
        self.read(request).await
    }

    /// Reads the whole answer to a request that was sent.
    pub(crate) async fn read(&mut self, request: &Request) -> Result<Answer, Broken> {
        within(PATIENCE * 4, "a whole answer", self.whole(request.is_head())).await
    }

    /// The answer's head, those with 1xx before it, and none of its body, which [`Wire::data`] then gives.
    pub(crate) async fn head(&mut self) -> Result<Answer, Broken> {
        within(PATIENCE * 2, "the head of an answer", self.final_head(false)).await
    }

    /// The next head, also one with 1xx; a final one is not to be read further.
    pub(crate) async fn interim(&mut self) -> Result<Head, Broken> {
        within(PATIENCE * 2, "an interim answer", self.one_head()).await
    }

    /// The next piece of the body; `None` at its end. A chunk comes whole.
    pub(crate) async fn data(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        within(PATIENCE * 2, "the next piece of a body", self.piece()).await
    }

    /// Whether the other side has ended the connection, after what was read.
    pub(crate) async fn ended(&mut self) -> bool {
        let more = within(PATIENCE, "the end of the connection", self.fill());
        matches!(more.await, Ok(false) | Err(_))
    }

    /// So many bytes, after an upgrade.
    pub(crate) async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.seen.len() < count {
            let more = within(PATIENCE, "bytes after an upgrade", self.fill()).await;
            assert!(matches!(more, Ok(true)), "{more:?} after {:?}", self.seen);
        }
        take(&mut self.seen, count)
    }

    async fn whole(&mut self, head_only: bool) -> Result<Answer, Broken> {
        let mut answer = self.final_head(head_only).await?;
        loop {
            match self.piece().await {
                Ok(Some(piece)) => answer.body.extend(piece),
                Ok(None) => break,
                Err(Broken::Unanswered | Broken::Reset(_) | Broken::Cut(_)) => {
                    return Err(Broken::Cut(answer));
                }
                Err(other @ (Broken::Malformed(_) | Broken::Silent)) => return Err(other),
            }
        }
        answer.trailers = std::mem::take(&mut self.trailers);
        Ok(answer)
    }

    async fn final_head(&mut self, head_only: bool) -> Result<Answer, Broken> {
        let mut interim = Vec::new();
        loop {
            let head = self.one_head().await?;
            if (100..200).contains(&head.status) && head.status != 101 {
                interim.push(head);
                continue;
            }
            self.rest = if head_only { Rest::Nothing } else { rest(&head)? };
            let Head { status, headers } = head;
            return Ok(Answer { interim, status, headers, ..Answer::default() });
        }
    }

    async fn one_head(&mut self) -> Result<Head, Broken> {
        let Some(bytes) = self.until(b"\r\n\r\n").await? else {
            return if self.seen.is_empty() {
                Err(Broken::Unanswered)
            } else {
                Err(Broken::Malformed(format!(
                    "ended within a head: {:?}",
                    String::from_utf8_lossy(&self.seen)
                )))
            };
        };
        let mut lines = [httparse::EMPTY_HEADER; 200];
        let mut response = httparse::Response::new(&mut lines);
        let parsed = response.parse(&bytes);
        let malformed =
            |why: String| Broken::Malformed(format!("{why}: {:?}", String::from_utf8_lossy(&bytes)));
        match parsed {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(malformed("no end".to_owned())),
            Err(error) => return Err(malformed(error.to_string())),
        }
        let status = response.code.unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let pair = |line: &httparse::Header<'_>| (line.name.to_ascii_lowercase(), text(line.value));
        Ok(Head { status, headers: response.headers.iter().map(pair).collect() })
    }

    async fn piece(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        match self.rest {
            Rest::Nothing | Rest::Length(0) => Ok(None),
            Rest::Length(length) => {
                if self.seen.is_empty() && !self.fill().await? {
                    return Err(cut());
                }
                let piece = take(&mut self.seen, length);
                self.rest = Rest::Length(length - piece.len());
                Ok(Some(piece))
            }
            Rest::Chunks => self.chunk().await,
            Rest::UntilClose => {
                let more = !self.seen.is_empty() || self.fill().await?;
                Ok(more.then(|| std::mem::take(&mut self.seen)))
            }
        }
    }

    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let line = self.until(b"\r\n").await?.ok_or_else(cut)?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let digits = line.trim_end().split(';').next().unwrap_or_default();
        let Ok(size) = usize::from_str_radix(digits, 16) else {
            return Err(Broken::Malformed(format!("chunk size {line:?}")));
        };
        if size == 0 {
            return self.trailer_lines().await.map(|()| None);
        }
        while self.seen.len() < size + 2 {
            if !self.fill().await? {
                return Err(cut());
            }
        }
        let chunk = take(&mut self.seen, size);
        let end = take(&mut self.seen, 2);
        if end != b"\r\n" {
            return Err(Broken::Malformed(format!("a chunk ends with {end:?}")));
        }
        Ok(Some(chunk))
    }

    async fn trailer_lines(&mut self) -> Result<(), Broken> {
        self.rest = Rest::Nothing;
        loop {
            let line = self.until(b"\r\n").await?.ok_or_else(cut)?;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            match line.split_once(':') {
                Some((name, value)) => {
                    self.trailers.push((name.to_ascii_lowercase(), value.trim().to_owned()))
                }
                None if line.is_empty() => return Ok(()),
                None => return Err(Broken::Malformed(format!("trailer {line:?}"))),
            }
        }
    }

    /// What comes up to and with `end`; `None` if the connection ends first.
    async fn until(&mut self, end: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        loop {
            if let Some(at) = self.seen.windows(end.len()).position(|window| window == end) {
                return Ok(Some(take(&mut self.seen, at + end.len())));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Reads more; `false` at the end.
    async fn fill(&mut self) -> Result<bool, Broken> {
        self.seen.reserve(16 << 10);
        while !self.unsent.is_empty() {
            let ready = self.stream.ready(Interest::READABLE | Interest::WRITABLE).await;
            let ready = ready.map_err(Broken::Reset)?;
            if ready.is_readable()
                && let Some(read) = if_ready(self.stream.try_read_buf(&mut self.seen))?
            {
                return Ok(read > 0);
            }
            if ready.is_writable()
                && let Some(sent) = if_ready(self.stream.try_write(&self.unsent))?
            {
                self.unsent.advance(sent);
            }
        }
        self.stream.read_buf(&mut self.seen).await.map(|read| read > 0).map_err(Broken::Reset)
    }
}

/// What came of trying; `None` if it was too early.
fn if_ready(tried: io::Result<usize>) -> Result<Option<usize>, Broken> {
    match tried {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(Broken::Reset(error)),
    }
}

fn cut() -> Broken {
    Broken::Cut(Answer::default())
}

/// The first `most` bytes, or as many as there are.
fn take(bytes: &mut Vec<u8>, most: usize) -> Vec<u8> {
    let rest = bytes.split_off(most.min(bytes.len()));
    std::mem::replace(bytes, rest)
}

/// RFC 9112, section 6.3; strict, because a client that guesses is how responses are split.
fn rest(head: &Head) -> Result<Rest, Broken> {
    let lengths = values(&head.headers, "content-length");
    let codings = values(&head.headers, "transfer-encoding");
    if matches!(head.status, 101 | 204 | 304) {
        return Ok(Rest::Nothing);
    }
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(Rest::UntilClose),
        ([length], []) => {
            length.parse().map(Rest::Length).map_err(|_| Broken::Malformed(format!("length {length}")))
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Rest::Chunks),
        (lengths, codings) => Err(Broken::Malformed(format!("lengths {lengths:?}, codings {codings:?}"))),
    }
}
