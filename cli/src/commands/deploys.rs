//! `paas deploys`.

use std::time::Duration;

use api::{Answers, Canary, Change, Rollout};
use clap::{Args, Subcommand};
use hyper::Method;

use super::builds;
use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    session::Session,
    ui::{self, Table},
};

/// List how releases took over, end the trial or watch of the one under way, or give it up
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Deploys {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List how an app's releases took over, newest first
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        format: Format,
    },
    /// Go on with a release that is being tried or watched, without waiting
    Promote {
        #[command(flatten)]
        app: AppOption,
    },
    /// Stop whatever is under way: a build that waits or runs, or else a release as by `abort`
    Cancel {
        #[command(flatten)]
        app: AppOption,
    },
    /// Give up a release that is on its way or being watched; what served before serves again
    Abort {
        #[command(flatten)]
        app: AppOption,
    },
}

impl Deploys {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, &self.app, &self.format).await,
            Some(Verb::List { app, format }) => list(session, &app, &format).await,
            Some(Verb::Promote { app }) => {
                let change = act(session, &app, "promote").await?;
                let release = change.release.unwrap_or_default();
                session.ui.talk(&format!("{release} of {} goes on", change.app));
                Ok(())
            }
            Some(Verb::Cancel { app }) => match builds::open(session, &app).await? {
                Some(number) => builds::cancel(session, Some(number), &app).await,
                None => abort(session, &app).await,
            },
            Some(Verb::Abort { app }) => abort(session, &app).await,
        }
    }
}

async fn abort(session: &Session, app: &AppOption) -> Result<(), Failure> {
    let change = act(session, app, "abort").await?;
    let release = change.release.unwrap_or_default();
    session.ui.talk(&format!("given up; {release} of {} serves", change.app));
    Ok(())
}

async fn act(session: &Session, app: &AppOption, verb: &str) -> Result<Change, Failure> {
    let path = route::of(&session.app(app)?, &format!("rollouts/{verb}"));
    session.client()?.act(Method::POST, &path).await?.read()
}

async fn list(session: &Session, app: &AppOption, format: &Format) -> Result<(), Failure> {
    let app = session.app(app)?;
    let answer = session.client()?.get(&route::of(&app, "rollouts")).await?;
    if format.json {
        return session.ui.json(&answer.text());
    }
    let mut table = Table::new(["DEPLOY", "RELEASE", "FROM", "PHASE", "WAVE", "AGE"]);
    for rollout in answer.read::<Vec<Rollout>>()? {
        table.row([
            rollout.number.to_string(),
            rollout.release,
            rollout.from.unwrap_or_default(),
            rollout.phase,
            format!("{} of {}", rollout.wave, rollout.waves),
            ui::age(&rollout.started_at, session.ui.now),
        ]);
        if let Some(canary) = &rollout.canary {
            table.note(&story(canary));
        }
        if let Some(reason) = &rollout.reason {
            table.note(reason);
        }
    }
    session.ui.table(&table)
}

/// How a release was tried, in one line.
pub(super) fn story(canary: &Canary) -> String {
    let side = |Answers { requests, errors, p95_ms }: &Answers| match p95_ms {
        Some(p95) => format!("{errors} of {requests} requests failed, p95 {p95:.0} ms"),
        None => format!("{errors} of {requests} requests failed"),
    };
    let left = canary.left_ms.map(|left| ui::seconds(Duration::from_millis(left)));
    let left = left.map_or_else(String::new, |left| format!("; {left} left"));
    let (new, old) = (side(&canary.canary), side(&canary.control));
    format!("canary with {}: {new}; beside it: {old}{left}", canary.share)
}
