//! The way a request took, as `Forwarded` (RFC 7239) and `X-Forwarded-For` tell it, and how much of
//! it is believed.
//!
//! It reads and writes values; whether a peer's word counts at all is `arrival`'s business. The
//! invariant: an address is believed only if everybody behind it, up to us, is trusted.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::network::Network;

/// More proxies than anybody has in front; a longer way is not followed to its end.
const MOST_HOPS: usize = 32;

/// Who asked: the nearest address that is not a trusted proxy's. `hops` are nearest first.
pub(crate) fn client(peer: IpAddr, hops: &[IpAddr], trusted: &[Network]) -> IpAddr {
    let is_ours = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut believed = peer.to_canonical();
    for hop in hops {
        if !is_ours(believed) {
            break;
        }
        believed = *hop;
    }
    believed
}

/// The addresses that fields of a trusted peer name, nearest first, up to the first that is none.
/// `X-Forwarded-For` wins over `Forwarded`: everybody writes the former.
pub(crate) fn hops(forwarded_for: &[&[u8]], forwarded: &[&[u8]]) -> Box<[IpAddr]> {
    if forwarded_for.is_empty() {
        if forwarded.is_empty() {
            return Box::default();
        }
        let elements =
            forwarded.iter().rev().flat_map(|field| split(field, b',').into_iter().rev());
        return addresses(elements.map(for_of));
    }
    let nodes = forwarded_for.iter().rev().flat_map(|field| field.rsplit(|byte| *byte == b','));
    addresses(nodes)
}

fn addresses<'a>(nodes: impl Iterator<Item = &'a [u8]>) -> Box<[IpAddr]> {
    nodes.map_while(address).take(MOST_HOPS).collect()
}

/// The `for` of one element of `Forwarded`; empty if there is none.
fn for_of(element: &[u8]) -> &[u8] {
    let value = |pair: &'_ [u8]| -> Option<std::ops::Range<usize>> {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        pair.get(..at)?.trim_ascii().eq_ignore_ascii_case(b"for").then_some(at + 1..pair.len())
    };
    let pairs = split(element, b';');
    pairs.into_iter().find_map(|pair| pair.get(value(pair)?)).unwrap_or_default()
}

/// The parts of a list between separators that are not in quotes.
fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|byte| {
        let ends = !quoted && *byte == separator;
        if *byte == b'"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && !escaped && *byte == b'\\';
        ends
    });
    parts.collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`, with or without quotes.
fn address(node: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(node.trim_ascii()).ok()?;
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let in_brackets = || {
        let inside = text.strip_prefix('[')?.strip_suffix(']')?;
        inside.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    };
    bare().or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

/// What `Forwarded` shall say.
#[derive(Debug)]
pub(crate) struct Way<'a> {
    /// What a trusted peer said already, field by field.
    pub(crate) said: &'a [&'a [u8]],
    /// Where it is not said: who the request came through, nearest first.
    pub(crate) hops: &'a [IpAddr],
    /// The address of the peer.
    pub(crate) peer: &'a str,
    /// What the client called the host, and by which scheme it asked.
    pub(crate) host: &'a [u8],
    pub(crate) proto: &'a [u8],
}

impl Way<'_> {
    /// Appends the field.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Forwarded: ");
        for field in self.said {
            out.extend_from_slice(field);
            out.extend_from_slice(b", ");
        }
        // A peer that tells the way in other words gets it told in these.
        let hops = if self.said.is_empty() { self.hops } else { &[] };
        let mut first = true;
        let hops = hops.iter().rev().map(|hop| Cow::Owned(hop.to_string()));
        for address in hops.chain([Cow::Borrowed(self.peer)]) {
            out.extend_from_slice(if first { b"" } else { b", " });
            let (before, behind) =
                if address.contains(':') { ("for=\"[", "]\"") } else { ("for=", "") };
            for part in [before, &address, behind] {
                out.extend_from_slice(part.as_bytes());
            }
            if std::mem::take(&mut first) {
                put_pair(out, b";host=", self.host);
                put_pair(out, b";proto=", self.proto);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Leaves out what cannot be said in quotes without escaping: no host and no scheme needs that.
fn put_pair(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let mut needs = Needs::Nothing;
    for byte in value {
        needs = needs.max(Needs::of(*byte));
    }
    let quote: &[u8] = match needs {
        Needs::Nothing if value.is_empty() => return,
        Needs::Nothing => b"",
        Needs::Quotes => b"\"",
        Needs::Escape => return,
    };
    for part in [name, quote, value, quote] {
        out.extend_from_slice(part);
    }
}

/// What a byte of a value needs around it or before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Nothing,
    Quotes,
    Escape,
}

impl Needs {
    fn of(byte: u8) -> Self {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Self::Nothing,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~' => {
                Self::Nothing
            }
            0..=b' ' | b'"' | b'\\' | 0x7f.. => Self::Escape,
            _ => Self::Quotes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn believed(forwarded_for: &[&str], forwarded: &[&str]) -> String {
        let bytes = |fields: &[&'static str]| -> Vec<&'static [u8]> {
            fields.iter().map(|field| field.as_bytes()).collect()
        };
        let leak = |fields: &[&str]| -> Vec<&'static str> {
            fields.iter().map(|field| &*String::leak((*field).to_owned())).collect()
        };
        let hops = hops(&bytes(&leak(forwarded_for)), &bytes(&leak(forwarded)));
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        client("10.0.0.1".parse().unwrap(), &hops, &trusted).to_string()
    }

    #[test]
    fn the_client_is_the_nearest_that_is_not_ours() {
        assert_eq!(believed(&["192.0.2.7"], &[]), "192.0.2.7");
        assert_eq!(believed(&["6.6.6.6, 192.0.2.7"], &[]), "192.0.2.7");
        assert_eq!(believed(&["6.6.6.6, 192.0.2.7, 10.2.0.9"], &[]), "192.0.2.7");
        assert_eq!(believed(&["6.6.6.6", "192.0.2.7,10.2.0.9"], &[]), "192.0.2.7");
        assert_eq!(believed(&["10.3.0.1, 10.2.0.9"], &[]), "10.3.0.1", "all are ours");
        assert_eq!(believed(&["::ffff:192.0.2.7"], &[]), "192.0.2.7");
        assert_eq!(believed(&["[2001:db9::7]:80, [2001:db8::1]"], &[]), "2001:db9::7");
        assert_eq!(believed(&["192.0.2.7:1234"], &[]), "192.0.2.7");
        assert_eq!(believed(&["6.6.6.6, garbage"], &[]), "10.0.0.1", "nobody behind it counts");
        assert_eq!(believed(&["6.6.6.6, , 10.2.0.9"], &[]), "10.2.0.9");
        assert_eq!(believed(&[], &[]), "10.0.0.1");
    }

    #[test]
    fn forwarded_tells_the_same() {
        assert_eq!(believed(&[], &["for=192.0.2.7;proto=https"]), "192.0.2.7");
        assert_eq!(believed(&[], &["for=6.6.6.6, FOR = \"192.0.2.7:80\""]), "192.0.2.7");
        assert_eq!(believed(&[], &["for=6.6.6.6", "by=x;for=\"[2001:db9::7]\""]), "2001:db9::7");
        assert_eq!(believed(&[], &["host=\"a,for=6.6.6.6\";for=192.0.2.7"]), "192.0.2.7");
        assert_eq!(believed(&[], &["host=\"\\\",for=6.6.6.6,\";for=192.0.2.7"]), "192.0.2.7");
        assert_eq!(believed(&[], &["for=6.6.6.6, for=unknown"]), "10.0.0.1");
        assert_eq!(believed(&[], &["for=6.6.6.6, proto=http"]), "10.0.0.1");
        assert_eq!(believed(&["192.0.2.7"], &["for=6.6.6.6"]), "192.0.2.7");
    }

    fn check(said: &[&[u8]], hops: &[&str], host: &str, expected: &str) {
        let hops: Vec<IpAddr> = hops.iter().map(|hop| hop.parse().unwrap()).collect();
        let peer = "2001:db8::1";
        let way = Way { said, hops: &hops, peer, host: host.as_bytes(), proto: b"https" };
        let mut out = Vec::new();
        way.put(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("Forwarded: {expected}\r\n"));
    }

    #[test]
    fn the_way_is_told_in_full() {
        let own = "for=\"[2001:db8::1]\"";
        check(&[], &[], "a.test", &format!("{own};host=a.test;proto=https"));
        check(&[], &[], "a.test:81", &format!("{own};host=\"a.test:81\";proto=https"));
        check(&[], &[], "a\"b", &format!("{own};proto=https"));
        check(
            &[b"for=192.0.2.7;proto=http"],
            &["192.0.2.7"],
            "a",
            &format!("for=192.0.2.7;proto=http, {own};host=a;proto=https"),
        );
        check(
            &[],
            &["10.0.0.2", "192.0.2.7"],
            "a",
            &format!("for=192.0.2.7;host=a;proto=https, for=10.0.0.2, {own}"),
        );
    }
}
