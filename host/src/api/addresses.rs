//! Absolute addresses of what the API shows: from the configured public address, else from the request.

pub(super) use super::serve::Connection;
use super::{ApiSettings, ApiState};
use crate::domain::ids::{JobId, OrchestrationId, TokenId};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use url::Url;

const FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Longest name of a host with its port.
const MOST_HOST_CHARACTERS: usize = 261;

/// What every address of an answer starts with; no trailing slash.
#[derive(Clone, Debug)]
pub(super) struct Base(String);

impl Base {
    pub(super) fn orchestration(&self, id: OrchestrationId) -> String {
        format!("{}/orchestrations/{id}", self.0)
    }

    pub(super) fn job(&self, id: JobId) -> String {
        format!("{}/jobs/{id}", self.0)
    }

    pub(super) fn plugin(&self, id: &str) -> String {
        self.below("plugins", id)
    }

    pub(super) fn component(&self, name: &str) -> String {
        self.below("components", name)
    }

    /// Names may hold what an address may not.
    fn below(&self, collection: &str, name: &str) -> String {
        let address = format!("{}/{collection}", self.0);
        let Ok(mut url) = Url::parse(&address) else {
            return address;
        };
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(name);
        }
        url.into()
    }

    pub(super) fn token(&self, id: TokenId) -> String {
        format!("{}/v2/storage/tokens/{id}", self.0)
    }

    /// The address itself.
    pub(super) fn root(&self) -> &str {
        &self.0
    }

    /// The page that explains the API.
    pub(super) fn reference(&self) -> String {
        format!("{}/docs", self.0)
    }

    /// The first page for people.
    pub(super) fn pages(&self) -> String {
        format!("{}/ui/", self.0)
    }

    /// Whether clients come by TLS.
    pub(super) fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether this is where its pages come from.
    pub(super) fn has_origin(&self, url: &Url) -> bool {
        Url::parse(&self.0).is_ok_and(|base| base.origin() == url.origin())
    }

    #[cfg(test)]
    pub(super) fn of(address: &str) -> Self {
        Self(address.to_owned())
    }
}

impl FromRequestParts<ApiState> for Base {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Infallible> {
        let connection = parts.extensions.get::<ConnectInfo<Connection>>();
        let connection = connection.map(|ConnectInfo(connection)| connection);
        Ok(Self(base(
            &state.settings,
            &parts.uri,
            &parts.headers,
            connection,
        )))
    }
}

fn base(
    settings: &ApiSettings,
    uri: &Uri,
    headers: &HeaderMap,
    connection: Option<&Connection>,
) -> String {
    if let Some(url) = &settings.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let is_trusted = connection.is_some_and(|connection| is_proxy(settings, connection.peer.ip()));
    let forwarded = |name| last_value(headers, name).filter(|_| is_trusted);
    let scheme = if is_https(settings, headers, connection) {
        "https"
    } else {
        "http"
    };
    let host = forwarded(FORWARDED_HOST)
        .or_else(|| uri.authority().map(|authority| authority.as_str()))
        .or_else(|| headers.get(HOST)?.to_str().ok())
        .filter(|host| is_host(host))
        .map(str::to_owned)
        // HTTP/1.0 knows no Host: the address that was connected to is all there is.
        .or_else(|| Some(connection?.local?.to_string()));
    format!("{scheme}://{}", host.as_deref().unwrap_or("localhost"))
}

/// Whether the client came over TLS, to this server or to a trusted proxy.
pub(super) fn is_https(
    settings: &ApiSettings,
    headers: &HeaderMap,
    connection: Option<&Connection>,
) -> bool {
    let Some(connection) = connection else {
        return false;
    };
    let told = last_value(headers, FORWARDED_PROTO);
    let told = told.filter(|_| is_proxy(settings, connection.peer.ip()));
    told.map_or(connection.is_tls, |proto| {
        proto.eq_ignore_ascii_case("https")
    })
}

/// Where a request comes from: the peer, or what the nearest address that is no trusted proxy is according to these.
pub(super) fn client_address(
    settings: &ApiSettings,
    headers: &HeaderMap,
    connection: Option<&Connection>,
) -> IpAddr {
    let Some(connection) = connection else {
        return Ipv4Addr::UNSPECIFIED.into();
    };
    let mut address = connection.peer.ip().to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter();
    let lines = lines.rev().filter_map(|line| line.to_str().ok());
    let mut told = lines.flat_map(|line| line.rsplit(','));
    while is_proxy(settings, address) {
        // What is no address was not written by a proxy of ours: the proxy is all that is known.
        let Some(before) = told
            .next()
            .and_then(|text| text.trim().parse::<IpAddr>().ok())
        else {
            break;
        };
        address = before.to_canonical();
    }
    address
}

fn is_proxy(settings: &ApiSettings, address: IpAddr) -> bool {
    let address = address.to_canonical();
    let mut ranges = settings.trusted_proxies.iter();
    ranges.any(|range| range.contains(&address))
}

/// The value that the nearest proxy added: those before it may come from the client.
fn last_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    Some(value.rsplit(',').next().unwrap_or(value).trim())
}

fn is_host(text: &str) -> bool {
    (1..=MOST_HOST_CHARACTERS).contains(&text.len())
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn base_of(
        public_url: Option<&str>,
        peer: &str,
        headers: &[(&'static str, &'static str)],
    ) -> String {
        let settings = ApiSettings {
            roles: crate::domain::role::Roles::all(),
            public_url: public_url.map(str::to_owned),
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("range")],
            body_limit: 0,
            plugin_limit: 0,
            operator_token: None,
        };
        let map = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("name"), HeaderValue::from_static(value)))
            .collect();
        let connection = Connection {
            peer: peer.parse().expect("address"),
            local: Some("127.0.0.1:8080".parse().expect("address")),
            is_tls: false,
        };
        base(
            &settings,
            &Uri::from_static("/jobs"),
            &map,
            Some(&connection),
        )
    }

    #[test]
    fn a_client_is_known_by_what_trusted_proxies_add_to_its_request() {
        let settings = ApiSettings {
            public_url: None,
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("range")],
            body_limit: 0,
            plugin_limit: 0,
            operator_token: None,
            roles: crate::domain::role::Roles::all(),
        };
        for (peer, lines, client) in [
            ("192.0.2.1:9", vec!["198.51.100.7"], "192.0.2.1"),
            ("10.1.2.3:9", vec![], "10.1.2.3"),
            ("10.1.2.3:9", vec!["198.51.100.7"], "198.51.100.7"),
            (
                "10.1.2.3:9",
                vec!["1.1.1.1, 198.51.100.7 , 10.9.9.9"],
                "198.51.100.7",
            ),
            (
                "10.1.2.3:9",
                vec!["1.1.1.1", "198.51.100.7", "10.9.9.9"],
                "198.51.100.7",
            ),
            ("10.1.2.3:9", vec!["1.1.1.1, unknown"], "10.1.2.3"),
            (
                "[::ffff:10.1.2.3]:9",
                vec!["::ffff:198.51.100.7"],
                "198.51.100.7",
            ),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
            }
            let connection = Connection {
                peer: peer.parse().expect("address"),
                local: None,
                is_tls: false,
            };
            let found = client_address(&settings, &headers, Some(&connection));
            assert_eq!(found.to_string(), client, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_configured_address_wins() {
        let headers = [("host", "other.example")];
        assert_eq!(
            base_of(Some("https://a.example/o/"), "10.0.0.1:9", &headers),
            "https://a.example/o"
        );
    }

    #[test]
    fn forwarded_headers_count_from_trusted_proxies_only() {
        let headers = [
            ("host", "inner:8080"),
            ("x-forwarded-host", "evil.example, outer.example"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(
            base_of(None, "10.1.2.3:9", &headers),
            "https://outer.example"
        );
        assert_eq!(
            base_of(None, "[::ffff:10.1.2.3]:9", &headers),
            "https://outer.example"
        );
        assert_eq!(base_of(None, "192.0.2.1:9", &headers), "http://inner:8080");
    }

    #[test]
    fn without_a_usable_host_it_is_the_address_that_was_connected_to() {
        assert_eq!(base_of(None, "192.0.2.1:9", &[]), "http://127.0.0.1:8080");
        assert_eq!(
            base_of(None, "192.0.2.1:9", &[("host", "a/b?c")]),
            "http://127.0.0.1:8080"
        );
    }
}
