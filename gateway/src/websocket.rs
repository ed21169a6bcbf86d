//! The handshake of WebSockets (RFC 6455, section 4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use sha1::{Digest, Sha1};

/// What a client wants to see answered.
pub static KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
/// The answer.
pub static ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");

/// What a server says to a client's key (section 4.2.2): that it has understood.
pub fn accept(key: &[u8]) -> String {
    let digest =
        Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    STANDARD.encode(digest)
}

#[cfg(test)]
mod tests {
    /// The example of section 1.3.
    #[test]
    fn a_key_has_one_answer() {
        assert_eq!(super::accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
