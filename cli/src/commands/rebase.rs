//! `paas rebase`.

use api::Change;
use clap::Args;
use hyper::Method;

use super::{
    deploy::conclude,
    follow::{Followed, follow},
};
use crate::{
    args::{AppOption, Wait},
    client::route,
    failure::Failure,
    session::Session,
    ui::Story,
};

/// Put what serves onto the server's present base image, without building it anew
///
/// The app's own layers stay as they are. The result is a release like any other: it takes the traffic
/// once it is healthy, and `paas rollback` undoes it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Rebase {
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
}

impl Rebase {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let path = route::of(&app, "rebase");
        let change: Change = session.client()?.act(Method::POST, &path).await?.read()?;
        let Some(number) = change.build else { return Ok(()) };
        let followed = Followed::Build(number);
        let back = followed.back(&app);
        if self.wait.detach {
            session.ui.talk(&format!("The server goes on by itself. Watch it: {back}"));
            return Ok(());
        }
        let mut story = Story::new(&session.ui, app.as_str());
        let ending = follow(session.client()?, &app, followed, &mut story).await?;
        conclude(session, ending, followed, &app)
    }
}
