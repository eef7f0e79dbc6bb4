//! `paas server`: its options. The daemon carries it out.
//!
//! The values are text here: the daemon reads them together with its file and the environment,
//! and reports every fault of all three at once.

use std::path::PathBuf;

use clap::Args;

use crate::environment::DATA;

/// Run the server: builds, runs and routes apps until it is told to stop
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// Where the server keeps everything
    #[arg(long, value_name = "DIR", default_value = DATA, env = "PAAS_DATA")]
    pub data: PathBuf,
    /// The configuration file; without it `config.toml` in the data folder, if there is one
    #[arg(long, value_name = "FILE", env = "PAAS_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where the edge takes the apps' HTTP traffic
    #[arg(long, value_name = "ADDRESS:PORT", env = "PAAS_HTTP")]
    pub http: Option<String>,
    /// Where the edge takes their HTTPS traffic
    #[arg(long, value_name = "ADDRESS:PORT", env = "PAAS_HTTPS")]
    pub https: Option<String>,
    /// Where the DNS server answers, on UDP and TCP, for example `0.0.0.0:53`
    #[arg(long, value_name = "ADDRESS:PORT", env = "PAAS_DNS")]
    pub dns: Option<String>,
    /// Where `git push` over SSH is taken, for example `0.0.0.0:2222`; `off` for nowhere
    #[arg(long, value_name = "ADDRESS:PORT", env = "PAAS_SSH")]
    pub ssh: Option<String>,
    /// Where the API listens: TLS, except on this machine's own addresses
    #[arg(long, value_name = "ADDRESS:PORT", env = "PAAS_API")]
    pub api: Option<String>,
    /// Apps answer at `<app>.DOMAIN`
    #[arg(long, value_name = "DOMAIN", env = "PAAS_DOMAIN")]
    pub domain: Option<String>,
    /// This machine's name; without it the host name
    #[arg(long, value_name = "NAME", env = "PAAS_NODE")]
    pub node: Option<String>,
    /// What to log, for example `info` or `info,paas::control=debug`
    #[arg(long, value_name = "FILTER", env = "PAAS_LOG")]
    pub log: Option<String>,
    /// Take over from the daemon at the other end of standard input (upgrades start it so)
    #[arg(long, hide = true)]
    pub take_over: bool,
}
