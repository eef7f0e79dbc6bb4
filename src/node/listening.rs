//! Where a process listens: the one fact that tells "it is still starting" from "it listens
//! elsewhere". Read from the kernel's tables of the process's own network namespace.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The listening TCP sockets in the network namespace of a process, sorted. An error of kind
/// `NotFound` says that the process is gone.
pub fn listening(pid: u32) -> io::Result<Vec<SocketAddr>> {
    let mut sockets = parse(&fs::read_to_string(format!("/proc/{pid}/net/tcp"))?);
    match fs::read_to_string(format!("/proc/{pid}/net/tcp6")) {
        Ok(table) => sockets.extend(parse(&table)),
        // A kernel without IPv6 has no such table.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Docker's name server listens in every container's namespace and is none of the app's.
    sockets.retain(|socket| socket.ip() != DOCKERS_RESOLVER);
    sockets.sort_unstable();
    sockets.dedup();
    Ok(sockets)
}

/// The sockets that listen, out of a table in the form of `/proc/net/tcp` or `tcp6`.
fn parse(table: &str) -> Vec<SocketAddr> {
    rows(table).filter(|row| row.state == LISTEN).map(|row| row.local).collect()
}

/// One socket of the kernel's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row<'a> {
    /// Its own address.
    pub(super) local: SocketAddr,
    /// The kernel's number of its state.
    pub(super) state: &'a str,
    /// By which it is known among open files.
    pub(super) inode: u64,
}

/// The rows of a table in the form of `/proc/net/tcp`, `tcp6`, `udp` or `udp6`. Lines that are not
/// understood are passed over.
pub(super) fn rows(table: &str) -> impl Iterator<Item = Row<'_>> {
    table.lines().skip(1).filter_map(row)
}

fn row(line: &str) -> Option<Row<'_>> {
    let mut columns = line.split_ascii_whitespace();
    let local = columns.nth(1)?;
    let state = columns.nth(1)?;
    let (address, port) = local.split_once(':')?;
    let local = SocketAddr::new(ip(address)?, u16::from_str_radix(port, 16).ok()?);
    // Queues, timers, retransmissions, user and timeout stand between.
    let inode = columns.nth(5).and_then(|inode| inode.parse().ok()).unwrap_or_default();
    Some(Row { local, state, inode })
}

/// An address is printed as 32-bit words of the machine's own byte order.
fn ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

/// The kernel's number for a listening socket.
pub(super) const LISTEN: &str = "0A";

const DOCKERS_RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn only_listening_sockets_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1\n\
            1: 0200D20A:1F91 0100D20A:C001 01 00000000:00000000 00:00000000 00000000 0 0 2\n\
            2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 3\n\
            torn 0100007F\n";
        let expected = ["127.0.0.1:8080", "0.0.0.0:80"].map(|text| text.parse().unwrap());
        assert_eq!(parse(table), expected);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ipv6_is_four_words() {
        let table = "head\n\
            0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A x\n\
            1: 00000000000000000000000001000000:0BB9 00000000000000000000000000000000:0000 0A x\n";
        let expected = ["[::]:3000", "[::1]:3001"].map(|text| text.parse().unwrap());
        assert_eq!(parse(table), expected);
    }

    #[test]
    fn our_own_socket_is_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listening(std::process::id()).unwrap();
        assert!(found.contains(&socket.local_addr().unwrap()), "{found:?}");
    }

    #[test]
    fn a_process_that_is_gone_is_not_found() {
        let error = listening(u32::MAX).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
