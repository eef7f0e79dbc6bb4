//! The settings of a daemon.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use super::{BuildSettings, ClusterSettings};
use crate::model::{BackupPlace, Cidr, fetching::PrivatePlace, opening::Opening};

/// A complete and valid configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// Apps answer at `<app>.<domain>`.
    pub domain: String,
    /// Where the edge listens for plain HTTP.
    pub http: Vec<SocketAddr>,
    /// Where it listens for TLS.
    pub https: Vec<SocketAddr>,
    /// Where the DNS server listens, on UDP and TCP; nowhere turns it off.
    pub dns: Vec<SocketAddr>,
    /// Where `git push` over SSH is taken.
    pub ssh: SshSettings,
    /// The addresses under which the world reaches the edge; the machine's own public ones if empty.
    pub addresses: Vec<IpAddr>,
    /// Networks of proxies in front of the edge whose word about a client is believed.
    pub trusted: Vec<Cidr>,
    /// Whether those proxies begin a connection with the PROXY protocol.
    pub proxy_protocol: bool,
    /// Places that are not public, from which sources may be fetched all the same.
    pub fetch_private: Vec<PrivatePlace>,
    /// Whether containers are kept from this machine's own services.
    pub firewall: bool,
    /// Ports of this machine that they may reach all the same.
    pub firewall_allow: Vec<Opening>,
    /// Whom to ask where names lead; the machine's own resolvers if nobody.
    pub resolver: Option<SocketAddr>,
    /// A credential of systemd's with the key that secrets are sealed with.
    pub sealing_key: Option<PathBuf>,
    /// How certificates are got; `None` is not at all.
    pub acme: Option<AcmeSettings>,
    /// Where the API listens besides the data folder's socket.
    pub api: Vec<ApiAddress>,
    /// Docker's socket.
    pub docker: PathBuf,
    /// The addresses that apps' networks are cut from, for example `10.210.0.0/16`.
    pub subnets: String,
    /// This machine's name, as people see it.
    pub node: String,
    /// The plain Debian 13 image that the base images are made of where a registry answers.
    pub base_image: String,
    /// Releases of an app that are kept, with their images.
    pub releases_kept: usize,
    /// How long destroyed apps are kept; `None` is not at all.
    pub undelete_for: Option<Duration>,
    /// Where backups of volumes are kept, if anywhere.
    pub backup: Option<BackupPlace>,
    /// Where the link to other machines is, if anywhere.
    pub cluster: Option<ClusterSettings>,
    /// How long a certificate for links lasts that this machine signs.
    pub certificate_lasts: Duration,
    /// What builds may use.
    pub builds: BuildSettings,
    /// Threads of the edge; 0 means one a core.
    pub edge_threads: usize,
    /// How the edge's requests are written down.
    pub access_log: AccessLogFormat,
    /// Of a million requests that went well, how many are; of failed ones all.
    pub access_log_sample: u32,
}

/// Where the SSH server listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshSettings {
    /// The address; nowhere turns it off.
    pub at: Option<SocketAddr>,
    /// Who says so.
    pub by: ChosenBy,
}

/// Who says that a setting is as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChosenBy {
    /// Nobody: what cannot be so is left out, with a warning.
    #[default]
    Default,
    /// A file, a variable or a flag: what cannot be so is a fault.
    User,
}

/// How a request is written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// Not at all.
    #[default]
    Off,
    /// One JSON object a line, with all that is known.
    Json,
    /// The Combined Log Format of Apache and nginx, which many tools read.
    Common,
}

impl FromStr for AccessLogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "json" => Ok(Self::Json),
            "common" => Ok(Self::Common),
            _ => Err(format!("`{text}` is none of `off`, `json` and `common`")),
        }
    }
}

/// How certificates are got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeSettings {
    /// The authority's directory, and others to ask when it cannot or will not.
    pub directories: Vec<String>,
    /// Where it may write to about the account.
    pub email: Option<String>,
    /// A PEM file with the authority's own root, if the machine does not trust it yet.
    pub root: Option<PathBuf>,
    /// The key id and the HMAC key (base64url) of an account elsewhere, where the authority wants
    /// one (RFC 8555 section 7.3.4).
    pub external: Option<(String, String)>,
}

/// One place where the API listens. Plain HTTP is only for this machine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiAddress {
    /// TLS under the daemon's own authority.
    Https(SocketAddr),
    /// Plain, on a loopback address.
    Http(SocketAddr),
}

impl FromStr for ApiAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = |text: &str| {
            text.parse::<SocketAddr>().map_err(|_| format!("`{text}` is not an ADDRESS:PORT"))
        };
        if let Some(rest) = text.strip_prefix("http://") {
            let address = address(rest)?;
            if !address.ip().is_loopback() {
                return Err(format!(
                    "`{text}` would send tokens in the clear; use https:// or a loopback address"
                ));
            }
            return Ok(Self::Http(address));
        }
        address(text.strip_prefix("https://").unwrap_or(text)).map(Self::Https)
    }
}

impl fmt::Display for ApiAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Https(address) => write!(f, "https://{address}"),
            Self::Http(address) => write!(f, "http://{address}"),
        }
    }
}

/// What is given to make a [`Config`] of.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// The file's path and text, if there is one.
    pub file: Option<(PathBuf, String)>,
    /// The same of the file with what the machines that keep the records share.
    pub installation: Option<(PathBuf, String)>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// Setting → text, from flags; the names are the file's.
    pub flags: BTreeMap<String, String>,
    /// The machine's host name.
    pub host_name: String,
    /// The data folder.
    pub data: PathBuf,
}
