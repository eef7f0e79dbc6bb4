//! The command line as data: every command, and the options that all of them share.
//!
//! A command's own options stand in its own file under `commands/`, where the doc comment is the
//! help text. `init`, `server` and `node` are listed here because they belong in the help, and are carried
//! out by the daemon.

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{
    colon,
    commands::{
        apps::Apps,
        backups::Backups,
        builds::Builds,
        certs::Certs,
        completion::Completion,
        config::Config,
        copy::Copy,
        cron::Cron,
        deploy::Deploy,
        deploys::Deploys,
        describe::Describe,
        destroy::Destroy,
        dns::Dns,
        domains::Domains,
        events::Events,
        exec::Exec,
        git::Git,
        init::InitArgs,
        keys::Keys,
        launch::Launch,
        login::Login,
        logs::Logs,
        maintenance::Maintenance,
        node::Node,
        nodes::Nodes,
        open::Open,
        plan::{Apply, Plan},
        ps::Ps,
        rebase::Rebase,
        releases::Releases,
        restart::Restart,
        rollback::Rollback,
        run::Run,
        runs::Runs,
        scale::Scale,
        secrets::Secrets,
        server::ServerArgs,
        status::Status,
        tunnel::Tunnel,
        undelete::Undelete,
        volumes::Volumes,
        why::Why,
    },
    failure::{FAULT, FAULT_BESIDE},
    target::AppName,
};

/// Your own Heroku on any Linux server: build, run, route and release apps.
///
/// In a folder with an app, `paas deploy` is all you need.
#[derive(Debug, Parser)]
#[command(name = "paas", version, max_term_width = 100, subcommand_required = true)]
#[command(arg_required_else_help = true, disable_help_subcommand = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options that every command takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Shared {
    /// Which server, by the name that `paas login` gave it [env: `PAAS_CONTEXT`]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Say only what was asked for, and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// Every command, in the order of a first day.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(InitArgs),
    Server(Box<ServerArgs>),
    Login(Login),
    Launch(Launch),
    Deploy(Deploy),
    Plan(Plan),
    Apply(Apply),
    Apps(Apps),
    Status(Status),
    Ps(Ps),
    Describe(Describe),
    Why(Why),
    Scale(Scale),
    Logs(Logs),
    Releases(Releases),
    Rollback(Rollback),
    Deploys(Deploys),
    Rebase(Rebase),
    Config(Config),
    Secrets(Secrets),
    Domains(Domains),
    Certs(Certs),
    Dns(Dns),
    Volumes(Volumes),
    Backups(Backups),
    Maintenance(Maintenance),
    Restart(Restart),
    Run(Run),
    Runs(Runs),
    Cron(Cron),
    Exec(Exec),
    Tunnel(Tunnel),
    #[command(name = "cp")]
    Copy(Copy),
    Open(Open),
    Events(Events),
    Builds(Builds),
    Git(Git),
    Keys(Keys),
    Nodes(Nodes),
    Node(Node),
    Destroy(Destroy),
    Undelete(Undelete),
    Completion(Completion),
}

impl Command {
    /// The exit code where the command fails by itself.
    pub(crate) fn fault(&self) -> u8 {
        if matches!(self, Self::Exec(_) | Self::Run(_)) { FAULT_BESIDE } else { FAULT }
    }
}

/// Which app; without it the folder tells.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct AppOption {
    /// The app [env: `PAAS_APP`; otherwise `app` in paas.toml, or the git remote `paas`]
    #[arg(short, long, value_name = "APP")]
    pub(crate) app: Option<AppName>,
    /// The app of an environment, which `paas.ENV.toml` describes [env: `PAAS_ENV`]
    #[arg(short, long, value_name = "ENV", conflicts_with = "app")]
    pub(crate) env: Option<String>,
}

/// How a command that reads answers.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Format {
    /// Print the server's answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whether a command that changes something waits for it.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Wait {
    /// Do not wait until the change serves
    #[arg(short, long)]
    pub(crate) detach: bool,
}

/// Parses arguments, the program's own name included. An error is also how help is asked for.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches_from(colon::rewrite(args))?;
    Cli::from_arg_matches(&matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> clap::error::ErrorKind {
        parse(line.split_whitespace().map(OsString::from)).unwrap_err().kind()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_lists_the_daemons_commands_too() {
        let help = Cli::command().render_long_help().to_string();
        for command in ["init", "server", "login", "deploy", "destroy", "completion"] {
            assert!(help.contains(&format!("\n  {command}")), "{command} is missing in\n{help}");
        }
    }

    #[test]
    fn an_unknown_command_gets_a_suggestion() {
        let fault = parse(["paas", "delpoy"].map(OsString::from)).unwrap_err().to_string();
        assert!(fault.contains("deploy"), "{fault}");
    }

    #[test]
    fn both_forms_of_a_command_are_the_same() {
        for line in ["paas ps:scale web=2 -a hello", "paas scale web=2 -a hello"] {
            let cli = parse(line.split_whitespace().map(OsString::from)).unwrap();
            assert!(matches!(cli.command, Command::Scale(_)), "{line}");
        }
    }

    #[test]
    fn an_apps_name_is_checked_before_anything_is_sent() {
        assert_eq!(kind("paas ps -a ../etc"), clap::error::ErrorKind::ValueValidation);
    }
}
