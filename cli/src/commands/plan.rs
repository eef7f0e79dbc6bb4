//! `paas plan`, and `paas apply`, which does it; `paas config validate` asks the same and says less.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use api::{Declared, Difference, Plan as Planned};
use clap::Args;
use hyper::Method;

use super::{deploy::Deploy, launch};
use crate::{
    args::{AppOption, Format},
    client::{Answer, route},
    failure::Failure,
    session::Session,
    source::{self, known, known::Known},
    target::{self, AppName},
    ui::{self, Table},
};

/// Show what a deploy of a folder would change
///
/// Compared is what paas.toml and its like say with the release that serves, and the files with those
/// of the last upload from here. Nothing is changed and nothing is built; `paas apply` does it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// The app's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

impl Plan {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let folder = session.environment.at(&self.folder);
        let app = app(session, &self.app, &folder)?;
        let answer = ask(session, &folder, &app).await?;
        if self.format.json {
            return session.ui.json(&answer.text());
        }
        let changes = show(session, &folder, &app, &answer.read()?)?;
        session.ui.talk(match changes {
            0 => "Nothing would change.",
            _ => "`paas apply` does it.",
        });
        Ok(())
    }
}

/// Show what a deploy would change, ask, and do it
#[derive(Debug, Clone, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    deploy: Deploy,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Apply {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let ui = &session.ui;
        if !self.deploy.is_of_folder() {
            return Err(Failure::usage("only of a folder it is known before what would change")
                .hint("`paas deploy` takes --ref and --url"));
        }
        let folder = session.environment.at(&self.deploy.folder);
        if let Some(app) = target::app(&self.deploy.app, &session.environment, &folder)? {
            let plan = ask(session, &folder, &app.name).await?.read()?;
            show(session, &folder, &app.name, &plan)?;
        }
        if !self.yes {
            if !ui.can_ask() {
                return Err(Failure::usage("nobody is there to be asked")
                    .because("neither stdin nor stderr is a terminal")
                    .hint("`paas apply --yes` does not ask"));
            }
            let cannot = |error| Failure::local("cannot read the answer").because(error);
            if !ui.confirm("Do it?").map_err(cannot)? {
                ui.talk("Nothing was changed.");
                return Ok(());
            }
        }
        self.deploy.run(session).await
    }
}

/// Check what a folder says of its app
///
/// Read are paas.toml, those of all environments, Procfile, fly.toml and app.json, as the server would
/// read them. The exit code is 1 if something is wrong.
#[derive(Debug, Clone, Args)]
pub(crate) struct Validate {
    /// The app's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    app: AppOption,
}

impl Validate {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let folder = session.environment.at(&self.folder);
        let mut apps = vec![app(session, &self.app, &folder)?];
        if self.app.env.is_none() && self.app.app.is_none() {
            apps.extend(target::environments(&folder)?);
        }
        for app in apps {
            remarks(session, &ask(session, &folder, &app).await?.read()?);
        }
        let names = target::declaring(&folder).len();
        session.ui.talk(&format!("{} read; nothing is wrong.", ui::count(names, "file")));
        Ok(())
    }
}

/// The app that is meant; one that is yet to be made goes by the folder.
fn app(session: &Session, option: &AppOption, folder: &Path) -> Result<AppName, Failure> {
    let chosen = target::app(option, &session.environment, folder)?;
    Ok(chosen.map_or_else(|| launch::suggested(folder), |chosen| chosen.name))
}

/// Asks the server, which reads the files as it would at a deploy of an app of that name.
pub(super) async fn ask(
    session: &Session,
    folder: &Path,
    app: &AppName,
) -> Result<Answer, Failure> {
    let mut files = BTreeMap::new();
    for file in target::declaring(folder) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match fs::read_to_string(&file) {
            Ok(text) => drop(files.insert(name, text)),
            // The server leaves those of other platforms alone, too.
            Err(error) if error.kind() == ErrorKind::InvalidData && !name.starts_with("paas.") => {}
            Err(error) => {
                let what = format!("cannot read {}", file.display());
                return Err(Failure::local(what).because(error));
            }
        }
    }
    session.client()?.send(Method::POST, &route::of(app, "plan"), &Declared { files }).await
}

/// Shows a plan, and says how many changes are in it.
fn show(session: &Session, folder: &Path, app: &AppName, plan: &Planned) -> Result<usize, Failure> {
    let ui = &session.ui;
    ui.heading(&match &plan.release {
        Some(release) => format!("{app}, which runs {release}"),
        None => format!("{app}, which has no release yet"),
    });
    let mut table = Table::pairs();
    let files = changed_files(session, folder, app)?;
    if let Some(text) = &files {
        table.row(["~ files".to_owned(), text.clone()]);
    }
    for Difference { setting, from, to } in &plan.changes {
        let (sign, text) = match (from, to) {
            (None, Some(to)) => ('+', short(to)),
            (Some(from), None) => ('-', short(from)),
            (from, to) => {
                let side = |side: &Option<String>| side.as_deref().map(short).unwrap_or_default();
                ('~', format!("{} -> {}", side(from), side(to)))
            }
        };
        table.row([format!("{sign} {}", ui.foreign(setting)), ui.foreign(&text)]);
    }
    ui.table(&table)?;
    remarks(session, plan);
    if !plan.wins.is_empty() {
        ui.heading("Settings of the server that win over paas.toml");
        plan.wins.iter().for_each(|line| ui.detail(line));
    }
    if !plan.lacks.is_empty() {
        let names = ui.foreign(&plan.lacks.join(" "));
        ui.heading("Not set, and the files count on it");
        ui.detail(&format!("{names}: `paas secrets set {names} -a {app}`"));
    }
    Ok(plan.changes.len() + usize::from(files.is_some()))
}

fn remarks(session: &Session, plan: &Planned) {
    for line in &plan.remarks {
        match line.strip_prefix("-----> ") {
            Some(heading) => session.ui.heading(heading),
            None => session.ui.detail(line.trim_start()),
        }
    }
}

/// What differs from the last upload from this folder; nothing if there was one and nothing does.
fn changed_files(
    session: &Session,
    folder: &Path,
    app: &AppName,
) -> Result<Option<String>, Failure> {
    let source = source::list(folder)?;
    let address = session.client()?.address();
    let cache = session.environment.cache.as_deref();
    let place = cache.map(|cache| known::place(cache, &address, app.as_str(), folder));
    let known = place.as_deref().map(Known::read).unwrap_or_default();
    if known.is_empty() {
        let count = ui::count(source.files(), "file");
        return Ok(Some(format!("{count}, not compared with what runs")));
    }
    let there = source.entries.iter().map(|entry| entry.path.as_path());
    let gone = known.missing_in(&there.collect());
    let files = source.entries.iter().filter(|entry| entry.is_file());
    let changed = files.filter(|entry| !known.is_current(folder, &entry.path)).count();
    let text = match (changed, gone) {
        (0, 0) => return Ok(None),
        (changed, 0) => format!("{} changed or new", ui::count(changed, "file")),
        (0, gone) => format!("{} gone", ui::count(gone, "file")),
        (changed, gone) => format!("{} changed or new, {gone} gone", ui::count(changed, "file")),
    };
    Ok(Some(text))
}

/// On one line, and not longer than that.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.len() == text.len() && text.chars().count() <= WIDEST {
        return text.to_owned();
    }
    line.chars().take(WIDEST - 1).chain(['…']).collect()
}

const WIDEST: usize = 60;
