//! A request as the rules see it.
//!
//! Fields are looked up in the head that was written for the upstream, not in the bytes that came:
//! what a rule decides by is what the app would read, so that there are no two readings of a
//! request. It is looked through only when a rule asks, which most requests never make it do.

use std::net::IpAddr;

use crate::arrival::Secure;
use crate::body::Body;
use crate::forwarded;
use crate::host::Host;
use crate::network::Network;

/// What is known of a request once its head is understood.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a Host,
    /// With its query, as it was sent; or `*`.
    pub(crate) path: &'a str,
    /// The HTTP/1.1 head for the upstream.
    pub(crate) head: &'a [u8],
    pub(crate) body: Body,
    pub(crate) secure: Secure,
    pub(crate) peer: IpAddr,
    /// The addresses it came through before its peer, nearest first.
    pub(crate) hops: &'a [IpAddr],
    /// Peers that are believed about others.
    pub(crate) trusted: &'a [Network],
}

impl<'a> Asked<'a> {
    /// The values of all fields with this name.
    pub(crate) fn fields(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        fields(self.head, name)
    }

    /// The address that the request came from: the nearest one that is not a trusted proxy's.
    pub(crate) fn client(&self) -> IpAddr {
        forwarded::client(self.peer, self.hops, self.trusted)
    }

    /// The path without its query.
    pub(crate) fn bare_path(&self) -> &'a str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// Whether it only wants to see something.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

/// The values of all fields with this name in a head of ours.
pub(crate) fn fields<'a>(head: &'a [u8], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    lines(head).skip(1).filter_map(move |line| value(line, name))
}

/// The lines of a head, each with its line end, without the empty one.
pub(crate) fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split_inclusive(|byte| *byte == b'\n').filter(|line| *line != b"\r\n")
}

/// What a field line says, if it has this name.
pub(crate) fn value<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?.strip_suffix(b"\r\n")?;
    found.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let head = b"GET /a:b HTTP/1.1\r\nX-A: 1\r\nx-a:  2 \r\nX-AB: 3\r\nX: \r\n\r\n";
        let all = |name| -> Vec<&[u8]> { fields(head, name).collect() };
        assert_eq!(all("x-a"), [b"1", b"2"]);
        assert_eq!(all("x"), [b""]);
        assert!(all("b").is_empty() && all("get /a").is_empty());
    }
}
