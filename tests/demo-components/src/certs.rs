//! A private certificate authority and one server certificate signed by it.
//!
//! The authority's key is dropped as soon as it has signed: whoever trusts `ca.pem` trusts this one
//! server certificate (for 127.0.0.1, ::1 and localhost) and nothing that could be signed later.
//! Kept in a folder as `ca.pem`, `server.pem` and `server-key.pem` (mode 0600).

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

const NAMES: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// What the service needs to speak TLS; clone it to let several services share one authority.
#[derive(Clone)]
pub struct Certificates {
    ca_pem: String,
    server_pem: String,
    server_key_pem: String,
}

impl fmt::Debug for Certificates {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("ca_pem", &self.ca_pem)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("making the certificates failed")]
    Make(#[from] rcgen::Error),
    #[error("{} could not be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "the certificate or its key is not readable PEM; delete the folder to have new ones made"
    )]
    Pem(#[from] pem::Error),
    #[error("the certificate cannot be used; delete the folder to have new ones made")]
    Tls(#[from] rustls::Error),
}

impl Certificates {
    /// A new authority and server certificate, in memory only.
    pub fn generate() -> Result<Self, CertificateError> {
        let mut ca = CertificateParams::default();
        name(&mut ca, "Orchestrator demo components CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_key = KeyPair::generate()?;
        let ca_pem = ca.self_signed(&ca_key)?.pem();

        let mut server = CertificateParams::new(NAMES.map(String::from))?;
        name(&mut server, "Orchestrator demo components");
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let server_key = KeyPair::generate()?;
        let issuer = Issuer::new(ca, ca_key);
        let server_pem = server.signed_by(&server_key, &issuer)?.pem();

        Ok(Self {
            ca_pem,
            server_pem,
            server_key_pem: server_key.serialize_pem(),
        })
    }

    /// The certificates kept in `folder`; made and written there when one of the files is missing.
    pub fn load_or_create(folder: &Path) -> Result<Self, CertificateError> {
        let paths = Paths::inside(folder);
        if let (Some(ca_pem), Some(server_pem), Some(server_key_pem)) = (
            read(&paths.ca)?,
            read(&paths.server)?,
            read(&paths.server_key)?,
        ) {
            return Ok(Self {
                ca_pem,
                server_pem,
                server_key_pem,
            });
        }
        let made = Self::generate()?;
        fs::create_dir_all(folder).map_err(at(folder))?;
        write_private(&paths.server_key, &made.server_key_pem)?;
        fs::write(&paths.server, &made.server_pem).map_err(at(&paths.server))?;
        fs::write(&paths.ca, &made.ca_pem).map_err(at(&paths.ca))?;
        Ok(made)
    }

    /// Where `load_or_create` keeps the authority's certificate.
    pub fn ca_path(folder: &Path) -> PathBuf {
        Paths::inside(folder).ca
    }

    /// The authority's certificate, to be trusted by the client.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(crate) fn server_config(&self) -> Result<ServerConfig, CertificateError> {
        let chain = CertificateDer::pem_slice_iter(self.server_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(self.server_key_pem.as_bytes())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

struct Paths {
    ca: PathBuf,
    server: PathBuf,
    server_key: PathBuf,
}

impl Paths {
    fn inside(folder: &Path) -> Self {
        Self {
            ca: folder.join("ca.pem"),
            server: folder.join("server.pem"),
            server_key: folder.join("server-key.pem"),
        }
    }
}

/// Fixed dates far apart: a demo must not stop working because its folder grew old.
fn name(params: &mut CertificateParams, common_name: &str) {
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CertificateError {
    let path = path.to_owned();
    |source| CertificateError::File { path, source }
}

fn read(path: &Path) -> Result<Option<String>, CertificateError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

/// A new file each time: the mode of an older one would be kept otherwise.
fn write_private(path: &Path, text: &str) -> Result<(), CertificateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(path)(error)),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(at(path))?;
    file.write_all(text.as_bytes()).map_err(at(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn certificates_are_kept_and_the_key_is_private() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let inside = folder.path().join("certs");

        let first = Certificates::load_or_create(&inside)?;
        let second = Certificates::load_or_create(&inside)?;

        assert_eq!(first.ca_pem(), second.ca_pem());
        assert_eq!(first.server_key_pem, second.server_key_pem);
        assert_eq!(
            fs::read_to_string(Certificates::ca_path(&inside))?,
            first.ca_pem()
        );
        let mode = fs::metadata(inside.join("server-key.pem"))?
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        Ok(())
    }

    #[test]
    fn a_damaged_key_is_an_error_that_says_what_to_do() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        Certificates::load_or_create(folder.path())?;
        fs::write(folder.path().join("server-key.pem"), "not a key")?;

        let kept = Certificates::load_or_create(folder.path())?;

        let error = kept
            .server_config()
            .map(drop)
            .map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("delete the folder")));
        Ok(())
    }
}
