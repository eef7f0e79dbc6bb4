//! The doors of a machine that keeps the records and does not lead: whoever comes over TLS or SSH is led on to the machine
//! that does, as he is; who comes over the data folder's socket is told who that is.
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
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
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
    entrance: Entrance,
    link: Link,
    /// What says who leads, to whoever speaks TLS, where nobody could be led on.
    else_said: Option<(TlsAcceptor, Router)>,
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
            match bound.incoming() {
                Incoming::Tls(listener, acceptor) => {
                    let else_said = Some((acceptor, router.clone()));
                    let (entrance, link) = (Entrance::Api, link.clone());
                    let onward = Onward { entrance, link, else_said };
                    tasks.spawn("door", onward.lead(listener, stop));
                }
                near => tasks.spawn("api", server::serve(near, router.clone(), stop)),
            }
        }
        if let Some(listener) = self.ssh {
            let onward = Onward { entrance: Entrance::Ssh, link: link.clone(), else_said: None };
            tasks.spawn("door", onward.lead(listener, tasks.stop()));
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
    async fn lead(self, listener: TcpListener, stop: CancellationToken) {
        let this = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                // Whoever waits does so longer than this life.
                Ok(caller) => drop(tokio::spawn(this.clone().carry(caller, stop.clone()))),
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

    async fn carry(
        self: Arc<Self>,
        (mut stream, from): (TcpStream, SocketAddr),
        stop: CancellationToken,
    ) {
        stream.set_nodelay(true).ok();
        let tunnel = tokio::select! {
            biased;
            () = stop.cancelled() => return knock_again(stream).await,
            tunnel = self.tunnel() => tunnel,
        };
        match tunnel {
            Ok(mut tunnel) => tokio::select! {
                biased;
                () = stop.cancelled() => {}
                carried = copy_bidirectional(&mut stream, &mut tunnel) => if let Err(error) = carried {
                    tracing::debug!(%from, %error, "somebody who was led on has gone");
                }
            },
            Err(error) => {
                tracing::warn!(%from, error = %chain(&error), "nobody was led on to the leader");
                if let Some((acceptor, router)) = &self.else_said {
                    server::serve_one((stream, from), acceptor, router.clone(), stop).await;
                }
            }
        }
    }
}

/// Leads somebody who still waited to the door that he came to: whatever this machine is next takes him in there.
async fn knock_again(mut stream: TcpStream) {
    let Ok(at) = stream.local_addr() else { return };
    match TcpStream::connect(at).await {
        Ok(mut next) => drop(copy_bidirectional(&mut stream, &mut next).await),
        Err(error) => tracing::debug!(%at, %error, "nobody is at the door any more"),
    }
}

/// How long somebody waits for a leader to be elected and found.
const PATIENCE: Duration = Duration::from_secs(15);
/// Until it is tried again to reach a leader.
const TRIES_AGAIN: Duration = Duration::from_millis(200);
/// Before accepting again after a failure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
