//! Whom a client trusts: the public authorities, and one that its caller names.

use crate::error::SetupError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::error::Error;
use std::io;
use std::sync::Arc;

pub(crate) fn trusting(authority_pem: Option<&[u8]>) -> Result<ClientConfig, SetupError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(pem) = authority_pem {
        add(pem, &mut roots)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Client(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn add(pem: &[u8], roots: &mut RootCertStore) -> Result<(), SetupError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate =
            certificate.map_err(|error| SetupError::Authority(format!("is no PEM: {error}")))?;
        roots.add(certificate).map_err(|error| {
            SetupError::Authority(format!("holds no certificate of an authority: {error}"))
        })?;
    }
    if roots.len() == before {
        return Err(SetupError::Authority("holds no certificate".to_owned()));
    }
    Ok(())
}

/// Why, once: each of the causes around the first one tells the address or the ones within it again.
pub(crate) fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost
}

/// What is wrong with a certificate, where that is why there was no connection.
pub(crate) fn certificate_error(error: &reqwest::Error) -> Option<&CertificateError> {
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
