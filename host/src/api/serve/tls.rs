//! TLS of the listener: a certificate chain and its key, from two PEM files.
//!
//! The files are looked at every few seconds, and at once on SIGHUP: a renewed pair serves the connections that come
//! after. A pair that cannot be used is refused at start; later it is told in the log and the last good one stays, since
//! whoever renews the files replaces them one after the other.

use crate::wake::Pause;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio_rustls::TlsAcceptor;

/// How soon a renewed pair is noticed without a signal.
const LONGEST_UNNOTICED: Duration = Duration::from_secs(5);

/// Why a pair of files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be read: {source}", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} holds no PEM certificate", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} holds no usable PEM private key: {reason}", path.display())]
    NoKey { path: PathBuf, reason: String },
    #[error("the certificate of {} and the key of {} do not serve: {source}", cert.display(), key.display())]
    Pair {
        cert: PathBuf,
        key: PathBuf,
        source: rustls::Error,
    },
}

/// The pair in use; cloning it is cheap, and all clones see a renewal.
#[derive(Clone)]
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    current: Arc<Mutex<Arc<ServerConfig>>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("cert", &self.cert).finish()
    }
}

/// What tells one state of the two files from another.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            current: Arc::new(Mutex::new(Arc::new(read_pair(cert, key)?))),
        })
    }

    /// The file with the private key.
    #[must_use]
    pub fn key_file(&self) -> &Path {
        &self.key
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }

    /// Takes up renewed files until stopped; a poke looks at once.
    pub async fn keep_fresh(self, pause: Pause) {
        let mut seen = self.stamp();
        while pause.wait(None, LONGEST_UNNOTICED).await {
            let stamp = self.stamp();
            if stamp == seen {
                continue;
            }
            seen = stamp;
            match read_pair(&self.cert, &self.key) {
                Ok(fresh) => {
                    let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                    *current = Arc::new(fresh);
                    tracing::info!("the TLS certificate was renewed");
                }
                Err(error) => tracing::warn!(%error, "the last TLS certificate stays in use"),
            }
        }
    }

    fn stamp(&self) -> Stamp {
        [&self.cert, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

fn read_pair(cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let no_key = |reason: String| TlsError::NoKey {
        path: key.to_owned(),
        reason,
    };
    let no_certificate = || TlsError::NoCertificate {
        path: cert.to_owned(),
    };
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(&read(cert)?).collect();
    let chain = chain.map_err(|_| no_certificate())?;
    if chain.is_empty() {
        return Err(no_certificate());
    }
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?);
    let secret = secret.map_err(|error| no_key(error.to_string()))?;
    let pair = |source| TlsError::Pair {
        cert: cert.to_owned(),
        key: key.to_owned(),
        source,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}
