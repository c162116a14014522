//! Whom commands that call a server trust: the public authorities, and one that the caller names with `--ca`.

use anyhow::{Context, anyhow, bail};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct CaArgs {
    /// PEM file of an authority to trust for the server, beside the public ones
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl CaArgs {
    pub(super) fn tls(&self) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        if let Some(path) = &self.ca {
            add(path, &mut roots)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    /// Why the server at `base` was not called, with what to do about a certificate.
    pub(super) fn unanswered(&self, error: &reqwest::Error, base: &str) -> anyhow::Error {
        match (certificate_error(error), &self.ca) {
            (Some(CertificateError::UnknownIssuer), None) => anyhow!(
                "the certificate of {base} is not trusted: it is signed by no public authority. Name the PEM file of the one that signed it with --ca"
            ),
            // An authority of the same name as the one that signed it has another key.
            (Some(CertificateError::UnknownIssuer | CertificateError::BadSignature), Some(ca)) => {
                anyhow!(
                    "the certificate of {base} is not trusted: neither a public authority nor {} signed it",
                    ca.display()
                )
            }
            (Some(why), _) => anyhow!("the certificate of {base} is not accepted: {why}"),
            (None, _) => anyhow!("{base} does not answer: {}", innermost(error)),
        }
    }
}

fn add(path: &Path, roots: &mut RootCertStore) -> anyhow::Result<()> {
    let shown = path.display();
    let pem = fs::read(path).with_context(|| format!("ca cannot be read at {shown}"))?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.with_context(|| format!("ca holds no PEM: {shown}"))?;
        let added = roots.add(certificate);
        added.with_context(|| format!("ca holds no certificate of an authority: {shown}"))?;
    }
    if roots.len() == before {
        bail!("ca holds no certificate: {shown}");
    }
    Ok(())
}

/// Why, once: each of the causes around the first one tells the address or the ones within it again.
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost
}

/// What is wrong with a certificate, where that is why there was no connection.
fn certificate_error(error: &reqwest::Error) -> Option<&CertificateError> {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(mut error) = next {
        // An IO error does not name what it wraps as its source, but what that one wraps.
        while let Some(wrapped) = wrapped_in(error) {
            error = wrapped;
        }
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(why);
        }
        next = error.source();
    }
    None
}

fn wrapped_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(wrapped)
}
