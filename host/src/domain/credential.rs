//! Credentials: a project's secrets for other people's services, which the host uses on a plugin's behalf.

use crate::domain::step::{Failure, FailureKind};
use std::fmt;

/// One credential with its secret, for one call of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub name: String,
    /// The addresses whose requests get it, `https://host[:port]`, a `*.` leftmost only; empty for a key that signs.
    pub hosts: Vec<String>,
    pub secret: Secret,
}

/// What is secret about it. Does not print.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub enum Secret {
    /// `Authorization: Bearer <token>`
    Bearer { token: String },
    /// `Authorization: Basic …`
    Basic { username: String, password: String },
    /// `<header>: <value>`
    Header { header: String, value: String },
    /// Signs what a plugin hands out; never sent.
    Hmac { secret: String },
}

impl Secret {
    /// The name of its type in the API.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bearer { .. } => "bearer",
            Self::Basic { .. } => "basic",
            Self::Header { .. } => "header",
            Self::Hmac { .. } => "hmac",
        }
    }

    /// The user's or the header's name: the part that is shown.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Basic { username, .. } => username,
            Self::Header { header, .. } => header,
            Self::Bearer { .. } | Self::Hmac { .. } => "",
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

/// Where a task's parameters and a notification's `config` name a credential.
pub const NAMING_KEY: &str = "credential";

/// Why a call cannot be made that names a credential which its project does not have. Others may be missing: the plugin
/// does without them, or fails.
#[must_use]
pub fn missing_credential(
    wanted: &[String],
    named: Option<&str>,
    opened: &[Credential],
) -> Option<Failure> {
    let named = named.filter(|named| wanted.iter().any(|name| name == named))?;
    let is_there = opened.iter().any(|credential| credential.name == named);
    (!is_there).then(|| {
        let message = format!("the project has no credential {named:?}");
        Failure::new(FailureKind::Config, "NO_CREDENTIAL", message)
    })
}

/// Most credentials of one project.
pub const MOST_CREDENTIALS: i64 = 100;
/// Most addresses of one credential.
pub const MOST_CREDENTIAL_HOSTS: usize = 20;

/// Whether a text may name a credential: `[A-Za-z0-9._-]{1,64}`.
#[must_use]
pub fn is_credential_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let credential = Credential {
            name: "shop".into(),
            hosts: Vec::new(),
            secret: Secret::Bearer {
                token: "hidden".into(),
            },
        };
        assert!(!format!("{credential:?}").contains("hidden"));
    }

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["a", "Shop_1.eu-west"] {
            assert!(is_credential_name(name), "{name}");
        }
        for name in ["", "a b", "a/b", "é", &"a".repeat(65)] {
            assert!(!is_credential_name(name), "{name}");
        }
    }
}
