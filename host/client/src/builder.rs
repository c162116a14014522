//! How a client is made: which server, with what token, whom it trusts, how long it waits.

use crate::error::SetupError;
use crate::request::{Client, Connection};
use crate::tls;
use reqwest::header::HeaderValue;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// An answer takes no longer than this, unless the builder says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const RETRIES: u32 = 3;

/// Who calls.
#[derive(Clone)]
pub enum Access {
    /// A token of a project.
    Token(String),
    /// The operator's token, for the calls below `/operator`.
    Operator(String),
    /// Nobody in particular, for the health checks.
    Nobody,
}

impl Access {
    fn header(&self) -> Result<Option<(&'static str, HeaderValue)>, SetupError> {
        let (name, token) = match self {
            Self::Token(token) => ("X-StorageApi-Token", token),
            Self::Operator(token) => ("X-Operator-Token", token),
            Self::Nobody => return Ok(None),
        };
        let mut value = HeaderValue::from_str(token).map_err(|_| SetupError::Token)?;
        if value.is_empty() {
            return Err(SetupError::Token);
        }
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }
}

/// Without the token.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Operator(_) => "Operator(…)",
            Self::Nobody => "Nobody",
        })
    }
}

/// A client that is being made.
#[derive(Clone, Debug)]
pub struct Builder {
    url: String,
    access: Access,
    authority_pem: Option<Vec<u8>>,
    timeout: Duration,
    retries: u32,
    allows_plain_http: bool,
    user_agent: String,
}

impl Builder {
    pub(crate) fn new(url: &str, access: Access) -> Self {
        Self {
            url: url.to_owned(),
            access,
            authority_pem: None,
            timeout: TIMEOUT,
            retries: RETRIES,
            allows_plain_http: false,
            user_agent: concat!("orchestrator-client/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// An authority to trust beside the public ones, as PEM.
    #[must_use]
    pub fn trust(mut self, authority_pem: Vec<u8>) -> Self {
        self.authority_pem = Some(authority_pem);
        self
    }

    /// How long an answer may take, its body included; a minute by default. Streams of events live longer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a request that may be repeated is repeated; three times by default.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Lets the token go over a network in the clear. Without it only this host is called by plain HTTP.
    #[must_use]
    pub fn allow_plain_http(mut self, allows: bool) -> Self {
        self.allows_plain_http = allows;
        self
    }

    #[must_use]
    pub fn user_agent(mut self, text: &str) -> Self {
        text.clone_into(&mut self.user_agent);
        self
    }

    /// # Errors
    /// [`SetupError`]: the address, the token or the authority cannot be used.
    pub fn build(self) -> Result<Client, SetupError> {
        let url = self.url.trim_end_matches('/');
        let bad = |reason: &str| SetupError::Address {
            url: url.to_owned(),
            reason: reason.to_owned(),
        };
        let parsed = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(bad(
                "it has to begin with https://, or with http:// on this host",
            ));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(bad("it must not have a query"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(bad("it must not hold a password"));
        }
        let token = self.access.header()?;
        if token.is_some() && !self.allows_plain_http && !is_private(&parsed) {
            return Err(SetupError::PlainHttp {
                url: url.to_owned(),
            });
        }
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::trusting(self.authority_pem.as_deref())?)
            // The token is for this server only.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(self.user_agent);
        if parsed.scheme() == "http" {
            // A proxy would read the token; and this host is reached without one.
            http = http.no_proxy();
        }
        let http = http
            .build()
            .map_err(|error| SetupError::Client(error.to_string()))?;
        Ok(Client(Arc::new(Connection {
            http,
            base: url.to_owned(),
            token,
            timeout: self.timeout,
            retries: self.retries,
            has_own_authority: self.authority_pem.is_some(),
        })))
    }
}

/// Whether what is sent to it stays private: it goes over TLS, or not over a network at all.
#[must_use]
pub fn is_private(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(url: &str) -> Result<Client, SetupError> {
        Builder::new(url, Access::Token("secret-token".into())).build()
    }

    #[test]
    fn a_token_travels_over_tls_or_not_at_all() {
        for (url, is_fine) in [
            ("https://orchestrator.example.com", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost:8080/base", true),
            ("http://orchestrator.example.com", false),
            ("http://localhost.example.com", false),
            ("ftp://localhost", false),
        ] {
            assert_eq!(made(url).is_ok(), is_fine, "{url}");
        }
        let plain = Builder::new("http://inner:8080", Access::Token("secret-token".into()));
        assert!(plain.allow_plain_http(true).build().is_ok());
    }

    #[test]
    fn addresses_and_tokens_that_cannot_be_used_are_told() {
        for (url, wanted) in [
            ("orchestrator", "relative URL"),
            ("https://a.example/?x=1", "query"),
            ("https://user:pass@a.example", "password"),
        ] {
            let error = made(url).expect_err("refused").to_string();
            assert!(error.contains(wanted), "{error}");
        }
        for token in ["", "two\nlines"] {
            let built = Builder::new("https://a.example", Access::Token(token.into())).build();
            assert!(matches!(built, Err(SetupError::Token)), "{token:?}");
        }
    }

    #[test]
    fn a_token_does_not_show_where_a_client_is_printed() {
        let client = made("https://a.example").expect("made");
        let builder = Builder::new("https://a.example", Access::Operator("secret-token".into()));
        let shown = format!("{client:?} {builder:?}");
        assert!(!shown.contains("secret-token"), "{shown}");
    }
}
