//! The PROXY protocol, versions 1 and 2: what a load balancer in front says about the client
//! before the client's own first byte.
//!
//! A pure parser; `listener` decides whose word counts. It is strict: whatever a sender of either
//! version may not write is refused. The invariant: [`Progress::Partial`] never asks for a byte
//! behind the preface, so that nothing of what follows has to be put back. TLVs are checked for
//! their shape and otherwise ignored, the checksum among them: TCP has one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How much of a preface is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So far so good; read exactly this many bytes more and look again.
    Partial(usize),
    /// This is all of it.
    Whole(Origin),
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From here, says the sender.
    Client(SocketAddr),
    /// From the sender itself, or from somewhere it cannot name.
    Sender,
}

/// Why a preface was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPreface {
    /// It begins like neither version.
    #[error("the connection does not begin with the PROXY protocol")]
    Missing,
    /// A line of version 1 that is too long or not one of its forms.
    #[error("the line of PROXY protocol version 1 is malformed")]
    Line,
    /// A header of version 2 with a version, command, family or length that there is not.
    #[error("the header of PROXY protocol version 2 is malformed")]
    Header,
    /// Its additional values do not fill the rest of it.
    #[error("the values in the PROXY protocol header do not add up")]
    Values,
}

/// Looks at what was read so far: nothing at first, then what earlier looks asked for.
pub fn look(bytes: &[u8]) -> Result<Progress, InvalidPreface> {
    let Some((first, _)) = bytes.split_at_checked(SHORTEST) else {
        let begins = |whole: &[u8]| whole.starts_with(bytes.get(..whole.len()).unwrap_or(bytes));
        let may = begins(SIGNATURE) || begins(WORD);
        return may
            .then(|| Progress::Partial(SHORTEST - bytes.len()))
            .ok_or(InvalidPreface::Missing);
    };
    if first.starts_with(SIGNATURE) {
        binary(bytes)
    } else if first.starts_with(WORD) {
        line(bytes)
    } else {
        Err(InvalidPreface::Missing)
    }
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.2 5000 80` and the end of a line.
fn line(bytes: &[u8]) -> Result<Progress, InvalidPreface> {
    let Some(line) = bytes.strip_suffix(b"\r\n") else {
        // The line end is still to come: two bytes, or one if half of it is here.
        let missing = if bytes.ends_with(b"\r") { 1 } else { 2 };
        let room = bytes.len() + missing <= LONGEST_LINE && !bytes.contains(&b'\n');
        return if room { Ok(Progress::Partial(missing)) } else { Err(InvalidPreface::Line) };
    };
    if bytes.len() > LONGEST_LINE || line.contains(&b'\r') || line.contains(&b'\n') {
        return Err(InvalidPreface::Line);
    }
    let line = std::str::from_utf8(line).map_err(|_| InvalidPreface::Line)?;
    let mut words = line.split(' ').skip(1);
    let v4 = match words.next() {
        // What follows is for people.
        Some("UNKNOWN") => return Ok(Progress::Whole(Origin::Sender)),
        Some("TCP4") => true,
        Some("TCP6") => false,
        _ => return Err(InvalidPreface::Line),
    };
    let mut address = || {
        let address: IpAddr = words.next()?.parse().ok()?;
        (address.is_ipv4() == v4).then_some(address)
    };
    let addresses = (address(), address());
    let ports = (words.next().and_then(port), words.next().and_then(port));
    match (addresses, ports, words.next()) {
        ((Some(source), Some(_)), (Some(port), Some(_)), None) => {
            Ok(Progress::Whole(Origin::Client(SocketAddr::new(source, port))))
        }
        _ => Err(InvalidPreface::Line),
    }
}

/// Decimal without leading zeros, which some would read as octal.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading = text.len() > 1 && text.starts_with('0');
    if plain && !leading { text.parse().ok() } else { None }
}

/// Version 2: a signature, a byte each for version and command and for family and protocol, a
/// length, and so many bytes of addresses and values.
fn binary(bytes: &[u8]) -> Result<Progress, InvalidPreface> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
        return Ok(Progress::Partial(HEAD - bytes.len()));
    };
    let [.., command, family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    // All that a header says is checked before a byte more is waited for.
    let (PROXY | LOCAL) = command else { return Err(InvalidPreface::Header) };
    let addresses = match family {
        // Unspecified; or sockets of one machine, whose names mean nothing here.
        0x00 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        _ => return Err(InvalidPreface::Header),
    };
    // `LOCAL` may say any family, and its receiver must ignore it.
    if length > MOST || (command == PROXY && length < addresses) {
        return Err(InvalidPreface::Header);
    }
    if rest.len() < length {
        return Ok(Progress::Partial(length - rest.len()));
    }
    if rest.len() > length {
        return Err(InvalidPreface::Header); // More than was asked for.
    }
    if command == LOCAL {
        return Ok(Progress::Whole(Origin::Sender));
    }
    let (block, values) = rest.split_at_checked(addresses).ok_or(InvalidPreface::Header)?;
    check(values)?;
    let client = match family {
        // Datagrams do not come over a TCP connection.
        0x11 => source(block, |address: [u8; 4]| Ipv4Addr::from(address).into()),
        0x21 => source(block, |address: [u8; 16]| Ipv6Addr::from(address).into()),
        _ => None,
    };
    Ok(Progress::Whole(client.map_or(Origin::Sender, Origin::Client)))
}

/// The source's address and port out of: source, destination, source port, destination port.
fn source<const N: usize>(block: &[u8], ip: impl Fn([u8; N]) -> IpAddr) -> Option<SocketAddr> {
    let (address, rest) = block.split_first_chunk::<N>()?;
    let (_, ports) = rest.split_first_chunk::<N>()?;
    let (port, _) = ports.split_first_chunk()?;
    Some(SocketAddr::new(ip(*address), u16::from_be_bytes(*port)))
}

/// Type, length, value, and so on, up to the last byte.
fn check(mut values: &[u8]) -> Result<(), InvalidPreface> {
    while let [_, high, low, rest @ ..] = values {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        values = rest.get(length..).ok_or(InvalidPreface::Values)?;
    }
    if values.is_empty() { Ok(()) } else { Err(InvalidPreface::Values) }
}

const WORD: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
/// The fixed part of version 2.
const HEAD: usize = 16;
/// `PROXY UNKNOWN` and a line end: neither version has anything shorter.
const SHORTEST: usize = 15;
/// What the specification says is enough for every form of version 1.
const LONGEST_LINE: usize = 107;
/// Addresses and values of version 2. A chain of client certificates would not fit and should not.
const MOST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds byte by byte what is asked for and returns what came of it and how much it took.
    fn read(bytes: &[u8]) -> (Result<Progress, InvalidPreface>, usize) {
        let mut taken = 0;
        loop {
            match look(&bytes[..taken]) {
                Ok(Progress::Partial(more)) => {
                    assert!(more > 0, "it must ask for something");
                    if taken + more > bytes.len() {
                        return (Ok(Progress::Partial(more)), taken);
                    }
                    taken += more;
                }
                ended => return (ended, taken),
            }
        }
    }

    #[track_caller]
    fn check(preface: impl AsRef<[u8]>, expected: Result<Option<&str>, InvalidPreface>) {
        let preface = preface.as_ref();
        let origin = expected.map(|client| match client {
            Some(client) => Origin::Client(client.parse().unwrap()),
            None => Origin::Sender,
        });
        let followed = [preface, b"GET / HTTP/1.1\r\n"].concat();
        let (found, taken) = read(&followed);
        assert_eq!(found, origin.map(Progress::Whole), "{:?}", preface.escape_ascii());
        if found.is_ok() {
            assert_eq!(taken, preface.len(), "not a byte of what follows");
        }
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, body].concat()
    }

    const INET: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 2, 0x13, 0x88, 0, 80];

    #[test]
    fn lines_of_version_1() {
        use InvalidPreface::{Line, Missing};
        check("PROXY TCP4 192.0.2.1 198.51.100.2 5000 80\r\n", Ok(Some("192.0.2.1:5000")));
        check("PROXY TCP6 2001:db8::1 ::1 5000 443\r\n", Ok(Some("[2001:db8::1]:5000")));
        let f = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        check(format!("PROXY TCP6 {f} {f} 65535 65535\r\n"), Ok(Some(&format!("[{f}]:65535"))));
        check("PROXY UNKNOWN\r\n", Ok(None));
        check(format!("PROXY UNKNOWN {f} {f} 65535 65535\r\n"), Ok(None));
        check("PROXY TCP4 192.0.2.1 198.51.100.2 5000\r\n", Err(Line));
        check("PROXY TCP4 192.0.2.1 198.51.100.2 5000 80 \r\n", Err(Line));
        check("PROXY TCP4  192.0.2.1 198.51.100.2 5000 80\r\n", Err(Line));
        check("PROXY TCP4 192.0.2.01 198.51.100.2 5000 80\r\n", Err(Line));
        check("PROXY TCP4 192.0.2.1 198.51.100.2 05000 80\r\n", Err(Line));
        check("PROXY TCP4 192.0.2.1 198.51.100.2 +5000 80\r\n", Err(Line));
        check("PROXY TCP4 192.0.2.1 198.51.100.2 65536 80\r\n", Err(Line));
        check("PROXY TCP4 2001:db8::1 ::1 5000 80\r\n", Err(Line));
        check("PROXY TCP6 192.0.2.1 198.51.100.2 5000 80\r\n", Err(Line));
        check("PROXY UDP4 192.0.2.1 198.51.100.2 5000 80\r\n", Err(Line));
        check("PROXY TCP4 192.0.2.1 198.51.100.2 5000 80\n", Err(Line));
        check("PROXY TCP4 192.0.2.1\r198.51.100.2 5000 80\r\n", Err(Line));
        check(format!("PROXY UNKNOWN {}\r\n", "x".repeat(91)), Ok(None));
        check(format!("PROXY UNKNOWN {}\r\n", "x".repeat(92)), Err(Line));
        check("proxy TCP4 192.0.2.1 198.51.100.2 5000 80\r\n", Err(Missing));
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Err(Missing));
    }

    #[test]
    fn headers_of_version_2() {
        use InvalidPreface::{Header, Values};
        let mut inet6 = [0; 36];
        (inet6[15], inet6[31], inet6[33]) = (1, 2, 7);
        check(v2(PROXY, 0x11, INET), Ok(Some("192.0.2.1:5000")));
        check(v2(PROXY, 0x21, &inet6), Ok(Some("[::1]:7")));
        check(v2(PROXY, 0x11, &[INET, &[4, 0, 2, 9, 9]].concat()), Ok(Some("192.0.2.1:5000")));
        check(v2(PROXY, 0x11, &[INET, &[4, 0, 3, 9, 9]].concat()), Err(Values));
        check(v2(PROXY, 0x11, &[INET, &[4, 0]].concat()), Err(Values));
        check(v2(PROXY, 0x11, &INET[..11]), Err(Header));
        check(v2(PROXY, 0x12, INET), Ok(None));
        check(v2(PROXY, 0x00, &[]), Ok(None));
        check(v2(PROXY, 0x31, &[0; 216]), Ok(None));
        check(v2(LOCAL, 0x00, &[]), Ok(None));
        check(v2(LOCAL, 0x11, &[1, 2, 3]), Ok(None));
        check(v2(0x22, 0x11, INET), Err(Header));
        check(v2(0x11, 0x11, INET), Err(Header));
        check(v2(PROXY, 0x41, INET), Err(Header));
        check(v2(PROXY, 0x13, INET), Err(Header));
        check(v2(PROXY, 0x00, &[0; MOST + 1]), Err(Header));
    }

    #[test]
    fn it_is_refused_as_soon_as_it_cannot_become_one() {
        assert_eq!(look(b""), Ok(Progress::Partial(SHORTEST)));
        assert_eq!(look(b"PRO"), Ok(Progress::Partial(SHORTEST - 3)));
        assert_eq!(look(b"PRI"), Err(InvalidPreface::Missing));
        assert_eq!(look(b"\x16\x03\x01"), Err(InvalidPreface::Missing));
        let large = v2(PROXY, 0x11, &[0; MOST + 1]);
        assert_eq!(look(&large[..HEAD]), Err(InvalidPreface::Header));
    }

    #[test]
    fn whatever_comes_it_ends_within_its_bounds() {
        let seeds = [
            b"PROXY TCP4 192.0.2.1 198.51.100.2 5000 80\r\nGET /".to_vec(),
            b"PROXY TCP6 2001:db8::1 ::1 5000 443\r\nGET /".to_vec(),
            v2(PROXY, 0x11, &[INET, &[4, 0, 2, 9, 9]].concat()),
            v2(LOCAL, 0x21, &[0; 64]),
        ];
        let mut dice = fastrand::Rng::with_seed(18);
        for round in 0..40_000 {
            let mut bytes = seeds[round % seeds.len()].clone();
            for _ in 0..dice.usize(1..4) {
                let at = dice.usize(..bytes.len());
                match dice.u8(..4) {
                    0 => bytes[at] = dice.u8(..),
                    1 => bytes.insert(at, dice.u8(..)),
                    2 => bytes[at] ^= 1 << dice.u8(..8),
                    _ => drop(bytes.remove(at)),
                }
            }
            let (found, taken) = read(&bytes);
            assert!(taken <= HEAD + MOST, "{}", bytes.escape_ascii());
            if let Ok(Progress::Whole(_)) = found {
                // What it took is a preface by itself, and no part of it is.
                assert_eq!(look(&bytes[..taken]), found);
                for cut in 0..taken {
                    let part = look(&bytes[..cut]);
                    assert!(!matches!(part, Ok(Progress::Whole(_))), "{}", bytes.escape_ascii());
                }
            }
        }
    }
}
