//! An upgrade that no visitor notices: asked to (SIGUSR2), the daemon starts the binary that stands
//! in its own place now, and hands over to it.
//!
//! The successor says that it can run; this daemon ends control and API, closes the store and gives
//! up the folder; the sockets and ticket keys go over, which tells the successor that all is its
//! own; it opens the store, serves, and says so; this daemon's edge answers what it has, and ends.
//! The invariants: two daemons never have the store at the same time, and some edge accepts at any
//! time. If the successor fails in between, this process begins again, with the sockets it has.

use std::{
    ffi::{OsStr, OsString},
    io,
    net::TcpListener,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

use proxy::{
    Edge, Limits, TicketKeys,
    handover::{self, HandoverError, Inheritance},
};
use tokio::{
    task::{JoinError, spawn_blocking},
    time::timeout,
};

use super::{dns, doors::Doors};
use crate::{config::Given, dns::Server, faults, telemetry::chain};

/// How this process was started, as far as its successor is to be started alike.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The command line, without the program's name.
    pub arguments: Vec<OsString>,
    /// Whether standard input is a socket to a predecessor.
    pub from: From,
    /// Where systemd wants to be told that the daemon is ready (`NOTIFY_SOCKET`).
    pub notify: Option<OsString>,
    /// What its configuration is made of: there is more of it once this machine is promoted.
    pub given: Given,
}

/// What a daemon begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum From {
    /// Nothing.
    #[default]
    Scratch,
    /// What its predecessor hands over.
    Predecessor,
}

/// Why a hand-over did not come about.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The new binary does not start.
    #[error("{} cannot be started", binary.display())]
    Start {
        /// The binary.
        binary: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The other process is gone, too slow, or something else.
    #[error("the hand-over broke off")]
    Broken(#[from] HandoverError),
    /// There is no socket to speak over.
    #[error("there is no socket to the other process")]
    Socket(#[from] io::Error),
    /// The thread that spoke to it died.
    #[error("the hand-over died")]
    Died(#[from] JoinError),
}

/// Whom this daemon takes over from.
#[derive(Debug)]
pub(super) enum Predecessor {
    /// A process that waits to hear that we serve.
    Process(UnixStream),
    /// This one, whose successor failed.
    Ourselves(Edge),
}

/// What a life begins with, when there was one before.
#[derive(Debug)]
pub(super) struct Legacy {
    /// Whom it takes over from.
    predecessor: Predecessor,
    /// What is to be had of it.
    inheritance: Inheritance,
}

/// Says that this process can run, and waits until its predecessor has given everything up.
pub(super) async fn meet() -> Result<Box<Legacy>, UpgradeError> {
    let met = spawn_blocking(|| {
        let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
        let socket = UnixStream::from(socket);
        handover::say_ready(&socket)?;
        socket.set_read_timeout(Some(GIVES_UP))?;
        let inheritance = handover::take(&socket, Limits::default().ticket_period)?;
        Ok(Box::new(Legacy { predecessor: Predecessor::Process(socket), inheritance }))
    });
    met.await?
}

/// What the next life of this process begins with: the sockets, and whom it takes over from, which is this edge unless
/// that itself has not taken over from anybody yet.
pub(super) fn ourselves(
    edge: Edge,
    beside: Vec<OwnedFd>,
    unrelieved: Option<Predecessor>,
) -> Result<Box<Legacy>, UpgradeError> {
    let (listeners, tickets) = edge.estate();
    let listeners = listeners.iter().map(TcpListener::try_clone).collect::<Result<_, _>>()?;
    let inheritance = Inheritance { listeners, beside, tickets };
    let predecessor = unrelieved.unwrap_or(Predecessor::Ourselves(edge));
    Ok(Box::new(Legacy { predecessor, inheritance }))
}

/// The predecessor, if there is one, and what there is to inherit, part by part.
pub(super) fn parts(former: Option<Box<Legacy>>) -> (Option<Predecessor>, Parts) {
    match former.map(|former| *former) {
        Some(Legacy { predecessor, inheritance }) => {
            let Inheritance { listeners, beside, tickets } = inheritance;
            (Some(predecessor), (listeners, beside, Some(tickets)))
        }
        None => (None, Parts::default()),
    }
}

/// The sockets of the edge, those beside it, and the keys of its TLS sessions.
pub(super) type Parts = (Vec<TcpListener>, Vec<OwnedFd>, Option<TicketKeys>);

/// The successor has the store.
pub(super) fn opened(predecessor: Option<&Predecessor>) {
    if let Some(Predecessor::Process(_)) = predecessor {
        faults::point("upgrade.opened");
    }
}

/// The successor has everything, and accepts nobody yet.
pub(super) fn bound(predecessor: Option<&Predecessor>) {
    if let Some(Predecessor::Process(_)) = predecessor {
        faults::point("upgrade.bound");
    }
}

impl Predecessor {
    /// Tells it that it is not needed any more. What is left of it, if it is this process, is to
    /// be drained.
    pub(super) fn relieve(self) -> Option<Edge> {
        match self {
            Self::Process(socket) => {
                if let Err(error) = handover::say_ready(&socket) {
                    // It is gone already, so this daemon is all there is.
                    tracing::warn!(error = %chain(&error), "the predecessor did not hear of us");
                }
                None
            }
            Self::Ourselves(edge) => Some(edge),
        }
    }
}

/// What listens besides the edge. While it is there, nobody is refused: whoever comes to the API waits
/// for the successor, and the DNS server answers what it knows.
#[derive(Debug)]
pub(super) struct Beside {
    /// Copies of all its sockets.
    pub(super) sockets: Vec<OwnedFd>,
    names: Option<Server>,
}

impl Beside {
    pub(super) fn of(doors: &Doors, names: Option<Server>) -> Result<Self, UpgradeError> {
        let dns = dns::sockets(names.as_ref());
        let sockets = doors.sockets().chain(dns).collect::<Result<_, _>>()?;
        Ok(Self { sockets, names })
    }

    /// Nobody is to wait for a successor; the DNS server goes on as long as the result is kept.
    pub(super) fn without_copies(self) -> Option<Server> {
        self.names
    }
}

/// A process that is to take over. It dies with this value, unless it does.
#[derive(Debug)]
pub(super) struct Successor {
    process: Option<Child>,
    socket: UnixStream,
}

impl Successor {
    /// Starts it, and waits until it says that it can run: so far nothing has changed.
    pub(super) async fn start(start: &Start) -> Result<Self, UpgradeError> {
        let arguments = start.arguments.clone();
        let started = spawn_blocking(move || {
            let (socket, theirs) = UnixStream::pair()?;
            let binary = binary()?;
            let mut command = Command::new(&binary);
            command.args(arguments.iter().filter(|word| *word != TAKE_OVER)).arg(TAKE_OVER);
            command.stdin(OwnedFd::from(theirs));
            let process = command.spawn();
            let process = process.map_err(|source| UpgradeError::Start { binary, source })?;
            // This end of the pair must be the only one, or its end would not be noticed.
            drop(command);
            socket.set_read_timeout(Some(BEGINS))?;
            let successor = Self { process: Some(process), socket };
            handover::await_ready(&successor.socket)?;
            Ok(successor)
        });
        started.await?
    }

    /// Gives it the sockets of the edge, and those `beside`, and waits until it serves them. The data
    /// folder must be free by now.
    pub(super) async fn install(
        mut self,
        edge: &Edge,
        beside: &[OwnedFd],
    ) -> Result<(), UpgradeError> {
        let (listeners, tickets) = edge.estate();
        handover::give(&self.socket, listeners, beside, &tickets)?;
        let serves = spawn_blocking(move || {
            self.socket.set_read_timeout(Some(SERVES))?;
            handover::await_ready(&self.socket)?;
            drop(self.process.take()); // It lives on.
            Ok(())
        });
        serves.await?
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It may have died already; either way nothing of it stays.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Lets a former edge answer what it has. Clients are asked to leave with their next answer; those
/// that say nothing are left alone for a moment, as a request may be on its way.
pub(super) async fn drain(mut edge: Edge) {
    edge.retire();
    // Whether they left or not, what is idle now is closed.
    let _ = timeout(IDLE_LEAVES, edge.emptied()).await;
    let cut = edge.shutdown(TUNNELS_LEAVE).await;
    if cut.connections_cut > 0 {
        tracing::warn!(?cut, "connections of the former edge were still busy and were cut");
    }
}

/// The binary that stands where this one stood: an upgrade replaces the file, and the kernel then
/// says of the running one that it was deleted.
fn binary() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let name = path.as_os_str().as_bytes();
    Ok(match name.strip_suffix(b" (deleted)") {
        Some(name) => PathBuf::from(OsStr::from_bytes(name)),
        None => path,
    })
}

/// The flag of `paas server` that says where it begins.
const TAKE_OVER: &str = "--take-over";
/// Reading the configuration, on a busy machine.
const BEGINS: Duration = Duration::from_secs(20);
/// For the predecessor to end its passes and close the store, on a busy machine.
const GIVES_UP: Duration = Duration::from_mins(1);
/// Opening the store and binding what was not inherited.
const SERVES: Duration = Duration::from_mins(1);
/// For clients to send the request that may be on its way.
const IDLE_LEAVES: Duration = Duration::from_secs(10);
/// For tunnels: their apps run on, and reconnecting a thousand at once is no kindness.
const TUNNELS_LEAVE: Duration = Duration::from_mins(10);
