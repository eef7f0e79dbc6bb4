//! Connections of SSH: accepted while there are places, cut where somebody is slow to say what they want,
//! ended with the server once what was begun has been answered.

use std::{
    borrow::Cow,
    io,
    net::{Shutdown, SocketAddr},
    sync::Arc,
    time::Duration,
};

use russh::{
    Disconnect, MethodKind, MethodSet, Preferred, SshId,
    keys::{Algorithm, EcdsaCurve, HashAlg},
    server::{Config, run_stream},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{Asked, HostKey, Knows, places::Places, visitor::Visitor};

/// How whoever comes is met.
#[derive(Debug, Clone)]
pub struct Door {
    /// What the server proves itself with.
    pub host: HostKey,
    /// Whose a key is.
    pub knows: Knows,
    /// From the connection until something is asked for: a handshake, and whoever types a passphrase.
    pub patience: Duration,
}

/// Serves one listener until it is told to stop, then lets what was asked for be answered. Of `answer`
/// it is expected to end every line that it gets.
pub async fn serve<A, F>(listener: TcpListener, door: Door, answer: A, stop: CancellationToken)
where
    A: Fn(Asked) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (places, config) = (Places::default(), Arc::new(config(&door.host)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, most likely: they come back when connections end.
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(place) = places.take(peer.ip()) else {
            tracing::debug!(%peer, "too many connections over SSH; one was closed");
            continue;
        };
        let visit = Visit { config: config.clone(), door: door.clone(), stop: stop.clone(), peer };
        let answer = answer.clone();
        connections.spawn(async move {
            if let Err(error) = visit.run(stream, answer).await {
                tracing::debug!(%peer, %error, "a connection over SSH ended");
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
}

/// One connection.
struct Visit {
    config: Arc<Config>,
    door: Door,
    stop: CancellationToken,
    peer: SocketAddr,
}

impl Visit {
    async fn run<A, F>(self, stream: TcpStream, answer: A) -> Result<(), russh::Error>
    where
        A: Fn(Asked) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        stream.set_nodelay(true)?;
        let scissors = Scissors::of(&stream)?;
        let (asks, mut asked) = mpsc::channel(ASKED);
        let visitor = Visitor::new(self.door.knows, asks);
        let deadline = Instant::now() + self.door.patience;
        let begun = timeout_at(deadline, run_stream(self.config, stream, visitor)).await;
        let Ok(session) = begun else { return Err(russh::Error::ConnectionTimeout) };
        let session = session?;
        let handle = session.handle();
        let mut answers = JoinSet::new();
        let (mut silent, mut ending) = (true, false);
        let late = sleep_until(deadline);
        tokio::pin!(session, late);
        let ended = loop {
            tokio::select! {
                biased;
                ended = &mut session => break ended,
                Some(asked) = asked.recv(), if answers.len() < ANSWERED => {
                    silent = false;
                    answers.spawn(answer(asked));
                }
                Some(_) = answers.join_next() => {}
                () = &mut late, if silent => {
                    tracing::debug!(peer = %self.peer, "nothing was asked for in time over SSH");
                    scissors.cut();
                    silent = false;
                }
                () = self.stop.cancelled(), if !ending => ending = true,
            }
            if ending && answers.is_empty() {
                // Who was answered hangs up by themselves. Told to go they would drop what they have
                // not read yet.
                if !silent && let Ok(ended) = timeout(FAREWELL, &mut session).await {
                    break ended;
                }
                let told = handle.disconnect(
                    Disconnect::ByApplication,
                    "the server ends".to_owned(),
                    String::new(),
                );
                // Who is in the middle of a handshake hears nothing; nobody waits for them.
                let _ = timeout(FAREWELL, told).await;
                scissors.cut();
                break Ok(());
            }
        };
        // They notice that nobody listens.
        while answers.join_next().await.is_some() {}
        ended
    }
}

/// What ends a connection whatever it is in the middle of.
struct Scissors(std::net::TcpStream);

impl Scissors {
    fn of(stream: &TcpStream) -> io::Result<Self> {
        use std::os::fd::AsFd;
        Ok(Self(stream.as_fd().try_clone_to_owned()?.into()))
    }

    fn cut(&self) {
        // It has gone already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Drop for Scissors {
    fn drop(&mut self) {
        self.cut();
    }
}

fn config(host: &HostKey) -> Config {
    Config {
        server_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-paas_",
            env!("CARGO_PKG_VERSION")
        ))),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // Which keys are known is no secret: whoever asks is told, as the protocol has it.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host.private().clone()],
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        channel_buffer_size: PIECES,
        preferred: Preferred { key: Cow::Borrowed(KEYS), ..Preferred::DEFAULT },
        max_auth_attempts: ATTEMPTS,
        inactivity_timeout: Some(IDLE),
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES,
        nodelay: true,
        ..Config::default()
    }
}

/// Keys that may be presented, by the signatures that they make.
const KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::SkEd25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::SkEcdsaSha2NistP256,
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// Keys that an agent may offer.
const ATTEMPTS: usize = 20;
/// Nothing in either direction; a git that counts its objects is silent for minutes.
const IDLE: Duration = Duration::from_mins(10);
/// A client that answers none of these has gone.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVES: usize = 3;
/// What a client may send before anybody has read it, in bytes, and its parts.
const WINDOW: u32 = 1 << 20;
const PACKET: u32 = 32 << 10;
/// Pieces that wait to be read; when there are more, the connection is not read.
const PIECES: usize = 32;
/// Things that one connection has answered at the same time: what clients that share a connection reckon with.
const ANSWERED: usize = 10;
/// Those that wait for that; what is asked for beyond them is refused.
const ASKED: usize = 4;
/// Before accepting again after a failure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// For a last word.
const FAREWELL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What comes until the server hangs up.
    async fn all(stream: &mut TcpStream) -> Vec<u8> {
        let mut told = Vec::new();
        // A connection that was cut ends in either way.
        let _ = stream.read_to_end(&mut told).await;
        told
    }

    #[tokio::test]
    async fn who_speaks_no_ssh_or_says_nothing_is_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let door = Door {
            host: HostKey::of(&*HostKey::make()).unwrap(),
            knows: Knows::by(|_| None),
            patience: Duration::from_millis(300),
        };
        let answer = |asked: Asked| async move { asked.line.end(0).await };
        let serving = tokio::spawn(serve(listener, door, answer, stop.clone()));
        for said in [
            "",
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "SSH-2.0-x\r\n",
            "SSH-2.0-x\r\n\u{7f}\u{7f}\u{7f}\u{7f}nonsense nonsense nonsense",
            &"x".repeat(100_000),
        ] {
            let mut stream = TcpStream::connect(at).await.unwrap();
            let _ = stream.write_all(said.as_bytes()).await;
            let told = all(&mut stream).await;
            assert!(told.is_empty() || told.starts_with(b"SSH-2.0-paas_"), "{said:.30}");
        }
        let mut silent = TcpStream::connect(at).await.unwrap();
        stop.cancel();
        all(&mut silent).await;
        serving.await.unwrap();
    }
}
