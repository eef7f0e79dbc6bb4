//! Who has a port that we want: found in the kernel's tables and among the open files of every process.
//!
//! It is for an error message, so it is best effort: without root only one's own processes are seen,
//! and a holder in another network namespace is none of ours.

use std::{collections::BTreeSet, fs, net::SocketAddr, path::Path};

use super::listening::{LISTEN, Row, rows};

/// A program that has a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Its name, as the kernel keeps it: 15 bytes at most.
    pub name: String,
    /// Its process id.
    pub pid: u32,
}

/// The programs whose sockets keep anybody else from listening at `at`; sorted.
pub fn holders(at: SocketAddr, transports: Transports) -> Vec<Holder> {
    let datagrams: &[&str] = match transports {
        Transports::Tcp => &[],
        Transports::TcpAndUdp => &["udp", "udp6"],
    };
    let tables = ["tcp", "tcp6"].iter().map(|table| (*table, true));
    let tables = tables.chain(datagrams.iter().map(|table| (*table, false)));
    let mut inodes = BTreeSet::new();
    for (table, stream) in tables {
        // A kernel without IPv6 lacks two of them.
        let text = fs::read_to_string(Path::new("/proc/net").join(table)).unwrap_or_default();
        let bound = rows(&text).filter(|row| !stream || row.state == LISTEN);
        inodes.extend(bound.filter(|row| is_in_the_way(row, at)).map(|row| row.inode));
    }
    owners(&inodes)
}

/// What is to be listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transports {
    /// Connections only.
    Tcp,
    /// Connections and datagrams, as a DNS server does.
    TcpAndUdp,
}

fn is_in_the_way(row: &Row<'_>, at: SocketAddr) -> bool {
    let (theirs, ours) = (row.local.ip(), at.ip());
    row.local.port() == at.port()
        && (theirs == ours || theirs.is_unspecified() || ours.is_unspecified())
}

/// The processes that have one of these sockets open.
fn owners(inodes: &BTreeSet<u64>) -> Vec<Holder> {
    let links: BTreeSet<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let mut holders = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let mut targets = open.filter_map(|file| fs::read_link(file.path()).ok());
        if targets.any(|target| target.to_str().is_some_and(|link| links.contains(link))) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            holders.push(Holder { name: name.trim_end().to_owned(), pid });
        }
    }
    holders.sort();
    holders
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[track_caller]
    fn check(at: SocketAddr, transports: Transports, found: bool) {
        let holders = holders(at, transports);
        let ours = holders.iter().any(|holder| holder.pid == std::process::id());
        assert_eq!(ours, found, "{at} {transports:?}: {holders:?}");
    }

    #[test]
    fn our_own_sockets_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        check(at, Transports::Tcp, true);
        check(at, Transports::TcpAndUdp, true);
        check(SocketAddr::new("0.0.0.0".parse().unwrap(), at.port()), Transports::Tcp, true);
        check(SocketAddr::new("127.0.0.2".parse().unwrap(), at.port()), Transports::Tcp, false);
        drop(listener);
        check(at, Transports::Tcp, false);
    }

    #[test]
    fn datagrams_are_only_in_the_way_of_datagrams() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        check(at, Transports::TcpAndUdp, true);
        check(at, Transports::Tcp, false);
    }
}
