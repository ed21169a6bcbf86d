//! `grpc.health.v1.Health/Check` over HTTP/2 in the clear. Its request is one string, its response one number: written
//! and read by hand.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::client::{self, SendRequest};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;

/// `HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: u64 = 1;
/// Bytes of an answer; a right one has seven.
const MOST: usize = 4 << 10;
/// The byte before a message that says whether it is compressed, and its length in four.
const PREFIX: usize = 5;

/// One readiness check; `None` if there was no answer at all.
pub(super) async fn check(endpoint: SocketAddr, stream: Option<TcpStream>, service: &str) -> Option<bool> {
    let stream = match stream {
        Some(stream) => stream,
        None => TcpStream::connect(endpoint).await.ok()?,
    };
    let (sender, connection) = client::handshake(stream).await.ok()?;
    tokio::select! {
        biased;
        answer = ask(sender, service) => answer,
        _ended = connection => None,
    }
}

async fn ask(sender: SendRequest<Bytes>, service: &str) -> Option<bool> {
    let request = Request::post("http://localhost/grpc.health.v1.Health/Check")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "loco-edge-probe");
    let (response, mut body) = sender.ready().await.ok()?.send_request(request.body(()).ok()?, false).ok()?;
    body.send_data(message(service), true).ok()?;
    answer(response.await.ok()?).await
}

async fn answer(response: Response<RecvStream>) -> Option<bool> {
    let (head, mut body) = response.into_parts();
    let mut message = Vec::new();
    while let Some(data) = body.data().await {
        message.extend_from_slice(&data.ok()?);
        if message.len() > MOST {
            return Some(false);
        }
    }
    let trailers = body.trailers().await.ok()?;
    // Without a message the status stands in the head.
    let went_well = is_ok(&trailers.unwrap_or(head.headers));
    Some(went_well && message.get(PREFIX..).and_then(status) == Some(SERVING))
}

fn is_ok(headers: &HeaderMap) -> bool {
    headers.get("grpc-status").is_some_and(|status| status == "0")
}

/// A `HealthCheckRequest` with its prefix: the service is its field 1.
fn message(service: &str) -> Bytes {
    let mut fields = BytesMut::with_capacity(service.len() + 8);
    if !service.is_empty() {
        fields.put_u8(1 << 3 | 2);
        let mut length = service.len();
        while length > 0x7f {
            // The lower seven bits, and that more follow.
            fields.put_u8(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        fields.put_u8(u8::try_from(length).unwrap_or_default());
        fields.put_slice(service.as_bytes());
    }
    let mut message = BytesMut::with_capacity(PREFIX + fields.len());
    message.put_u8(0);
    message.put_u32(u32::try_from(fields.len()).unwrap_or(u32::MAX));
    message.put(fields);
    message.freeze()
}

/// Field 1 of a `HealthCheckResponse`, which is 0 where it is not there; `None` if this is none.
fn status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let skipped = match (key >> 3, key & 7) {
            (1, 0) => {
                status = varint(&mut message)?;
                0
            }
            (_, 0) => {
                varint(&mut message)?;
                0
            }
            (_, 1) => 8,
            (_, 2) => usize::try_from(varint(&mut message)?).ok()?,
            (_, 5) => 4,
            _ => return None,
        };
        message = message.get(skipped..)?;
    }
    Some(status)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for place in 0..10 {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_request_is_as_a_generated_client_writes_it() {
        assert_eq!(&message("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&message("a.B")[..], [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'.', b'B']);
        let long = message(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 0x2f, 0x0a, 0xac, 0x02]);
        assert_eq!(long.len(), 5 + 3 + 300);
    }

    #[test]
    fn the_status_is_found_among_fields_that_nobody_knows_yet() {
        assert_eq!(status(&[]), Some(0));
        assert_eq!(status(&[0x08, 1]), Some(SERVING));
        assert_eq!(status(&[0x08, 2]), Some(2));
        assert_eq!(status(&[0x12, 2, 0x08, 2, 0x1d, 0, 0, 0, 0, 0x08, 1, 0x20, 0x80, 1]), Some(SERVING));
        for broken in [&[0x08][..], &[0x08, 0x80], &[0x12, 9, 1], &[0x0b], &[0xff; 11]] {
            assert_eq!(status(broken), None, "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _any = status(&bytes);
        }
    }
}
