//! `paas builds`.

use api::Build;
use clap::{Args, Subcommand};
use hyper::Method;

use super::{
    deploy::conclude,
    follow::{Followed, follow},
};
use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    session::Session,
    ui::{self, Story, Table},
};

/// List builds, read what one wrote, watch one again, or stop one
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Builds {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List an app's builds
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        format: Format,
    },
    /// Show what a build wrote
    Log {
        /// Which; without it the newest
        number: Option<u32>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Stop a build, whether it waits or runs; what serves is not touched
    Cancel {
        /// Which; without it the newest that has not ended
        number: Option<u32>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Watch a build and its rollout, from the start
    Follow {
        /// Which; without it the newest
        number: Option<u32>,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Builds {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, &self.app, &self.format).await,
            Some(Verb::List { app, format }) => list(session, &app, &format).await,
            Some(Verb::Log { number, app }) => {
                let number = newest_unless(session, number, &app).await?;
                let path = route::of(&session.app(&app)?, &format!("builds/{number}/log"));
                let text = session.client()?.get(&path).await?.text();
                session.ui.raw(session.ui.foreign(&text).as_bytes())
            }
            Some(Verb::Cancel { number, app }) => cancel(session, number, &app).await,
            Some(Verb::Follow { number, app }) => {
                let number = newest_unless(session, number, &app).await?;
                let app = session.app(&app)?;
                let mut story = Story::new(&session.ui, app.as_str());
                let followed = Followed::Build(number);
                let ending = follow(session.client()?, &app, followed, &mut story).await?;
                conclude(session, ending, followed, &app)
            }
        }
    }
}

async fn newest_unless(
    session: &Session,
    number: Option<u32>,
    app: &AppOption,
) -> Result<u32, Failure> {
    if let Some(number) = number {
        return Ok(number);
    }
    let app = session.app(app)?;
    let answer = session.client()?.get(&route::of(&app, "builds")).await?;
    let newest = answer.read::<Vec<Build>>()?.iter().map(|build| build.number).max();
    newest.ok_or_else(|| {
        Failure::local(format!("{app} has no builds yet")).hint(format!("`paas deploy -a {app}`"))
    })
}

/// The newest build that waits or runs.
pub(super) async fn open(session: &Session, app: &AppOption) -> Result<Option<u32>, Failure> {
    let path = route::of(&session.app(app)?, "builds");
    let builds = session.client()?.get(&path).await?.read::<Vec<Build>>()?;
    let open = builds.iter().filter(|build| build.status == "queued" || build.status == "running");
    Ok(open.map(|build| build.number).max())
}

/// Stops a build, the newest open one if no number is given.
pub(super) async fn cancel(
    session: &Session,
    number: Option<u32>,
    app: &AppOption,
) -> Result<(), Failure> {
    let newest = if number.is_none() { open(session, app).await? } else { number };
    let app = session.app(app)?;
    let number = newest.ok_or_else(|| {
        Failure::local(format!("no build of {app} waits or runs"))
            .hint(format!("`paas builds -a {app}` lists what there was"))
    })?;
    let client = session.client()?;
    client.act(Method::POST, &route::of(&app, &format!("builds/{number}/cancel"))).await?;
    session.ui.talk(&format!("build {number} of {app} is cancelled; what served before serves on"));
    Ok(())
}

async fn list(session: &Session, app: &AppOption, format: &Format) -> Result<(), Failure> {
    let app = session.app(app)?;
    let answer = session.client()?.get(&route::of(&app, "builds")).await?;
    if format.json {
        return session.ui.json(&answer.text());
    }
    let mut table = Table::new([
        "BUILD", "STATUS", "RELEASE", "SOURCE", "COMMIT", "IMAGE", "TOOK", "BY", "AGE",
    ]);
    for build in answer.read::<Vec<Build>>()? {
        let took = match (&build.started_at, &build.finished_at) {
            (Some(from), Some(to)) => ui::since(from, to).map(ui::seconds),
            _ => None,
        };
        table.row([
            build.number.to_string(),
            build.status,
            build.release.unwrap_or_default(),
            ui::bytes(build.source_bytes),
            match (&build.commit, &build.pushed) {
                (Some(commit), _) => ui::commit(&commit.id),
                (None, Some(pushed)) => format!(":{}", pushed.tag),
                (None, None) => String::new(),
            },
            build.image_bytes.map(ui::bytes).unwrap_or_default(),
            took.unwrap_or_default(),
            build.by,
            ui::age(&build.queued_at, session.ui.now),
        ]);
        if let Some(ahead) = build.ahead {
            table.note(&ui::in_queue(ahead, build.behind.as_deref()));
        }
        if let Some(reason) = &build.reason {
            table.note(reason);
        }
    }
    session.ui.table(&table)
}
