//! A client that does what it is told and nothing more: blocking sockets, requests as bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Outcome;

/// How long a socket may be silent before a scenario gives up.
const SILENCE: Duration = Duration::from_secs(120);

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// Bytes read beyond the last answer.
    ahead: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body, for which it must have a length.
    pub body: Vec<u8>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// As of connect(2).
    pub fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        Ok(Self { stream, ahead: Vec::new() })
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// As of write(2).
    pub fn send(&mut self, method: &str, host: &str, target: &str) -> Outcome<()> {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\naccept: */*\r\n\r\n");
        Ok(self.stream.write_all(head.as_bytes())?)
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// Where it is cut, or has no length.
    pub fn receive(&mut self) -> Outcome<Answer> {
        let mut bytes = std::mem::take(&mut self.ahead);
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.read(&mut bytes)?;
        };
        let (status, length) = parse(&String::from_utf8_lossy(&bytes[..head]))?;
        while bytes.len() < head + length {
            self.read(&mut bytes)?;
        }
        self.ahead = bytes.split_off(head + length);
        Ok(Answer { status, body: bytes.split_off(head) })
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// As of both.
    pub fn ask(&mut self, method: &str, host: &str, target: &str) -> Outcome<Answer> {
        self.send(method, host, target)?;
        self.receive()
    }

    fn read(&mut self, into: &mut Vec<u8>) -> Outcome<()> {
        let mut buffer = [0; 4_096];
        let count = self.stream.read(&mut buffer)?;
        if count == 0 {
            return Err(format!("closed in the middle of an answer, after {} bytes", into.len()).into());
        }
        into.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}

/// Status and length of a head.
fn parse(head: &str) -> Outcome<(u16, usize)> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok());
    match (status, length) {
        (Some(status), Some(length)) => Ok((status, length)),
        _ => Err(format!("no status or no length: {head}").into()),
    }
}
