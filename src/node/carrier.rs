//! Carries what containers send to instances that they do not reach by themselves: those of other apps, and
//! those of other machines, through a link.
//!
//! A rule of the packet filter ([`super::wall`]) leads all that goes to an address of the pool to one
//! listener, and the kernel remembers where to it was meant. Invariant: a connection is carried only if it
//! comes from the network of an app that may go there, now. What breaks is reset at both ends, never ended:
//! half of a message must not look whole.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use proxy::door;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

use super::{
    passage::Passage,
    ways::{Errand, Road, Ways},
};
use crate::model::{AppName, ContainerId};

/// Whoever carries.
#[derive(Debug)]
pub struct Carrier {
    /// Who may go where.
    pub ways: watch::Receiver<Arc<Ways>>,
    /// The way to all other machines, on those that do not control.
    pub passage: Option<Passage>,
}

impl Carrier {
    /// Listens at `at` and carries until the future is dropped; who is under way by then goes on. An
    /// address that is not there yet is tried again.
    pub async fn run(self, at: Ipv4Addr) {
        let at = SocketAddr::from((at, PORT));
        let mut said = false;
        let listener = loop {
            match TcpListener::bind(at).await {
                Ok(listener) => break listener,
                Err(error) if !said => {
                    tracing::warn!(%at, %error, "private names lead to this machine alone; trying again");
                    said = true;
                }
                Err(_) => {}
            }
            sleep(AGAIN).await;
        };
        let mut places = Places::default();
        loop {
            match listener.accept().await {
                Ok((visitor, from)) => self.receive(visitor, from, &mut places),
                Err(error) => {
                    tracing::warn!(%error, "nothing can be carried to other machines");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Lets one in who may go where it wants to, and resets everybody else.
    fn receive(&self, visitor: TcpStream, from: SocketAddr, places: &mut Places) {
        if prepare(&visitor).is_err() {
            return;
        }
        let Some(meant) = meant(&visitor) else { return };
        let Some(errand) = self.ways.borrow().errand(from.ip(), meant) else {
            tracing::debug!(%from, to = %meant, "nobody may go there from there");
            return;
        };
        let Some(place) = places.take(&errand.asker) else {
            tracing::warn!(app = %errand.asker, "more connections to other machines than are carried");
            return;
        };
        tokio::spawn(carry(visitor, errand, self.passage.clone(), place));
    }
}

/// How many are under way, of each app.
#[derive(Debug, Default)]
struct Places(BTreeMap<AppName, Arc<Semaphore>>);

impl Places {
    /// One for somebody of an app, if there is one left.
    fn take(&mut self, app: &AppName) -> Option<OwnedSemaphorePermit> {
        if !self.0.contains_key(app) {
            self.0.retain(|_, places| places.available_permits() < AT_ONCE);
        }
        let places = self.0.entry(app.clone()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)));
        places.clone().try_acquire_owned().ok()
    }
}

/// Carries one connection until both sides have ended it, or one breaks.
async fn carry(
    mut visitor: TcpStream,
    errand: Errand,
    passage: Option<Passage>,
    _place: OwnedSemaphorePermit,
) {
    let carried = match (errand.road, passage) {
        (Road::Link, Some(passage)) => {
            // Nobody waits for a machine that is away.
            let passage = passage.with_patience(Duration::ZERO);
            let target = target(&errand.asker, &errand.to);
            match timeout(OPENS, passage.tunnel(&errand.to, &target)).await {
                Ok(Ok(tunnel)) => both_ways(&mut visitor, tunnel).await,
                Ok(Err(error)) => Err(io::Error::other(error)),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        }
        (road, _) => match timeout(OPENS, connect(road)).await {
            Ok(Ok(instance)) => carry_near(&mut visitor, instance).await,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        },
    };
    match carried {
        Ok(()) => ends_gently(&visitor),
        Err(error) => {
            tracing::debug!(app = %errand.asker, instance = %errand.to, %error, "a connection broke");
        }
    }
}

/// The same to an instance that this machine reaches by itself.
async fn carry_near(visitor: &mut TcpStream, mut instance: TcpStream) -> io::Result<()> {
    prepare(&instance)?;
    both_ways(visitor, &mut instance).await?;
    ends_gently(&instance);
    Ok(())
}

async fn both_ways(
    visitor: &mut TcpStream,
    mut far: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    copy_bidirectional_with_sizes(visitor, &mut far, PIECE, PIECE).await.map(|_| ())
}

/// Connects to where a road leads from this machine.
pub(super) async fn connect(road: Road) -> io::Result<TcpStream> {
    match road {
        Road::Straight(at) => TcpStream::connect(at).await,
        Road::Door(at) => {
            let mut stream = TcpStream::connect(at).await?;
            door::enter(&mut stream).await?;
            Ok(stream)
        }
        Road::Link => Err(io::ErrorKind::HostUnreachable.into()),
    }
}

/// What another machine is asked for: whose container asks, and for whom.
fn target(asker: &AppName, to: &ContainerId) -> String {
    format!("{asker}/{}", to.0)
}

/// The same, read.
pub(super) fn read_target(target: &str) -> Option<(AppName, ContainerId)> {
    let (asker, to) = target.split_once('/')?;
    Some((asker.parse().ok()?, ContainerId(to.to_owned())))
}

/// Where to a connection was meant, before a rule led it here.
fn meant(visitor: &TcpStream) -> Option<SocketAddrV4> {
    SockRef::from(visitor).original_dst_v4().ok()?.as_socket_ipv4()
}

/// From now on it is reset if it is dropped; and that a container is gone is noticed, which may not say so.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENT).with_interval(SILENT))
}

/// What was said last may still be on its way.
fn ends_gently(stream: &TcpStream) {
    if let Err(error) = SockRef::from(stream).set_linger(None) {
        tracing::debug!(%error, "the end of a connection cannot be made gentle");
    }
}

/// Where all that is to be carried arrives, on the address at which containers ask for names.
pub const PORT: u16 = 7653;
/// Connections of one app under way at the same time: more than the processes of one app open, and so few
/// that no app leaves none for others.
const AT_ONCE: usize = 4096;
/// For the way to be through.
const OPENS: Duration = Duration::from_secs(5);
/// Until a connection that is silent is asked whether it is still there, and again.
const SILENT: Duration = Duration::from_mins(1);
/// Taken at once.
const PIECE: usize = 64 << 10;
/// Between two attempts to listen, or to accept.
const AGAIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_machine_asks_for_is_read() {
        let (app, id) = ("shop".parse().unwrap(), ContainerId("3f9a".to_owned()));
        assert_eq!(read_target(&target(&app, &id)), Some((app, id)));
        for other in ["3f9a", "3f9a:80", "No App/3f9a", "/3f9a"] {
            assert_eq!(read_target(other), None, "{other}");
        }
    }

    #[test]
    fn one_app_takes_no_places_of_another() {
        let mut places = Places::default();
        let (shop, bank) = ("shop".parse().unwrap(), "bank".parse().unwrap());
        let taken: Vec<_> = (0..AT_ONCE).filter_map(|_| places.take(&shop)).collect();
        assert_eq!(taken.len(), AT_ONCE);
        assert!(places.take(&shop).is_none());
        assert!(places.take(&bank).is_some());
        drop(taken);
        assert!(places.take(&shop).is_some());
    }
}
