//! `paas releases`.

use api::Release;
use clap::Args;

use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    session::Session,
    ui::{self, Table},
};

/// List an app's releases, newest first
#[derive(Debug, Clone, Args)]
pub(crate) struct Releases {
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

impl Releases {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let answer = session.client()?.get(&route::of(&app, "releases")).await?;
        if self.format.json {
            return session.ui.json(&answer.text());
        }
        let releases: Vec<Release> = answer.read()?;
        if releases.is_empty() {
            session.ui.talk(&format!("{app} has no releases yet: `paas deploy -a {app}`"));
            return Ok(());
        }
        let mut table =
            Table::new(["RELEASE", "", "STATUS", "BUILD", "COMMIT", "CAUSE", "BY", "AGE"]);
        for release in releases {
            table.row([
                release.version,
                if release.current { "current".to_owned() } else { " ".to_owned() },
                release.status,
                release.build.to_string(),
                release.commit.map(|commit| ui::commit(&commit.id)).unwrap_or_default(),
                release.cause,
                release.by,
                ui::age(&release.at, session.ui.now),
            ]);
        }
        session.ui.table(&table)
    }
}
