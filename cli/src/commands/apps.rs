//! `paas apps`.

use api::App;
use clap::{Args, Subcommand};

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
    Destroy(Destroy),
}

impl Apps {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, &self.format).await,
            Some(Verb::List(format)) => list(session, &format).await,
            Some(Verb::Create { name }) => launch::make(session, &name).await,
            Some(Verb::Destroy(destroy)) => destroy.run(session).await,
        }
    }
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
        if let Some(message) = &app.maintenance {
            table.note(&format!("visitors see the maintenance page: {message}"));
        }
    }
    table
}
