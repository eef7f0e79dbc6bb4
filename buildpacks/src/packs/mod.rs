//! Our own buildpacks, one folder or file for each language.
//!
//! They are ordinary: the lifecycle runs them as it runs anybody's, through `bin/detect` and
//! `bin/build`. Invariant: a buildpack decides from the files that people have, says what it
//! decided and why, and names the file or command that changes it.

mod app;
mod apt;
mod aptfile;
mod context;
mod deno;
mod entry;
mod error;
mod go;
mod java;
mod nodejs;
mod output;
mod packages;
mod php;
mod procfile;
mod python;
mod requirement;
mod ruby;
mod rust;
mod stamp;
mod static_site;
mod tool;

pub(crate) use apt::{DETECTED, run_generate};
pub use entry::detect_report;
pub(crate) use entry::{run_build, run_detect};
pub use procfile::lines as procfile;

pub(crate) use app::App;
use context::BuildContext;
use error::PackError;
use packages::Packages;

/// The version of all our buildpacks: they change with the binary.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Our buildpacks, in no order of preference; `cnb/order.toml` has that.
pub(crate) const ALL: [&dyn Buildpack; 11] = [
    &ruby::Ruby,
    &php::Php,
    &java::Java,
    &deno::Deno,
    &nodejs::Nodejs,
    &python::Python,
    &go::Go,
    &rust::Rust,
    &static_site::Static,
    &procfile::Procfile,
    &aptfile::Aptfile,
];

/// What a buildpack of ours can do.
pub(crate) trait Buildpack: Sync {
    /// The part of its id after `paas/`.
    fn name(&self) -> &'static str;

    /// Whether the app is one of this kind; looks at files only.
    fn detect(&self, app: &App) -> Result<Verdict, PackError>;

    /// The Debian packages that the app needs beyond the base images. They are installed once on a
    /// server for all apps that need the same, before `build`; asked only if the app was recognised.
    fn packages(&self, _app: &App) -> Result<Packages, PackError> {
        Ok(Packages::new([], []))
    }

    /// Makes layers and says which processes there are.
    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError>;
}

/// What a detection found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The app is of this kind; the text ends the sentence "detected because …".
    Recognised(String),
    /// It is not.
    Unknown,
}

/// A process of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) kind: String,
    pub(crate) command: Vec<String>,
    /// Where it runs, below the app's folder; none means in it.
    pub(crate) working_dir: Option<String>,
}

impl Process {
    /// A process of these words.
    pub(crate) fn new(kind: impl Into<String>, command: &[&str]) -> Self {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Self { kind: kind.into(), command, working_dir: None }
    }

    /// A process that needs a shell. Bash replaces itself by the last command of such a line, so
    /// that the app still gets its signals.
    pub(crate) fn shell(kind: impl Into<String>, line: &str) -> Self {
        Self::new(kind, &["bash", "-c", line])
    }

    /// The same in a folder of the app; an empty name is the app's own.
    pub(crate) fn in_folder(self, dir: &str) -> Self {
        Self { working_dir: (!dir.is_empty()).then(|| dir.to_owned()), ..self }
    }

    /// The command as a person would write it.
    pub(crate) fn shown(&self) -> String {
        match self.command.as_slice() {
            [bash, flag, line] if bash == "bash" && flag == "-c" => line.replacen("exec ", "", 1),
            words => words.join(" "),
        }
    }
}
