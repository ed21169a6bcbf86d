//! Certificates.

use std::path::{Path, PathBuf};

use config::link::tls::Files;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Who signs certificates.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Writes a certificate for this DNS name, and whom to trust.
    pub(crate) fn write(&self, files: &Files, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        replace(&files.certificate, &certificate.pem());
        replace(&files.key, &key.serialize_pem());
        replace(&files.authority, &self.pem);
    }
}

/// The files of one end.
pub(crate) fn files(dir: &Path, whose: &str) -> Files {
    let file = |what: &str| -> PathBuf { dir.join(format!("{whose}.{what}")) };
    Files { certificate: file("crt"), key: file("key"), authority: file("ca") }
}

fn replace(file: &Path, text: &str) {
    let draft = file.with_extension("new");
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(draft, file).unwrap();
}
