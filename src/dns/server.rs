//! The authoritative server: threads of its own, so that a flood of questions starves nobody else.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroU32,
    os::fd::OwnedFd,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{runtime, sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    rate::Rate,
    socket::{self, Inherited},
    tcp,
    udp::Answering,
    zones::Zones,
};

/// Bounds of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Threads that answer over UDP; one more answers over TCP.
    pub threads: usize,
    /// Answers a second to one network (/24, /56) over UDP; `None` is no bound, for measuring.
    pub answers_per_second: Option<NonZeroU32>,
    /// TCP connections at the same time.
    pub connections: usize,
    /// The same of one client.
    pub connections_per_client: usize,
    /// How long a TCP connection may take for the next question, and for taking an answer.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4),
            answers_per_second: NonZeroU32::new(400),
            connections: 256,
            connections_per_client: 16,
            idle: Duration::from_secs(5),
        }
    }
}

/// A server that answers; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    /// For a successor. Every copy of a socket keeps it open.
    sockets: Vec<OwnedFd>,
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

/// Why it cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address is taken or not ours.
    #[error("the DNS server cannot listen on {at}")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system gives no thread.
    #[error("the DNS server's threads cannot be started")]
    Thread(#[source] io::Error),
}

impl BindError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { .. } => Some(
                "`ss -lunp sport = :53` shows who listens; choose an address of this machine with --dns"
                    .to_owned(),
            ),
            Self::Thread(_) => None,
        }
    }
}

/// The sockets of one thread before it runs.
#[derive(Debug, Default)]
struct Share {
    udp: Vec<std::net::UdpSocket>,
    tcp: Vec<std::net::TcpListener>,
}

impl Server {
    /// Listens on all of these addresses, on UDP and TCP, and answers from what the watch holds, as
    /// soon as there is a zone in it. A port of 0 is chosen by the system, the same for both.
    pub fn bind(
        addresses: &[SocketAddr],
        zones: &watch::Receiver<Arc<Zones>>,
        limits: Limits,
    ) -> Result<Self, BindError> {
        Self::inherit(addresses, zones, limits, Vec::new())
    }

    /// The same with the sockets of a predecessor where they have these addresses: what waits in
    /// them is answered. The others are closed.
    pub fn inherit(
        addresses: &[SocketAddr],
        zones: &watch::Receiver<Arc<Zones>>,
        limits: Limits,
        inherited: Vec<OwnedFd>,
    ) -> Result<Self, BindError> {
        let mut inherited = Inherited::from(inherited);
        let count = limits.threads.max(1);
        let mut shares: Vec<Share> = (0..=count).map(|_| Share::default()).collect();
        let mut bound = Vec::new();
        for &at in addresses {
            let taken = take(at, &mut shares, &mut inherited);
            bound.push(taken.map_err(|source| BindError::Listen { at, source })?);
        }
        let stop = CancellationToken::new();
        let copies = shares.iter().map(Share::copies).collect::<io::Result<Vec<_>>>();
        let sockets = copies.map_err(BindError::Thread)?.into_iter().flatten().collect();
        let mut server = Self { addresses: bound, sockets, stop, threads: Vec::new() };
        for (number, share) in shares.into_iter().enumerate() {
            let worker = Worker {
                share,
                zones: zones.clone(),
                limits,
                stop: server.stop.clone(),
                among: u32::try_from(count).unwrap_or(u32::MAX),
            };
            let thread = thread::Builder::new()
                .name(format!("dns-{number}"))
                .spawn(move || worker.run())
                .map_err(BindError::Thread)?;
            server.threads.push(thread);
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Its sockets, for a successor.
    pub fn sockets(&self) -> &[OwnedFd] {
        &self.sockets
    }
}

impl Share {
    fn copies(&self) -> io::Result<Vec<OwnedFd>> {
        let tcp = self.tcp.iter().map(|socket| socket.try_clone().map(OwnedFd::from));
        let udp = self.udp.iter().map(|socket| socket.try_clone().map(OwnedFd::from));
        tcp.chain(udp).collect()
    }
}

impl Drop for Server {
    /// Tells its threads to end and waits for them; each looks at once.
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the DNS server had died");
            }
        }
    }
}

/// Takes or binds an address for every thread; the first of them is the one of TCP.
fn take(at: SocketAddr, shares: &mut [Share], inherited: &mut Inherited) -> io::Result<SocketAddr> {
    let mut at = at;
    for (number, share) in shares.iter_mut().enumerate() {
        if number == 0 {
            let listener = inherited.tcp(at).map_or_else(|| socket::tcp(at), Ok)?;
            at.set_port(listener.local_addr()?.port());
            share.tcp.push(listener);
        } else {
            share.udp.push(inherited.udp(at).map_or_else(|| socket::udp(at), Ok)?);
        }
    }
    Ok(at)
}

struct Worker {
    share: Share,
    zones: watch::Receiver<Arc<Zones>>,
    limits: Limits,
    stop: CancellationToken,
    /// How many threads a client's questions are spread over.
    among: u32,
}

impl Worker {
    fn run(self) {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let result = runtime.and_then(|runtime| runtime.block_on(self.answer()));
        if let Err(error) = result {
            tracing::error!(%error, "a thread of the DNS server cannot run");
        }
    }

    async fn answer(self) -> io::Result<()> {
        // Before it knows a zone it would turn everybody away; until then questions wait.
        let mut known = self.zones.clone();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(()),
            _ = known.wait_for(|zones| !zones.is_empty()) => {}
        }
        let mut loops = JoinSet::new();
        for socket in self.share.udp {
            let share = |rate: NonZeroU32| NonZeroU32::new(rate.get().div_ceil(self.among));
            let rate = self.limits.answers_per_second.and_then(share);
            let answering = Answering {
                socket: socket::on_runtime(socket)?,
                zones: self.zones.clone(),
                rate: rate.map(|rate| Rate::new(rate, Instant::now())),
            };
            loops.spawn(answering.run());
        }
        for listener in self.share.tcp {
            let listener = socket::listener_on_runtime(listener)?;
            loops.spawn(tcp::run(listener, self.zones.clone(), self.limits));
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            _ = loops.join_next() => {}
        }
        Ok(())
    }
}
