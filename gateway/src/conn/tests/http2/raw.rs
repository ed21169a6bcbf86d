//! A client that sends whatever frames it is told to.

use tokio::io::AsyncReadExt;

use crate::conn::tests::support::{Client, Server, soon};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

pub(super) const NO_ERROR: u32 = 0;
pub(super) const PROTOCOL_ERROR: u32 = 1;
pub(super) const CANCEL: u32 = 8;
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// The code of a RST_STREAM or a GOAWAY.
    pub(super) fn code(&self) -> u32 {
        let last = self.payload.last_chunk().or_else(|| self.payload.first_chunk()).unwrap();
        let at_four = self.payload.get(4..8).and_then(|code| code.first_chunk());
        u32::from_be_bytes(*if self.kind == GOAWAY { at_four.unwrap() } else { last })
    }
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request, its name and values as they are (RFC 7541, section 6.2.2).
pub(super) fn block(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let own = [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)];
    own.iter().chain(more).flat_map(|(name, value)| literal(name, value)).collect()
}

pub(super) fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0][..], &integer(name.len()), name.as_bytes(), &integer(value.len()), value.as_bytes()].concat()
}

/// RFC 7541, section 5.1, with a prefix of 7 bits.
fn integer(mut value: usize) -> Vec<u8> {
    if value < 127 {
        return vec![u8::try_from(value).unwrap()];
    }
    let mut bytes = vec![127];
    value -= 127;
    while value >= 128 {
        bytes.push(u8::try_from(value % 128).unwrap() | 128);
        value /= 128;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

pub(super) fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block("GET", path, &[]))
}

pub(super) fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &block("POST", path, &[]))
}

pub(super) fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

pub(super) struct Raw(pub(super) Client);

impl Raw {
    /// Says the preface and that it has no wishes.
    pub(super) async fn begin(server: &Server) -> Self {
        let mut client = server.connect().await;
        client.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
        Self(client)
    }

    pub(super) async fn send(&mut self, frames: impl AsRef<[u8]>) {
        self.0.send(frames).await;
    }

    /// Sends what nobody may want any more.
    pub(super) async fn try_send(&mut self, frames: &[u8]) -> std::io::Result<()> {
        soon(tokio::io::AsyncWriteExt::write_all(&mut self.0.0, frames)).await
    }

    /// The next frame; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        if soon(self.0.0.read_exact(&mut head)).await.is_err() {
            return None;
        }
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        soon(self.0.0.read_exact(&mut payload)).await.ok()?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes([s0, s1, s2, s3]), payload })
    }

    /// The next frame of this kind; everything before it is passed over.
    pub(super) async fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("closed before a frame of kind {kind}"));
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// The last GOAWAY before the server closes.
    pub(super) async fn goes_away(&mut self) -> u32 {
        let mut last = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                last = Some(frame.code());
            }
        }
        last.expect("a GOAWAY")
    }
}
