//! `paas git`.

use clap::{Args, Subcommand};
use hyper::Method;

use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    remote::{self, Trust},
    session::Session,
    ui::{self, Table},
};

/// See what was pushed, set the remote, choose which branch is deployed
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Git {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Set the remote `paas` of the repository here, so that `git push paas main` deploys
    Remote {
        #[command(flatten)]
        app: AppOption,
        /// Push over SSH, with a key of `paas keys`
        #[arg(long)]
        ssh: bool,
        /// Add the server's SSH key to `~/.ssh/known_hosts`
        #[arg(long, requires = "ssh")]
        trust: bool,
    },
    /// Have pushes to another branch deployed; what serves is not touched
    Branch {
        /// Which
        name: String,
        #[command(flatten)]
        app: AppOption,
    },
    /// Tell git the token of a server; git asks for it by itself
    #[command(hide = true)]
    Credential {
        /// The server's address
        server: String,
        /// What git wants: `get`, `store` or `erase`
        wish: String,
    },
}

impl Git {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, &self.app, &self.format).await,
            Some(Verb::Remote { app, ssh, trust }) => {
                let app = session.app(&app)?;
                session.client()?.get(&route::app(&app)).await?;
                let folder = &session.environment.folder;
                match (ssh, trust) {
                    (false, _) => remote::set(session, folder, &app).await,
                    (true, true) => remote::set_ssh(session, folder, &app, Trust::Add).await,
                    (true, false) => remote::set_ssh(session, folder, &app, Trust::Tell).await,
                }
            }
            Some(Verb::Branch { name, app }) => {
                let app = session.app(&app)?;
                let body = api::SetBranch { branch: name };
                let path = route::of(&app, "git");
                let answer = session.client()?.send(Method::PUT, &path, &body).await?;
                let git: api::Git = answer.read()?;
                session.ui.talk(&format!("pushes to {} are deployed to {app}", git.branch));
                Ok(())
            }
            Some(Verb::Credential { server, wish }) => {
                // What git offers to store is kept already, and is not forgotten for one refusal.
                if wish != "get" {
                    return Ok(());
                }
                let token = remote::token(&server, &session.environment)?;
                session.ui.data("username=paas")?;
                session.ui.data(&format!("password={}", token.reveal()))
            }
        }
    }
}

async fn list(session: &Session, app: &AppOption, format: &Format) -> Result<(), Failure> {
    let app = session.app(app)?;
    let answer = session.client()?.get(&route::of(&app, "git")).await?;
    if format.json {
        return session.ui.json(&answer.text());
    }
    let git: api::Git = answer.read()?;
    if git.refs.is_empty() {
        session
            .ui
            .talk(&format!("nothing was pushed to {app} yet; `paas git remote` sets the remote"));
        return Ok(());
    }
    let mut table = Table::new(["NAME", "KIND", "OBJECT", ""]);
    for found in git.refs {
        let deployed = found.kind == "branch" && found.name == git.branch;
        table.row([
            session.ui.foreign(&found.name),
            found.kind,
            ui::commit(&found.object),
            if deployed { "deployed when pushed".to_owned() } else { " ".to_owned() },
        ]);
    }
    session.ui.table(&table)
}
