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

use super::commands::{self, Extent, KNOWN, Pruning};
use super::manifest::Manifest;
use super::package_manager::{Choice, Manager};
use super::workspace::Member;
use crate::lifecycle::remove;
use crate::packs::context::{CACHE, LAUNCH_CACHE};
use crate::packs::stamp::{Key, Made, stamped};
use crate::packs::tool::Tool;
use crate::packs::{BuildContext, PackError, output};

/// What an installation works with.
pub(super) struct Installation<'a> {
    pub(super) context: &'a BuildContext,
    pub(super) manifest: &'a Manifest,
    /// The packages of the workspace, if the app is one.
    pub(super) members: &'a [Member],
    pub(super) choice: &'a Choice,
    /// Folders with programs: Node's, and the manager's.
    pub(super) folders: &'a [PathBuf],
    /// Node's version: native modules are built for one.
    pub(super) node: &'a str,
    /// What the running app needs of them.
    pub(super) launched: Extent,
}

/// The layer of what the running app needs.
const LAUNCHED: &str = "modules";

const YARN_CACHE: &str = "yarn_cache";
const BUN_CACHE: &str = "bun_cache";

/// Files beside package.json that an installation reads.
const SETTINGS: [&str; 5] =
    [".npmrc", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", "bunfig.toml"];

/// Notes of the managers in `node_modules`, which name the registry's address, and caches of tools
/// that build. Neither has a place in an image, and nothing at run time reads them.
const NOTES: [&str; 9] = [
    ".cache",
    ".vite",
    ".vite-temp",
    ".astro",
    ".package-lock.json",
    ".yarn-integrity",
    ".modules.yaml",
    ".pnpm-workspace-state-v1.json",
    ".yarn-state.yml",
];

impl Installation<'_> {
    /// Installs what the build script needs; nothing if there is none.
    pub(super) fn for_build(&self, scripted: bool) -> Result<(), PackError> {
        self.keep_own_cache()?;
        match self.in_place() {
            Some(why) => {
                output::line(&format!("installing inside of the app's folder, because {why}"));
                let extent = if scripted { Extent::Everything } else { self.launched };
                self.clear_uploaded()?;
                self.install(self.context.app.dir(), extent)
            }
            None if scripted && self.has_dev() && self.launched == Extent::Production => {
                self.layer("build_modules", Extent::Everything)
            }
            // What the app runs with is all that it is built with.
            None if scripted => self.for_launch(scripted),
            None => Ok(()),
        }
    }

    /// Installs what an app in another language needs to make its assets.
    pub(super) fn for_assets(&self) -> Result<(), PackError> {
        self.keep_own_cache()?;
        if self.in_place().is_some() {
            self.clear_uploaded()?;
            return self.install(self.context.app.dir(), Extent::Everything);
        }
        self.layer("build_modules", Extent::Everything)
    }

    /// Installs what the running app needs.
    pub(super) fn for_launch(&self, scripted: bool) -> Result<(), PackError> {
        if self.in_place().is_none() {
            self.layer(LAUNCHED, self.launched)?;
            return drop_notes(&self.context.layer(LAUNCHED).join("node_modules"));
        }
        if scripted && self.has_dev() && self.launched == Extent::Production {
            self.prune()?;
        }
        drop_notes(&self.context.app.path("node_modules"))
    }

    /// Removes what only the build needed, where it was installed in place.
    fn prune(&self) -> Result<(), PackError> {
        let berry = (self.choice.manager == Manager::Berry).then(|| self.choice.major()).flatten();
        match commands::prune(self.choice.manager, self.members.len(), berry) {
            Pruning::By(args) => self.manager(args, self.context.app.dir()),
            Pruning::Anew => {
                self.remove_modules()?;
                self.install(self.context.app.dir(), Extent::Production)
            }
            Pruning::Never(why) => {
                output::line(why);
                Ok(())
            }
        }
    }

    /// Keeps the dependencies out of the image: what the build left needs none of them any more.
    pub(super) fn leave_out(&self) -> Result<(), PackError> {
        let link = fs::read_link(self.context.app.path("node_modules"));
        let launched = link.is_ok_and(|it| it.starts_with(self.context.layer(LAUNCHED)));
        if let Some(noted) = self.context.remembered(LAUNCHED).filter(|_| launched) {
            self.context.declare(LAUNCHED, CACHE, &noted)?;
        }
        self.remove_modules()
    }

    /// Removes everything that was installed in place, or the link to where it was.
    fn remove_modules(&self) -> Result<(), PackError> {
        let members = self.members.iter().map(|it| it.dir.as_str());
        for dir in members.chain(["."]) {
            let path = self.context.app.path(dir).join("node_modules");
            remove(&path).map_err(PackError::io(path))?;
        }
        Ok(())
    }

    fn manager(&self, args: &[&str], dir: &Path) -> Result<(), PackError> {
        self.dress(Tool::new(self.choice.manager.program(), args, dir)).run(&KNOWN)
    }

    fn has_dev(&self) -> bool {
        self.manifest.has_dev() || self.members.iter().any(|it| it.manifest.has_dev())
    }

    /// Whether any package of the app asks for that one.
    pub(super) fn depends_on(&self, package: &str) -> bool {
        let members = self.members.iter().map(|it| &it.manifest);
        members.chain([self.manifest]).any(|it| it.depends_on(package))
    }

    /// Gives a program the managers, the runtime and the caches.
    pub(super) fn dress(&self, tool: Tool) -> Tool {
        let cache = |name| self.context.cache(name);
        let (yarn, bun) = (self.context.layer(YARN_CACHE), self.context.layer(BUN_CACHE));
        let folders = self.folders.iter().rev().cloned();
        let tool = folders.fold(tool, Tool::path);
        // npm warns of settings that it does not know.
        let tool = match self.choice.manager {
            Manager::Pnpm => tool.env("npm_config_store_dir", cache("pnpm")),
            Manager::Npm | Manager::Yarn | Manager::Berry | Manager::Bun => tool,
        };
        tool.env("npm_config_cache", cache("npm"))
            .env("YARN_CACHE_FOLDER", yarn)
            .env("YARN_ENABLE_GLOBAL_CACHE", "false")
            .env("YARN_ENABLE_TELEMETRY", "false")
            .env("BUN_INSTALL_CACHE_DIR", bun)
            .env("NEXT_TELEMETRY_DISABLED", "1")
            .env("ASTRO_TELEMETRY_DISABLED", "1")
            .env("NUXT_TELEMETRY_DISABLED", "1")
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
        if !self.members.is_empty() {
            return Some("the app has workspaces");
        }
        self.manifest.tied_to_the_app()
    }

    /// Yarn and Bun do not verify what they take from their caches, so the app has one of its own.
    fn keep_own_cache(&self) -> Result<(), PackError> {
        let name = match self.choice.manager {
            Manager::Yarn | Manager::Berry => YARN_CACHE,
            Manager::Bun => BUN_CACHE,
            Manager::Npm | Manager::Pnpm => return Ok(()),
        };
        self.context.kept(name)?;
        self.context.declare(name, CACHE, &name)
    }

    fn layer(&self, name: &str, extent: Extent) -> Result<(), PackError> {
        let types = if extent == self.launched { LAUNCH_CACHE } else { CACHE };
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
        let locks =
            ["package.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"];
        for name in locks.iter().chain(&SETTINGS).chain(&self.choice.lock) {
            remove(&dir.join(name)).map_err(PackError::io(dir))?;
        }
        Ok(())
    }

    fn install(&self, dir: &Path, extent: Extent) -> Result<(), PackError> {
        let locked = self.choice.lock.is_some();
        self.manager(&commands::install(self.choice.manager, locked, extent), dir)
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
