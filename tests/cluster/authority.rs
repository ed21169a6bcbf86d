//! Certificates of the link.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Writes for each half NAME.crt, NAME.key and NAME.ca, all of one authority.
pub(crate) fn write(directory: &Path, halves: &[&str]) {
    let key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let trusted = authority.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(authority, key);
    for half in halves {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([format!("{half}.edge.loco.io")]).expect("a DNS name");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let file = |what: &str, text: &str| {
            std::fs::write(directory.join(format!("{half}.{what}")), text).expect("a file");
        };
        file("crt", &certificate.pem());
        file("key", &key.serialize_pem());
        file("ca", &trusted);
    }
}
