//! `paas node`: its options. The daemon carries it out.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::environment::DATA;

/// Make this machine a node of an installation
#[derive(Debug, Clone, Args)]
pub(crate) struct Node {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Verb {
    Join(JoinArgs),
}

/// Join the installation that made the token
///
/// `paas nodes token`, run there, prints this command. It makes a key that never leaves this machine, and can
/// be run again if something came between.
#[derive(Debug, Clone, Args)]
pub struct JoinArgs {
    /// The token: one word that begins with `paasj_`
    #[arg(value_name = "TOKEN")]
    pub token: String,
    /// Where this machine keeps everything
    #[arg(long, value_name = "DIR", default_value = DATA, env = "PAAS_DATA")]
    pub data: PathBuf,
    /// What this machine is to be called; without it by its host name
    #[arg(long, value_name = "NAME", env = "PAAS_NODE")]
    pub name: Option<String>,
    /// Where its link to the other machines listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:7600")]
    pub listen: String,
    /// Where the other machines reach that; without it at the address that leads from here to the control
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub address: Option<String>,
    /// Also write a systemd unit, so that the node starts with the machine
    #[arg(long)]
    pub systemd: bool,
}
