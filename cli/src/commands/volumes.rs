//! `paas volumes`.

use clap::{Args, Subcommand};
use hyper::Method;

use crate::{
    args::{AppOption, Format},
    client::route,
    commands::{
        backups::{Backup, BackupsOf},
        relocate::Move,
        snapshots::{Restore, Snapshot, Snapshots},
    },
    failure::Failure,
    session::Session,
    target::AppName,
    ui::{self, Table},
};

/// List and change an app's volumes: disks that outlive its instances and releases
///
/// A volume that paas.toml names is made by the deploy; `paas volumes create` makes one before.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Volumes {
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List them
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        format: Format,
    },
    /// Show one
    Show {
        #[arg(value_name = "VOLUME")]
        name: String,
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        format: Format,
    },
    /// Make one, or give one another size
    Create {
        #[arg(value_name = "VOLUME")]
        name: String,
        /// How much is to be in it at most, such as `10g`; whoever exceeds it is told of, not stopped
        #[arg(long, value_name = "SIZE")]
        size: Option<String>,
        #[command(flatten)]
        app: AppOption,
    },
    Snapshot(Snapshot),
    Snapshots(Snapshots),
    Restore(Restore),
    Move(Move),
    Backup(Backup),
    Backups(BackupsOf),
    /// Destroy one with all that is in it; refused while a release has it
    Destroy {
        #[arg(value_name = "VOLUME")]
        name: String,
        /// The volume's name once more, because nothing brings it back
        #[arg(long, value_name = "VOLUME")]
        confirm: Option<String>,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Volumes {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, &self.app, &self.format).await,
            Some(Verb::List { app, format }) => list(session, &app, &format).await,
            Some(Verb::Show { name, app, format }) => show(session, &name, &app, &format).await,
            Some(Verb::Create { name, size, app }) => create(session, name, size, &app).await,
            Some(Verb::Snapshot(snapshot)) => snapshot.run(session).await,
            Some(Verb::Snapshots(snapshots)) => snapshots.run(session).await,
            Some(Verb::Restore(restore)) => restore.run(session).await,
            Some(Verb::Move(relocation)) => relocation.run(session).await,
            Some(Verb::Backup(backup)) => backup.run(session).await,
            Some(Verb::Backups(backups)) => backups.run(session).await,
            Some(Verb::Destroy { name, confirm, app }) => {
                destroy(session, &name, confirm, &app).await
            }
        }
    }
}

async fn list(session: &Session, app: &AppOption, format: &Format) -> Result<(), Failure> {
    let (app, ui) = (session.app(app)?, &session.ui);
    let answer = session.client()?.get(&route::of(&app, "volumes")).await?;
    if format.json {
        return ui.json(&answer.text());
    }
    let volumes: Vec<api::Volume> = answer.read()?;
    if volumes.is_empty() {
        ui.talk(&format!("{app} has no volumes: write [volume.data] in paas.toml, with a path"));
        return Ok(());
    }
    // Where they are is news once one is not where all others are.
    let elsewhere = volumes.iter().any(|volume| volume.elsewhere);
    let mut table = if elsewhere {
        Table::new(["VOLUME", "STATE", "NODE", "PROCESS", "PATH", "USED", "SIZE", "AGE"])
    } else {
        Table::new(["VOLUME", "STATE", "PROCESS", "PATH", "USED", "SIZE", "AGE"])
    };
    for volume in volumes {
        let age = ui::age(&volume.created_at, ui.now);
        let (used, size) = (amount(volume.used), amount(volume.size));
        let (process, path) = (or_none(volume.process), or_none(volume.path));
        let (name, state) = (volume.name, volume.state);
        if elsewhere {
            let node = or_none(volume.node);
            table.row([name, state, node, process, path, used, size, age]);
        } else {
            table.row([name, state, process, path, used, size, age]);
        }
    }
    ui.table(&table)
}

async fn show(
    session: &Session,
    name: &str,
    app: &AppOption,
    format: &Format,
) -> Result<(), Failure> {
    let (app, ui) = (session.app(app)?, &session.ui);
    let answer = session.client()?.get(&one(&app, name)?).await?;
    if format.json {
        return ui.json(&answer.text());
    }
    let volume: api::Volume = answer.read()?;
    let mut table = Table::pairs();
    table.row(["volume".to_owned(), volume.name]);
    table.row(["app".to_owned(), volume.app]);
    table.row(["state".to_owned(), volume.state]);
    if volume.elsewhere {
        table.row(["node".to_owned(), or_none(volume.node)]);
    }
    if let Some(away) = volume.away {
        table.row(["away".to_owned(), away]);
    }
    table.row(["process".to_owned(), or_none(volume.process)]);
    table.row(["path".to_owned(), or_none(volume.path)]);
    let age = volume.measured_at.map(|at| format!(", {} ago", ui::age(&at, ui.now)));
    table.row(["used".to_owned(), amount(volume.used) + &age.unwrap_or_default()]);
    table.row(["size".to_owned(), amount(volume.size)]);
    if let Some(job) = volume.job {
        table.row(["under way".to_owned(), job]);
    }
    if let Some(failure) = volume.failure {
        table.row(["failed".to_owned(), failure]);
    }
    if let Some(schedule) = volume.backup {
        let keep = volume.keep_backups;
        table.row(["backups".to_owned(), format!("{schedule} (UTC), {keep} are kept")]);
    }
    if let Some(last) = volume.last_backup {
        let age = ui::age(&last.at, ui.now);
        let told = match (last.name, last.failure) {
            (Some(name), _) => format!("{name}, {age} ago"),
            (None, why) => format!("failed {age} ago: {}", or_none(why)),
        };
        table.row(["last backup".to_owned(), told]);
    }
    table.row(["made".to_owned(), format!("{} by {}", volume.created_at, volume.by)]);
    ui.table(&table)
}

async fn create(
    session: &Session,
    name: String,
    size: Option<String>,
    app: &AppOption,
) -> Result<(), Failure> {
    let app = session.app(app)?;
    let (path, body) = (route::of(&app, "volumes"), api::CreateVolume { name, size });
    let volume: api::Volume = session.client()?.send(Method::POST, &path, &body).await?.read()?;
    let ui = &session.ui;
    ui.talk(&format!("Making the volume {} of {app}... done", volume.name));
    if volume.state == "free" {
        let name = volume.name;
        ui.hint(&format!("a process gets it by [volume.{name}] in paas.toml, with its path"));
    }
    Ok(())
}

async fn destroy(
    session: &Session,
    name: &str,
    confirm: Option<String>,
    app: &AppOption,
) -> Result<(), Failure> {
    let app = session.app(app)?;
    if confirm.as_deref() != Some(name) {
        let why = match confirm {
            Some(other) => format!("`--confirm` names {other}"),
            None => "what is in it would be gone for good".to_owned(),
        };
        return Err(Failure::usage(format!("the volume {name} is not destroyed"))
            .because(why)
            .hint(format!("`paas volumes destroy {name} -a {app} --confirm {name}`")));
    }
    let path = route::query(one(&app, name)?, &[("confirm", confirm)]);
    session.client()?.act(Method::DELETE, &path).await?;
    session.ui.talk(&format!("Destroying the volume {name} of {app}... done"));
    Ok(())
}

/// The path of a volume; its name is checked, as it becomes a part of it.
pub(super) fn one(app: &AppName, name: &str) -> Result<String, Failure> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(Failure::usage(format!("`{name}` is not a volume's name"))
            .hint(format!("`paas volumes -a {app}` lists them")));
    }
    Ok(route::of(app, &format!("volumes/{name}")))
}

pub(super) fn amount(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), ui::bytes)
}

fn or_none(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}
