//! What went wrong with a request, as the code that the plugin gets.
//!
//! A plugin repeats a request that was not sent. So the codes which say that (refused, no name, no connection in time,
//! certificate, unavailable) are given only where no byte of the request can have left: for failures before there was a
//! connection with its TLS handshake done. Everything later is a lost answer.

use super::client::{AddressRefused, ConnectTimedOut};
use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use wasmtime_wasi_http::Error;

/// The code for a request that brought no answer.
pub(super) fn no_answer(error: &reqwest::Error) -> Error {
    if has::<AddressRefused>(error) {
        return Error::DestinationIpProhibited;
    }
    if error.is_connect() {
        return not_connected(error);
    }
    if error.is_builder() {
        return Error::HttpRequestUriInvalid;
    }
    lost(error)
}

/// The code for an answer that broke off, or never came.
pub(super) fn lost(error: &reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::ConnectionReadTimeout;
    }
    match io_kind(error) {
        Some(
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof,
        ) => Error::ConnectionTerminated,
        _ => Error::HttpProtocolError,
    }
}

fn not_connected(error: &reqwest::Error) -> Error {
    if has::<ConnectTimedOut>(error) {
        return Error::ConnectionTimeout;
    }
    if error.is_dns() {
        return Error::DnsError {
            rcode: None,
            info_code: None,
        };
    }
    if let Some(tls) = find(error, |link| link.downcast_ref::<rustls::Error>().cloned()) {
        return match tls {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                Error::TlsCertificateError
            }
            _ => Error::DestinationUnavailable,
        };
    }
    match io_kind(error) {
        Some(ErrorKind::ConnectionRefused) => Error::ConnectionRefused,
        Some(ErrorKind::TimedOut) => Error::ConnectionTimeout,
        _ => Error::DestinationUnavailable,
    }
}

fn io_kind(error: &reqwest::Error) -> Option<ErrorKind> {
    find(error, |link| {
        let kind = link.downcast_ref::<io::Error>()?.kind();
        // Mere wrapping says nothing.
        (kind != ErrorKind::Other).then_some(kind)
    })
}

fn has<T: StdError + 'static>(error: &reqwest::Error) -> bool {
    find(error, |link| link.is::<T>().then_some(())).is_some()
}

/// The first answer along the chain of causes.
fn find<R>(
    error: &reqwest::Error,
    look: impl Fn(&(dyn StdError + 'static)) -> Option<R>,
) -> Option<R> {
    let mut link: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = link {
        if let Some(found) = look(error) {
            return Some(found);
        }
        // What an `io::Error` wraps is not its source: that is the wrapped error's.
        link = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
