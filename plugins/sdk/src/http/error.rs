//! Why a request was not answered, sorted by what a caller has to know: can it have reached the other side?

use std::fmt;

use wasip2::http::types::ErrorCode;

use super::Address;
use crate::task::{Failure, FailureKind};

/// Why a request was not answered. Every case but the last two says that nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The request is malformed (address, header, size). Nothing was sent; repeating it will not help.
    Invalid(String),
    /// The host does not let this plugin call this address; the text says why. Nothing was sent.
    Denied(String),
    /// There was no connection: refused, unknown name, time-out while connecting. Nothing was sent; repeating is safe.
    NotSent(String),
    /// The request was sent, at least in part, and no whole answer came back. It may have been acted on.
    NoAnswer(String),
    /// The answer is larger than the request's limit, or than what the host lets through.
    TooLarge,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) | Self::Denied(why) | Self::NotSent(why) | Self::NoAnswer(why) => {
                f.write_str(why)
            }
            Self::TooLarge => f.write_str("the answer is too large"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// How a call ends for which there is no answer. `whom` is who was asked, for people: show no query, which can hold secrets.
    pub fn failure(&self, whom: &str) -> Failure {
        let (kind, code, message) = match self {
            Self::Denied(why) => (
                FailureKind::Config,
                "ADDRESS_REFUSED",
                format!("the host does not call {whom}: {why}"),
            ),
            Self::Invalid(why) => (
                FailureKind::Config,
                "BAD_ADDRESS",
                format!("{whom} cannot be called: {why}"),
            ),
            Self::TooLarge => (
                FailureKind::Remote,
                "RESPONSE_TOO_LARGE",
                format!("the answer of {whom} is too large"),
            ),
            Self::NotSent(why) | Self::NoAnswer(why) => (
                FailureKind::Transient,
                "NO_ANSWER",
                format!("{whom} gave no answer: {why}"),
            ),
        };
        Failure::new(kind, code, message)
    }

    /// How a task ends that does not make the request again.
    pub fn ends_task(&self, address: &Address) -> Failure {
        let mut failure = self.failure(&address.without_query());
        if matches!(self, Self::NoAnswer(_)) {
            let why = ". The request may have been acted on, so it is not made again";
            failure.message.push_str(why);
        }
        failure
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::HttpRequestDenied => {
                Self::Denied("it is not https, or not among the addresses that the plugin asks for and the project grants".into())
            }
            ErrorCode::DestinationIpProhibited => {
                Self::Denied("it leads into a private, loopback or otherwise closed network".into())
            }

            ErrorCode::ConnectionRefused => Self::NotSent("the connection was refused".into()),
            ErrorCode::ConnectionTimeout => Self::NotSent("the connection was not made in time".into()),
            ErrorCode::ConnectionLimitReached => Self::NotSent("there are too many connections already".into()),
            ErrorCode::DnsTimeout => Self::NotSent("the name was not looked up in time".into()),
            ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => Self::NotSent("the name could not be looked up".into()),
            ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
                Self::NotSent("the address could not be reached".into())
            }
            ErrorCode::TlsCertificateError => Self::NotSent("the TLS certificate was not accepted".into()),

            ErrorCode::HttpResponseBodySize(_) => Self::TooLarge,

            ErrorCode::HttpRequestMethodInvalid
            | ErrorCode::HttpRequestUriInvalid
            | ErrorCode::HttpRequestUriTooLong
            | ErrorCode::HttpRequestLengthRequired
            | ErrorCode::HttpRequestBodySize(_)
            | ErrorCode::HttpRequestHeaderSectionSize(_)
            | ErrorCode::HttpRequestHeaderSize(_)
            | ErrorCode::HttpRequestTrailerSectionSize(_)
            | ErrorCode::HttpRequestTrailerSize(_)
            | ErrorCode::ConfigurationError => Self::Invalid(format!("the host refused the request as malformed ({code:?})")),

            ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => {
                Self::NoAnswer("there was no answer in time".into())
            }
            ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
                Self::NoAnswer("the connection was closed before the answer was whole".into())
            }
            ErrorCode::HttpProtocolError => {
                Self::NoAnswer("the connection broke, or the other side does not speak HTTP".into())
            }
            ErrorCode::InternalError(Some(text)) => Self::NoAnswer(text),
            other => Self::NoAnswer(format!("the exchange failed ({other:?})")),
        }
    }
}
