//! The doors of a machine that keeps the records and does not lead: whoever comes over TLS, over SSH or over the data
//! folder's socket is led on to the same door of the machine that does, as he is; who comes over plain HTTP, which has
//! no such door there, is told who that is.
//!
//! They are the sockets of the API and of SSH, so that they can be handed from life to life. Nobody is turned away while
//! another is being elected: he waits, for a while, and is told then that nobody leads. If it is this machine that is
//! elected, he is taken in by its next life.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    time::{Instant, sleep},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    api::{self, inherited_at},
    error::RunError,
    folders::Folders,
    holdings::Bench,
    tasks::Tasks,
};
use crate::{
    config::Config,
    node::{
        Entrance,
        link::{Link, LinkError, Tunnel},
    },
    server::{self, Incoming, elsewhere},
    telemetry::chain,
};

/// All of them.
#[derive(Debug)]
pub(super) struct Forward {
    api: Vec<api::Bound>,
    ssh: Option<TcpListener>,
}

/// One that leads on.
struct Onward {
    door: Door,
    entrance: Entrance,
    link: Link,
}

/// Where somebody comes in, and what says who leads where nobody could be led on.
enum Door {
    Net(TcpListener, Option<(TlsAcceptor, Router)>),
    Socket(UnixListener, Router),
}

/// Somebody who came in.
enum Comer {
    Net(TcpStream, SocketAddr),
    Socket(UnixStream),
}

impl Forward {
    /// Binds what is not among the `inherited`; what is, is taken out.
    pub(super) async fn bind(
        config: &Config,
        folders: &Folders,
        inherited: &mut Vec<OwnedFd>,
    ) -> Result<Self, RunError> {
        let api = api::bind(config, folders, inherited).await?;
        let ssh = match config.ssh.at {
            Some(at) => ssh(at, inherited).await,
            None => None,
        };
        Ok(Self { api, ssh })
    }

    /// Copies of their sockets, for the next life.
    pub(super) fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        let ssh = self.ssh.iter().map(|own| own.as_fd().try_clone_to_owned());
        self.api.iter().map(api::Bound::socket).chain(ssh).collect()
    }

    /// Takes whoever comes.
    pub(super) fn open(self, tasks: &mut Tasks, link: &Link, bench: &Bench) {
        let bench = bench.clone();
        let router = elsewhere(move || bench.leader());
        for bound in self.api {
            let stop = tasks.stop();
            let (door, entrance) = match bound.incoming() {
                Incoming::Tls(listener, acceptor) => {
                    (Door::Net(listener, Some((acceptor, router.clone()))), Entrance::Api)
                }
                Incoming::Socket(listener) => {
                    (Door::Socket(listener, router.clone()), Entrance::Socket)
                }
                plain @ Incoming::Plain(_) => {
                    tasks.spawn("api", server::serve(plain, router.clone(), stop));
                    continue;
                }
            };
            let onward = Onward { door, entrance, link: link.clone() };
            tasks.spawn("door", onward.lead(stop));
        }
        if let Some(listener) = self.ssh {
            let (door, entrance) = (Door::Net(listener, None), Entrance::Ssh);
            let onward = Onward { door, entrance, link: link.clone() };
            tasks.spawn("door", onward.lead(tasks.stop()));
        }
    }
}

/// The socket of the SSH server, unless something else has its port.
async fn ssh(at: SocketAddr, inherited: &mut Vec<OwnedFd>) -> Option<TcpListener> {
    let listener = match inherited_at(inherited, at) {
        Some(own) => TcpListener::from_std(own.into()),
        None => TcpListener::bind(at).await,
    };
    let taken = |error| tracing::warn!(%at, %error, "git push over SSH is not led on");
    listener.map_err(taken).ok()
}

impl Onward {
    /// Leads everybody on until it is told to stop; who is on his way then is cut, since his leader is another.
    async fn lead(self, stop: CancellationToken) {
        let this = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                accepted = this.door.accept() => accepted,
            };
            match accepted {
                // Whoever waits does so longer than this life.
                Ok(comer) => drop(tokio::spawn(this.clone().carry(comer, stop.clone()))),
                // Out of file descriptors, most likely: they come back when connections end.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    /// The way to whoever leads, as soon as somebody does.
    async fn tunnel(&self) -> Result<Tunnel, LinkError> {
        let patience = Instant::now() + PATIENCE;
        loop {
            match self.link.tunnel(self.entrance.target()).await {
                Err(_) if Instant::now() < patience => sleep(TRIES_AGAIN).await,
                tried => return tried,
            }
        }
    }

    async fn carry(self: Arc<Self>, comer: Comer, stop: CancellationToken) {
        let tunnel = tokio::select! {
            biased;
            () = stop.cancelled() => return comer.knock_again().await,
            tunnel = self.tunnel() => tunnel,
        };
        let entrance = self.entrance;
        match tunnel {
            Ok(tunnel) => tokio::select! {
                biased;
                () = stop.cancelled() => {}
                carried = comer.go(tunnel) => if let Err(error) = carried {
                    tracing::debug!(?entrance, %error, "somebody who was led on has gone");
                }
            },
            Err(error) => {
                tracing::warn!(?entrance, error = %chain(&error), "nobody was led on to the leader");
                self.door.turn_away(comer, stop).await;
            }
        }
    }
}

impl Door {
    async fn accept(&self) -> io::Result<Comer> {
        match self {
            Self::Net(listener, _) => {
                let (stream, from) = listener.accept().await?;
                stream.set_nodelay(true).ok();
                Ok(Comer::Net(stream, from))
            }
            Self::Socket(listener, _) => Ok(Comer::Socket(listener.accept().await?.0)),
        }
    }

    /// Tells somebody who leads, if the door has words.
    async fn turn_away(&self, comer: Comer, stop: CancellationToken) {
        match (self, comer) {
            (Self::Net(_, Some((acceptor, router))), Comer::Net(stream, from)) => {
                server::serve_one((stream, from), acceptor, router.clone(), stop).await;
            }
            (Self::Socket(_, router), Comer::Socket(stream)) => {
                server::serve_near(stream, router.clone(), stop).await;
            }
            (Self::Net(..) | Self::Socket(..), _) => {}
        }
    }
}

impl Comer {
    /// Goes through the tunnel until both sides have said all.
    async fn go(self, mut tunnel: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        match self {
            Self::Net(mut stream, _) => copy_bidirectional(&mut stream, &mut tunnel).await,
            Self::Socket(mut stream) => copy_bidirectional(&mut stream, &mut tunnel).await,
        }
        .map(|_| ())
    }

    /// Comes once more to the door that he came to: whatever this machine is next takes him in there.
    async fn knock_again(self) {
        let went = async {
            match &self {
                Self::Net(stream, _) => {
                    let next = TcpStream::connect(stream.local_addr()?).await?;
                    self.go(next).await
                }
                Self::Socket(stream) => {
                    let at = stream.local_addr()?;
                    let at = at.as_pathname().ok_or(io::ErrorKind::AddrNotAvailable)?;
                    self.go(UnixStream::connect(at).await?).await
                }
            }
        };
        if let Err(error) = went.await {
            tracing::debug!(%error, "somebody who waited has gone, or is at no door any more");
        }
    }
}

/// How long somebody waits for a leader to be elected and found.
const PATIENCE: Duration = Duration::from_secs(15);
/// Until it is tried again to reach a leader.
const TRIES_AGAIN: Duration = Duration::from_millis(200);
/// Before accepting again after a failure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
