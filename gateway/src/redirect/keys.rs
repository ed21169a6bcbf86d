//! The keys that links are signed with.

use std::fmt;

use config::hex;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a key: as many as the hash has (RFC 2104, section 3).
pub const KEY_BYTES: usize = 32;
/// Bytes of a block of SHA-256, to which a key is filled up with zeros (RFC 2104, section 2).
const BLOCK_BYTES: usize = 64;

/// The key that signs, and the one before it, which is still believed: so a key can be replaced while links are about.
#[derive(Clone)]
pub struct Keys {
    signing: Key,
    former: Option<Key>,
}

#[derive(Clone)]
struct Key {
    bytes: [u8; KEY_BYTES],
    mac: Hmac<Sha256>,
}

/// Why there are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The text is none of keys.
    #[error(
        "keys are one line of 64 hexadecimal digits, or two: first the one that signs, then the one before it"
    )]
    Malformed,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    NoRandomness(getrandom::Error),
}

impl Keys {
    /// One that nobody has had before.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn random() -> Result<Self, KeysError> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(KeysError::NoRandomness)?;
        Ok(Self { signing: Key::new(bytes), former: None })
    }

    /// Reads what [`Keys::to_text`] has written, or a person: the key that signs, and in a second line the one before it.
    ///
    /// # Errors
    /// Where it is anything else.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut lines = text.split_whitespace().map(|line| Key::parse(line).ok_or(KeysError::Malformed));
        let signing = lines.next().ok_or(KeysError::Malformed)??;
        let former = lines.next().transpose()?;
        if lines.next().is_some() { Err(KeysError::Malformed) } else { Ok(Self { signing, former }) }
    }

    /// As it is kept.
    pub fn to_text(&self) -> String {
        let lines = [Some(&self.signing), self.former.as_ref()].into_iter().flatten();
        lines.map(|key| hex::encode(&key.bytes) + "\n").collect()
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; KEY_BYTES] {
        self.signing.mac.clone().chain_update(message).finalize().into_bytes().into()
    }

    /// Takes as long whatever of the signature is wrong.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let keys = [Some(&self.signing), self.former.as_ref()].into_iter().flatten();
        keys.map(|key| key.mac.clone().chain_update(message).verify_slice(signature)).any(|is| is.is_ok())
    }
}

impl Key {
    fn new(bytes: [u8; KEY_BYTES]) -> Self {
        let mut block = [0; BLOCK_BYTES];
        block[..KEY_BYTES].copy_from_slice(&bytes);
        Self { bytes, mac: Hmac::new(&block.into()) }
    }

    fn parse(line: &str) -> Option<Self> {
        Some(Self::new(hex::decode(line)?.try_into().ok()?))
    }
}

/// Says nothing of the keys.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
