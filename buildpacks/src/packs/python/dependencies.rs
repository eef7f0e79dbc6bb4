//! Dependencies, always installed by uv into a virtual environment that is a layer.
//!
//! Bytecode is compiled with unchecked hashes: files of an image all have the same time, by which
//! Python would find its own cache stale at every start. uv does not verify what it takes from its
//! cache, so each app has a cache of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::version::Interpreter;
use crate::lifecycle::remove;
use crate::packs::context::{CACHE, LAUNCH_CACHE};
use crate::packs::stamp::{Key, Made, stamped};
use crate::packs::tool::{Known, Tool};
use crate::packs::{App, BuildContext, PackError, output};
use crate::toolchain::Scheme;

/// Where the dependencies are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Lock,
    Requirements,
    Project,
    Nothing,
}

/// The uv that we know; newer ones of the same line will do.
const UV: &str = ">=0.8";

const KNOWN: [Known; 5] = [
    (
        "needs to be updated",
        "uv.lock does not match pyproject.toml",
        "bring it up to date: uv lock && git add uv.lock",
    ),
    (
        "No solution found",
        "the versions that the app asks for cannot go together",
        "find the pair: uv pip compile requirements.txt; then change one of the versions",
    ),
    (
        "was not found in the package registry",
        "a package does not exist",
        "check the names in requirements.txt",
    ),
    (
        "Couldn't parse requirement",
        "a line of requirements.txt is not a requirement",
        "write one package a line, as in `flask==3.1.0`",
    ),
    (
        "Failed to build",
        "a package has no ready-made wheel for this Python and cannot be compiled here",
        "ask for a Python that it has wheels for: echo 3.12 > .python-version",
    ),
];

impl Source {
    /// The app's source of dependencies.
    pub(super) fn of(app: &App) -> Result<Self, PackError> {
        if app.has("uv.lock") {
            return Ok(Self::Lock);
        }
        if app.has("requirements.txt") {
            return Ok(Self::Requirements);
        }
        let project = app.text("pyproject.toml")?.unwrap_or_default();
        let table: toml::Table = toml::from_str(&project).unwrap_or_default();
        if table.contains_key("project") {
            return Ok(Self::Project);
        }
        let poetry = table.get("tool").is_some_and(|tool| tool.get("poetry").is_some());
        if poetry || app.has("Pipfile") {
            let (file, export) = if poetry {
                ("pyproject.toml for Poetry", "poetry export -o requirements.txt")
            } else {
                ("a Pipfile", "pipenv requirements > requirements.txt")
            };
            let reason = format!("the dependencies are in {file}, which is not supported");
            return Err(PackError::app(reason, format!("{export} && git add requirements.txt")));
        }
        Ok(Self::Nothing)
    }

    /// Why, for the log.
    pub(super) fn because(self) -> &'static str {
        match self {
            Self::Lock => "from uv.lock",
            Self::Requirements => "from requirements.txt",
            Self::Project => {
                "from pyproject.toml; without a lock versions may differ from yours; to fix them: uv lock"
            }
            Self::Nothing => "none: there is no requirements.txt, uv.lock or pyproject.toml",
        }
    }

    /// Files that decide what is installed.
    fn inputs(self) -> &'static [&'static str] {
        match self {
            Self::Lock => &["uv.lock", "pyproject.toml", "uv.toml"],
            Self::Requirements => &["requirements.txt", "uv.toml"],
            Self::Project => &["pyproject.toml", "uv.toml"],
            Self::Nothing => &[],
        }
    }
}

/// Makes the virtual environment, or keeps the last build's.
pub(super) fn install(
    context: &BuildContext,
    source: Source,
    python: &Interpreter,
) -> Result<(), PackError> {
    let app = &context.app;
    // A requirements file may include others, which the key does not see.
    let requirements = app.text("requirements.txt")?.unwrap_or_default();
    let includes =
        requirements.lines().any(|it| it.trim_start().starts_with('-') || it.contains("./"));
    let mut parts = vec![python.version.clone().into_bytes(), format!("{source:?}").into_bytes()];
    for name in source.inputs() {
        parts.push(app.bytes(name)?);
    }
    if source == Source::Requirements && includes {
        parts.push(everything_included(app)?);
    }
    let key = Key::of(parts.iter().map(Vec::as_slice));
    let (venv, made) =
        stamped(context, "venv", LAUNCH_CACHE, &key, |dir| make(context, source, python, dir))?;
    if made == Made::Kept {
        output::line("nothing changed since the last build, so they are used again");
        if context.layer(UV_CACHE).is_dir() {
            context.declare(UV_CACHE, CACHE, &UV_CACHE)?;
        }
    }
    point_to(&venv, &python.path)?;
    context.launch_default("VIRTUAL_ENV", &venv.to_string_lossy())
}

const UV_CACHE: &str = "uv_cache";

/// The bytes of all text files at the top that requirements could include.
fn everything_included(app: &App) -> Result<Vec<u8>, PackError> {
    let entries =
        crate::environment::sorted_entries(app.dir()).map_err(PackError::io(app.dir()))?;
    let mut all = Vec::new();
    for path in entries.iter().filter(|path| path.extension().is_some_and(|it| it == "txt")) {
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        all.extend(app.bytes(name)?);
    }
    Ok(all)
}

fn make(
    context: &BuildContext,
    source: Source,
    python: &Interpreter,
    dir: &Path,
) -> Result<(), PackError> {
    let uv = context.toolchain("uv", UV, Scheme::Pep440)?;
    output::line(&format!("uv {}", uv.version));
    let cache = context.kept(UV_CACHE)?;
    context.declare(UV_CACHE, CACHE, &UV_CACHE)?;
    let (interpreter, venv) = (python.path.to_string_lossy(), dir.to_string_lossy());
    let run = |args: &[&str]| {
        Tool::new(uv.path.join("bin/uv"), args, context.app.dir())
            .env("UV_CACHE_DIR", &cache)
            .env("UV_PYTHON_DOWNLOADS", "never")
            .env("UV_NO_PROGRESS", "1")
            .env("UV_PROJECT_ENVIRONMENT", dir)
            .env("VIRTUAL_ENV", dir)
            .env("PYC_INVALIDATION_MODE", "UNCHECKED_HASH")
            .run(&KNOWN)
    };
    run(&["venv", "--allow-existing", "--python", &interpreter, &venv])?;
    let pip = ["pip", "install", "--compile-bytecode", "-r"];
    match source {
        Source::Lock => {
            run(&["sync", "--locked", "--no-dev", "--compile-bytecode", "--python", &interpreter])
        }
        Source::Requirements => run(&[&pip[..], &["requirements.txt"]].concat()),
        Source::Project => run(&[&pip[..], &["pyproject.toml"]].concat()),
        Source::Nothing => Ok(()),
    }
}

/// Makes the environment refer to the interpreter by the path it has in the app's container: uv
/// resolves links, and a toolchain's real path exists in the build container only.
fn point_to(venv: &Path, python: &Path) -> Result<(), PackError> {
    let link = venv.join("bin/python");
    // A kept layer is not touched: its files' times are how the daemon knows that it is the same.
    if fs::read_link(&link).ok().as_deref() != Some(python) {
        remove(&link).map_err(PackError::io(&link))?;
        symlink(python, &link).map_err(PackError::io(&link))?;
    }
    let config = venv.join("pyvenv.cfg");
    let text = fs::read_to_string(&config).map_err(PackError::io(&config))?;
    let home = python.parent().unwrap_or(python).display();
    let rewritten = |line: &str| match line.split_once('=') {
        Some((key, _)) if key.trim() == "home" => format!("home = {home}\n"),
        _ => format!("{line}\n"),
    };
    let fixed: String = text.lines().map(rewritten).collect();
    if fixed == text {
        return Ok(());
    }
    fs::write(&config, fixed).map_err(PackError::io(config))
}
