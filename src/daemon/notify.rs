//! What systemd is told of the daemon's life (`sd_notify(3)`), if it asked to be told.
//!
//! Plain lines in a datagram to `NOTIFY_SOCKET`. The unit needs `Type=notify`, and `NotifyAccess=all`,
//! because a successor that it has not started says itself that it is the daemon now. A word that
//! does not arrive is only logged: nobody's app depends on it.

use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use rustix::time::{ClockId, clock_gettime};

/// A turn in the daemon's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// This process serves, and is the daemon.
    Serves,
    /// A hand-over begins; it ends with [`Turn::Serves`], of this process or of its successor.
    HandsOver,
    /// It ends.
    Ends,
}

/// Says so at `socket`, which is a path, or with an `@` an abstract name.
pub(super) fn tell(socket: Option<&OsStr>, turn: Turn) {
    let Some(to) = socket else { return };
    if let Err(error) = send(to, &text(turn)) {
        tracing::warn!(%error, ?turn, "systemd could not be told");
    }
}

fn text(turn: Turn) -> String {
    match turn {
        Turn::Serves => format!("READY=1\nMAINPID={}\n", std::process::id()),
        // The time tells this reload's end from that of an earlier one.
        Turn::HandsOver => {
            let now = clock_gettime(ClockId::Monotonic);
            let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
            format!("RELOADING=1\nMONOTONIC_USEC={micros}\n")
        }
        Turn::Ends => "STOPPING=1\n".to_owned(),
    }
}

fn send(to: &OsStr, text: &str) -> io::Result<()> {
    let address = match to.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(to)?,
    };
    let socket = UnixDatagram::unbound()?;
    // Not waited for: a socket that nobody reads must not hold the daemon up.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}
