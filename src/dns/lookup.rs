//! What the world's DNS says of a name, for people who wonder why their domain does not work.
//!
//! Nothing is kept: somebody who has just changed a record wants to know now. Deliberately not a
//! resolver for traffic, and no DNSSEC: an answer is shown, and an authority asks for itself.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_proto::{
    op::ResponseCode,
    rr::{Name, RData, RecordType},
};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    system_conf,
};

/// Asks resolvers.
#[derive(Clone)]
pub struct Lookup {
    resolver: TokioResolver,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The name does not exist.
    #[error("there is no such name")]
    NoSuchName,
    /// It exists, and has no record of that type.
    #[error("the name has no such record")]
    NoData,
    /// It could not be found out.
    #[error("it could not be looked up: {0}")]
    Failed(String),
}

impl Lookup {
    /// Asks the machine's own resolvers, as `/etc/resolv.conf` lists them now.
    pub fn system() -> Result<Self, LookupError> {
        let (config, _) = system_conf::read_system_conf().map_err(failed)?;
        Self::with(config.name_servers().to_vec())
    }

    /// Asks one server.
    pub fn at(server: SocketAddr) -> Result<Self, LookupError> {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut way| {
            way.port = server.port();
            way
        });
        Self::with(vec![NameServerConfig::new(server.ip(), true, connections.to_vec())])
    }

    fn with(servers: Vec<NameServerConfig>) -> Result<Self, LookupError> {
        let mut options = ResolverOpts::default();
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = ATTEMPT;
        options.attempts = ATTEMPTS;
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(failed)?;
        Ok(Self { resolver })
    }

    /// The IPv4 and IPv6 addresses that a name leads to, through aliases, sorted.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let (v4, v6) =
            tokio::join!(self.ask(name, RecordType::A), self.ask(name, RecordType::AAAA));
        let found = match (v4, v6) {
            (Ok(v4), Ok(v6)) => v4.into_iter().chain(v6).collect(),
            // One family is an answer; that the other has none, or could not be told, is no fault.
            (Ok(one), Err(_)) | (Err(_), Ok(one)) => one,
            (Err(LookupError::NoData), Err(error)) | (Err(error), Err(_)) => return Err(error),
        };
        let mut addresses: Vec<IpAddr> = found
            .iter()
            .filter_map(|data| match data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            })
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() { Err(LookupError::NoData) } else { Ok(addresses) }
    }

    /// The name that this one is another name for; in lower case without a final dot.
    pub async fn alias(&self, name: &str) -> Result<String, LookupError> {
        let found = self.ask(name, RecordType::CNAME).await?;
        let target = found.iter().find_map(|data| match data {
            RData::CNAME(target) => Some(plain(&target.0)),
            _ => None,
        });
        target.ok_or(LookupError::NoData)
    }

    /// The texts at a name, each in one piece, sorted.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, LookupError> {
        let found = self.ask(name, RecordType::TXT).await?;
        let text = |data: &RData| match data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        };
        some(found.iter().filter_map(text).collect())
    }

    /// Who answers for a name, in lower case without final dots, sorted.
    pub async fn name_servers(&self, name: &str) -> Result<Vec<String>, LookupError> {
        let found = self.ask(name, RecordType::NS).await?;
        let server = |data: &RData| match data {
            RData::NS(server) => Some(plain(&server.0)),
            _ => None,
        };
        some(found.iter().filter_map(server).collect())
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, LookupError> {
        // The final dot keeps search lists out of it.
        let name = Name::from_ascii(format!("{}.", name.trim_end_matches('.')))
            .map_err(|_| LookupError::NoSuchName)?;
        let lookup = tokio::time::timeout(WHOLE, self.resolver.lookup(name, kind));
        match lookup.await {
            Ok(Ok(found)) => Ok(found.answers().iter().map(|record| record.data.clone()).collect()),
            Ok(Err(error)) => Err(explain(error)),
            Err(_) => Err(LookupError::Failed(format!("no answer in {} seconds", WHOLE.as_secs()))),
        }
    }
}

impl std::fmt::Debug for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}

/// The resolvers of this machine that other network namespaces can reach too, in order: where only a
/// local stub is listed, those behind it.
pub fn system_resolvers() -> Vec<IpAddr> {
    let listed = |path| {
        let text = std::fs::read(path).unwrap_or_default();
        let config = system_conf::parse_resolv_conf(text).map(|(config, _)| config);
        let servers = config.map(|config| config.name_servers().to_vec()).unwrap_or_default();
        let mut addresses: Vec<IpAddr> = servers.iter().map(|server| server.ip).collect();
        addresses.retain(|address| !address.is_loopback());
        addresses
    };
    let own = listed("/etc/resolv.conf");
    if own.is_empty() { listed("/run/systemd/resolve/resolv.conf") } else { own }
}

/// The resolvers that this machine itself asks, in order.
pub fn own_resolvers() -> Vec<SocketAddr> {
    let config = system_conf::read_system_conf().map(|(config, _)| config);
    let servers = config.map(|config| config.name_servers().to_vec()).unwrap_or_default();
    servers.iter().map(|server| SocketAddr::new(server.ip, 53)).collect()
}

fn explain(error: NetError) -> LookupError {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => LookupError::NoSuchName,
            ResponseCode::NoError => LookupError::NoData,
            code => LookupError::Failed(format!("the resolver answered {code}")),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => {
            LookupError::Failed(format!("the resolver answered {code}"))
        }
        NetError::Timeout => LookupError::Failed("no resolver answered in time".to_owned()),
        other => failed(other),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the last anybody needs of it")]
fn failed(error: NetError) -> LookupError {
    LookupError::Failed(error.to_string())
}

fn some(mut texts: Vec<String>) -> Result<Vec<String>, LookupError> {
    texts.sort();
    texts.dedup();
    if texts.is_empty() { Err(LookupError::NoData) } else { Ok(texts) }
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

/// For one packet to come back; the far end of the world takes a third of a second.
const ATTEMPT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// For all attempts at all resolvers; somebody is waiting.
const WHOLE: Duration = Duration::from_secs(8);
