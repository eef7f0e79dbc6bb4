//! What all files of an app's folder say of it, put together: `paas.toml`, that of its environment, those
//! of other platforms. Pure: whoever reads the files gives their texts.
//!
//! An environment is an app of its own whose folder is the same: `paas.staging.toml` is for the app
//! that it names, and for `hello-staging` where it names none and `paas.toml` is that of `hello`.

use std::collections::BTreeMap;

use super::{
    FILE, Manifest, ManifestError, ManifestFile,
    foreign::{self, Foreign},
};
use crate::model::AppName;

/// The files, put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Without any all is default.
    pub manifest: Manifest,
    /// The `Procfile` as it is; empty without one. What is wrong with it is said by the buildpack that
    /// reads it.
    pub procfile: String,
    /// For the log: which files were read besides `paas.toml`, and what of them counts.
    pub remarks: Vec<String>,
}

/// Why the files say nothing that can be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeclarationError {
    /// A manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Two files want to be the manifest of one environment.
    #[error("{one} and {other} are both for {app}")]
    Environments {
        /// A file.
        one: String,
        /// And another.
        other: String,
        /// Whose.
        app: AppName,
    },
}

impl DeclarationError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Manifest(error) => error.hint.as_deref(),
            Self::Environments { .. } => Some("name another app in one of them: `app = \"…\"`"),
        }
    }
}

impl Declaration {
    /// Reads the texts, by the names of their files in the folder that is deployed as `app`.
    pub fn read(texts: &BTreeMap<String, String>, app: &AppName) -> Result<Self, DeclarationError> {
        let file = |name: &'static str| {
            let text = texts.get(name)?;
            Some(ManifestFile { name, text })
        };
        let base = file(FILE);
        let mut remarks = Vec::new();
        let mut files = Vec::new();
        if let Some(overlay) = overlay(texts, base, app)? {
            remarks.push(format!("-----> {} counts before {FILE} for {app}", overlay.name));
            files.push(overlay);
        }
        files.extend(base);
        let mut manifest = Manifest::read(&files)?;
        let procfile = texts.get(PROCFILE).cloned().unwrap_or_default();
        for name in foreign::FILES {
            let Some(text) = texts.get(name) else { continue };
            let Some(mut foreign) = Foreign::read(name, text) else {
                remarks.push(format!("-----> {name} cannot be read, and does not count"));
                continue;
            };
            foreign.bound(&manifest.env);
            remarks.extend(account(name, &foreign));
            if !procfile.is_empty() {
                // A Procfile is nearer to home.
                let suggested = foreign.manifest.suggested.values_mut();
                suggested.for_each(|process| process.command = None);
            }
            if procfile.lines().any(|line| line.starts_with("release:")) {
                foreign.manifest.deploy.release = None;
            }
            manifest.fill(foreign.manifest);
        }
        Ok(Self { manifest, procfile, remarks })
    }

    /// Whether a file of that name, at the top of the folder, says something of an app.
    pub fn reads(name: &str) -> bool {
        name == FILE
            || name == PROCFILE
            || foreign::FILES.contains(&name)
            || environment_of(name).is_some()
    }
}

/// What is said of another platform's file; nothing where it says nothing.
fn account(name: &str, foreign: &Foreign) -> Vec<String> {
    let Foreign { taken, left, .. } = foreign;
    let mut lines = Vec::new();
    if !taken.is_empty() || !left.is_empty() {
        lines.push(format!("-----> {name}, where {FILE} is silent"));
    }
    if !taken.is_empty() {
        lines.push(format!("       taken: {}", taken.join(", ")));
    }
    if !left.is_empty() {
        lines.push(format!("       without effect here: {}", left.join(", ")));
    }
    lines
}

/// The manifest of the environment that the app is, if there is one.
fn overlay<'a>(
    texts: &'a BTreeMap<String, String>,
    base: Option<ManifestFile<'_>>,
    app: &AppName,
) -> Result<Option<ManifestFile<'a>>, DeclarationError> {
    let is_of_app = |(name, text): (&'a String, &'a String)| {
        let environment = environment_of(name)?;
        let file = ManifestFile { name, text };
        (app_of(file, base, environment).as_ref() == Some(app)).then_some(file)
    };
    let mut found = texts.iter().filter_map(is_of_app);
    match (found.next(), found.next()) {
        (Some(one), Some(other)) => Err(DeclarationError::Environments {
            one: one.name.to_owned(),
            other: other.name.to_owned(),
            app: app.clone(),
        }),
        (found, _) => Ok(found),
    }
}

/// The environment that a file is the manifest of: `staging` of `paas.staging.toml`.
fn environment_of(file: &str) -> Option<&str> {
    let name = file.strip_prefix("paas.")?.strip_suffix(".toml")?;
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!name.is_empty() && name.bytes().all(valid)).then_some(name)
}

/// The app that an environment's file is for: the one that it names, else that of `paas.toml` with the
/// environment behind a hyphen.
fn app_of(
    file: ManifestFile<'_>,
    base: Option<ManifestFile<'_>>,
    environment: &str,
) -> Option<AppName> {
    named_app(file).or_else(|| format!("{}-{environment}", named_app(base?)?).parse().ok())
}

/// What is wrong with a file is said by whoever reads it for its app.
fn named_app(file: ManifestFile<'_>) -> Option<AppName> {
    let table: toml::Table = toml::from_str(file.text).ok()?;
    table.get("app")?.as_str()?.parse().ok()
}

const PROCFILE: &str = "Procfile";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)], app: &str) -> Result<Declaration, String> {
        let texts = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Declaration::read(&texts.collect(), &app.parse().unwrap()).map_err(|it| it.to_string())
    }

    const BASE: (&str, &str) = ("paas.toml", "app = \"hello\"\n[env]\nWHERE = \"home\"");

    #[test]
    fn an_environment_is_the_app_that_its_file_names() {
        let named = ("paas.live.toml", "app = \"hello-world\"\n[env]\nWHERE = \"live\"");
        let silent = ("paas.staging.toml", "[env]\nWHERE = \"stage\"");
        let place = |app: &str| {
            let declared = read(&[BASE, named, silent], app).unwrap();
            declared.manifest.env.into_values().next().unwrap()
        };
        let places = ["hello", "hello-world", "hello-staging", "hello-live", "other"].map(place);
        assert_eq!(places, ["home", "live", "stage", "home", "home"]);
        let other = ("paas.x.toml", "app = \"hello-world\"");
        let both = read(&[BASE, named, other], "hello-world").unwrap_err();
        assert_eq!(both, "paas.live.toml and paas.x.toml are both for hello-world");
        let broken = ("paas.staging.toml", "= =");
        assert!(read(&[BASE, broken], "hello").is_ok());
        let fault = read(&[BASE, broken], "hello-staging").unwrap_err();
        assert!(fault.starts_with("paas.staging.toml line 1: not valid TOML"), "{fault}");
    }

    #[test]
    fn other_platforms_are_heard_where_paas_toml_is_silent() {
        let fly = (
            "fly.toml",
            "app = \"x\"\n[env]\nWHERE = \"fly\"\nB = \"b\"\n[mounts]\nsource = \"d\"\n\
             [processes]\napp = \"bin/x\"",
        );
        let declared = read(&[BASE, fly], "hello").unwrap();
        assert_eq!(declared.manifest.env.values().collect::<Vec<_>>(), ["b", "home"]);
        let lines = [
            "-----> fly.toml, where paas.toml is silent",
            "       taken: env B, env WHERE, processes.app",
            "       without effect here: mounts",
        ];
        assert_eq!(declared.remarks, lines);
        let commands = |declared: Declaration| {
            declared.manifest.suggested.into_values().filter_map(|it| it.command).count()
        };
        assert_eq!(commands(declared), 1);
        assert_eq!(commands(read(&[fly, ("Procfile", "web: y")], "hello").unwrap()), 0);
        let fly = ("fly.toml", "[deploy]\nrelease_command = \"m\"");
        let release =
            |files: &[(&str, &str)]| read(files, "hello").unwrap().manifest.deploy.release;
        assert_eq!(release(&[fly, ("Procfile", "web: y")]).as_deref(), Some("m"));
        assert_eq!(release(&[fly, ("Procfile", "release: n")]), None);
        let broken = read(&[("app.json", "{")], "hello").unwrap();
        assert_eq!(broken.remarks, ["-----> app.json cannot be read, and does not count"]);
    }

    #[test]
    fn files_are_known_by_their_names() {
        for name in ["paas.toml", "paas.staging.toml", "Procfile", "fly.toml", "app.json"] {
            assert!(Declaration::reads(name), "{name}");
        }
        for name in ["paas..toml", "paas.X.toml", "paas.a/b.toml", "procfile", "app.toml"] {
            assert!(!Declaration::reads(name), "{name}");
        }
    }
}
