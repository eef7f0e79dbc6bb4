//! `paas config apply` and `paas config discard`: what is staged.

use api::Change;
use clap::Args;
use hyper::Method;

use super::change::report;
use crate::{
    args::{AppOption, Wait},
    client::route,
    commands::follow::outcome,
    failure::Failure,
    session::Session,
};

/// Make a release of the config and secrets that are staged
#[derive(Debug, Clone, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
}

impl Apply {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let path = route::of(&app, "config/apply");
        let change: Change = session.client()?.act(Method::POST, &path).await?.read()?;
        report(session, &app, &self.wait, &change, "Applying what is staged").await
    }
}

/// Go back to the config and secrets that the app runs with
#[derive(Debug, Clone, Args)]
pub(super) struct Discard {
    #[command(flatten)]
    app: AppOption,
}

impl Discard {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let path = route::of(&app, "config/discard");
        let change: Change = session.client()?.act(Method::POST, &path).await?.read()?;
        session.ui.talk(&format!("Discarding what is staged for {app}... {}", outcome(&change)));
        Ok(())
    }
}
