//! `paas maintenance`.

use api::{App, SetMaintenance};
use clap::{Args, Subcommand};
use hyper::Method;

use crate::{args::AppOption, client::route, failure::Failure, session::Session};

/// Show visitors a page while an app is being worked on
///
/// The app runs on, deploys and rollbacks work as ever; only visitors are kept out.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Maintenance {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    app: AppOption,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// Show the page
    On {
        /// What it says
        #[arg(short, long, value_name = "TEXT")]
        message: Option<String>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Show the app again
    Off(AppOption),
}

impl Maintenance {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (wish, app) = match self.verb {
            None => return show(session, &self.app).await,
            Some(Verb::On { message, app }) => (SetMaintenance { on: true, message }, app),
            Some(Verb::Off(app)) => (SetMaintenance { on: false, message: None }, app),
        };
        let app = session.app(&app)?;
        let path = route::of(&app, "maintenance");
        let now: App = session.client()?.send(Method::PUT, &path, &wish).await?.read()?;
        session.ui.talk(&match now.maintenance {
            Some(message) => format!("Maintenance of {app} is on: {message}"),
            None => format!("Maintenance of {app} is off"),
        });
        Ok(())
    }
}

async fn show(session: &Session, app: &AppOption) -> Result<(), Failure> {
    let app = session.app(app)?;
    let now: App = session.client()?.get(&route::app(&app)).await?.read()?;
    session.ui.data(&match now.maintenance {
        Some(message) => format!("on: {message}"),
        None => "off".to_owned(),
    })
}
