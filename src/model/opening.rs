//! Ports of a machine that the containers on it may reach, because its administrator says so.

use std::{fmt, str::FromStr};

/// One port, or several in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    /// What is spoken there.
    pub transport: Transport,
    /// The first port.
    pub first: u16,
    /// The last, which may be the first.
    pub last: u16,
}

/// What is spoken at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// What is meant where nothing is said.
    Tcp,
    /// For those who say so: `53/udp`.
    Udp,
}

impl FromStr for Opening {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| {
            format!("`{text}` is not a port; write it like `5432`, `53/udp` or `8000-8010`")
        })
    }
}

fn parse(text: &str) -> Option<Opening> {
    let (ports, transport) = match text.split_once('/') {
        None => (text, Transport::Tcp),
        Some((ports, "tcp")) => (ports, Transport::Tcp),
        Some((ports, "udp")) => (ports, Transport::Udp),
        Some(_) => return None,
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(Opening { transport, first, last })
}

fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_says_what_is_spoken_there_or_it_is_tcp() {
        for (text, transport, first, last) in [
            ("5432", Transport::Tcp, 5432, 5432),
            ("53/udp", Transport::Udp, 53, 53),
            ("8000-8010/tcp", Transport::Tcp, 8000, 8010),
            ("1-65535", Transport::Tcp, 1, 65535),
        ] {
            assert_eq!(text.parse(), Ok(Opening { transport, first, last }), "{text}");
        }
    }

    #[test]
    fn what_is_no_port_is_told_how_to_write_one() {
        for text in ["", "0", "65536", "10-1", "5432/sctp", "+1", "1-", "postgres", "1.2.3.4:5"] {
            let told = text.parse::<Opening>().unwrap_err();
            assert!(told.contains("`53/udp`"), "{text}: {told}");
        }
    }
}
