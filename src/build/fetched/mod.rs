//! A source that the server itself fetches: from the internet, over HTTP, under limits.
//!
//! Whoever may deploy chooses the address, so nothing about it is believed: each address that a name
//! leads to is looked at (`model::fetching`), the connection goes to one of those and to no other, and every
//! redirect begins anew. Nothing is sent along but the request, no proxy of the environment is asked.
//! Invariant: nothing is handed on before all of it is here and its checksum, if one was given, is right.

mod link;

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use ureq::{
    Agent,
    config::Config,
    http::Uri,
    tls::{RootCerts, TlsConfig},
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

pub use link::{InvalidLink, Link};

use crate::model::fetching::{self, PrivatePlace};

/// What is to be fetched.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// From where.
    pub link: Link,
    /// What it must be: 64 hexadecimal digits.
    pub sha256: Option<String>,
}

/// Why it could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The name leads to where nothing is fetched from.
    #[error("{host} is {address}, {why}, from which nothing is fetched")]
    Address {
        /// The name.
        host: String,
        /// Where it leads.
        address: IpAddr,
        /// What that is.
        why: &'static str,
    },
    /// An answer sends on to what is no address.
    #[error("{link} sends on to where it should not: {source}")]
    Sent {
        /// Which.
        link: Link,
        /// Why not.
        #[source]
        source: InvalidLink,
    },
    /// They send on without end.
    #[error("it is sent on more than {REDIRECTS} times")]
    Around,
    /// No answer, or no connection.
    #[error("{link} did not answer")]
    Unreachable {
        /// Which.
        link: Link,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// An answer that is no file.
    #[error("{link} answered {status}")]
    Status {
        /// Which.
        link: Link,
        /// HTTP's number.
        status: u16,
    },
    /// The answer broke off.
    #[error("{link} could not be read")]
    Broken {
        /// Which.
        link: Link,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It has no end, or a far one.
    #[error("{link} is over 1 GiB")]
    TooLarge {
        /// Which.
        link: Link,
    },
    /// It took too long.
    #[error("{link} took more than {} minutes", WHOLE.as_secs() / 60)]
    Slow {
        /// Which.
        link: Link,
    },
    /// It is something else.
    #[error("{link} has the SHA-256 {found}, which is not the one that was asked for")]
    Checksum {
        /// Which.
        link: Link,
        /// What it has.
        found: String,
    },
    /// It could not be kept.
    #[error("what was fetched could not be kept")]
    Kept(#[source] io::Error),
    /// Nobody waits for it any more.
    #[error("nobody waits for it any more")]
    Gone,
}

/// What fetches. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fetcher {
    agent: Agent,
    folder: PathBuf,
    places: Arc<Semaphore>,
}

impl Fetcher {
    /// One that keeps what it fetches in `folder` for the moment, and may also ask these places.
    pub fn new(folder: &Path, private: Vec<PrivatePlace>) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .proxy(None)
            .user_agent(concat!("paas/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(RESPONSE))
            .timeout_per_read(Some(STALL));
        let resolver = Looking { inner: DefaultResolver::default(), private };
        let agent = Agent::with_parts(config.build(), DefaultConnector::new(), resolver);
        Self { agent, folder: folder.to_owned(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Fetches all of it, into a file without a name.
    pub async fn fetch(&self, wanted: Wanted) -> Result<File, FetchError> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| FetchError::Gone)?;
        let (fetcher, gone) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let _leaves = Leaves(gone.clone());
        let fetching = tokio::task::spawn_blocking(move || {
            let _place = place;
            fetcher.run(&wanted, &gone)
        });
        fetching.await.map_err(|error| FetchError::Kept(io::Error::other(error)))?
    }

    fn run(&self, wanted: &Wanted, gone: &AtomicBool) -> Result<File, FetchError> {
        let mut link = wanted.link.clone();
        let until = Instant::now() + WHOLE;
        for _ in 0..=REDIRECTS {
            let left = until.saturating_duration_since(Instant::now());
            let request = self.agent.get(link.uri()).config().timeout_global(Some(left)).build();
            let answer = request.call().map_err(|source| unreachable(&link, source))?;
            let status = answer.status().as_u16();
            if status == 200 {
                let body = answer.into_body().into_reader();
                return self.keep(body, &link, (wanted, gone));
            }
            let location = answer.headers().get("location").and_then(|to| to.to_str().ok());
            let Some(location) = location.filter(|_| SENDS_ON.contains(&status)) else {
                return Err(FetchError::Status { link, status });
            };
            let next = link.follow(location);
            link = next.map_err(|source| FetchError::Sent { link: link.clone(), source })?;
        }
        Err(FetchError::Around)
    }

    fn keep(
        &self,
        body: impl Read,
        link: &Link,
        (wanted, gone): (&Wanted, &AtomicBool),
    ) -> Result<File, FetchError> {
        let mut file = tempfile::tempfile_in(&self.folder).map_err(FetchError::Kept)?;
        let (mut body, mut digest, mut total) = (body.take(MOST + 1), Sha256::new(), 0);
        let mut buffer = vec![0; PIECE];
        loop {
            let count = body.read(&mut buffer).map_err(|source| broken(link, source))?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            total += count as u64;
            if total > MOST {
                return Err(FetchError::TooLarge { link: link.clone() });
            }
            if gone.load(Ordering::Relaxed) {
                return Err(FetchError::Gone);
            }
            digest.update(bytes);
            file.write_all(bytes).map_err(FetchError::Kept)?;
        }
        let found = hex::encode(digest.finalize());
        if wanted.sha256.as_ref().is_some_and(|sha256| !found.eq_ignore_ascii_case(sha256)) {
            return Err(FetchError::Checksum { link: link.clone(), found });
        }
        file.rewind().map_err(FetchError::Kept)?;
        Ok(file)
    }
}

impl FetchError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Address { host, .. } => Some(format!(
                "whoever runs the server may allow it: `fetch_private = \"{host}\"` in config.toml"
            )),
            Self::Checksum { found, .. } => {
                Some(format!("if that is what you meant: `--sha256 {found}`"))
            }
            Self::Status { status: 401 | 403, .. } => Some(
                "an address that needs no login is needed, such as one that is signed; or \
                 download it, and `paas deploy`"
                    .to_owned(),
            ),
            Self::Unreachable { link, .. } => {
                // Whoever is asked may have sent on to it, and it is to be pasted into a root's shell.
                let word = link.to_string().replace('\'', "%27");
                Some(format!("on the server: `curl -fsSLI '{word}'`"))
            }
            Self::Sent { .. }
            | Self::Around
            | Self::Status { .. }
            | Self::Broken { .. }
            | Self::TooLarge { .. }
            | Self::Slow { .. }
            | Self::Kept(_)
            | Self::Gone => None,
        }
    }
}

/// Looks names up, and at what they lead to.
#[derive(Debug)]
struct Looking {
    inner: DefaultResolver,
    private: Vec<PrivatePlace>,
}

/// A name leads to where nothing is fetched from.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{host} is {address}, {why}")]
struct Refused {
    host: String,
    address: IpAddr,
    why: &'static str,
}

impl Resolver for Looking {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let host = uri.host().unwrap_or_default();
        if fetching::is_named(&self.private, host) {
            return Ok(found);
        }
        // One that is refused refuses all: who answers so means no good.
        for address in found.iter().map(SocketAddr::ip) {
            if let Some(why) = fetching::refusal(&self.private, address) {
                let refused = Refused { host: host.to_owned(), address, why };
                return Err(ureq::Error::Other(Box::new(refused)));
            }
        }
        Ok(found)
    }
}

/// Tells whoever fetches that nobody waits any more.
struct Leaves(Arc<AtomicBool>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn unreachable(link: &Link, source: ureq::Error) -> FetchError {
    match source {
        ureq::Error::Other(error) => match error.downcast::<Refused>() {
            Ok(refused) => {
                let Refused { host, address, why } = *refused;
                FetchError::Address { host, address, why }
            }
            Err(error) => {
                let source = Box::new(ureq::Error::Other(error));
                FetchError::Unreachable { link: link.clone(), source }
            }
        },
        ureq::Error::Timeout(ureq::Timeout::Global) => FetchError::Slow { link: link.clone() },
        source => FetchError::Unreachable { link: link.clone(), source: Box::new(source) },
    }
}

fn broken(link: &Link, source: io::Error) -> FetchError {
    FetchError::Broken { link: link.clone(), source }
}

/// Statuses that send on.
const SENDS_ON: &[u16] = &[301, 302, 303, 307, 308];
/// How often it may be sent on.
const REDIRECTS: u32 = 5;
/// The largest file, as with pushes.
const MOST: u64 = 1 << 30;
/// Files that are fetched at the same time; more wait.
const AT_ONCE: usize = 4;
const PIECE: usize = 256 << 10;
const CONNECT: Duration = Duration::from_secs(10);
const RESPONSE: Duration = Duration::from_secs(30);
/// A server that sends nothing for this long is dead.
const STALL: Duration = Duration::from_secs(30);
/// Redirects and all.
const WHOLE: Duration = Duration::from_mins(15);

#[cfg(test)]
mod tests;
