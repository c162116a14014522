//! Absolute addresses: parsing and resolving, as far as HTTP needs them. Small on purpose (a full URL library is larger
//! than a whole plugin) and strict: what looks ambiguous is refused, so that host and plugin never read one differently.

use std::fmt;

/// An absolute `http` or `https` address, without a fragment, its path free of `.` and `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    https: bool,
    authority: String,
    path_and_query: String,
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// The address is relative or of another scheme.
    NotHttp,
    /// The address cannot be used; the text says why.
    Malformed(&'static str),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttp => f.write_str("the address does not start with https://"),
            Self::Malformed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// Reads an absolute address. What a path may not hold (spaces, letters beyond ASCII) is percent-encoded.
    ///
    /// # Errors
    /// For other schemes, user names, host names beyond ASCII, control characters and the like.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim_matches(' ');
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::NotHttp)?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(AddressError::NotHttp),
        };
        Self::after_scheme(https, rest)
    }

    /// The address as it may be shown: a query can hold secrets.
    pub fn without_query(&self) -> String {
        let text = self.to_string();
        text.split('?').next().unwrap_or_default().to_owned()
    }

    /// Resolves a reference found at this address, such as a `Location` header: absolute or relative.
    ///
    /// # Errors
    /// As for [`Address::parse`].
    pub fn join(&self, reference: &str) -> Result<Self, AddressError> {
        let reference = reference.trim_matches(' ');
        if has_scheme(reference) {
            return Self::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::after_scheme(self.https, rest);
        }
        let reference = without_fragment(reference);
        let path = self.path();
        let path_and_query = if reference.is_empty() {
            self.path_and_query.clone()
        } else if reference.starts_with('/') {
            reference.to_owned()
        } else if reference.starts_with('?') {
            format!("{path}{reference}")
        } else {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{reference}")
        };
        let path_and_query = clean_path(&path_and_query)?;
        Ok(Self {
            https: self.https,
            authority: self.authority.clone(),
            path_and_query,
        })
    }

    fn after_scheme(https: bool, rest: &str) -> Result<Self, AddressError> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path_and_query) = rest.split_at(end);
        let authority = clean_authority(authority)?;
        let path_and_query = clean_path(without_fragment(path_and_query))?;
        Ok(Self {
            https,
            authority,
            path_and_query,
        })
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Host and, where it is given, port; in lower case.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path with the query, percent-encoded; starts with a slash.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or("/")
    }

    /// Whether both addresses have the same scheme, host and port.
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.https == other.https
            && self.authority_without_default_port() == other.authority_without_default_port()
    }

    fn authority_without_default_port(&self) -> &str {
        let default_port = if self.https { ":443" } else { ":80" };
        self.authority
            .strip_suffix(default_port)
            .unwrap_or(&self.authority)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path_and_query)
    }
}

/// Percent-encodes a text so that it is exactly one segment of a path: slashes and percent signs too.
pub fn encode_segment(text: &str) -> String {
    encode(text, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
    })
}

fn encode(text: &str, is_kept: fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_kept(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn has_scheme(reference: &str) -> bool {
    let Some((scheme, _)) = reference.split_once(':') else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn without_fragment(text: &str) -> &str {
    text.split('#').next().unwrap_or(text)
}

fn clean_authority(authority: &str) -> Result<String, AddressError> {
    if authority.contains('@') {
        return Err(AddressError::Malformed(
            "the address holds a user name, which is not supported",
        ));
    }
    if !authority
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
    {
        return Err(AddressError::Malformed(
            "the host name of the address holds a character that is not allowed",
        ));
    }
    // An IPv6 literal has colons of its own, inside brackets.
    let after_literal = authority
        .rsplit_once(']')
        .map_or(authority, |(_, port)| port);
    let (host, port) = match after_literal.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (after_literal, None),
    };
    if host.is_empty() && !authority.starts_with('[') {
        return Err(AddressError::Malformed("the address has no host name"));
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(AddressError::Malformed(
            "the port of the address is not a number below 65536",
        ));
    }
    Ok(authority.to_ascii_lowercase())
}

/// Encodes what may not stand in a path and takes `.` and `..` out of it.
fn clean_path(path_and_query: &str) -> Result<String, AddressError> {
    if path_and_query.chars().any(char::is_control) {
        return Err(AddressError::Malformed(
            "the address holds a control character",
        ));
    }
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    if path.contains('\\') {
        // Some readers take it for a slash.
        return Err(AddressError::Malformed("the address holds a backslash"));
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." => {}
            ".." => drop(kept.pop()),
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    if let Some(query) = query {
        clean.push('?');
        clean.push_str(query);
    }
    Ok(encode(&clean, |byte| {
        byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parsed(text: &str) -> String {
        Address::parse(text).unwrap().to_string()
    }

    #[test]
    fn an_address_is_kept_and_only_its_unusable_parts_change() {
        assert_eq!(
            parsed("https://example.com/a/b%20c?d=e&f"),
            "https://example.com/a/b%20c?d=e&f"
        );
        assert_eq!(parsed("HTTPS://Example.COM"), "https://example.com/");
        assert_eq!(
            parsed("https://example.com?x=1#part"),
            "https://example.com/?x=1"
        );
        assert_eq!(
            parsed("https://example.com/a b/é"),
            "https://example.com/a%20b/%C3%A9"
        );
        assert_eq!(
            parsed("https://example.com/a/./b/../c/.."),
            "https://example.com/a/"
        );
        assert_eq!(
            parsed("https://example.com/a/%2E%2e/c"),
            "https://example.com/c"
        );
        assert_eq!(parsed("https://[::1]:8443/x"), "https://[::1]:8443/x");
        assert_eq!(
            parsed("http://localhost:80/?a=../b"),
            "http://localhost:80/?a=../b"
        );
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for text in [
            "ftp://example.com/",
            "example.com/a",
            "/a",
            "",
            "https:/example.com",
        ] {
            assert_eq!(Address::parse(text), Err(AddressError::NotHttp), "{text}");
        }
        for text in [
            "https://",
            "https:///a",
            "https://:443/",
            "https://user:secret@example.com/",
            "https://good.example\\@evil.example/",
            "https://example.com:99999/",
            "https://example.com:port/",
            "https://exämple.com/",
            "https://exam ple.com/",
            "https://example.com/a\nb",
            "https://example.com/a\tb",
            "https://example.com\\.evil.example/",
            "https://example.com/a\\b",
        ] {
            assert!(
                matches!(Address::parse(text), Err(AddressError::Malformed(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn references_resolve_as_in_a_browser() {
        let base = Address::parse("https://example.com:8443/jobs/run?x=1").unwrap();
        for (reference, expected) in [
            ("https://other.example/j/1", "https://other.example/j/1"),
            ("http://other.example/j/1", "http://other.example/j/1"),
            ("//other.example/j", "https://other.example/j"),
            ("/j/1?y=2#z", "https://example.com:8443/j/1?y=2"),
            ("1", "https://example.com:8443/jobs/1"),
            ("./1", "https://example.com:8443/jobs/1"),
            ("../j/1", "https://example.com:8443/j/1"),
            ("../../../j", "https://example.com:8443/j"),
            ("?y=2", "https://example.com:8443/jobs/run?y=2"),
            ("", "https://example.com:8443/jobs/run?x=1"),
            ("#z", "https://example.com:8443/jobs/run?x=1"),
        ] {
            assert_eq!(
                base.join(reference).unwrap().to_string(),
                expected,
                "{reference}"
            );
        }
        assert_eq!(base.join("mailto:a@b.c"), Err(AddressError::NotHttp));
        assert_eq!(base.join("ftp://example.com/"), Err(AddressError::NotHttp));
        assert!(matches!(
            base.join("\\\\evil.example/"),
            Err(AddressError::Malformed(_))
        ));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| {
            Address::parse(a)
                .unwrap()
                .is_same_origin(&Address::parse(b).unwrap())
        };
        assert!(same("https://Example.com/a", "https://example.com:443/b"));
        assert!(!same("https://example.com/", "http://example.com/"));
        assert!(!same("https://example.com/", "https://example.com:8443/"));
        assert!(!same("https://example.com/", "https://www.example.com/"));
    }

    #[test]
    fn a_segment_stays_one_segment() {
        assert_eq!(encode_segment("ex-db.mysql_1~"), "ex-db.mysql_1~");
        assert_eq!(
            encode_segment("a/b?c#d%20 é"),
            "a%2Fb%3Fc%23d%2520%20%C3%A9"
        );
    }
}
