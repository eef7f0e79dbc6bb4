//! Installs dependencies into layers that are kept while their key stays.
//!
//! `node_modules` lies in a layer and the app has a link to it. Node resolves a package's own
//! dependencies from its real path, which is inside of the layer's `node_modules`, so `CommonJS` and
//! ES modules work alike (`NODE_PATH` would not: ES modules ignore it). Dependencies for the build
//! get a layer of their own instead of being pruned, so that a warm build installs nothing at all.
//! Projects whose installation needs the app's files install in place, each time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::manifest::Manifest;
use super::package_manager::{Choice, Manager};
use crate::lifecycle::remove;
use crate::packs::context::{CACHE, LAUNCH_CACHE};
use crate::packs::stamp::{Key, Made, stamped};
use crate::packs::tool::{Known, Tool};
use crate::packs::{BuildContext, PackError, output};

/// What an installation works with.
pub(super) struct Installation<'a> {
    pub(super) context: &'a BuildContext,
    pub(super) manifest: &'a Manifest,
    pub(super) choice: &'a Choice,
    /// Folders with programs: Node's, and the manager's.
    pub(super) folders: &'a [PathBuf],
    /// Node's version: native modules are built for one.
    pub(super) node: &'a str,
}

/// Which dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Everything,
    Production,
}

const YARN_CACHE: &str = "yarn_cache";

/// Files beside package.json that an installation reads.
const SETTINGS: [&str; 4] = [".npmrc", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml"];

/// Notes of the managers in `node_modules`. They name the registry's address, which has no place in
/// an image, and nothing at run time reads them.
const NOTES: [&str; 5] = [
    ".package-lock.json",
    ".yarn-integrity",
    ".modules.yaml",
    ".pnpm-workspace-state-v1.json",
    ".yarn-state.yml",
];

const KNOWN: [Known; 8] = [
    (
        "can only install packages when your package.json and package-lock.json",
        "package-lock.json does not match package.json",
        "bring it up to date: npm install && git add package-lock.json",
    ),
    (
        "Your lockfile needs to be updated",
        "yarn.lock does not match package.json",
        "bring it up to date: yarn install && git add yarn.lock",
    ),
    (
        "The lockfile would have been modified",
        "yarn.lock does not match package.json",
        "bring it up to date: yarn install && git add yarn.lock",
    ),
    (
        "ERR_PNPM_OUTDATED_LOCKFILE",
        "pnpm-lock.yaml does not match package.json",
        "bring it up to date: pnpm install && git add pnpm-lock.yaml",
    ),
    (
        "code ERESOLVE",
        "two packages ask for versions that cannot go together",
        "find the pair: npm install; then change one of the versions in package.json",
    ),
    ("code E404", "the registry has no such package", "check the names in package.json"),
    ("code ETARGET", "the registry has no such version", "check the versions in package.json"),
    (
        "code EINTEGRITY",
        "a package differs from what the lock file says",
        "make the lock file anew: rm package-lock.json && npm install",
    ),
];

impl Installation<'_> {
    /// Installs what the build script needs; nothing if there is none.
    pub(super) fn for_build(&self, scripted: bool) -> Result<(), PackError> {
        self.keep_yarn_cache()?;
        match self.in_place() {
            Some(why) => {
                output::line(&format!("installing inside of the app's folder, because {why}"));
                let extent = if scripted { Extent::Everything } else { Extent::Production };
                self.clear_uploaded()?;
                self.install(self.context.app.dir(), extent)
            }
            None if scripted && self.manifest.has_dev() => {
                self.layer("build_modules", Extent::Everything)
            }
            None => Ok(()),
        }
    }

    /// Installs what the running app needs.
    pub(super) fn for_launch(&self, scripted: bool) -> Result<(), PackError> {
        if self.in_place().is_none() {
            return self.layer("modules", Extent::Production);
        }
        if scripted && self.manifest.has_dev() {
            self.prune()?;
        }
        drop_notes(&self.context.app.path("node_modules"))
    }

    /// Removes what only the build needed, where it was installed in place.
    fn prune(&self) -> Result<(), PackError> {
        let args: &[&str] = match self.choice.manager {
            Manager::Npm => &["prune", "--omit=dev", "--ignore-scripts"],
            Manager::Yarn => &["install", "--production=true", "--ignore-scripts"],
            Manager::Pnpm => &["prune", "--prod", "--ignore-scripts"],
            Manager::Berry => {
                output::line(
                    "development dependencies stay in the image: yarn cannot remove them here",
                );
                return Ok(());
            }
        };
        let program = self.choice.manager.program();
        self.dress(Tool::new(program, args, self.context.app.dir())).run(&KNOWN)
    }

    /// Gives a program the managers, the runtime and the caches.
    pub(super) fn dress(&self, tool: Tool) -> Tool {
        let cache = |name| self.context.cache(name);
        let yarn = self.context.layer(YARN_CACHE);
        let folders = self.folders.iter().rev().cloned();
        folders
            .fold(tool, Tool::path)
            .env("npm_config_cache", cache("npm"))
            .env("npm_config_store_dir", cache("pnpm"))
            .env("YARN_CACHE_FOLDER", yarn)
            .env("YARN_ENABLE_GLOBAL_CACHE", "false")
            .env("YARN_NODE_LINKER", "node-modules")
            .env("npm_config_update_notifier", "false")
            .env("npm_config_audit", "false")
            .env("npm_config_fund", "false")
            .env("npm_config_progress", "false")
            .env("CI", "1")
    }

    fn in_place(&self) -> Option<&'static str> {
        if self.choice.manager == Manager::Berry {
            return Some("yarn 2 and later keep their own files there");
        }
        self.manifest.tied_to_the_app()
    }

    /// yarn 1 does not verify what it takes from its cache, so the app has one of its own.
    fn keep_yarn_cache(&self) -> Result<(), PackError> {
        if self.choice.manager == Manager::Yarn {
            self.context.kept(YARN_CACHE)?;
            self.context.declare(YARN_CACHE, CACHE, &YARN_CACHE)?;
        }
        Ok(())
    }

    fn layer(&self, name: &str, extent: Extent) -> Result<(), PackError> {
        let types = if extent == Extent::Production { LAUNCH_CACHE } else { CACHE };
        let (path, made) = stamped(self.context, name, types, &self.key(extent)?, |dir| {
            self.copy_inputs(dir)?;
            self.install(dir, extent)?;
            self.remove_inputs(dir)?;
            drop_notes(&dir.join("node_modules"))
        })?;
        if made == Made::Kept {
            output::line("nothing changed since the last build, so they are used again");
        }
        self.clear_uploaded()?;
        let modules = path.join("node_modules");
        fs::create_dir_all(&modules).map_err(PackError::io(&modules))?;
        let link = self.context.app.path("node_modules");
        symlink(&modules, &link).map_err(PackError::io(link))
    }

    fn key(&self, extent: Extent) -> Result<Key, PackError> {
        let app = &self.context.app;
        let mut parts = vec![
            self.node.as_bytes().to_vec(),
            std::env::consts::ARCH.as_bytes().to_vec(),
            format!("{:?} {extent:?}", self.choice).into_bytes(),
            self.manifest.reduced().into_bytes(),
        ];
        for name in self.choice.lock.iter().chain(&SETTINGS) {
            parts.push(app.bytes(name)?);
        }
        Ok(Key::of(parts.iter().map(Vec::as_slice)))
    }

    fn copy_inputs(&self, dir: &Path) -> Result<(), PackError> {
        let manifest = dir.join("package.json");
        fs::write(&manifest, self.manifest.reduced()).map_err(PackError::io(manifest))?;
        for name in self.choice.lock.iter().chain(&SETTINGS) {
            let from = self.context.app.path(name);
            if from.is_file() {
                fs::copy(&from, dir.join(name)).map_err(PackError::io(from))?;
            }
        }
        Ok(())
    }

    /// The settings may hold tokens, and a package.json beside `node_modules` would be a second
    /// project in the image.
    fn remove_inputs(&self, dir: &Path) -> Result<(), PackError> {
        let locks = ["package.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml"];
        for name in locks.iter().chain(&SETTINGS).chain(&self.choice.lock) {
            remove(&dir.join(name)).map_err(PackError::io(dir))?;
        }
        Ok(())
    }

    fn install(&self, dir: &Path, extent: Extent) -> Result<(), PackError> {
        let production = extent == Extent::Production;
        let locked = self.choice.lock.is_some();
        let mut args = match (self.choice.manager, locked) {
            (Manager::Npm, true) => vec!["ci"],
            (Manager::Npm | Manager::Pnpm | Manager::Yarn | Manager::Berry, false) => {
                vec!["install"]
            }
            (Manager::Yarn | Manager::Pnpm, true) => vec!["install", "--frozen-lockfile"],
            (Manager::Berry, true) => vec!["install", "--immutable"],
        };
        args.push(match (self.choice.manager, production) {
            (Manager::Npm, true) => "--omit=dev",
            (Manager::Npm, false) => "--include=dev",
            (Manager::Pnpm, true) => "--prod",
            (Manager::Pnpm, false) => "--prod=false",
            (Manager::Yarn, true) => "--production=true",
            (Manager::Yarn, false) => "--production=false",
            (Manager::Berry, _) => "--inline-builds",
        });
        self.dress(Tool::new(self.choice.manager.program(), &args, dir)).run(&KNOWN)
    }

    /// Uploaded modules may be made for another machine.
    fn clear_uploaded(&self) -> Result<(), PackError> {
        let path = self.context.app.path("node_modules");
        if path.is_dir() && !path.is_symlink() {
            output::warning("node_modules was uploaded and is replaced; list it in .gitignore");
        }
        remove(&path).map_err(PackError::io(path))
    }
}

fn drop_notes(modules: &Path) -> Result<(), PackError> {
    for name in NOTES {
        remove(&modules.join(name)).map_err(PackError::io(modules))?;
    }
    Ok(())
}
