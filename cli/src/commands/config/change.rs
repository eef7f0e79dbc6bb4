//! `paas config set`, `unset` and `import`, and what secrets share with them.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::Path,
    str::FromStr,
};

use api::{Change, ConfigPatch};
use clap::Args;
use hyper::Method;

use crate::{
    args::{AppOption, Wait},
    client::route,
    commands::follow::{finish, outcome},
    dotenv,
    failure::Failure,
    session::Session,
    target::AppName,
};

/// Whether a change makes a release.
#[derive(Debug, Clone, Args)]
pub(in crate::commands) struct Stage {
    /// Keep it for the next release instead of making one
    #[arg(long)]
    pub(in crate::commands) stage: bool,
}

/// A name and what follows its first `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    key: String,
    value: String,
}

/// Why a text is no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is written `KEY=VALUE`")]
struct NotAPair;

impl FromStr for Pair {
    type Err = NotAPair;

    fn from_str(text: &str) -> Result<Self, NotAPair> {
        let (key, value) = text.split_once('=').ok_or(NotAPair)?;
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

/// Set values and restart the app with them
///
/// Whatever follows the first `=` is the value, literally. `--file KEY=PATH` takes what a file
/// holds, and `--file KEY=-` the input, to the last byte.
#[derive(Debug, Clone, Args)]
pub(super) struct Set {
    /// Names and values
    #[arg(value_name = "KEY=VALUE", required_unless_present = "files")]
    pairs: Vec<Pair>,
    /// A value from a file
    #[arg(long = "file", value_name = "KEY=PATH")]
    files: Vec<Pair>,
    #[command(flatten)]
    stage: Stage,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
}

impl Set {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut values = BTreeMap::new();
        for Pair { key, value } in self.pairs {
            values.insert(key, Some(value));
        }
        for Pair { key, value: path } in self.files {
            values.insert(key, Some(content(session, &path)?));
        }
        let verb = format!("Setting {}", names(values.keys().map(String::as_str)));
        let wish = ConfigPatch { values, stage: self.stage.stage };
        change(session, &self.app, &self.wait, wish, &verb).await
    }
}

/// Remove names and restart the app without them
#[derive(Debug, Clone, Args)]
pub(super) struct Unset {
    /// The names
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
    #[command(flatten)]
    stage: Stage,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
}

impl Unset {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let values: BTreeMap<_, _> = self.keys.into_iter().map(|key| (key, None)).collect();
        let verb = format!("Removing {}", names(values.keys().map(String::as_str)));
        let wish = ConfigPatch { values, stage: self.stage.stage };
        change(session, &self.app, &self.wait, wish, &verb).await
    }
}

/// Set all values of a .env file, or of what `paas config --json` printed
///
/// Read are `KEY=value` lines, `export`, comments, and values in quotes, over several lines if
/// need be. Nothing is expanded. What the file does not name stays as it is.
#[derive(Debug, Clone, Args)]
pub(super) struct Import {
    /// The file; `-` is the input
    #[arg(value_name = "FILE", default_value = ".env")]
    file: String,
    #[command(flatten)]
    stage: Stage,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
}

impl Import {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let Some(values) = imported(session, &self.file)? else { return Ok(()) };
        let verb = format!("Setting {}", names(values.keys().map(String::as_str)));
        let wish = ConfigPatch { values, stage: self.stage.stage };
        change(session, &self.app, &self.wait, wish, &verb).await
    }
}

/// What a .env file, or the input, wants set; `None`, which is said, if it holds nothing.
pub(in crate::commands) fn imported(
    session: &Session,
    file: &str,
) -> Result<Option<BTreeMap<String, Option<String>>>, Failure> {
    let values = dotenv::read(&content(session, file)?).map_err(|fault: dotenv::Fault| {
        Failure::local(format!("cannot use {file}")).because(fault)
    })?;
    if values.is_empty() {
        session.ui.talk(&format!("{file} holds no values; nothing changed."));
        return Ok(None);
    }
    Ok(Some(values.into_iter().map(|(key, value)| (key, Some(value))).collect()))
}

async fn change(
    session: &Session,
    app: &AppOption,
    wait: &Wait,
    wish: ConfigPatch,
    verb: &str,
) -> Result<(), Failure> {
    let app = session.app(app)?;
    let path = route::of(&app, "config");
    let change: Change = session.client()?.send(Method::PATCH, &path, &wish).await?.read()?;
    report(session, &app, wait, &change, verb).await
}

/// Tells what a change led to, and follows it to its end unless somebody detaches.
pub(in crate::commands) async fn report(
    session: &Session,
    app: &AppName,
    wait: &Wait,
    change: &Change,
    verb: &str,
) -> Result<(), Failure> {
    let text = if change.rollout.is_some() {
        format!("{verb} and restarting {app}")
    } else {
        format!("{verb} for {app}")
    };
    if wait.detach {
        session.ui.talk(&format!("{text}... {}", outcome(change)));
        return Ok(());
    }
    finish(session, app, change, &text).await?;
    if change.staged {
        session
            .ui
            .hint(&format!("the next deploy takes it along, or `paas config apply -a {app}`"));
    }
    Ok(())
}

/// Many names are a number.
pub(in crate::commands) fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.len() > 5 {
        return format!("{} values", names.len());
    }
    names.join(", ")
}

/// What a file holds, to the last byte; `-` is the input.
pub(in crate::commands) fn content(session: &Session, path: &str) -> Result<String, Failure> {
    let bytes = if path == "-" {
        let mut bytes = Vec::new();
        io::stdin().take(LARGEST).read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(session.environment.at(Path::new(path)))
    };
    let cannot = || Failure::local(format!("cannot read {path}"));
    let bytes = bytes.map_err(|error| cannot().because(error))?;
    String::from_utf8(bytes).map_err(|_| cannot().because("it is not text in UTF-8"))
}

/// The server takes far less; this is against an endless input.
const LARGEST: u64 = 16 << 20;
