//! A request as the rules see it.
//!
//! Fields are looked up in the head that was written for the upstream, not in the bytes that came:
//! what a rule decides by is what the app would read, so that there are no two readings of a
//! request. It is looked through only when a rule asks, which most requests never make it do.

use std::net::IpAddr;

use crate::arrival::{Arrival, Trust};
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
    pub(crate) arrival: &'a Arrival,
    /// Peers that are believed about others.
    pub(crate) trusted: &'a [Network],
}

/// Whether others could read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Secure,
}

impl<'a> Asked<'a> {
    /// The values of all fields with this name.
    pub(crate) fn fields(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        fields(self.head, name)
    }

    /// How the client reached us, or the trusted proxy in front of us.
    pub(crate) fn transport(&self) -> Transport {
        let secure = self.arrival.scheme == "https"
            || self.arrival.trust == Trust::Trusted
                && self
                    .fields("x-forwarded-proto")
                    .next()
                    .is_some_and(|proto| proto.eq_ignore_ascii_case(b"https"));
        if secure { Transport::Secure } else { Transport::Plain }
    }

    /// The address that the request came from: the nearest one that is not a trusted proxy's. An
    /// entry that is no address ends what can be believed.
    pub(crate) fn client(&self) -> IpAddr {
        let peer = self.arrival.peer.ip();
        if self.arrival.trust == Trust::Stranger {
            return peer.to_canonical();
        }
        // The head names the peer itself last; walking over it twice changes nothing.
        let values: Vec<&[u8]> = self.fields("x-forwarded-for").collect();
        forwarded::client(peer, &forwarded::hops(&values, &[]), self.trusted)
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
    lines(head).filter_map(move |line| value(line, name))
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
pub(crate) mod tests {
    use super::*;

    /// Asks `check` about a request for `/` at `app.test` that came over `arrival`.
    pub(crate) fn ask<T>(arrival: &Arrival, head: &str, check: impl Fn(&Asked<'_>) -> T) -> T {
        let host = Host::parse("app.test").unwrap();
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        check(&Asked {
            method: "GET",
            host: &host,
            path: "/",
            head: head.as_bytes(),
            body: Body::EMPTY,
            arrival,
            trusted: &trusted,
        })
    }

    /// Plain HTTP from this address, believed if it begins with `10.`.
    pub(crate) fn from(peer: &str) -> Arrival {
        let trust = if peer.starts_with("10.") { Trust::Trusted } else { Trust::Stranger };
        let peer = (peer.parse::<IpAddr>().unwrap(), 5000).into();
        Arrival { peer, local_port: 80, trust, scheme: "http", tls: None }
    }

    #[test]
    fn the_client_is_the_nearest_whom_we_do_not_trust() {
        let check = |peer: &str, forwarded: &str, expected: &str| {
            let head = format!("GET / HTTP/1.1\r\nX-Forwarded-For: {forwarded}\r\n\r\n");
            let client = ask(&from(peer), &head, |asked| asked.client());
            assert_eq!(client.to_string(), expected, "{peer} with {forwarded}");
        };
        check("192.0.2.1", "6.6.6.6, 192.0.2.1", "192.0.2.1");
        check("10.0.0.1", "6.6.6.6, 10.0.0.1", "6.6.6.6");
        check("10.0.0.1", "1.1.1.1, 6.6.6.6, 10.0.0.2, 10.0.0.1", "6.6.6.6");
        check("10.0.0.1", "1.1.1.1\r\nX-Forwarded-For: 2001:db8::1, 10.0.0.1", "2001:db8::1");
        check("10.0.0.1", "1.1.1.1, unknown, 10.0.0.1", "10.0.0.1");
        check("10.0.0.1", "10.0.0.3, 10.0.0.1", "10.0.0.3");
        check("::ffff:192.0.2.1", "", "192.0.2.1");
    }

    #[test]
    fn only_a_trusted_proxy_says_how_the_client_came() {
        let head = "GET / HTTP/1.1\r\nx-forwarded-PROTO:  https \r\n\r\n";
        assert_eq!(ask(&from("10.0.0.1"), head, |asked| asked.transport()), Transport::Secure);
        assert_eq!(ask(&from("192.0.2.1"), head, |asked| asked.transport()), Transport::Plain);
        let tls = Arrival { scheme: "https", ..from("192.0.2.1") };
        assert_eq!(ask(&tls, "", |asked| asked.transport()), Transport::Secure);
    }
}
