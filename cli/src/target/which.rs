//! Which app: `-a/--app` → that of `-e/--env` → `PAAS_APP` → `PAAS_ENV` → `app` in `paas.toml` → the git
//! remote `paas`.

use std::path::{Path, PathBuf};

use super::{AppName, git, manifest};
use crate::{args::AppOption, environment::Environment, failure::Failure};

/// An app, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Its name.
    pub(crate) name: AppName,
    /// Where the name stood.
    pub(crate) origin: Origin,
}

/// Where an app's name stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The user named it for this one command.
    Option,
    /// `PAAS_APP`.
    Environment,
    /// A manifest.
    Manifest(PathBuf),
    /// The git remote `paas`.
    Remote,
}

/// The app that the option, the environment or `folder` tells, if any does.
pub(crate) fn app(
    option: &AppOption,
    environment: &Environment,
    folder: &Path,
) -> Result<Option<Chosen>, Failure> {
    if let Some(name) = option.app.clone() {
        return Ok(Some(Chosen { name, origin: Origin::Option }));
    }
    if let Some(wanted) = &option.env {
        return of_environment(folder, wanted).map(Some);
    }
    if let Some(text) = &environment.app {
        let name = text.parse().map_err(|fault| {
            Failure::usage(format!("PAAS_APP is `{text}`, which is no app's name")).because(fault)
        })?;
        return Ok(Some(Chosen { name, origin: Origin::Environment }));
    }
    if let Some(wanted) = &environment.env {
        return of_environment(folder, wanted).map(Some);
    }
    if let Some((name, file)) = manifest::app(folder)? {
        return Ok(Some(Chosen { name, origin: Origin::Manifest(file) }));
    }
    Ok(git::app(folder).map(|name| Chosen { name, origin: Origin::Remote }))
}

fn of_environment(folder: &Path, wanted: &str) -> Result<Chosen, Failure> {
    let found = manifest::environment(folder, wanted)?;
    let found = found.map(|(name, file)| Chosen { name, origin: Origin::Manifest(file) });
    found.ok_or_else(|| {
        Failure::usage(format!("there is no environment {wanted:?} here"))
            .because(format!("no paas.{wanted}.toml, or neither it nor paas.toml names an app"))
            .hint(format!("what differs from paas.toml stands in paas.{wanted}.toml"))
    })
}

/// What to say where no app is told.
pub(crate) fn no_app() -> Failure {
    Failure::usage("which app?")
        .because(
            "there is neither `-a APP`, PAAS_APP, a paas.toml with `app`, nor a git remote `paas`",
        )
        .hint("`paas apps` lists the apps; `paas launch` makes one from this folder")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_word_wins() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        let mut option = AppOption::default();
        let mut environment = Environment::default();
        let name = |option: &AppOption, environment: &Environment| {
            app(option, environment, &inner).unwrap().map(|chosen| chosen.name.to_string())
        };
        assert_eq!(name(&option, &environment), None);
        let config = "[remote \"paas\"]\nurl = https://h/from-git.git\n";
        fs::write(folder.path().join(".git/config"), config).unwrap();
        assert_eq!(name(&option, &environment).as_deref(), Some("from-git"));
        fs::write(folder.path().join("paas.toml"), "x = 1\napp = \"from-file\"\n").unwrap();
        assert_eq!(name(&option, &environment).as_deref(), Some("from-file"));
        fs::write(folder.path().join("paas.live.toml"), "app = \"from-live\"").unwrap();
        fs::write(folder.path().join("paas.stage.toml"), "").unwrap();
        environment.env = Some("stage".to_owned());
        assert_eq!(name(&option, &environment).as_deref(), Some("from-file-stage"));
        environment.app = Some("from-env".to_owned());
        assert_eq!(name(&option, &environment).as_deref(), Some("from-env"));
        option.env = Some("live".to_owned());
        assert_eq!(name(&option, &environment).as_deref(), Some("from-live"));
        for unknown in ["test", "../x", ""] {
            option.env = Some(unknown.to_owned());
            assert!(app(&option, &environment, &inner).is_err(), "{unknown}");
        }
        option.app = Some("from-option".parse().unwrap());
        assert_eq!(name(&option, &environment).as_deref(), Some("from-option"));
    }

    #[test]
    fn a_broken_manifest_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("paas.toml"), "app = \"hello\"\nx = = 1\n").unwrap();
        let found = app(&AppOption::default(), &Environment::default(), folder.path());
        let Err(Failure::Local(reason)) = found else { panic!("{found:?}") };
        assert!(reason.because.unwrap().starts_with("line 2: "));
    }
}
