//! Secrets with certificates.

use k8s_openapi::api::core::v1;

use super::{Keeps, meta};
use crate::kubernetes::index::secret::Secret;

/// What is kept of a Secret: its certificate and key, and nothing else that it may hold.
pub(in crate::kubernetes::watch) fn trimmed(mut secret: v1::Secret, keeps: &Keeps) -> Option<Secret> {
    let mut data = secret.data.take().unwrap_or_default();
    let mut part = |name: &str| data.remove(name).map(|bytes| bytes.0.into_boxed_slice());
    let (certificate, key) = (part("tls.crt"), part("tls.key"));
    Some(Secret { meta: meta(secret.metadata, keeps)?, certificate, key })
}
