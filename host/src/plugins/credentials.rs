//! The credentials of one call: which requests get them, what they look like there, and what is signed with them.
//!
//! They are opened by whoever makes the call, and only those that the plugin's manifest asks for and the task or the
//! notification names. The plugin sees none of them: [`outbound`](super::outbound) adds them to requests and masks them in
//! answers, `orchestrator:host/credentials` hands out signatures.

use super::hosts::HostPattern;
use crate::domain::credential::{Credential, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{self, HeaderName, HeaderValue};
use sha2::Sha256;
use url::Url;

/// What is wrong with an address that a credential is to be bound to: `https://host[:port]`, a `*.` leftmost only.
#[must_use]
pub fn fault_of_credential_host(text: &str) -> Option<String> {
    match HostPattern::parse(text) {
        Ok(HostPattern::Exactly { .. } | HostPattern::Below { .. }) => None,
        _ => Some("must be https://host[:port], with a * as its leftmost label at most".to_owned()),
    }
}

/// In front of a key that is written as base64, as Standard Webhooks has it.
const KEY_PREFIX: &str = "whsec_";

#[derive(Default)]
pub(super) struct Credentials(Vec<Granted>);

struct Granted {
    name: String,
    hosts: Vec<HostPattern>,
    usage: Usage,
}

enum Usage {
    Header {
        name: HeaderName,
        value: HeaderValue,
        /// What must not come back to the plugin.
        hidden: Vec<String>,
    },
    Key(Vec<u8>),
    /// It cannot stand in a header: nothing is sent.
    Unusable,
}

/// Why nothing was signed.
pub(super) enum NoSignature {
    Unknown,
    NotAKey,
}

impl Credentials {
    pub(super) fn new(credentials: &[Credential]) -> Self {
        Self(credentials.iter().map(Granted::of).collect())
    }

    /// The headers that a request to `url` gets, each with the texts to be masked in its answer.
    pub(super) fn headers_for<'a>(
        &'a self,
        url: &'a Url,
    ) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue, &'a [String])> {
        let covering = self
            .0
            .iter()
            .filter(|one| one.hosts.iter().any(|host| host.covers(url, &[])));
        covering.filter_map(|one| match &one.usage {
            Usage::Header {
                name,
                value,
                hidden,
            } => Some((name, value, hidden.as_slice())),
            Usage::Key(_) | Usage::Unusable => None,
        })
    }

    /// The names of those that would be sent somewhere, but not to `url`.
    pub(super) fn bound_elsewhere<'a>(&'a self, url: &'a Url) -> impl Iterator<Item = &'a str> {
        let elsewhere = self.0.iter().filter(|one| {
            !matches!(one.usage, Usage::Key(_))
                && !one.hosts.iter().any(|host| host.covers(url, &[]))
        });
        elsewhere.map(|one| one.name.as_str())
    }

    /// HMAC-SHA256 of `message` under the credential of that name.
    pub(super) fn sign(&self, name: &str, message: &[u8]) -> Result<Vec<u8>, NoSignature> {
        let found = self.0.iter().find(|one| one.name == name);
        let Usage::Key(key) = &found.ok_or(NoSignature::Unknown)?.usage else {
            return Err(NoSignature::NotAKey);
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| NoSignature::NotAKey)?;
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl Granted {
    fn of(credential: &Credential) -> Self {
        let hosts = credential.hosts.iter();
        // Checked when it was saved: what is no address covers none.
        let hosts = hosts.filter_map(|text| HostPattern::parse(text).ok());
        Self {
            name: credential.name.clone(),
            hosts: hosts.collect(),
            usage: Usage::of(&credential.secret),
        }
    }
}

impl Usage {
    fn of(secret: &Secret) -> Self {
        let (name, value, hidden) = match secret {
            Secret::Bearer { token } => (
                Ok(header::AUTHORIZATION),
                format!("Bearer {token}"),
                vec![token.clone()],
            ),
            Secret::Basic { username, password } => {
                let encoded = STANDARD.encode(format!("{username}:{password}"));
                (
                    Ok(header::AUTHORIZATION),
                    format!("Basic {encoded}"),
                    vec![encoded, password.clone()],
                )
            }
            Secret::Header { header, value } => (
                HeaderName::from_bytes(header.as_bytes()),
                value.clone(),
                vec![value.clone()],
            ),
            Secret::Hmac { secret } => return Self::Key(key_of(secret)),
        };
        let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(&value)) else {
            return Self::Unusable;
        };
        value.set_sensitive(true);
        Self::Header {
            name,
            value,
            hidden,
        }
    }
}

/// The bytes of a key: base64 after `whsec_`, else the text's own.
fn key_of(secret: &str) -> Vec<u8> {
    let encoded = secret.strip_prefix(KEY_PREFIX);
    encoded
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .unwrap_or_else(|| secret.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(secret: Secret) -> Credentials {
        Credentials::new(&[Credential {
            name: "shop".into(),
            hosts: vec!["https://*.shop.example".into()],
            secret,
        }])
    }

    fn sent_to(credentials: &Credentials, url: &str) -> Vec<(String, String)> {
        let url = Url::parse(url).unwrap();
        credentials
            .headers_for(&url)
            .map(|(name, value, _)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn a_credential_goes_to_its_own_hosts_only() {
        let shop = credentials(Secret::Basic {
            username: "me".into(),
            password: "pa:ss".into(),
        });
        let expected = ("authorization".to_owned(), "Basic bWU6cGE6c3M=".to_owned());
        assert_eq!(sent_to(&shop, "https://api.shop.example/x"), [expected]);
        for url in [
            "https://shop.example/",
            "https://api.shop.example:8443/",
            "https://api.shop.example.evil.example/",
        ] {
            assert_eq!(sent_to(&shop, url), [], "{url}");
        }
    }

    #[test]
    fn a_key_signs_and_is_never_sent() {
        let shop = credentials(Secret::Hmac {
            secret: "key".into(),
        });
        let signed = shop.sign("shop", b"The quick brown fox jumps over the lazy dog");
        // The example that everybody gives for HMAC-SHA256.
        assert_eq!(
            hex::encode(signed.unwrap_or_default()),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
        assert_eq!(sent_to(&shop, "https://api.shop.example/"), []);
        assert!(matches!(shop.sign("other", b""), Err(NoSignature::Unknown)));
        let bearer = credentials(Secret::Bearer { token: "t".into() });
        assert!(matches!(
            bearer.sign("shop", b""),
            Err(NoSignature::NotAKey)
        ));
    }

    #[test]
    fn a_key_may_be_written_as_standard_webhooks_has_it() {
        assert_eq!(key_of("whsec_AQID"), [1, 2, 3]);
        assert_eq!(key_of("whsec_?"), b"whsec_?");
        assert_eq!(key_of("AQID"), b"AQID");
    }
}
