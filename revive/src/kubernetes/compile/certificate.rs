//! Certificates that listeners name.

use std::sync::Arc;

use gateway_api::gateways::GatewayListenersTlsCertificateRefs as Reference;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::grant::{self, GATEWAY_API, permits};
use crate::kubernetes::index::gateway::Gateway;
use crate::kubernetes::index::secret::Secret;
use crate::kubernetes::index::{Index, Key};

/// A certificate for a listener's hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The Gateway.
    pub gateway: Key,
    /// Its listener.
    pub listener: Box<str>,
    /// The listener's port.
    pub port: u16,
    /// Its hosts; `None`: any.
    pub host: Option<config::model::HostPattern>,
    /// The Secret with the certificate and its key, both of which have been found right and to belong together.
    pub secret: Arc<Secret>,
}

/// What was found where a listener names a certificate.
#[derive(Debug)]
pub(super) enum Found {
    /// It, with its key.
    Certificate(Arc<Secret>),
    /// It has not yet been asked for.
    Pending,
    /// Nothing that can be used: the reason of `ResolvedRefs`, and a word for people.
    Unusable(&'static str, String),
}

/// The Secret that is named, if it is one.
pub(super) fn named(gateway: &Gateway, reference: &Reference) -> Option<Key> {
    let secret = reference.kind.as_deref().unwrap_or("Secret") == "Secret"
        && reference.group.as_deref().unwrap_or_default().is_empty();
    let own = &gateway.meta.key.namespace;
    secret.then(|| Key::new(reference.namespace.as_deref().unwrap_or(own), &reference.name))
}

/// What a listener gets for the certificate that it names.
pub(super) fn resolved(index: &Index, gateway: &Gateway, reference: &Reference) -> Found {
    const INVALID: &str = "InvalidCertificateRef";
    let Some(key) = named(gateway, reference) else {
        return Found::Unusable(INVALID, format!("{}: only Secrets can hold certificates", reference.name));
    };
    let from = grant::From { group: GATEWAY_API, kind: "Gateway", namespace: &gateway.meta.key.namespace };
    if !permits(index, from, "Secret", &key) {
        return Found::Unusable("RefNotPermitted", format!("no ReferenceGrant permits Secret {key}"));
    }
    match index.secrets.get(&key) {
        None => Found::Pending,
        Some(None) => Found::Unusable(INVALID, format!("there is no Secret {key}, or it may not be read")),
        Some(Some(secret)) => match right(secret) {
            Ok(()) => Found::Certificate(secret.clone()),
            Err(why) => Found::Unusable(INVALID, format!("Secret {key}: {why}")),
        },
    }
}

/// Whether there is a certificate, and its key.
fn right(secret: &Secret) -> Result<(), String> {
    let certificate = secret.certificate.as_deref().ok_or("it has no tls.crt")?;
    let key = secret.key.as_deref().ok_or("it has no tls.key")?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or("tls.crt is no certificate in PEM")?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "tls.key is no private key in PEM")?;
    // What the error says is about the key: it is not passed on to a status that many may read.
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|_| "tls.crt and tls.key do not belong together, or are of a kind that cannot be used")?;
    Ok(())
}
