//! A range of addresses, such as `10.0.0.0/8`: whom to believe about a client's address.
//!
//! Not a routing table. The invariant: an IPv4 address and its IPv6-mapped form are the same.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A network in CIDR notation. A bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// Why a text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// What stands before the slash is no address.
    #[error("`{0}` does not begin with an IP address")]
    Address(String),
    /// The prefix is no number, or longer than the address.
    #[error("`{0}` does not end in a prefix length that fits the address")]
    Prefix(String),
}

impl Network {
    /// Whether the address lies in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(other)) => {
                same(u128::from(base.to_bits()), u128::from(other.to_bits()), 32, self.bits)
            }
            (IpAddr::V6(base), IpAddr::V6(other)) => {
                same(base.to_bits(), other.to_bits(), 128, self.bits)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn same(one: u128, other: u128, width: u8, bits: u8) -> bool {
    (one ^ other).checked_shr(u32::from(width - bits)).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| InvalidNetwork::Address(text.to_owned()))?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = match prefix {
            None => width,
            Some(prefix) => match prefix.parse() {
                Ok(bits) if bits <= width => bits,
                Ok(_) | Err(_) => return Err(InvalidNetwork::Prefix(text.to_owned())),
            },
        };
        Ok(Self { base, bits })
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, address: &str, expected: bool) {
        let network: Network = network.parse().unwrap();
        assert_eq!(network.contains(address.parse().unwrap()), expected, "{network} {address}");
    }

    #[test]
    fn networks_contain_their_addresses() {
        check("10.0.0.0/8", "10.9.8.7", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("0.0.0.0/0", "255.1.2.3", true);
        check("::/0", "2001:db8::1", true);
        check("192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
        check("127.0.0.0/8", "::ffff:127.0.0.1", true);
        check("2001:db8::/32", "2001:db8:1::1", true);
        check("2001:db8::/32", "10.0.0.1", false);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        assert!(matches!("x/8".parse::<Network>(), Err(InvalidNetwork::Address(_))));
        assert!(matches!("10.0.0.0/33".parse::<Network>(), Err(InvalidNetwork::Prefix(_))));
        assert!(matches!("10.0.0.0/".parse::<Network>(), Err(InvalidNetwork::Prefix(_))));
    }
}
