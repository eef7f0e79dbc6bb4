//! Where an app's dependencies are written down: the first of the files that say it exactly, then of
//! those that say it at all. Not here: what is done with them.

use crate::packs::{App, PackError};

/// Where the dependencies are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Lock,
    Poetry,
    PipfileLock,
    PdmLock,
    Pylock,
    /// The file of that name.
    Requirements(&'static str),
    Pipfile,
    Project,
    Setup,
    Nothing,
}

/// Files by habit, the one for production before those that development adds to.
const REQUIREMENTS: [&str; 5] = [
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/base.txt",
    "requirements-prod.txt",
];

impl Source {
    /// The app's source of dependencies.
    pub(super) fn of(app: &App) -> Result<Self, PackError> {
        let locks = [
            ("uv.lock", Self::Lock),
            ("poetry.lock", Self::Poetry),
            ("Pipfile.lock", Self::PipfileLock),
            ("pdm.lock", Self::PdmLock),
            ("pylock.toml", Self::Pylock),
        ];
        let requirements = REQUIREMENTS.map(|file| (file, Self::Requirements(file)));
        let wishes = requirements.into_iter().chain([("Pipfile", Self::Pipfile)]);
        if let Some((_, source)) = locks.into_iter().chain(wishes).find(|(file, _)| app.has(file)) {
            return Ok(source);
        }
        let project = app.text("pyproject.toml")?.unwrap_or_default();
        let table: toml::Table = toml::from_str(&project).unwrap_or_default();
        let poetry = table.get("tool").is_some_and(|tool| tool.get("poetry").is_some());
        Ok(match (poetry || table.contains_key("project"), app.has("setup.py")) {
            (true, _) => Self::Project,
            (false, true) => Self::Setup,
            (false, false) => Self::Nothing,
        })
    }

    /// Why, for the log.
    pub(super) fn because(self) -> String {
        let text = match self {
            Self::Lock => "from uv.lock",
            Self::Poetry => "from poetry.lock, without the groups for development",
            Self::PipfileLock => "from Pipfile.lock, without the packages for development",
            Self::PdmLock => "from pdm.lock, without the groups that are not the default",
            Self::Pylock => "from pylock.toml",
            Self::Requirements(file) => return format!("from {file}"),
            Self::Pipfile => {
                "from Pipfile; without a lock versions may differ from yours; to fix them: pipenv lock"
            }
            Self::Project => {
                "from pyproject.toml; without a lock versions may differ from yours; to fix them: uv lock"
            }
            Self::Setup => "from setup.py; to fix the versions: write a requirements.txt",
            Self::Nothing => "none: there is no requirements.txt, uv.lock or pyproject.toml",
        };
        text.to_owned()
    }

    /// Files that decide what is installed.
    pub(super) fn inputs(self) -> Vec<&'static str> {
        let files: &[&'static str] = match self {
            Self::Lock => &["uv.lock", "pyproject.toml"],
            Self::Poetry => &["poetry.lock", "pyproject.toml"],
            Self::PipfileLock => &["Pipfile.lock"],
            Self::PdmLock => &["pdm.lock"],
            Self::Pylock => &["pylock.toml"],
            Self::Requirements(file) => &[file],
            Self::Pipfile => &["Pipfile"],
            Self::Setup => &["setup.py", "setup.cfg"],
            Self::Project => &["pyproject.toml"],
            Self::Nothing => return Vec::new(),
        };
        files.iter().copied().chain(["uv.toml"]).collect()
    }

    /// How a package is added to it.
    pub(super) fn addition(self, package: &str) -> String {
        match self {
            Self::Lock | Self::Project => {
                format!("uv add {package} && git add pyproject.toml uv.lock")
            }
            Self::Poetry => format!("poetry add {package} && git add pyproject.toml poetry.lock"),
            Self::PdmLock => format!("pdm add {package} && git add pyproject.toml pdm.lock"),
            Self::PipfileLock | Self::Pipfile => {
                format!("pipenv install {package} && git add Pipfile Pipfile.lock")
            }
            Self::Requirements(file) => format!("echo {package} >> {file}"),
            Self::Pylock | Self::Setup | Self::Nothing => {
                format!("echo {package} >> requirements.txt")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_file_counts() {
        let check = |files: &[&str], expected: &str| {
            let (app, _dir) = App::of(&files.iter().map(|it| (*it, "")).collect::<Vec<_>>());
            assert_eq!(Source::of(&app).unwrap().because(), expected, "{files:?}");
        };
        check(&["requirements.txt", "uv.lock"], "from uv.lock");
        check(&["requirements/base.txt", "requirements/dev.txt"], "from requirements/base.txt");
        check(
            &["requirements/base.txt", "requirements/production.txt"],
            "from requirements/production.txt",
        );
        check(
            &["pyproject.toml", "pdm.lock"],
            "from pdm.lock, without the groups that are not the default",
        );
        check(&["pylock.toml", "requirements.txt"], "from pylock.toml");
    }
}
