//! Secrets that listeners name.

use std::fmt;

use super::meta::{Meta, Object};

/// A Secret with a certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its metadata.
    pub meta: Meta,
    /// Its certificate and those that sign it, as PEM (`tls.crt`), if it has that.
    pub certificate: Option<Box<[u8]>>,
    /// Its key, as PEM (`tls.key`), if it has that.
    pub key: Option<Box<[u8]>>,
}

/// The key is not shown.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("key", &self.meta.key.to_string()).finish_non_exhaustive()
    }
}

impl Object for Secret {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}
