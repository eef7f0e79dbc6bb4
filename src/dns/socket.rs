//! Sockets of DNS servers: several threads on one address, and buffers that outlast a burst.

use std::{io, net::SocketAddr, os::fd::OwnedFd};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

/// Sockets of a predecessor that are not taken yet.
#[derive(Debug)]
pub(super) struct Inherited(Vec<Socket>);

impl From<Vec<OwnedFd>> for Inherited {
    fn from(sockets: Vec<OwnedFd>) -> Self {
        Self(sockets.into_iter().map(Socket::from).collect())
    }
}

impl Inherited {
    /// One that listens on this address; for port 0, any on that host.
    pub(super) fn tcp(&mut self, at: SocketAddr) -> Option<std::net::TcpListener> {
        self.take(Type::STREAM, at).map(Into::into)
    }

    /// One that gets what is sent to this address.
    pub(super) fn udp(&mut self, at: SocketAddr) -> Option<std::net::UdpSocket> {
        self.take(Type::DGRAM, at).map(Into::into)
    }

    fn take(&mut self, kind: Type, at: SocketAddr) -> Option<Socket> {
        let fits = |own: SocketAddr| own == at || at.port() == 0 && own.ip() == at.ip();
        let here = |socket: &Socket| socket.local_addr().ok()?.as_socket();
        let index = self.0.iter().position(|socket| {
            socket.r#type().is_ok_and(|own| own == kind) && here(socket).is_some_and(fits)
        })?;
        Some(self.0.swap_remove(index))
    }
}

/// A UDP socket that shares its address with those of the other threads.
pub(super) fn udp(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    prepare(&socket, address)?;
    socket.set_reuse_port(true)?;
    // The kernel gives less if less is allowed, and a burst then loses packets, as bursts do.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// The listener beside it.
pub(super) fn tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    prepare(&socket, address)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn prepare(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() {
        // Otherwise it would take the IPv4 address of the same port too.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)
}

/// The same socket on the runtime that this is called in.
pub(super) fn on_runtime(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
    UdpSocket::from_std(socket)
}

/// The same listener on the runtime that this is called in.
pub(super) fn listener_on_runtime(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    TcpListener::from_std(listener)
}

/// No answer is longer than a packet for long: send at once.
pub(super) fn hasten(stream: &tokio::net::TcpStream) {
    let _ = SockRef::from(stream).set_tcp_nodelay(true);
}

/// About ten thousand questions.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 512;
