//! The commands, one file each; a command's doc comment is its help.
//!
//! A command asks the server and hands what it answers to `ui`. What may be done and what it
//! means is decided there, not here.

pub(crate) mod apps;
pub(crate) mod backups;
pub(crate) mod builds;
pub(crate) mod certs;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod copy;
pub(crate) mod cron;
pub(crate) mod deploy;
pub(crate) mod deploys;
pub(crate) mod describe;
pub(crate) mod destroy;
pub(crate) mod dns;
pub(crate) mod domains;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod follow;
pub(crate) mod git;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod launch;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod maintenance;
pub(crate) mod node;
pub(crate) mod nodes;
pub(crate) mod open;
pub(crate) mod plan;
pub(crate) mod ps;
pub(crate) mod rebase;
pub(crate) mod releases;
mod relocate;
pub(crate) mod restart;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod scale;
pub(crate) mod secrets;
pub(crate) mod server;
mod snapshots;
pub(crate) mod status;
pub(crate) mod tunnel;
pub(crate) mod undelete;
mod upload;
pub(crate) mod volumes;
pub(crate) mod why;

use crate::{args::Command, failure::Failure, session::Session};

/// Carries out `command`.
pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Init(_) | Command::Server(_) | Command::Node(_) => {
            Err(Failure::usage("this command is the daemon's").hint("start it as `paas server`"))
        }
        Command::Login(login) => login.run(session).await,
        Command::Launch(launch) => launch.run(session).await,
        Command::Deploy(deploy) => deploy.run(session).await,
        Command::Plan(plan) => plan.run(session).await,
        Command::Apply(apply) => apply.run(session).await,
        Command::Apps(apps) => apps.run(session).await,
        Command::Status(status) => status.run(session).await,
        Command::Ps(ps) => ps.run(session).await,
        Command::Describe(describe) => describe.run(session).await,
        Command::Why(why) => why.run(session).await,
        Command::Scale(scale) => scale.run(session).await,
        Command::Logs(logs) => logs.run(session).await,
        Command::Releases(releases) => releases.run(session).await,
        Command::Rollback(rollback) => rollback.run(session).await,
        Command::Deploys(deploys) => deploys.run(session).await,
        Command::Rebase(rebase) => rebase.run(session).await,
        Command::Config(config) => config.run(session).await,
        Command::Secrets(secrets) => secrets.run(session).await,
        Command::Domains(domains) => domains.run(session).await,
        Command::Certs(certs) => certs.run(session).await,
        Command::Dns(dns) => dns.run(session).await,
        Command::Volumes(volumes) => volumes.run(session).await,
        Command::Backups(backups) => backups.run(session).await,
        Command::Maintenance(maintenance) => maintenance.run(session).await,
        Command::Restart(restart) => restart.run(session).await,
        Command::Open(open) => open.run(session).await,
        Command::Run(run) => run.run(session).await,
        Command::Runs(runs) => runs.run(session).await,
        Command::Cron(cron) => cron.run(session).await,
        Command::Tunnel(tunnel) => tunnel.run(session).await,
        Command::Copy(copy) => copy.run(session).await,
        Command::Exec(exec) => exec.run(session).await,
        Command::Events(events) => events.run(session).await,
        Command::Builds(builds) => builds.run(session).await,
        Command::Git(git) => git.run(session).await,
        Command::Keys(keys) => keys.run(session).await,
        Command::Nodes(nodes) => nodes.run(session).await,
        Command::Destroy(destroy) => destroy.run(session).await,
        Command::Undelete(undelete) => undelete.run(session).await,
        Command::Completion(completion) => completion.run(session),
    }
}
