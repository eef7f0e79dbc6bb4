//! `paas undelete`.

use api::App;
use clap::Args;
use hyper::Method;

use crate::{client::route, failure::Failure, session::Session, target::AppName};

/// Bring a destroyed app back, with its releases, config, secrets and domains
///
/// `paas apps --destroyed` lists those that can be.
#[derive(Debug, Clone, Args)]
pub(crate) struct Undelete {
    /// The app
    #[arg(value_name = "APP")]
    name: AppName,
}

impl Undelete {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = self.name;
        let path = route::of(&app, "undelete");
        let back: App = session.client()?.act(Method::POST, &path).await?.read()?;
        let release = back.release.map(|release| format!("; {release} is starting"));
        session.ui.talk(&format!("{app} is back{}", release.unwrap_or_default()));
        session.ui.hint(&format!("`paas status -a {app}` shows how it is"));
        Ok(())
    }
}
