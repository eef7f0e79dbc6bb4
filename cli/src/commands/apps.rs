//! `paas apps`.

use api::{App, SetProtection};
use clap::{Args, Subcommand};
use hyper::Method;

use super::{destroy::Destroy, launch};
use crate::{
    args::Format, client::route, failure::Failure, session::Session, target::AppName, ui::Table,
};

/// List, make and destroy apps
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Apps {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Those that were destroyed and that `paas undelete` brings back
    #[arg(long)]
    destroyed: bool,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List all apps
    List(Format),
    /// Make an app without deploying anything
    Create {
        /// Its name
        name: AppName,
    },
    /// Have nobody destroy an app until that is taken back
    Protect {
        /// The app
        name: AppName,
    },
    /// Allow an app to be destroyed again
    Unprotect {
        /// The app
        name: AppName,
    },
    Destroy(Destroy),
}

impl Apps {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None if self.destroyed => destroyed(session, &self.format).await,
            None => list(session, &self.format).await,
            Some(Verb::List(format)) => list(session, &format).await,
            Some(Verb::Create { name }) => launch::make(session, &name).await,
            Some(Verb::Protect { name }) => {
                protection(session, &name, &SetProtection { on: true }).await
            }
            Some(Verb::Unprotect { name }) => {
                protection(session, &name, &SetProtection { on: false }).await
            }
            Some(Verb::Destroy(destroy)) => destroy.run(session).await,
        }
    }
}

async fn protection(
    session: &Session,
    name: &AppName,
    wish: &SetProtection,
) -> Result<(), Failure> {
    let path = route::of(name, "protection");
    let app: App = session.client()?.send(Method::PUT, &path, wish).await?.read()?;
    session.ui.talk(&match app.protected_by {
        Some(by) => format!("{name} is protected by {by}; `paas destroy` refuses it"),
        None => format!("{name} is not protected"),
    });
    Ok(())
}

async fn list(session: &Session, format: &Format) -> Result<(), Failure> {
    let answer = session.client()?.get(route::APPS).await?;
    if format.json {
        return session.ui.json(&answer.text());
    }
    let apps: Vec<App> = answer.read()?;
    if apps.is_empty() {
        session.ui.talk("There are no apps yet. In a folder with one: `paas deploy`.");
        return Ok(());
    }
    session.ui.table(&overview(&apps))
}

async fn destroyed(session: &Session, format: &Format) -> Result<(), Failure> {
    let which = ("destroyed", Some("true".to_owned()));
    let answer = session.client()?.get(&route::query(route::APPS.to_owned(), &[which])).await?;
    if format.json {
        return session.ui.json(&answer.text());
    }
    session.ui.table(&overview(&answer.read::<Vec<App>>()?))
}

/// Apps, one a line.
pub(crate) fn overview(apps: &[App]) -> Table {
    let mut table = Table::new(["APP", "STATE", "RELEASE", "READY", "URL"]);
    for app in apps {
        let ready: u32 = app.ready.values().copied().map(u32::from).sum();
        let wanted: u32 = app.formation.values().copied().map(u32::from).sum();
        table.row([
            app.name.clone(),
            app.state.clone(),
            app.release.clone().unwrap_or_default(),
            format!("{ready}/{wanted}"),
            app.urls.first().cloned().unwrap_or_default(),
        ]);
        if let Some(reason) = &app.reason {
            table.note(reason);
        }
        if let Some(by) = &app.protected_by {
            table.note(&format!("protected by {by}"));
        }
        if let Some(message) = &app.maintenance {
            table.note(&format!("visitors see the maintenance page: {message}"));
        }
    }
    table
}
