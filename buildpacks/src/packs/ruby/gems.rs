//! Gems, installed by Bundler into a layer.
//!
//! The layer is `GEM_HOME`, not Bundler's own path: so an app may use gems that Debian's packages
//! brought (an `Aptfile` with `puma`), and native gems stay compiled from one build to the next. The
//! app's `.bundle/config` is passed over: it says where gems are on its author's machine.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::bundle::Bundle;
use super::libraries::Image;
use super::version::Interpreter;
use crate::environment::sorted_entries;
use crate::lifecycle::remove;
use crate::packs::context::{CACHE, LAUNCH_CACHE};
use crate::packs::stamp::Key;
use crate::packs::tool::{Known, Tool};
use crate::packs::{BuildContext, PackError, output};
use crate::spec::Types;

/// The layer with the gems.
const LAYER: &str = "gems";
/// Written last: gems without it were never installed whole.
const STAMP: &str = ".stamp";
/// Groups that stay out, unless the user says otherwise for the build.
const WITHOUT: &str = "development:test";

const KNOWN: [Known; 9] = [
    (
        "Your Ruby version is",
        "Gemfile asks for another Ruby",
        "allow this one: write `ruby \"~> 3.3\"` in Gemfile, then bundle lock && git add Gemfile.lock",
    ),
    (
        "Your bundle only supports platforms",
        "Gemfile.lock was made on another kind of machine, and only for that",
        "add this one: bundle lock --add-platform x86_64-linux && git add Gemfile.lock",
    ),
    (
        "frozen",
        "Gemfile.lock does not match Gemfile",
        "bring it up to date: bundle lock && git add Gemfile.lock",
    ),
    (
        "in locally installed gems",
        "vendor/cache lacks a gem",
        "fill it: bundle cache --all-platforms && git add vendor/cache",
    ),
    (
        "in cached gems",
        "vendor/cache lacks a gem",
        "fill it: bundle cache --all-platforms && git add vendor/cache",
    ),
    (
        "Failed to build gem native extension",
        "a gem with a part in C cannot be compiled, most often because a library is missing",
        "name the library's Debian package: echo libexample-dev >> Aptfile",
    ),
    (
        "Could not fetch specs",
        "the server of the gems does not answer",
        "bring the gems along: bundle cache --all-platforms && git add vendor/cache",
    ),
    (
        "Could not reach host",
        "the server of the gems does not answer",
        "bring the gems along: bundle cache --all-platforms && git add vendor/cache",
    ),
    (
        "Authentication is required",
        "a server of gems wants a password",
        "give it: BUNDLE_HOST__NAME = \"user:password\" below [build.env] in paas.toml",
    ),
];

/// What the next build is to know of the layer.
#[derive(Serialize)]
struct Notes<'a> {
    key: &'a str,
    /// Native gems are compiled for one.
    ruby: &'a str,
}

/// The gems of an app, and how programs that use them are run.
#[derive(Debug)]
pub(super) struct Gems<'a> {
    context: &'a BuildContext,
    home: PathBuf,
    /// Where Ruby's own programs are, if not on the path.
    programs: Option<PathBuf>,
    frozen: bool,
}

impl<'a> Gems<'a> {
    /// Installs what is missing; nothing if nothing changed.
    pub(super) fn install(
        context: &'a BuildContext,
        bundle: &Bundle,
        ruby: &Interpreter,
        image: Image,
    ) -> Result<Self, PackError> {
        let (programs, frozen) = (ruby.bin.clone(), bundle.locked);
        let gems = Self { context, home: context.layer(LAYER), programs, frozen };
        let ruby = ruby.version.as_str();
        output::heading("Gems with Bundler");
        output::line(if bundle.locked {
            "from Gemfile.lock, without the groups development and test"
        } else {
            "from Gemfile; without a lock versions may differ from yours; to fix them: bundle lock"
        });
        if context.app.has(".bundle/config") {
            output::line(".bundle/config is not used; settings: BUNDLE_NAME below [build.env]");
        }
        let (key, types) = (gems.key(ruby)?, types(image));
        let note = |name: &str| {
            context.remembered(LAYER).and_then(|it| Some(it.get(name)?.as_str()?.to_owned()))
        };
        let stamp = gems.home.join(STAMP);
        let same = note("key").as_deref() == Some(key.text());
        if same && bundle.locked && stamp.is_file() {
            output::line("nothing changed since the last build, so they are used again");
            context.declare(LAYER, types, &Notes { key: key.text(), ruby })?;
            return Ok(gems);
        }
        // Gems of another Ruby do not load; those of this one need no second compilation.
        if note("ruby").as_deref() == Some(ruby) {
            context.kept(LAYER)?;
        } else {
            context.fresh(LAYER)?;
        }
        remove(&stamp).map_err(PackError::io(&stamp))?;
        // Declared before it is whole: a build that fails keeps what it compiled.
        context.declare(LAYER, types, &Notes { key: "", ruby })?;
        gems.bundle(gems.words())?;
        gems.bundle(&["clean", "--force"])?;
        gems.clear()?;
        fs::write(&stamp, key.text()).map_err(PackError::io(&stamp))?;
        context.declare(LAYER, types, &Notes { key: key.text(), ruby })?;
        Ok(gems)
    }

    /// What the running app needs to find its gems.
    pub(super) fn for_launch(&self) -> Result<(), PackError> {
        for (name, value) in self.variables() {
            self.context.launch_default(name, &value)?;
        }
        Ok(())
    }

    /// Runs `bundle exec` with these words.
    pub(super) fn exec(&self, words: &[&str], known: &[Known]) -> Result<(), PackError> {
        let words: Vec<&str> = std::iter::once("exec").chain(words.iter().copied()).collect();
        self.dress(Tool::new("bundle", &words, self.context.app.dir())).run(known)
    }

    /// A tool with the gems' programs and variables.
    pub(super) fn dress(&self, tool: Tool) -> Tool {
        let tool = self.programs.iter().cloned().fold(tool, Tool::path);
        let dressed = tool.path(self.home.join("bin"));
        self.variables().into_iter().fold(dressed, |tool, (name, value)| tool.env(name, value))
    }

    fn words(&self) -> &'static [&'static str] {
        if self.context.app.path("vendor/cache").is_dir() {
            output::line("vendor/cache has the gems: nothing is downloaded");
            return &["install", "--local"];
        }
        &["install"]
    }

    fn bundle(&self, words: &[&str]) -> Result<(), PackError> {
        let tool = Tool::new("bundle", words, self.context.app.dir());
        self.dress(tool)
            .env_default("BUNDLE_RETRY", "3")
            .env_default("BUNDLE_JOBS", "4")
            .run(&KNOWN)
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let without = std::env::var("BUNDLE_WITHOUT").unwrap_or_else(|_| WITHOUT.to_owned());
        let home = self.home.to_string_lossy().into_owned();
        let mut variables = vec![
            ("BUNDLE_APP_CONFIG", format!("{home}/.bundle")),
            ("BUNDLE_PATH__SYSTEM", "true".to_owned()),
            // The lock may name a Bundler that is not here; any newer one reads it.
            ("BUNDLE_VERSION", "system".to_owned()),
            ("BUNDLE_WITHOUT", without),
            ("GEM_HOME", home),
        ];
        if self.frozen {
            variables.push(("BUNDLE_FROZEN", "true".to_owned()));
        }
        variables
    }

    fn key(&self, ruby: &str) -> Result<Key, PackError> {
        let app = &self.context.app;
        let without = std::env::var("BUNDLE_WITHOUT").unwrap_or_default();
        let mut parts = vec![
            ruby.as_bytes().to_vec(),
            std::env::consts::ARCH.as_bytes().to_vec(),
            without.into_bytes(),
            app.bytes("Gemfile")?,
            app.bytes("Gemfile.lock")?,
        ];
        let vendored = app.path("vendor/cache");
        if vendored.is_dir() {
            let names = sorted_entries(&vendored).map_err(PackError::io(&vendored))?;
            parts.extend(names.iter().map(|path| path.to_string_lossy().into_owned().into_bytes()));
        }
        Ok(Key::of(parts.iter().map(Vec::as_slice)))
    }

    /// Removes the downloads and the traces of compilers: the image needs neither.
    fn clear(&self) -> Result<(), PackError> {
        for name in ["cache", "doc", "build_info"] {
            let path = self.home.join(name);
            remove(&path).map_err(PackError::io(path))?;
        }
        for name in ["gems", "extensions"] {
            let path = self.home.join(name);
            if path.is_dir() {
                remove_traces(&path, 0)?;
            }
        }
        Ok(())
    }
}

fn types(image: Image) -> Types {
    match image {
        Image::App => LAUNCH_CACHE,
        Image::Pages => CACHE,
    }
}

/// Object files and logs of compilers, which are named by time and place and differ in every build.
fn remove_traces(dir: &Path, depth: usize) -> Result<(), PackError> {
    const TRACES: [&str; 3] = ["mkmf.log", "gem_make.out", "Makefile"];
    const DEEPEST: usize = 8;
    for path in sorted_entries(dir).map_err(PackError::io(dir))? {
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() && depth < DEEPEST {
            remove_traces(&path, depth + 1)?;
        } else if path.extension().is_some_and(|it| it == "o") || TRACES.contains(&name) {
            remove(&path).map_err(PackError::io(&path))?;
        }
    }
    Ok(())
}
