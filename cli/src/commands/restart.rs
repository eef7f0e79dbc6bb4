//! `paas restart`.

use api::Change;
use clap::Args;
use hyper::Method;

use super::follow::{finish, outcome};
use crate::{
    args::{AppOption, Wait},
    client::route,
    failure::Failure,
    session::Session,
};

/// Replace all instances of an app by new ones, without a gap
#[derive(Debug, Clone, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
}

impl Restart {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let path = route::of(&app, "restart");
        let change: Change = session.client()?.act(Method::POST, &path).await?.read()?;
        let text = format!("Restarting {app}");
        if self.wait.detach {
            session.ui.talk(&format!("{text}... {}", outcome(&change)));
            return Ok(());
        }
        finish(session, &app, &change, &text).await
    }
}
