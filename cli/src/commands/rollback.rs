//! `paas rollback`.

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

/// Go back to an older release: its code and its config, as a new release
#[derive(Debug, Clone, Args)]
pub(crate) struct Rollback {
    /// Such as `v10`; without it the last good one before the current
    #[arg(value_name = "RELEASE")]
    to: Option<String>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
}

impl Rollback {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        // `10` is as clear as `v10`.
        let to = self.to.map(|text| {
            if text.starts_with(|c: char| c.is_ascii_digit()) { format!("v{text}") } else { text }
        });
        let text = match &to {
            Some(release) => format!("Rolling {app} back to {release}"),
            None => format!("Rolling {app} back"),
        };
        let path = route::of(&app, "rollback");
        let wish = api::Rollback { to };
        let change: Change = session.client()?.send(Method::POST, &path, &wish).await?.read()?;
        if self.wait.detach {
            session.ui.talk(&format!("{text}... {}", outcome(&change)));
            return Ok(());
        }
        finish(session, &app, &change, &text).await
    }
}
