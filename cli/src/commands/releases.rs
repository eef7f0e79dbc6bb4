//! `paas releases`.

use api::{Pin, Release, SetPin};
use clap::{Args, Subcommand};
use hyper::Method;

use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    session::Session,
    ui::{self, Table},
};

/// List the releases that can be gone back to, newest first, or have one of them stay
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Releases {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List an app's releases, newest first
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        format: Format,
    },
    /// Have a release stay, however many come after it; up to 20 of an app
    Pin {
        /// Which, for example `v12`
        release: String,
        /// What for, in one line
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Let a release go when its time has come
    Unpin {
        /// Which, for example `v12`
        release: String,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Releases {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, &self.app, &self.format).await,
            Some(Verb::List { app, format }) => list(session, &app, &format).await,
            Some(Verb::Pin { release, note, app }) => {
                let (app, client) = (session.app(&app)?, session.client()?);
                let path = route::pin(&app, &release);
                let pinned = client.send(Method::PUT, &path, &SetPin { note }).await?;
                let version = pinned.read::<Release>()?.version;
                let back = format!("`paas rollback {version} -a {app}` goes back to it");
                session.ui.talk(&format!("{version} of {app} stays; {back}"));
                Ok(())
            }
            Some(Verb::Unpin { release, app }) => {
                let app = session.app(&app)?;
                let path = route::pin(&app, &release);
                let release: Release =
                    session.client()?.act(Method::DELETE, &path).await?.read()?;
                session.ui.talk(&format!("{} of {app} {}", release.version, prospect(&release)));
                Ok(())
            }
        }
    }
}

/// What becomes of a release that is not pinned.
fn prospect(release: &Release) -> &'static str {
    match release.kept.as_deref() {
        None => "goes, with its image, when the server cleans up",
        Some(_) => "is not pinned; it stays as long as it would without that",
    }
}

async fn list(session: &Session, app: &AppOption, format: &Format) -> Result<(), Failure> {
    let app = session.app(app)?;
    let answer = session.client()?.get(&route::of(&app, "releases")).await?;
    if format.json {
        return session.ui.json(&answer.text());
    }
    let releases: Vec<Release> = answer.read()?;
    if releases.is_empty() {
        session.ui.talk(&format!("{app} has no releases yet: `paas deploy -a {app}`"));
        return Ok(());
    }
    let headings = ["RELEASE", "", "STATUS", "BUILD", "COMMIT", "CAUSE", "BY", "AGE", "STAYS"];
    let mut table = Table::new(headings);
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
            stays(release.kept.as_deref()).to_owned(),
        ]);
        if let Some(pin) = &release.pinned {
            table.note(&pinned(pin, session.ui.now));
        }
    }
    session.ui.table(&table)
}

/// Why a release stays, in words for people.
fn stays(kept: Option<&str>) -> &str {
    match kept {
        None => "not for long",
        Some("under-way") => "being rolled out",
        Some("before") => "served before",
        Some("lingers") => "may be asked for files",
        Some("newest") => "among the newest",
        // A newer server may have reasons of its own.
        Some(word) => word,
    }
}

fn pinned(pin: &Pin, now: jiff::Timestamp) -> String {
    let note = pin.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    format!("pinned by {}, {} ago{note}", pin.by, ui::age(&pin.at, now))
}
