//! `paas init`: its options. The daemon carries it out.

use std::path::PathBuf;

use clap::Args;

use crate::environment::DATA;

/// Make this machine a server: data folder, admin token, and what to do next
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Where the server keeps everything
    #[arg(long, value_name = "DIR", default_value = DATA, env = "PAAS_DATA")]
    pub data: PathBuf,
    /// Apps answer at `<app>.DOMAIN`; without it at `<app>.localhost`
    #[arg(long, value_name = "DOMAIN", env = "PAAS_DOMAIN")]
    pub domain: Option<String>,
    /// Where the certificate authority may write to about expiring certificates
    #[arg(long, value_name = "ADDRESS", requires = "domain")]
    pub email: Option<String>,
    /// The certificate authority: the URL of its ACME directory, or `off`; without it Let's Encrypt
    #[arg(long, value_name = "URL", env = "PAAS_ACME")]
    pub acme: Option<String>,
    /// Answer DNS for the domain too, for example at `0.0.0.0:53`
    #[arg(long, value_name = "ADDRESS:PORT", env = "PAAS_DNS")]
    pub dns: Option<String>,
    /// Also write a systemd unit, so that the server starts with the machine
    #[arg(long)]
    pub systemd: bool,
    /// Begin with the records of an export, which the server makes hourly; there must be none yet
    #[arg(long, value_name = "FILE")]
    pub restore: Option<PathBuf>,
}
