//! `paas volumes move`.

use clap::Args;
use hyper::Method;

use crate::{
    args::AppOption,
    commands::snapshots::{of, until_done},
    failure::Failure,
    session::Session,
};

/// Have a volume go to another machine, with its snapshots
///
/// First the machine gets the image of the process that has the volume. Then the process is stopped until all of the
/// volume is there, and started there. If it fails, the process goes on where it was. What is left behind is removed
/// then.
#[derive(Debug, Clone, Args)]
pub(crate) struct Move {
    #[arg(value_name = "VOLUME")]
    name: String,
    /// The machine, as `paas nodes` lists it
    #[arg(long, value_name = "NODE")]
    to: String,
    #[command(flatten)]
    app: AppOption,
}

impl Move {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let Self { name, to, .. } = self;
        let (path, body) = (of(&app, &name, "move")?, api::MoveVolume { to: to.clone() });
        let answer = session.client()?.send(Method::POST, &path, &body).await?;
        until_done(session, &app, &answer.read()?).await?;
        session.ui.talk(&format!("Moving {name} to {to}... done"));
        Ok(())
    }
}
