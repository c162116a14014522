//! Which addresses a plugin's manifest asks for.
//!
//! Forms: `https://host[:port]`, the same with `*.` as its leftmost label (any depth below, not the name itself),
//! `task-origin` (where the run's own component lives) and `https://*` (every https address, on any port).

use std::fmt;
use url::{Host, Url};

/// One entry of a manifest's `hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostPattern {
    TaskOrigin,
    Anywhere,
    Exactly { host: String, port: u16 },
    Below { suffix: String, port: u16 },
}

impl HostPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "task-origin" => return Ok(Self::TaskOrigin),
            "https://*" => return Ok(Self::Anywhere),
            _ => {}
        }
        let wrong = |why: &str| Err(format!("{text:?} {why}"));
        let Some(authority) = text.strip_prefix("https://") else {
            return wrong("is neither https://host[:port] nor task-origin");
        };
        let (is_below, authority) = match authority.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, authority),
        };
        if authority.contains('*') {
            return wrong("has a * that is not its leftmost label");
        }
        let Ok(url) = Url::parse(&format!("https://{authority}/")) else {
            return wrong("is not a host");
        };
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_bare
            || !url.username().is_empty()
            || url.password().is_some()
            || authority.contains('/')
        {
            return wrong("has more than a host and a port");
        }
        let port = url.port_or_known_default().unwrap_or(443);
        match url.host() {
            Some(Host::Domain(host)) if is_below => Ok(Self::Below {
                suffix: format!(".{host}"),
                port,
            }),
            Some(_) if is_below => wrong("has a * before a number"),
            Some(host) => Ok(Self::Exactly {
                host: host.to_string(),
                port,
            }),
            None => wrong("has no host"),
        }
    }

    /// Whether a request to `url`, which is https, is covered. `task_origins` are those of the run.
    pub(crate) fn covers(&self, url: &Url, task_origins: &[url::Origin]) -> bool {
        let port = url.port_or_known_default();
        match self {
            Self::Anywhere => true,
            Self::TaskOrigin => task_origins.contains(&url.origin()),
            Self::Exactly { host, port: wanted } => {
                url.host_str() == Some(host.as_str()) && port == Some(*wanted)
            }
            Self::Below {
                suffix,
                port: wanted,
            } => {
                let host = url.host_str().unwrap_or_default();
                host.len() > suffix.len()
                    && host.ends_with(suffix.as_str())
                    && port == Some(*wanted)
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (front, host, port) = match self {
            Self::TaskOrigin => return f.write_str("task-origin"),
            Self::Anywhere => return f.write_str("https://*"),
            Self::Exactly { host, port } => ("https://", host, port),
            Self::Below { suffix, port } => ("https://*", suffix, port),
        };
        match port {
            443 => write!(f, "{front}{host}"),
            port => write!(f, "{front}{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, url: &str) -> bool {
        let own = Url::parse("https://own.example:8443/run")
            .expect("valid")
            .origin();
        HostPattern::parse(pattern)
            .expect("valid")
            .covers(&Url::parse(url).expect("valid"), &[own])
    }

    #[test]
    fn patterns_cover_what_they_say_and_no_more() {
        assert!(covers("https://api.example", "https://API.example/x"));
        assert!(!covers("https://api.example", "https://api.example:8443/"));
        assert!(covers(
            "https://api.example:8443",
            "https://api.example:8443/"
        ));
        assert!(covers("https://*.example.com", "https://a.b.example.com/"));
        assert!(!covers("https://*.example.com", "https://example.com/"));
        assert!(!covers("https://*.example.com", "https://badexample.com/"));
        assert!(covers("task-origin", "https://own.example:8443/other"));
        assert!(!covers("task-origin", "https://own.example/"));
        assert!(covers("https://*", "https://anything.example:1/"));
    }

    #[test]
    fn a_pattern_is_printed_as_it_was_written() {
        for text in [
            "task-origin",
            "https://*",
            "https://api.example",
            "https://[::1]:8443",
            "https://*.api.example:8443",
        ] {
            let pattern = HostPattern::parse(text).expect("valid");
            assert_eq!(pattern.to_string(), text);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "http://api.example",
            "api.example",
            "https://",
            "https://a.*.example",
            "https://*.*.example",
            "https://*example.com",
            "https://api.example/path",
            "https://user@api.example",
            "https://*.10.0.0.1",
            "*",
        ] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }
}
