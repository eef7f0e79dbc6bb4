//! The verbs of `paas volumes` about snapshots.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use tokio::time::sleep;

use crate::{
    args::{AppOption, Format},
    commands::volumes::{amount, one},
    failure::Failure,
    session::Session,
    target::AppName,
    ui::{self, Progress, Table},
};

/// Keep what is in a volume now, beside it
///
/// The app stands still while it is copied, for 20 seconds at most. The last ten are kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct Snapshot {
    #[arg(value_name = "VOLUME")]
    name: String,
    #[command(flatten)]
    app: AppOption,
}

/// List a volume's snapshots, the newest first
#[derive(Debug, Clone, Args)]
pub(crate) struct Snapshots {
    #[arg(value_name = "VOLUME")]
    name: String,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

/// Have a snapshot or a backup take the place of what is in a volume
///
/// The process that has the volume is stopped for the moment and started again; what was in the volume is
/// kept as a snapshot. A backup is fetched, checked and unpacked before, while the process runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Restore {
    #[arg(value_name = "VOLUME")]
    name: String,
    /// Such as `s3`, or `b3` for a backup
    #[arg(value_name = "SNAPSHOT")]
    snapshot: String,
    /// Take the backup of this app's volume of the same name: one that was renamed, or lost
    #[arg(long, value_name = "APP")]
    from_app: Option<String>,
    #[command(flatten)]
    app: AppOption,
}

impl Snapshot {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let path = of(&app, &self.name, "snapshots")?;
        let begun: api::Volume = session.client()?.act(Method::POST, &path).await?.read()?;
        until_done(session, &app, &begun).await?;
        let newest: Vec<api::Snapshot> = session.client()?.get(&path).await?.read()?;
        let (name, number) = (&self.name, newest.first().map_or("it", |it| &it.name));
        let ui = &session.ui;
        ui.talk(&format!("Making a snapshot of {name}... done: {number}"));
        ui.hint(&format!("`paas volumes restore {name} {number} -a {app}` brings it back"));
        Ok(())
    }
}

impl Snapshots {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (app, ui) = (session.app(&self.app)?, &session.ui);
        let answer = session.client()?.get(&of(&app, &self.name, "snapshots")?).await?;
        if self.format.json {
            return ui.json(&answer.text());
        }
        let mut table = Table::new(["SNAPSHOT", "SIZE", "AGE", "BY", "CAUSE"]);
        for snapshot in answer.read::<Vec<api::Snapshot>>()? {
            let age = ui::age(&snapshot.at, ui.now);
            let size = amount(snapshot.size);
            table.row([snapshot.name, size, age, snapshot.by, snapshot.cause]);
        }
        ui.table(&table)
    }
}

impl Restore {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let path = of(&app, &self.name, "restore")?;
        let body =
            api::RestoreVolume { snapshot: self.snapshot.clone(), from_app: self.from_app.clone() };
        let answer = session.client()?.send(Method::POST, &path, &body).await?;
        until_done(session, &app, &answer.read()?).await?;
        let Self { name, snapshot, .. } = self;
        let ui = &session.ui;
        ui.talk(&format!("Restoring {name} from {snapshot}... done"));
        ui.hint(&format!(
            "what was in it is the newest of `paas volumes snapshots {name} -a {app}`"
        ));
        Ok(())
    }
}

/// Waits until nothing is done to a volume any more; whoever goes changes nothing of it.
pub(super) async fn until_done(
    session: &Session,
    app: &AppName,
    begun: &api::Volume,
) -> Result<(), Failure> {
    let path = one(app, &begun.name)?;
    let shown = Progress::waiting(&session.ui, begun.job.as_deref().unwrap_or_default());
    loop {
        let volume: api::Volume = session.client()?.get(&path).await?.read()?;
        if let Some(job) = &volume.job {
            shown.say(job);
        } else {
            let Some(why) = volume.failure else { return Ok(()) };
            return Err(Failure::local(format!("the volume {} stays as it was", volume.name))
                .because(why)
                .hint(format!("`paas volumes show {} -a {app}`", volume.name)));
        }
        sleep(BETWEEN).await;
    }
}

pub(super) fn of(app: &AppName, name: &str, what: &str) -> Result<String, Failure> {
    Ok(format!("{}/{what}", one(app, name)?))
}

/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(100);
