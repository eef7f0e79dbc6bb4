//! Fetches what the app imports, so that it starts without any network.
//!
//! Deno keeps modules in `DENO_DIR`, which is a layer of the app: it checks them against the lock
//! file when it fetches them and not again, so the layer is never shared. An app with its own
//! `node_modules` has its npm packages there, and the layer then stays out of the image.

use std::fs;
use std::path::PathBuf;

use super::config::Config;
use super::start::entries;
use crate::lifecycle::remove;
use crate::packs::context::{CACHE, LAUNCH_CACHE};
use crate::packs::stamp::{Key, stamped};
use crate::packs::tool::{Known, Tool};
use crate::packs::{BuildContext, PackError, output};
use crate::toolchain::Toolchain;

const LAYER: &str = "deno_dir";
const LOCK: &str = "deno.lock";

const KNOWN: [Known; 8] = [
    (
        "The lockfile is out of date",
        "deno.lock does not match what the app imports",
        "bring it up to date: deno install && git add deno.lock",
    ),
    (
        "Integrity check failed",
        "a module differs from what deno.lock says",
        "make the lock file anew: rm deno.lock && deno install",
    ),
    (
        "checksum did not match",
        "a package differs from what deno.lock says",
        "make the lock file anew: rm deno.lock && deno install",
    ),
    (
        "error: npm package",
        "the registry has no such package",
        "check the names in deno.json and after `npm:`",
    ),
    (
        "Could not find npm package",
        "the registry has no such version",
        "check the versions in deno.json and after `npm:`",
    ),
    (
        "Module not found",
        "a file imports what is not there",
        "check the path, and that git has the file: git ls-files",
    ),
    (
        "failed to load",
        "a module's host does not answer this server",
        "import it from npm, or commit it: \"vendor\": true in deno.json, then deno install",
    ),
    (
        "error sending request for url",
        "a module's host does not answer this server",
        "import it from npm, or commit it: \"vendor\": true in deno.json, then deno install",
    ),
];

/// What an installation works with.
pub(super) struct Installation<'a> {
    context: &'a BuildContext,
    config: &'a Config,
    deno: &'a Toolchain,
    dir: PathBuf,
    is_locked: bool,
}

impl<'a> Installation<'a> {
    /// Begins with what the last build fetched, unless the app asks for something else now.
    pub(super) fn begin(
        context: &'a BuildContext,
        config: &'a Config,
        deno: &'a Toolchain,
    ) -> Result<Self, PackError> {
        let app = &context.app;
        let is_locked = app.has(LOCK);
        let mut parts = vec![deno.version.clone().into_bytes()];
        if is_locked {
            let reduced = config.reduced().into_bytes();
            parts.extend([app.bytes(LOCK)?, app.bytes("package.json")?, reduced]);
        }
        let key = Key::of(parts.iter().map(Vec::as_slice));
        let (dir, _) = stamped(context, LAYER, LAUNCH_CACHE, &key, |_| Ok(()))?;
        let installation = Self { context, config, deno, dir, is_locked };
        installation.clear_uploaded()?;
        Ok(installation)
    }

    /// Fetches all that is named and imported; what is there already costs nothing.
    pub(super) fn fetch(&self) -> Result<(), PackError> {
        let app = &self.context.app;
        let frozen = |words: &mut Vec<&str>| {
            if self.is_locked {
                words.push("--frozen");
            }
        };
        let entries = entries(app, self.config)?;
        let entries = entries.iter().map(String::as_str);
        // Deno 1 has another command by the name of `install`.
        if self.deno.version.starts_with("1.") {
            let words: Vec<&str> = std::iter::once("cache").chain(entries).collect();
            return if words.len() > 1 { self.run(&words) } else { Ok(()) };
        }
        let mut words = vec!["install"];
        frozen(&mut words);
        if self.config.names_packages() || app.has("package.json") {
            self.run(&words)?;
        }
        words.push("--entrypoint");
        let plain = words.len();
        words.extend(entries);
        if words.len() > plain { self.run(&words) } else { Ok(()) }
    }

    /// Runs the task that builds the app.
    pub(super) fn build(&self) -> Result<(), PackError> {
        self.run(&["task", "build"])
    }

    /// Makes the layer what the running app needs; false if pages need nothing of it.
    pub(super) fn finish(&self) -> Result<(), PackError> {
        let context = self.context;
        self.remind();
        // Databases that differ from build to build, and what was made of the app's own files.
        remove(&self.dir.join("gen/file")).map_err(PackError::io(&self.dir))?;
        let listed = fs::read_dir(&self.dir).map_err(PackError::io(&self.dir))?;
        for entry in listed.flatten() {
            if entry.file_name().to_string_lossy().contains("_cache_v") {
                remove(&entry.path()).map_err(PackError::io(entry.path()))?;
            }
        }
        let remote = self.dir.join("remote").is_dir();
        if self.has_modules() && !remote {
            output::line(
                "the packages are in node_modules; Deno's own copy stays out of the image",
            );
            context.declare(LAYER, CACHE, &context.remembered(LAYER))?;
            return context.launch_default("DENO_DIR", "/tmp/deno");
        }
        context.launch_default("DENO_DIR", &self.dir.to_string_lossy())?;
        // Deno files npm packages by the address that it got them from.
        match std::env::var("NPM_CONFIG_REGISTRY") {
            Ok(address) if self.dir.join("npm").is_dir() => {
                context.launch_default("NPM_CONFIG_REGISTRY", &without_user(&address))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Leaves all of it out of the image.
    pub(super) fn set_aside(&self) -> Result<(), PackError> {
        let modules = self.context.app.path("node_modules");
        remove(&modules).map_err(PackError::io(modules))?;
        self.context.declare(LAYER, CACHE, &self.context.remembered(LAYER))
    }

    fn run(&self, words: &[&str]) -> Result<(), PackError> {
        let tool = Tool::new("deno", words, self.context.app.dir());
        let tool = match std::env::var_os("SSL_CERT_FILE") {
            Some(bundle) => tool.env("DENO_CERT", bundle),
            None => tool,
        };
        tool.path(self.deno.path.join("bin"))
            .env("DENO_DIR", &self.dir)
            .env("DENO_NO_UPDATE_CHECK", "1")
            .env("DENO_NO_PROMPT", "1")
            .env("NO_COLOR", "1")
            .env("CI", "1")
            .env_default("NODE_ENV", "production")
            .run(&KNOWN)
    }

    fn has_modules(&self) -> bool {
        self.context.app.path("node_modules").is_dir()
    }

    /// Uploaded modules may be made for another machine.
    fn clear_uploaded(&self) -> Result<(), PackError> {
        let path = self.context.app.path("node_modules");
        if path.is_dir() && !path.is_symlink() {
            output::warning("node_modules was uploaded and is replaced; list it in .gitignore");
            remove(&path).map_err(PackError::io(path))?;
        }
        Ok(())
    }

    fn remind(&self) {
        let any =
            self.has_modules() || ["npm", "remote"].iter().any(|it| self.dir.join(it).is_dir());
        if any && !self.is_locked {
            output::warning(
                "there is no deno.lock, so versions may differ from yours; to fix them: \
                 deno install && git add deno.lock",
            );
        }
    }
}

/// An address without the name and password that it may hold.
fn without_user(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or(host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::without_user;

    #[test]
    fn an_image_holds_no_password() {
        assert_eq!(without_user("https://me:secret@npm.test/a@b/"), "https://npm.test/a@b/");
        assert_eq!(without_user("http://npm.test"), "http://npm.test");
    }
}
