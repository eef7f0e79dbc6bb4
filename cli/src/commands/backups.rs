//! `paas backups`, and the verbs of `paas volumes` about them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hyper::Method;

use crate::{
    args::{AppOption, Format},
    client::route,
    commands::{
        snapshots::{of, until_done},
        volumes::amount,
    },
    failure::Failure,
    session::Session,
    ui::{self, Table},
};

/// List the backups of all volumes, and keep the key that opens them
///
/// They are listed from where they are kept, also those of another server and of apps that are no more.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Backups {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List them
    List(Format),
    /// Show the key that opens backups, as `age -i` takes it
    ///
    /// Without it nobody reads a backup, and it is lost with the server: keep it elsewhere.
    Key {
        /// Take over the keys of another server instead, from a file with what it shows
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
        #[command(flatten)]
        format: Format,
    },
}

/// Back up what is in a volume now, elsewhere and encrypted
///
/// The app stands still while it is copied, for 20 seconds at most; then the copy is sent. Where to, the
/// setting `backup_to` of the server says.
#[derive(Debug, Clone, Args)]
pub(crate) struct Backup {
    #[arg(value_name = "VOLUME")]
    name: String,
    #[command(flatten)]
    app: AppOption,
}

/// List a volume's backups, the newest first
#[derive(Debug, Clone, Args)]
pub(crate) struct BackupsOf {
    #[arg(value_name = "VOLUME")]
    name: String,
    /// Those of this app's volume of the same name
    #[arg(long, value_name = "APP")]
    from_app: Option<String>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

impl Backups {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, route::BACKUPS, &self.format).await,
            Some(Verb::List(format)) => list(session, route::BACKUPS, &format).await,
            Some(Verb::Key { import: Some(file), format }) => import(session, &file, &format).await,
            Some(Verb::Key { import: None, format }) => key(session, &format).await,
        }
    }
}

impl Backup {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let path = of(&app, &self.name, "backups")?;
        let begun: api::Volume = session.client()?.act(Method::POST, &path).await?.read()?;
        until_done(session, &app, &begun).await?;
        let all: Vec<api::Backup> = session.client()?.get(&path).await?.read()?;
        let Some(made) = all.first() else {
            return Err(Failure::local(format!("the backup of {} is not there", self.name))
                .hint(format!("`paas events -a {app}` says what became of it")));
        };
        let (name, number, ui) = (&self.name, &made.name, &session.ui);
        let stored = ui::bytes(made.stored);
        ui.talk(&format!("Backing up {name} of {app}... done: {number}, {stored}"));
        if all.len() == 1 {
            ui.hint(
                "keep what `paas backups key` shows elsewhere: without it nobody reads a backup",
            );
        }
        Ok(())
    }
}

impl BackupsOf {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let path = route::query(of(&app, &self.name, "backups")?, &[("from", self.from_app)]);
        list(session, &path, &self.format).await
    }
}

async fn list(session: &Session, path: &str, format: &Format) -> Result<(), Failure> {
    let (answer, ui) = (session.client()?.get(path).await?, &session.ui);
    if format.json {
        return ui.json(&answer.text());
    }
    let backups: Vec<api::Backup> = answer.read()?;
    if backups.is_empty() {
        ui.talk("There are no backups yet: `paas volumes backup VOLUME` makes one.");
        return Ok(());
    }
    let mut table = Table::new(["APP", "VOLUME", "BACKUP", "SIZE", "STORED", "AGE", "BY", "KEY"]);
    for backup in backups {
        let age = ui::age(&backup.at, ui.now);
        let (size, stored) = (amount(Some(backup.bytes)), amount(Some(backup.stored)));
        let key = if backup.readable { "here" } else { "missing" }.to_owned();
        let (app, volume) = (backup.app, backup.volume);
        table.row([app, volume, backup.name, size, stored, age, backup.by, key]);
    }
    ui.table(&table)
}

async fn key(session: &Session, format: &Format) -> Result<(), Failure> {
    let (answer, ui) = (session.client()?.get(route::BACKUP_KEY).await?, &session.ui);
    if format.json {
        return ui.json(&answer.text());
    }
    let keys: api::BackupKeys = answer.read()?;
    ui.data(keys.text.trim_end())?;
    ui.hint("keep this elsewhere, and as safe as the server: it opens every backup");
    Ok(())
}

async fn import(session: &Session, file: &Path, format: &Format) -> Result<(), Failure> {
    let file = session.environment.at(file);
    let read = fs::read_to_string(&file);
    let text = read.map_err(|error| {
        Failure::local(format!("cannot read {}", file.display())).because(error)
    })?;
    let body = api::ImportBackupKeys { text };
    let answer = session.client()?.send(Method::POST, route::BACKUP_KEY, &body).await?;
    if format.json {
        return session.ui.json(&answer.text());
    }
    let added: Vec<String> = answer.read::<api::ImportedBackupKeys>()?.added;
    let told = match added.as_slice() {
        [] => "All of these keys were here already".to_owned(),
        added => format!("Taken over: {}", added.join(", ")),
    };
    session.ui.talk(&told);
    session.ui.hint("`paas backups` shows what can be restored now");
    Ok(())
}
