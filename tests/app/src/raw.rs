//! Canned answers: what no HTTP library would send, such as 103, doubled lengths, or trailers nobody asked for.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::state::State;

/// Answers each request with `answer`, for ever.
pub(crate) async fn serve(listener: TcpListener, answer: Bytes, state: Arc<State>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let (answer, state) = (answer.clone(), Arc::clone(&state));
        // A client that leaves is no error of ours.
        tokio::spawn(async move { drop(connection(stream, answer, state).await) });
    }
}

async fn connection(mut stream: TcpStream, answer: Bytes, state: Arc<State>) -> io::Result<()> {
    let mut seen = Vec::new();
    while let Some(head) = head(&mut stream, &mut seen).await? {
        let (method, rest) = head.split_once(' ').unwrap_or((&head, ""));
        state.count(method, rest.split(' ').next().unwrap_or(rest));
        body(&mut stream, &mut seen, length(&head)).await?;
        stream.write_all(&answer).await?;
        if state.settings.raw_close {
            return stream.shutdown().await;
        }
    }
    Ok(())
}

/// The next request's head; `None` at the end. `seen` keeps what was read beyond it.
async fn head(stream: &mut TcpStream, seen: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = seen.split_off(end + 4);
            let head = std::mem::replace(seen, rest);
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
        if stream.read_buf(seen).await? == 0 {
            return Ok(None);
        }
    }
}

/// Takes the body off, if it has a length; a chunked one would be taken for further requests.
async fn body(stream: &mut TcpStream, seen: &mut Vec<u8>, length: usize) -> io::Result<()> {
    while seen.len() < length {
        if stream.read_buf(seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    seen.drain(..length);
    Ok(())
}

fn length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}
