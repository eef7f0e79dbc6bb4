//! Which addresses a server may be asked to fetch from: those of the public internet, and what its
//! administrator has named.
//!
//! Whoever may deploy could otherwise have the server ask what only the server can reach: its own
//! services, its neighbours, and the metadata of its cloud, which hands out passwords.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A place that is not public, from which may be fetched all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivatePlace {
    /// A host, wherever its name leads.
    Host(String),
    /// A network, by its first address and how many bits all of its addresses share.
    Network(IpAddr, u32),
}

impl FromStr for PrivatePlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is neither a host's name nor a network such as 10.0.0.0/8");
        let (address, bits) = text.split_once('/').unwrap_or((text, ""));
        if let Ok(address) = address.parse::<IpAddr>() {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = if text.contains('/') { bits.parse().ok() } else { Some(most) };
            let bits = bits.filter(|bits| *bits <= most).ok_or_else(wrong)?;
            return Ok(Self::Network(address, bits));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if text.is_empty() || text.len() > 253 || !text.chars().all(plain) {
            return Err(wrong());
        }
        Ok(Self::Host(text.to_ascii_lowercase()))
    }
}

impl PrivatePlace {
    fn has(&self, address: IpAddr) -> bool {
        let shifted = |bits: u32, width: u32, value: u128| value.checked_shr(width - bits);
        match (self, address) {
            (Self::Network(IpAddr::V4(first), bits), IpAddr::V4(four)) => {
                let of = |four: &Ipv4Addr| shifted(*bits, 32, u32::from(*four).into());
                of(first) == of(&four)
            }
            (Self::Network(IpAddr::V6(first), bits), IpAddr::V6(six)) => {
                let of = |six: &Ipv6Addr| shifted(*bits, 128, u128::from(*six));
                of(first) == of(&six)
            }
            _ => false,
        }
    }
}

/// Whether a host is one of those that were named.
pub fn is_named(places: &[PrivatePlace], host: &str) -> bool {
    places
        .iter()
        .any(|place| matches!(place, PrivatePlace::Host(name) if name.eq_ignore_ascii_case(host)))
}

/// Why nothing is fetched from an address; `None` if it may be.
pub fn refusal(places: &[PrivatePlace], address: IpAddr) -> Option<&'static str> {
    if places.iter().any(|place| place.has(address)) {
        return None;
    }
    match address {
        IpAddr::V4(four) => of_four(four),
        IpAddr::V6(six) => of_six(six),
    }
}

fn of_four(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, ..) => Some("no address at all"),
        (127, ..) => Some("this server itself"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("a private address"),
        (100, 64..=127, _) => Some("a provider's private address"),
        (169, 254, _) => Some("a link-local address, where clouds keep passwords"),
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113) | (198, 18 | 19, _) => {
            Some("an address for special purposes")
        }
        (224..=239, ..) => Some("a multicast address"),
        (240..=255, ..) => Some("a reserved address"),
        _ => None,
    }
}

fn of_six(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(four) = address.to_ipv4_mapped() {
        return of_four(four).or(Some("an IPv4 address in disguise"));
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("this server itself"),
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("no address at all"),
        [0x64, 0xff9b, ..] | [0x2002, ..] | [0x2001, 0, ..] => Some("an IPv4 address in disguise"),
        [0xfc00..=0xfdff, ..] => Some("a private address"),
        [0xfe80..=0xfeff, ..] => Some("a link-local address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        [0x2001, 0x0db8 | 0x0001..=0x01ff, ..] | [0x3fff, ..] => {
            Some("an address for special purposes")
        }
        [0x2000..=0x3fff, ..] => None,
        _ => Some("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str, places: &[&str]) -> Option<&'static str> {
        let places: Vec<_> = places.iter().map(|place| place.parse().unwrap()).collect();
        refusal(&places, address.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_asked() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(refused(address, &[]).is_some(), "{address}");
        }
        for address in ["1.1.1.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "2606:4700::1111"] {
            assert_eq!(refused(address, &[]), None, "{address}");
        }
    }

    #[test]
    fn what_was_named_is_asked_as_well() {
        assert_eq!(refused("10.1.2.3", &["10.0.0.0/8"]), None);
        assert_eq!(refused("fd00::1", &["fd00::/8"]), None);
        assert_eq!(refused("::1", &["::/0"]), None);
        assert_eq!(refused("127.0.0.1", &["127.0.0.1"]), None);
        assert!(refused("127.0.0.2", &["127.0.0.1", "::/0"]).is_some());
        assert!(refused("10.1.2.3", &["10.2.0.0/16", "store.lan"]).is_some());
        let places = ["Store.lan".parse().unwrap()];
        assert!(is_named(&places, "store.LAN") && !is_named(&places, "evil.store.lan"));
        for bad in ["", "a b", "10.0.0.0/33", "http://x"] {
            assert!(bad.parse::<PrivatePlace>().is_err(), "{bad}");
        }
    }
}
