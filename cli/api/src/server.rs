//! The server itself.

use serde::{Deserialize, Serialize};

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Server {
    /// Its version.
    pub version: String,
    /// The node's name.
    pub node: String,
    /// Whom the token stands for.
    pub user: String,
    /// Apps are `<app>.<domain>`.
    pub domain: String,
    /// The edge's base URL, with its port where that is not the scheme's own, for example
    /// `http://localhost:8080`.
    pub edge_url: String,
    /// Where the edge listens for plain HTTP: `0.0.0.0:80`.
    #[serde(default)]
    pub http: Vec<String>,
    /// Where it listens for HTTPS; nowhere if that is off.
    #[serde(default)]
    pub https: Vec<String>,
    /// Where the DNS server answers, on UDP and TCP; nowhere if it is off.
    #[serde(default)]
    pub dns: Vec<String>,
    /// Why the container engine can not be used, if it can not.
    pub engine_fault: Option<String>,
    /// Its version, if it can.
    pub engine_version: Option<String>,
    /// How far the base images are: `ready`, or what is being done.
    pub stack: String,
    /// Whether containers are kept from the machine's own services: `on`, or why they are not. Nothing
    /// before the engine has been found.
    #[serde(default)]
    pub firewall: String,
    /// What builds keep on the disk for later ones, once that was looked at.
    #[serde(default)]
    pub kept: Option<Kept>,
    /// Bytes free where the data is.
    pub disk_free: u64,
    /// Resident memory of the daemon, in bytes.
    pub memory: u64,
    /// `https://ADDRESS:PORT` of the API of each machine that keeps the records, if several do: whoever does not
    /// reach one asks another.
    #[serde(default)]
    pub controls: Vec<String>,
}

/// What builds keep on the disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Kept {
    /// The folders of apps.
    pub apps: u64,
    /// The caches that all apps share.
    pub shared: u64,
    /// The toolchains.
    pub toolchains: u64,
}
