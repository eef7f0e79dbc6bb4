//! The name of a site, as a client or an operator may write it.
//!
//! Not a resolver and not a URL parser. The invariant: a [`Host`] is lower case, without port and
//! without a trailing dot, so that equal sites are equal values.

use std::borrow::Borrow;
use std::fmt;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

/// A host name, an IPv4 address or an IPv6 address in brackets, in its one canonical spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(Box<str>);

/// Why a text is not a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHost {
    /// Nothing there.
    #[error("the host is empty")]
    Empty,
    /// More than 255 bytes.
    #[error("the host is longer than 255 bytes")]
    TooLong,
    /// A byte that no host may have: a comma, a slash, a user name with `@`, a blank, …
    #[error("the host has a character that is not allowed")]
    Character,
    /// Dots with nothing between them, or in front: `a..b`.
    #[error("the host has dots with no name between them")]
    Label,
    /// Brackets without a valid IPv6 address between them.
    #[error("the host has brackets but no IPv6 address in them")]
    Address,
    /// A port that is not a number up to 65535.
    #[error("the port after the host is not a number between 0 and 65535")]
    Port,
}

/// The longest host name DNS allows, in text.
const LONGEST: usize = 255;

impl Host {
    /// Reads a host without a port, as an operator writes it.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        match Self::with_port(text)? {
            (host, None) => Ok(host),
            (_, Some(_)) => Err(InvalidHost::Character),
        }
    }

    /// Reads the value of a `Host` field or the authority of a URL: a host and perhaps a port.
    ///
    /// A user name (`a@b`) is refused: it is deprecated, and it misleads whoever reads the log.
    pub(crate) fn with_port(text: &str) -> Result<(Self, Option<u16>), InvalidHost> {
        let (name, rest) = if let Some(inside) = text.strip_prefix('[') {
            let (address, rest) = inside.split_once(']').ok_or(InvalidHost::Address)?;
            let address: Ipv6Addr = address.parse().map_err(|_| InvalidHost::Address)?;
            (format!("[{address}]"), rest)
        } else {
            let (name, rest) =
                text.split_at(memchr::memchr(b':', text.as_bytes()).unwrap_or(text.len()));
            (registered(name)?, rest)
        };
        Ok((Self(name.into_boxed_str()), port(rest)?))
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn registered(name: &str) -> Result<String, InvalidHost> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err(InvalidHost::Empty);
    }
    if name.len() > LONGEST {
        return Err(InvalidHost::TooLong);
    }
    let mut before = b'.';
    for byte in name.bytes() {
        match byte {
            b'.' if before == b'.' => return Err(InvalidHost::Label),
            // `_` is no host name, but preview domains use it and nothing is unsafe about it.
            b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => before = byte,
            _ => return Err(InvalidHost::Character),
        }
    }
    if before == b'.' {
        return Err(InvalidHost::Label);
    }
    Ok(name.to_ascii_lowercase())
}

fn port(rest: &str) -> Result<Option<u16>, InvalidHost> {
    if rest.is_empty() {
        return Ok(None);
    }
    let digits = rest.strip_prefix(':').ok_or(InvalidHost::Character)?;
    if digits.is_empty() {
        return Ok(None); // `example.org:` is allowed by RFC 3986 and means the default port.
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidHost::Port);
    }
    digits.parse().map(Some).map_err(|_| InvalidHost::Port)
}

impl TryFrom<String> for Host {
    type Error = InvalidHost;

    fn try_from(text: String) -> Result<Self, InvalidHost> {
        Self::parse(&text)
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.0.into()
    }
}

impl Borrow<str> for Host {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, Option<u16>), InvalidHost>) {
        let found = Host::with_port(text);
        let found = found.as_ref().map(|(host, port)| (host.as_str(), *port)).map_err(|e| *e);
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn hosts_have_one_spelling() {
        check("Example.ORG", Ok(("example.org", None)));
        check("example.org.:8080", Ok(("example.org", Some(8080))));
        check("example.org:", Ok(("example.org", None)));
        check("127.0.0.1:80", Ok(("127.0.0.1", Some(80))));
        check("[::1]:3000", Ok(("[::1]", Some(3000))));
        check("[0:0:0:0:0:0:0:1]", Ok(("[::1]", None)));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        check("", Err(InvalidHost::Empty));
        check(".", Err(InvalidHost::Empty));
        check(":80", Err(InvalidHost::Empty));
        check("a,b", Err(InvalidHost::Character));
        check("user@a", Err(InvalidHost::Character));
        check("a/b", Err(InvalidHost::Character));
        check("a.b..", Err(InvalidHost::Label));
        check("a..b", Err(InvalidHost::Label));
        check(".a", Err(InvalidHost::Label));
        check("a b", Err(InvalidHost::Character));
        check("é.org", Err(InvalidHost::Character));
        check("[::1", Err(InvalidHost::Address));
        check("[zz]", Err(InvalidHost::Address));
        check("[::1]x", Err(InvalidHost::Character));
        check("a:port", Err(InvalidHost::Port));
        check("a:65536", Err(InvalidHost::Port));
        check("a:+80", Err(InvalidHost::Port));
        check(&"a".repeat(256), Err(InvalidHost::TooLong));
        assert_eq!(Host::parse("a:80"), Err(InvalidHost::Character));
    }
}
