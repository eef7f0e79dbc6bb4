//! A hand-over between two processes: the old one gives its listening sockets and ticket keys to
//! the new one over a Unix socket, and stops accepting once the new one says that it serves. What
//! else the owner of the edge listens on goes along, unlooked at.
//!
//! Both hold the same sockets in between, so a connection that waits to be accepted is never lost;
//! a second set of sockets on the same address (`SO_REUSEPORT`) would lose those. Calls block: they
//! take milliseconds, and wait no longer than the timeouts of the socket they are given. It starts
//! no process; who may connect is the affair of whoever made the socket.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::tls::{InvalidTicketKeys, TicketKeys};

/// What a successor is given.
#[derive(Debug)]
pub struct Inheritance {
    /// The listening sockets, in the predecessor's order.
    pub listeners: Vec<TcpListener>,
    /// Whatever else was given, in the same order.
    pub beside: Vec<OwnedFd>,
    /// The ticket keys.
    pub tickets: TicketKeys,
}

/// Why nothing was handed over.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The other process is gone or took too long.
    #[error("the other process does not answer")]
    Broken(#[from] io::Error),
    /// More sockets than one message carries.
    #[error("{0} sockets are more than can be handed over ({MOST})")]
    TooMany(usize),
    /// The other process speaks of something else.
    #[error("the other process is not an edge of this kind")]
    Strange,
    /// Its ticket keys are none.
    #[error(transparent)]
    Tickets(#[from] InvalidTicketKeys),
}

/// Gives listeners and keys to the process at the other end, and what its owner listens on besides.
pub fn give(
    to: &UnixStream,
    listeners: &[TcpListener],
    beside: &[OwnedFd],
    tickets: &TicketKeys,
) -> Result<(), HandoverError> {
    let sockets = listeners.iter().map(AsFd::as_fd).chain(beside.iter().map(AsFd::as_fd));
    let sockets: Vec<BorrowedFd<'_>> = sockets.collect();
    if sockets.len() > MOST {
        return Err(HandoverError::TooMany(sockets.len()));
    }
    let keys = tickets.export();
    let length = |bytes: usize| u16::try_from(bytes).map_err(|_| HandoverError::Strange);
    let lengths = [length(listeners.len())?.to_be_bytes(), length(keys.len())?.to_be_bytes()];
    let message = [GREETING, &lengths.concat(), &keys].concat();
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    beside.push(SendAncillaryMessage::ScmRights(&sockets));
    let sent = sendmsg(to, &[IoSlice::new(&message)], &mut beside, SendFlags::NOSIGNAL);
    let sent = sent.map_err(io::Error::from)?;
    let mut to = to;
    to.write_all(message.get(sent..).unwrap_or_default())?;
    Ok(())
}

/// Takes what the process at the other end gives; its keys are replaced every `period` from then.
pub fn take(from: &UnixStream, period: Duration) -> Result<Inheritance, HandoverError> {
    let mut greeting = [0; GREETING.len() + 4];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [IoSliceMut::new(&mut greeting)];
    let received = recvmsg(from, &mut buffers, &mut beside, RecvFlags::CMSG_CLOEXEC);
    let received = received.map_err(io::Error::from)?.bytes;
    let mut sockets = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            sockets.extend(some);
        }
    }
    let mut from = from;
    from.read_exact(greeting.get_mut(received..).unwrap_or_default())?;
    let Some(&[a, b, c, d]) = greeting.strip_prefix(GREETING) else {
        return Err(HandoverError::Strange);
    };
    let mut keys = vec![0; usize::from(u16::from_be_bytes([c, d]))];
    from.read_exact(&mut keys)?;
    let beside = sockets.split_off(sockets.len().min(usize::from(u16::from_be_bytes([a, b]))));
    let listeners = sockets.into_iter().map(TcpListener::from).collect();
    Ok(Inheritance { listeners, beside, tickets: TicketKeys::import(&keys, period)? })
}

/// Tells the predecessor that it is not needed any more.
pub fn say_ready(to: &UnixStream) -> Result<(), HandoverError> {
    let mut to = to;
    Ok(to.write_all(READY)?)
}

/// Waits until the successor serves. An error means that it does not, and that all goes on as it
/// was.
pub fn await_ready(from: &UnixStream) -> Result<(), HandoverError> {
    let (mut from, mut said) = (from, [0; READY.len()]);
    from.read_exact(&mut said)?;
    if said == *READY { Ok(()) } else { Err(HandoverError::Strange) }
}

/// Says which message this is, and of which version.
const GREETING: &[u8] = b"edge handover 2\n";
const READY: &[u8; 6] = b"ready\n";
/// Sockets in one message: the kernel's own bound.
const MOST: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_hours(1);

    #[test]
    fn sockets_and_keys_arrive() {
        let (old, new) = UnixStream::pair().unwrap();
        let bind = |_| TcpListener::bind("127.0.0.1:0").unwrap();
        let listeners: Vec<_> = (0..3).map(bind).collect();
        let beside = [OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap())];
        give(&old, &listeners, &beside, &TicketKeys::fresh(PERIOD).unwrap()).unwrap();
        let taken = take(&new, PERIOD).unwrap();
        let addresses = |listeners: &[TcpListener]| -> Vec<_> {
            listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
        };
        assert_eq!(addresses(&taken.listeners), addresses(&listeners));
        let at = |socket: &OwnedFd| {
            let socket = std::net::UdpSocket::from(socket.try_clone().unwrap());
            socket.local_addr().unwrap()
        };
        assert_eq!(taken.beside.iter().map(at).collect::<Vec<_>>(), [at(&beside[0])]);
        say_ready(&new).unwrap();
        await_ready(&old).unwrap();
    }

    #[test]
    fn a_process_that_dies_or_is_another_is_an_error() {
        let (old, new) = UnixStream::pair().unwrap();
        drop(new);
        assert!(matches!(await_ready(&old), Err(HandoverError::Broken(_))));
        let (mut old, new) = UnixStream::pair().unwrap();
        old.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert!(matches!(take(&new, PERIOD), Err(HandoverError::Strange)));
    }
}
