//! Ports for servers that take a number and no socket.

use std::net::TcpListener;

/// A port that nobody has. The kernel gives none of these away by itself (`ip_local_port_range` begins at
/// 32768), so that no other test's server or connection takes it before it is used.
pub(crate) fn free_port() -> u16 {
    let mut some = std::iter::repeat_with(|| fastrand::u16(20_000..32_000)).take(1_000);
    some.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port is free")
}
