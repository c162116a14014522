//! Which addresses plugins may reach: the public internet, and what the operator allows besides.
//!
//! Judged is the address that is connected to, after the look-up: a public name that leads into a private network is
//! refused like the private address itself. IPv6 addresses that carry an IPv4 one are judged by that.

use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address range or a host that may be called although it is private: `127.0.0.1/32`, `10.0.0.5`, `components.internal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboundAllow {
    Net(IpNet),
    /// In lower case, without a dot at its end.
    Host(String),
}

/// The text is neither an address, nor a range, nor a host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address, nor an address range such as 10.0.0.0/8, nor a host name")]
pub struct BadOutboundAllow(String);

impl FromStr for OutboundAllow {
    type Err = BadOutboundAllow;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net));
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        // A last label of digits would be an address that nobody could read.
        let name = text.trim_end_matches('.').to_ascii_lowercase();
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let ends_in_a_number = name
            .rsplit('.')
            .next()
            .is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
        if name.len() > 253 || !name.split('.').all(is_label) || ends_in_a_number {
            return Err(BadOutboundAllow(text.to_owned()));
        }
        Ok(Self::Host(name))
    }
}

impl fmt::Display for OutboundAllow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Host(name) => name.fmt(f),
        }
    }
}

/// What is public, and what was allowed besides.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressFilter {
    allow: Vec<OutboundAllow>,
}

impl AddressFilter {
    pub(super) fn new(allow: Vec<OutboundAllow>) -> Self {
        Self { allow }
    }

    /// Whether this address may be connected to.
    pub(super) fn lets_through(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        !is_closed(address)
            || self.allow.iter().any(|allowed| match allowed {
                OutboundAllow::Net(net) => net.contains(&address),
                OutboundAllow::Host(_) => false,
            })
    }

    /// Whether this name may lead to any address.
    pub(super) fn trusts_name(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.allow.iter().any(|allowed| match allowed {
            OutboundAllow::Host(host) => host.eq_ignore_ascii_case(name),
            OutboundAllow::Net(_) => false,
        })
    }
}

fn is_closed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_closed_v4(address),
        IpAddr::V6(address) => is_closed_v6(address),
    }
}

fn is_closed_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        // This network, private, loopback.
        [0 | 10 | 127, ..] => true,
        // Shared between a provider and its customers.
        [100, 64..=127, ..] => true,
        // Link-local; the metadata services of clouds live here.
        [169, 254, ..] => true,
        [172, 16..=31, ..] | [192, 168, ..] => true,
        // Protocol assignments, documentation, relays of 6to4.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] => true,
        // Benchmarks, documentation.
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    }
}

fn is_closed_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_closed_v4(embedded(high, low))
        }
        // 6to4 carries the IPv4 address of its router.
        [0x2002, high, low, ..] => is_closed_v4(embedded(high, low)),
        // Protocol assignments (Teredo among them), documentation.
        [0x2001, 0x0000..=0x01ff | 0x0db8, ..] => true,
        [0x3fff, 0x0000..=0x0fff, ..] => true,
        // Global unicast; all else is local, multicast, reserved or a form of IPv4 that should not be in use.
        [0x2000..=0x3fff, ..] => false,
        _ => true,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets_through(allow: &[&str], address: &str) -> bool {
        let allow = allow
            .iter()
            .map(|text| text.parse().expect("valid"))
            .collect();
        AddressFilter::new(allow).lets_through(address.parse().expect("an address"))
    }

    #[test]
    fn closed_networks_are_refused_in_every_disguise() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:a9fe:a9fe::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::1",
            "2002:c0a8:101::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!lets_through(&[], address), "{address}");
        }
    }

    #[test]
    fn the_public_internet_is_let_through() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2a00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(lets_through(&[], address), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_is_let_through_and_nothing_beside_it() {
        assert!(lets_through(&["127.0.0.1/32"], "127.0.0.1"));
        assert!(lets_through(&["127.0.0.1/32"], "::ffff:127.0.0.1"));
        assert!(!lets_through(&["127.0.0.1/32"], "127.0.0.2"));
        assert!(lets_through(&["10.0.0.0/8", "::1"], "::1"));
        assert!(!lets_through(&["localhost"], "127.0.0.1"));
    }

    #[test]
    fn names_are_trusted_whole() {
        let filter = AddressFilter::new(vec!["Components.Internal".parse().expect("valid")]);
        assert!(filter.trusts_name("components.internal"));
        assert!(filter.trusts_name("COMPONENTS.internal."));
        assert!(!filter.trusts_name("x.components.internal"));
        assert!(!filter.trusts_name("internal"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0",
            "a..b",
            "https://a",
            "a b",
            "*.internal",
            "300.1.1.1",
        ] {
            assert!(text.parse::<OutboundAllow>().is_err(), "{text}");
        }
        assert_eq!(
            "[::1]".parse::<OutboundAllow>().map(|net| net.to_string()),
            Ok("::1/128".to_owned())
        );
    }
}
