//! The connection: one client whose every call has a deadline of ours.
//!
//! bollard's own timeout covers the wait for a response's head only and cannot differ per call, so
//! it is set out of reach and [`Docker::within`] bounds the whole call instead.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    future::Future,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, errors::Error};

use super::{fault, network, observe::Seen, start, subnet::Subnet};
use crate::{engine::EngineError, model::AppName};

/// Where Docker is, and what in it is ours.
#[derive(Debug, Clone)]
pub struct DockerSettings {
    /// The path of its unix socket.
    pub socket: String,
    /// Which of the installations that share this engine this is.
    pub installation: InstallationId,
    /// Where the apps' networks get their addresses from.
    pub subnet_pool: Subnet,
    /// The resolvers that containers ask when the platform's own does not answer; `None` leaves
    /// names to Docker, and containers have no private ones.
    pub resolvers: Option<Vec<IpAddr>>,
    /// Where this machine's Docker client keeps what `docker login` was told.
    pub credentials: PathBuf,
    /// How many files a process in a container may have open.
    pub open_files: u64,
}

impl DockerSettings {
    /// The usual socket, address pool and limits. A container is given no more open files than this
    /// daemon may have: a Docker without the right to exceed its own limit, which is usually ours
    /// too, could not start it.
    pub fn new(installation: InstallationId) -> Self {
        let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
        Self {
            socket: "/var/run/docker.sock".to_owned(),
            installation,
            subnet_pool: Subnet::DEFAULT_POOL,
            resolvers: None,
            credentials: PathBuf::from("/root/.docker/config.json"),
            open_files: hard.map_or(OPEN_FILES, |hard| hard.min(OPEN_FILES)),
        }
    }
}

/// Tells the containers, networks and images of one installation from those of others on the same
/// engine: 1 to 16 lower-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallationId(String);

impl InstallationId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that should have been an installation's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an installation's id is 1 to 16 lower-case letters and digits")]
pub struct InvalidInstallation;

impl FromStr for InstallationId {
    type Err = InvalidInstallation;

    fn from_str(text: &str) -> Result<Self, InvalidInstallation> {
        let valid = (1..=16).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidInstallation) }
    }
}

/// Docker on this machine; cheap to clone, all clones share one connection pool.
#[derive(Clone)]
pub struct Docker {
    inner: Arc<Inner>,
}

struct Inner {
    api: bollard::Docker,
    settings: DockerSettings,
    /// What the last inspection of each container showed.
    seen: Mutex<HashMap<String, Seen>>,
    /// The networks known to exist. Its lock is also what makes networks one at a time, so that two
    /// of them never try for the same subnet.
    networks: tokio::sync::Mutex<BTreeSet<String>>,
    /// Where containers ask for names, once it is known.
    names: tokio::sync::OnceCell<Ipv4Addr>,
}

impl Docker {
    /// Connects and agrees on the version of the API.
    pub async fn connect(settings: DockerSettings) -> Result<Self, EngineError> {
        let explain = |error| fault::explain(error, "version", &settings.socket);
        let api = bollard::Docker::connect_with_unix(
            &settings.socket,
            OUT_OF_REACH.as_secs(),
            API_DEFAULT_VERSION,
        )
        .map_err(explain)?;
        let api = match tokio::time::timeout(DEADLINE, api.negotiate_version()).await {
            Ok(negotiated) => negotiated.map_err(|error| {
                unreachable_at(&settings.socket, fault::explain(error, "version", "the engine"))
            })?,
            Err(_) => return Err(EngineError::Timeout { operation: "version", after: DEADLINE }),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                api,
                settings,
                seen: Mutex::default(),
                networks: tokio::sync::Mutex::default(),
                names: tokio::sync::OnceCell::new(),
            }),
        })
    }

    /// The engine's version, for people.
    pub async fn version(&self) -> Result<String, EngineError> {
        let version = self.ask("version", "the engine", self.api().version()).await?;
        Ok(version.version.unwrap_or_else(|| "unknown".to_owned()))
    }

    /// Which engine this is, whoever asks it: two daemons with one engine see the same containers. It is
    /// the id of its own network, made anew with each start; the id that Docker says it has is that of a
    /// file, and cloned machines share it.
    pub async fn engine(&self) -> Result<String, EngineError> {
        let options = None::<bollard::query_parameters::InspectNetworkOptions>;
        let inspect = self.api().inspect_network(OWN_NETWORK, options);
        match self.ask("network inspect", OWN_NETWORK, inspect).await {
            Ok(network) => Ok(network.id.unwrap_or_default()),
            Err(error) if fault::status(&error) == Some(404) => {
                let info = self.ask("info", "the engine", self.api().info()).await?;
                Ok(info.id.unwrap_or_default())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn api(&self) -> &bollard::Docker {
        &self.inner.api
    }

    /// Whose things in Docker these are.
    pub fn installation(&self) -> &InstallationId {
        &self.inner.settings.installation
    }

    pub(super) fn settings(&self) -> &DockerSettings {
        &self.inner.settings
    }

    /// A panic while it was held leaves at worst a stale entry, which the next inspection replaces.
    pub(super) fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This machine's address at which containers ask for names: where the server of private names
    /// is to listen, on port 53. It is there once this has returned.
    pub async fn names_address(&self) -> Result<Ipv4Addr, EngineError> {
        network::names_address(self).await
    }

    /// Whom containers are told to ask for names, at port 53: that address, then the machine's own
    /// resolvers; nobody if names are left to Docker.
    pub async fn resolvers(&self) -> Result<Vec<IpAddr>, EngineError> {
        start::resolvers(self).await
    }

    /// The interfaces of this machine that its containers, and nobody else's, are behind. One with `+`
    /// at its end stands for all that begin so: also those that are yet to be made.
    pub async fn bridges(&self) -> Result<Vec<String>, EngineError> {
        network::bridges(self).await
    }

    /// The networks of apps on this machine: whose containers have which addresses. None has another app's.
    pub async fn app_networks(&self) -> Result<BTreeMap<Subnet, AppName>, EngineError> {
        network::of_apps(self).await
    }

    pub(super) fn names(&self) -> &tokio::sync::OnceCell<Ipv4Addr> {
        &self.inner.names
    }

    pub(super) fn networks(&self) -> &tokio::sync::Mutex<BTreeSet<String>> {
        &self.inner.networks
    }

    /// One call under the usual deadline.
    pub(super) async fn ask<T>(
        &self,
        operation: &'static str,
        subject: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        self.within(DEADLINE, operation, subject, call).await
    }

    /// One call under a deadline of its own.
    pub(super) async fn within<T>(
        &self,
        deadline: Duration,
        operation: &'static str,
        subject: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        match tokio::time::timeout(deadline, call).await {
            Ok(answer) => answer.map_err(|error| self.explain(error, operation, subject)),
            Err(_) => Err(EngineError::Timeout { operation, after: deadline }),
        }
    }

    /// What an error of a call means in the house's words.
    pub(super) fn explain(
        &self,
        error: Error,
        operation: &'static str,
        subject: &str,
    ) -> EngineError {
        unreachable_at(&self.inner.settings.socket, fault::explain(error, operation, subject))
    }
}

impl fmt::Debug for Docker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Docker").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

/// Names the socket in the error, which says more than the subject of the call that noticed.
fn unreachable_at(socket: &str, error: EngineError) -> EngineError {
    match error {
        EngineError::Unreachable { source, .. } => {
            EngineError::Unreachable { socket: socket.to_owned(), source }
        }
        other => other,
    }
}

/// Plenty for a server, and not so many that a program that closes all of them is slow.
const OPEN_FILES: u64 = 65_536;

/// Reads and small changes take milliseconds; ten seconds mean that dockerd is wedged or the
/// machine is out of memory, and waiting longer would stall the control loop.
const DEADLINE: Duration = Duration::from_secs(10);

/// Making and starting a container touches disks and firewalls; under load it takes seconds.
pub(super) const START_DEADLINE: Duration = Duration::from_mins(1);

/// bollard's own timeout: longer than any of ours.
const OUT_OF_REACH: Duration = Duration::from_hours(24);

/// The network that Docker makes for itself, unless it is told not to.
const OWN_NETWORK: &str = "bridge";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_id_is_short_and_plain() {
        for good in ["a", "k3f9", "0123456789abcdef"] {
            assert!(good.parse::<InstallationId>().is_ok(), "{good}");
        }
        for bad in ["", "A", "a-b", "a b", "0123456789abcdef0"] {
            assert!(bad.parse::<InstallationId>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn no_docker_is_an_error_that_names_the_socket() {
        let mut settings = DockerSettings::new("abc".parse().unwrap());
        settings.socket = "/nonexistent/docker.sock".to_owned();
        let error = Docker::connect(settings).await.unwrap_err();
        assert_eq!(error.to_string(), "Docker does not answer at /nonexistent/docker.sock");
    }

    #[tokio::test]
    async fn a_socket_that_nobody_serves_is_unreachable_too() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let mut settings = DockerSettings::new("abc".parse().unwrap());
        settings.socket = socket.to_string_lossy().into_owned();
        let error = Docker::connect(settings).await.unwrap_err();
        assert!(matches!(error, EngineError::Unreachable { .. }), "{error:?}");
    }
}
