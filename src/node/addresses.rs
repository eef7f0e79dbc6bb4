//! The machine's own addresses, as the kernel lists them in `/proc`.
//!
//! Pure readers of two files' texts, and thin functions that read the files. Nobody outside is asked: a
//! machine behind a translating router does not know how the world reaches it, and its operator says so with
//! the setting `addresses`.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

/// Those that the world can reach, sorted.
pub fn public() -> Vec<IpAddr> {
    own().into_iter().filter(|address| is_public(*address)).collect()
}

/// The same, unless it is said which these are.
pub fn public_or(given: &[IpAddr]) -> Vec<IpAddr> {
    if given.is_empty() { public() } else { given.to_vec() }
}

/// Where others reach what listens there: at the address that this machine has on its way to one of these.
/// The kernel says which without sending anything.
pub fn towards(others: &[SocketAddr], listen: SocketAddr) -> Option<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return Some(listen);
    }
    let fits = |at: &&SocketAddr| listen.is_ipv6() || at.is_ipv4();
    let own = others.iter().filter(fits).find_map(|at| {
        let any: IpAddr =
            if at.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(at).ok()?;
        Some(socket.local_addr().ok()?.ip())
    });
    own.map(|ip| SocketAddr::new(ip, listen.port()))
}

/// Where to listen for `wanted`: an unspecified address stands for each of the machine's own, but
/// not for those that `skip` names. Bound one by one, an answer leaves from the address that was
/// asked, and a resolver that holds `127.0.0.53` is not in the way.
pub fn each(wanted: &[SocketAddr], skip: impl Fn(IpAddr) -> bool) -> Vec<SocketAddr> {
    spread(wanted, &own().into_iter().filter(|address| !skip(*address)).collect::<Vec<_>>())
}

fn spread(wanted: &[SocketAddr], own: &[IpAddr]) -> Vec<SocketAddr> {
    let mut places = BTreeSet::new();
    for at in wanted {
        let same_family = own.iter().filter(|address| address.is_ipv4() == at.is_ipv4());
        let mut each = same_family.map(|address| SocketAddr::new(*address, at.port())).peekable();
        if at.ip().is_unspecified() && each.peek().is_some() {
            places.extend(each);
        } else {
            places.insert(*at);
        }
    }
    places.into_iter().collect()
}

/// All of them but link-local ones, which mean nothing without an interface, sorted.
fn own() -> BTreeSet<IpAddr> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let mut own = v4(&read("/proc/net/fib_trie"));
    own.extend(v6(&read("/proc/net/if_inet6")));
    own
}

/// The routing table as a tree; an address of ours is a leaf that is `host LOCAL`.
fn v4(trie: &str) -> BTreeSet<IpAddr> {
    let mut own = BTreeSet::new();
    let mut leaf = None;
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            own.extend(leaf.map(IpAddr::V4));
        }
    }
    own
}

/// One line an address: its digits, interface, prefix, scope, flags and the interface's name.
fn v6(table: &str) -> BTreeSet<IpAddr> {
    let address = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let digits = u128::from_str_radix(words.next()?, 16).ok()?;
        let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
        let address = Ipv6Addr::from_bits(digits);
        let passing = flags & (TEMPORARY | DEPRECATED | TENTATIVE | FAILED) != 0;
        (!passing && !address.is_unicast_link_local()).then_some(IpAddr::V6(address))
    };
    table.lines().filter_map(address).collect()
}

/// Whether anybody could reach it. Addresses for documentation count: who gives them to a machine
/// means it.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            let shared_by_carriers = a == 100 && (64..128).contains(&b);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || shared_by_carriers)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified()
                || address.is_multicast())
        }
    }
}

// Of `linux/if_addr.h`.
const TEMPORARY: u32 = 0x01;
const FAILED: u32 = 0x08;
const DEPRECATED: u32 = 0x20;
const TENTATIVE: u32 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 4
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.210.0.0/24 3 0 6
        |-- 10.210.0.1
           /32 host LOCAL
        |-- 10.210.0.63
           /32 link BROADCAST
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 203.0.113.7
        /32 host LOCAL
";
    const INET6: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
fe800000000000000042cdfffed970e0 02 40 20 80     eth0
20010db8000000000000000000000002 02 40 00 00     eth0
20010db800000000aaaabbbbccccdddd 02 40 00 01     eth0
fd000000000000000000000000000002 02 40 00 82     eth0
";

    fn texts(addresses: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
        addresses.into_iter().map(|address| address.to_string()).collect()
    }

    #[test]
    fn a_machine_is_reached_where_it_leaves_for_another() {
        let here = |listen: &str, other: &str| {
            let others = [other.parse().unwrap()];
            towards(&others, listen.parse().unwrap()).map(|at| at.to_string())
        };
        let loopback = here("0.0.0.0:7600", "127.0.0.1:8443");
        assert_eq!(loopback.as_deref(), Some("127.0.0.1:7600"));
        assert_eq!(here("10.0.0.2:1", "127.0.0.1:8443").as_deref(), Some("10.0.0.2:1"));
        assert_eq!(here("0.0.0.0:7600", "[::1]:8443"), None, "a listener for IPv4 takes no IPv6");
    }

    #[test]
    fn the_kernels_tables_are_read() {
        assert_eq!(texts(v4(TRIE)), ["10.210.0.1", "127.0.0.1", "203.0.113.7"]);
        assert_eq!(texts(v6(INET6)), ["::1", "2001:db8::2", "fd00::2"]);
    }

    #[test]
    fn the_world_reaches_what_is_public() {
        let all = v4(TRIE).into_iter().chain(v6(INET6)).filter(|address| is_public(*address));
        assert_eq!(texts(all), ["203.0.113.7", "2001:db8::2"]);
    }

    #[test]
    fn anywhere_is_everywhere_one_by_one() {
        let own: Vec<IpAddr> = v4(TRIE).into_iter().collect();
        let wanted = ["0.0.0.0:53", "[::]:53", "192.0.2.1:5353"].map(|at| at.parse().unwrap());
        let places = texts(spread(&wanted, &own));
        assert_eq!(
            places,
            ["10.210.0.1:53", "127.0.0.1:53", "192.0.2.1:5353", "203.0.113.7:53", "[::]:53"]
        );
    }

    #[test]
    fn this_machine_has_a_loopback_address() {
        assert!(own().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{:?}", own());
    }
}
