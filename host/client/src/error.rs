//! What goes wrong with a call, and what its caller can do about it.

use crate::refusal::Refusal;
use crate::tls::{certificate_error, innermost};
use rustls::CertificateError;
use std::time::Duration;

/// Why a client was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("{url:?} is no address of a server: {reason}")]
    Address { url: String, reason: String },
    #[error("{url} is not https: the token would go over the network in the clear")]
    PlainHttp { url: String },
    #[error("a token is one line of visible characters")]
    Token,
    #[error("the file of the authority {0}")]
    Authority(String),
    #[error("no connection can be made: {0}")]
    Client(String),
}

/// Why a call was not answered as it was meant to be.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// `by`: what else was looked at.
    #[error("the certificate of {base} is not trusted: {}", untrusted(.has_own_authority))]
    Untrusted {
        base: String,
        has_own_authority: bool,
    },
    #[error("the certificate of {base} is not accepted: {reason}")]
    Certificate { base: String, reason: String },
    /// Nobody answered, or the answer broke off. `was_sent`: the request may have arrived.
    #[error("{base} does not answer: {reason}")]
    Unanswered {
        base: String,
        reason: String,
        was_sent: bool,
    },
    #[error("{url} answered with something else than the API's: {reason}")]
    NotUnderstood { url: String, reason: String },
}

fn untrusted(has_own_authority: &bool) -> &'static str {
    if *has_own_authority {
        "neither a public authority nor the given one signed it"
    } else {
        "it is signed by no public authority"
    }
}

/// What a caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The address, the authority or the server's certificate is wrong.
    MendSettings,
    /// The request is wrong: its faults say where.
    MendRequest,
    /// The token is none, or none any more.
    SignIn,
    /// The token may not do this, or a quota is used up.
    AskForRights,
    /// There is no such thing in the token's project.
    LookElsewhere,
    /// The thing is not in a state in which this can be done: read it anew and decide.
    ReadAnew,
    /// Later; after that long where the server says so.
    TryAgain { after: Option<Duration> },
    /// The server is at fault: its log has the reason under the exception's id.
    Report,
}

impl ClientError {
    /// What the caller can do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Setup(_)
            | Self::Untrusted { .. }
            | Self::Certificate { .. }
            | Self::NotUnderstood { .. } => Remedy::MendSettings,
            Self::Unanswered { .. } => Remedy::TryAgain { after: None },
            Self::Refused(refusal) => refusal.remedy(),
        }
    }

    /// What the server said, where it was the server that refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the server says that there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.status == 404)
    }

    /// A request that was not answered.
    pub(crate) fn of_connection(
        error: &reqwest::Error,
        base: &str,
        has_own_authority: bool,
    ) -> Self {
        let base = base.to_owned();
        match certificate_error(error) {
            Some(CertificateError::UnknownIssuer) => Self::Untrusted {
                base,
                has_own_authority,
            },
            // An authority of the same name as the one that signed it has another key.
            Some(CertificateError::BadSignature) if has_own_authority => Self::Untrusted {
                base,
                has_own_authority,
            },
            Some(why) => Self::Certificate {
                base,
                reason: why.to_string(),
            },
            None => Self::Unanswered {
                base,
                reason: innermost(error).to_string(),
                was_sent: !error.is_connect() && !error.is_builder(),
            },
        }
    }
}
