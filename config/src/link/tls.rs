//! How the two ends of a link prove who they are: mutual TLS, by certificates of one authority, from files that may
//! change while they are in use (a Secret that is rotated).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The DNS name in revive's certificate, wherever it is reached.
pub const REVIVE: &str = "revive.edge.loco.io";
/// The DNS name in a gateway's certificate.
pub const GATEWAY: &str = "gateway.edge.loco.io";
/// The link's protocol (RFC 7301; RFC 9113, section 3.2).
const ALPN: &[u8] = b"h2";

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// One's own certificate, and those between it and the authority's.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whom certificates must be from; several while one takes another's place.
    pub authority: PathBuf,
}

/// Why files are of no use.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// One cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, io::Error),
    /// One is no PEM, or has not in it what it should.
    #[error("{0} has no {1} in PEM form")]
    NotPem(PathBuf, &'static str),
    /// They do not fit together.
    #[error("the certificate, its key and the authority cannot be used: {0}")]
    Unfit(String),
}

/// What the files have when they are read.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: RootCertStore,
}

/// By what one knows that a file is another: what it was written, and which it is.
type Stamp = [Option<(SystemTime, u64)>; 3];

impl Files {
    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key, &self.authority].map(|file| {
            let about = fs::metadata(file).ok()?;
            Some((about.modified().ok()?, about.len()))
        })
    }

    fn read(&self) -> Result<Identity, FilesError> {
        let key = PrivateKeyDer::from_pem_slice(&bytes(&self.key)?)
            .map_err(|_| FilesError::NotPem(self.key.clone(), "private key"))?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority)? {
            roots.add(certificate).map_err(unfit)?;
        }
        Ok(Identity { chain: certificates(&self.certificate)?, key, roots })
    }
}

fn bytes(file: &Path) -> Result<Vec<u8>, FilesError> {
    fs::read(file).map_err(|error| FilesError::Unreadable(file.to_owned(), error))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, FilesError> {
    let found = CertificateDer::pem_slice_iter(&bytes(file)?).collect::<Result<Vec<_>, _>>().ok();
    let found = found.filter(|found| !found.is_empty());
    found.ok_or_else(|| FilesError::NotPem(file.to_owned(), "certificate"))
}

fn unfit(error: impl std::fmt::Display) -> FilesError {
    FilesError::Unfit(error.to_string())
}

impl Identity {
    fn client(self) -> Result<ClientConfig, FilesError> {
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
        let config = config.with_safe_default_protocol_versions().map_err(unfit)?;
        let config = config.with_root_certificates(self.roots);
        let mut config = config.with_client_auth_cert(self.chain, self.key).map_err(unfit)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(config)
    }

    fn server(self) -> Result<ServerConfig, FilesError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots.into(), provider.clone());
        let verifier = verifier.build().map_err(unfit)?;
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().map_err(unfit)?;
        let config = config.with_client_cert_verifier(verifier);
        let mut config = config.with_single_cert(self.chain, self.key).map_err(unfit)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(config)
    }
}

/// What is made of the files, anew when they have changed.
#[derive(Debug)]
pub struct Current<C> {
    files: Files,
    make: fn(Identity) -> Result<C, FilesError>,
    read: Stamp,
    made: Arc<C>,
}

impl Current<ClientConfig> {
    /// A gateway's.
    ///
    /// # Errors
    /// Where the files are of no use.
    pub fn client(files: Files) -> Result<Self, FilesError> {
        Self::new(files, Identity::client)
    }
}

impl Current<ServerConfig> {
    /// Revive's.
    ///
    /// # Errors
    /// Where the files are of no use.
    pub fn server(files: Files) -> Result<Self, FilesError> {
        Self::new(files, Identity::server)
    }
}

impl<C> Current<C> {
    fn new(files: Files, make: fn(Identity) -> Result<C, FilesError>) -> Result<Self, FilesError> {
        let read = files.stamp();
        let made = Arc::new(make(files.read()?)?);
        Ok(Self { files, make, read, made })
    }

    /// What holds for the next connection. Looks at the files, which takes microseconds.
    ///
    /// # Errors
    /// Where they have changed and are of no use as they are now: what was made of them before goes on being used
    /// ([`Current::last`]), and they are looked at again the next time.
    pub fn now(&mut self) -> Result<Arc<C>, FilesError> {
        let stamp = self.files.stamp();
        if stamp != self.read {
            self.made = Arc::new((self.make)(self.files.read()?)?);
            self.read = stamp;
        }
        Ok(self.made.clone())
    }

    /// What was last made of them.
    pub fn last(&self) -> Arc<C> {
        self.made.clone()
    }
}

/// Revive's name, as a client of TLS has it.
///
/// # Errors
/// Never: it is a DNS name.
pub fn revive_name() -> Result<ServerName<'static>, FilesError> {
    ServerName::try_from(REVIVE).map_err(unfit)
}

/// Whether a certificate, which is known to be the authority's, is a gateway's: the authority may have others, too.
pub fn is_gateways(certificate: &CertificateDer<'_>) -> bool {
    let (Ok(certificate), Ok(name)) =
        (ParsedCertificate::try_from(certificate), ServerName::try_from(GATEWAY))
    else {
        return false;
    };
    verify_server_name(&certificate, &name).is_ok()
}
