//! Which package manager: `packageManager`, else the lock file, else npm. Volta's pin decides the
//! version of what the lock file decides.

use super::manifest::Manifest;
use crate::packs::{App, BuildContext, PackError, output};
use crate::toolchain::{Scheme, Toolchain};

/// The package managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    /// Comes with Node.
    Npm,
    /// yarn 1.
    Yarn,
    /// yarn 2 and later.
    Berry,
    Pnpm,
    /// A runtime, too.
    Bun,
}

/// A choice and its reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) manager: Manager,
    /// The lock file, where there is one.
    pub(super) lock: Option<&'static str>,
    /// The versions that will do.
    range: String,
    pub(super) because: String,
}

/// Lock files by manager, the rarer first: a forgotten package-lock.json is the common leftover.
const LOCKS: [(&str, Manager); 6] = [
    ("bun.lock", Manager::Bun),
    ("bun.lockb", Manager::Bun),
    ("pnpm-lock.yaml", Manager::Pnpm),
    ("yarn.lock", Manager::Yarn),
    ("package-lock.json", Manager::Npm),
    ("npm-shrinkwrap.json", Manager::Npm),
];

impl Manager {
    /// The program's name.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Yarn | Self::Berry => "yarn",
            Self::Pnpm => "pnpm",
            Self::Bun => "bun",
        }
    }
}

impl Choice {
    /// The lock file that decides.
    pub(super) fn by_files(app: &App) -> Option<(&'static str, Manager)> {
        LOCKS.into_iter().find(|(file, _)| app.has(file))
    }

    /// The app's manager.
    pub(super) fn of(app: &App, manifest: &Manifest) -> Result<Self, PackError> {
        let present: Vec<_> = LOCKS.into_iter().filter(|(file, _)| app.has(file)).collect();
        let named = manifest.package_manager.as_deref().map(named).transpose()?;
        let choice = match (named, present.first().copied()) {
            (Some((manager, version)), _) => {
                let fits = |it: &&(&str, Manager)| it.1.program() == manager.program();
                Self {
                    manager,
                    lock: present.iter().find(fits).map(|(file, _)| *file),
                    because: format!(
                        "packageManager in package.json is {}@{version}",
                        manager.program()
                    ),
                    range: version,
                }
            }
            (None, Some((lock, manager))) => {
                let (manager, range) = by_lock(app, lock, manager)?;
                let pinned = manifest.volta.get(manager.program());
                let because = match pinned {
                    Some(version) => {
                        format!("there is {lock}, and volta in package.json pins {version}")
                    }
                    None => format!("there is {lock}"),
                };
                let range = pinned.cloned().unwrap_or(range);
                Self { manager, lock: Some(lock), range, because }
            }
            (None, None) => Self {
                manager: Manager::Npm,
                lock: None,
                range: String::new(),
                because: "there is no lock file, so versions may differ from yours; \
                          to fix them: npm install && git add package-lock.json"
                    .into(),
            },
        };
        if present.len() > 1 {
            let files: Vec<_> = present.iter().map(|(file, _)| *file).collect();
            output::warning(&format!(
                "there are several lock files ({}); remove all but one",
                files.join(", ")
            ));
        }
        Ok(choice)
    }

    /// The major version that is asked for, as far as that can be told.
    pub(super) fn major(&self) -> Option<u32> {
        self.range.trim_start_matches(['^', '~', '=', 'v']).split('.').next()?.parse().ok()
    }

    /// Whether Node brings the manager along.
    pub(super) fn comes_with_node(&self) -> bool {
        self.manager == Manager::Npm && self.range.is_empty()
    }

    /// Gets the manager from the daemon.
    pub(super) fn provide(&self, context: &BuildContext) -> Result<Toolchain, PackError> {
        let toolchain = context.toolchain(self.manager.program(), &self.range, Scheme::Npm)?;
        output::line(&format!("{} {}", self.manager.program(), toolchain.version));
        Ok(toolchain)
    }
}

/// Reads `pnpm@9.1.0+sha512.…`.
fn named(text: &str) -> Result<(Manager, String), PackError> {
    let (name, version) = text.split_once('@').unwrap_or((text, ""));
    let version = version.split('+').next().unwrap_or(version).to_owned();
    let manager = match name {
        "npm" => Manager::Npm,
        "pnpm" => Manager::Pnpm,
        "bun" => Manager::Bun,
        "yarn" if version.starts_with("1.") || version == "1" => Manager::Yarn,
        "yarn" => Manager::Berry,
        _ => {
            return Err(PackError::app(
                format!("packageManager in package.json is `{text}`, which is not supported"),
                "use npm, yarn, pnpm or bun, as in \"packageManager\": \"pnpm@10.0.0\"",
            ));
        }
    };
    Ok((manager, version))
}

/// The format of a lock file tells the version of its manager.
fn by_lock(app: &App, lock: &str, manager: Manager) -> Result<(Manager, String), PackError> {
    let head = app.bytes(lock)?;
    let head = String::from_utf8_lossy(head.get(..512).unwrap_or(&head)).into_owned();
    Ok(match manager {
        Manager::Yarn if head.contains("__metadata:") => (Manager::Berry, "^4".into()),
        Manager::Yarn => (Manager::Yarn, "^1.22".into()),
        Manager::Pnpm if head.contains("lockfileVersion: '6") => (manager, "^8".into()),
        Manager::Pnpm if head.contains("lockfileVersion: 5") => (manager, "^7".into()),
        Manager::Pnpm => (manager, "^10".into()),
        Manager::Npm | Manager::Berry | Manager::Bun => (manager, String::new()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: (Manager, &str)) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let app = App::new(dir.path());
        let choice = Choice::of(&app, &Manifest::read(&app).unwrap()).unwrap();
        assert_eq!((choice.manager, choice.range.as_str()), expected);
    }

    #[test]
    fn the_manager_follows_the_files() {
        check(&[], (Manager::Npm, ""));
        check(&[("package-lock.json", "{}")], (Manager::Npm, ""));
        check(&[("yarn.lock", "# yarn lockfile v1\n")], (Manager::Yarn, "^1.22"));
        check(&[("yarn.lock", "__metadata:\n  version: 8\n")], (Manager::Berry, "^4"));
        check(&[("pnpm-lock.yaml", "lockfileVersion: '9.0'\n")], (Manager::Pnpm, "^10"));
        check(&[("pnpm-lock.yaml", "lockfileVersion: '6.0'\n")], (Manager::Pnpm, "^8"));
        check(&[("bun.lock", "{}"), ("package-lock.json", "{}")], (Manager::Bun, ""));
        let volta = r#"{"volta":{"yarn":"1.22.19"}}"#;
        check(&[("package.json", volta), ("yarn.lock", "")], (Manager::Yarn, "1.22.19"));
        let named = r#"{"packageManager":"pnpm@9.1.0+sha512.abc"}"#;
        check(&[("package.json", named), ("yarn.lock", "")], (Manager::Pnpm, "9.1.0"));
    }
}
