//! Dependencies, always installed by uv into a virtual environment that is a layer.
//!
//! Bytecode is compiled with unchecked hashes: files of an image all have the same time, by which
//! Python would find its own cache stale at every start. uv does not verify what it takes from its
//! cache, so each app has a cache of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::locked;
use super::source::Source;
use super::version::Interpreter;
use crate::environment::sorted_entries;
use crate::lifecycle::remove;
use crate::packs::context::{CACHE, LAUNCH_CACHE};
use crate::packs::stamp::{Key, Made, stamped};
use crate::packs::tool::{Known, Tool};
use crate::packs::{App, BuildContext, PackError, output};
use crate::toolchain::Scheme;

/// The uv that we know; newer ones of the same line will do.
const UV: &str = ">=0.8";

const KNOWN: [Known; 8] = [
    (
        "pyproject.toml changed significantly since poetry.lock",
        "poetry.lock does not match pyproject.toml",
        "bring it up to date: poetry lock && git add poetry.lock",
    ),
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
        "fatal error:",
        "a package is compiled, and a header file of a C library is missing",
        "name the Debian package that has the file: echo libNAME-dev >> Aptfile",
    ),
    (
        "pkg-config",
        "a package is compiled, and a C library is missing",
        "name the Debian package that has its headers: echo libNAME-dev >> Aptfile",
    ),
    (
        "Failed to build",
        "a package has no ready-made wheel for this Python and cannot be compiled here",
        "ask for a Python that it has wheels for: echo 3.12 > .python-version",
    ),
];

/// Makes the virtual environment, or keeps the last build's.
pub(super) fn install(
    context: &BuildContext,
    source: Source,
    python: &Interpreter,
) -> Result<PathBuf, PackError> {
    let app = &context.app;
    // A requirements file may include others, which the key does not see.
    let requirements = match source {
        Source::Requirements(file) => app.text(file)?.unwrap_or_default(),
        _ => String::new(),
    };
    let includes =
        requirements.lines().any(|it| it.trim_start().starts_with('-') || it.contains("./"));
    let mut parts = vec![python.version.clone().into_bytes(), format!("{source:?}").into_bytes()];
    for name in source.inputs() {
        parts.push(app.bytes(name)?);
    }
    if includes {
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
    context.launch_default("VIRTUAL_ENV", &venv.to_string_lossy())?;
    Ok(venv)
}

/// Where it is noted that a server is not the app's own wish.
const ADDED: &str = ".added-server";

/// Adds a server to the environment of an app that has none which could run it.
pub(super) fn add_server(
    context: &BuildContext,
    source: Source,
    venv: &Path,
    server: &str,
    target: &str,
) -> Result<(), PackError> {
    let Some((_, range)) = SERVERS.iter().find(|(name, _)| *name == server) else {
        let reason = format!("no server is installed that could run {target}");
        return Err(PackError::app(reason, format!("add one: {}", source.addition(server))));
    };
    let uv = Uv::of(context, venv)?;
    uv.run(&["pip", "install", "--compile-bytecode", range])?;
    let note = venv.join(ADDED);
    fs::write(&note, server).map_err(PackError::io(note))
}

/// Says, in each build, that a server was added.
pub(super) fn remind(source: Source, venv: &Path) {
    if let Ok(server) = fs::read_to_string(venv.join(ADDED)) {
        output::warning(&format!(
            "the app has no server for production, so {server} was added; to choose its version \
             yourself: {}",
            source.addition(&server)
        ));
    }
}

/// Servers that are added, in versions that we know.
const SERVERS: [(&str, &str); 2] =
    [("gunicorn", "gunicorn>=23,<26"), ("uvicorn", "uvicorn>=0.34,<1")];

const UV_CACHE: &str = "uv_cache";

/// The bytes of all text files at the top and in `requirements/` that requirements could include.
fn everything_included(app: &App) -> Result<Vec<u8>, PackError> {
    let mut all = Vec::new();
    for folder in ["", "requirements"] {
        let folder = app.path(folder);
        if !folder.is_dir() {
            continue;
        }
        let entries = sorted_entries(&folder).map_err(PackError::io(&folder))?;
        let texts = |path: &&PathBuf| path.extension().is_some_and(|it| it == "txt");
        for path in entries.iter().filter(texts).filter(|path| path.is_file()) {
            all.extend(fs::read(path).map_err(PackError::io(path))?);
        }
    }
    Ok(all)
}

fn make(
    context: &BuildContext,
    source: Source,
    python: &Interpreter,
    dir: &Path,
) -> Result<(), PackError> {
    let uv = Uv::of(context, dir)?;
    let interpreter = python.path.to_string_lossy();
    uv.run(&["venv", "--allow-existing", "--python", &interpreter, &dir.to_string_lossy()])?;
    let from = |file: &str| uv.run(&["pip", "install", "--compile-bytecode", "-r", file]);
    let app = &context.app;
    let told = dir.join(".requirements.txt");
    let from_told = || {
        from(&told.to_string_lossy())?;
        remove(&told).map_err(PackError::io(&told))
    };
    let written = |text: String| {
        fs::write(&told, text).map_err(PackError::io(&told))?;
        from_told()
    };
    match source {
        Source::Lock => uv.run(&[
            "sync",
            "--locked",
            "--no-dev",
            "--compile-bytecode",
            "--python",
            &interpreter,
        ]),
        Source::Poetry => {
            uv.export_poetry(&interpreter, &told.to_string_lossy())?;
            from_told()
        }
        Source::PipfileLock => {
            written(locked::of_pipfile_lock(&app.text("Pipfile.lock")?.unwrap_or_default())?)
        }
        Source::PdmLock => {
            written(locked::of_pdm_lock(&app.text("pdm.lock")?.unwrap_or_default())?)
        }
        Source::Pylock => from("pylock.toml"),
        Source::Pipfile => written(locked::of_pipfile(&app.text("Pipfile")?.unwrap_or_default())?),
        Source::Requirements(file) => from(file),
        Source::Project => from("pyproject.toml"),
        Source::Setup => from("setup.py"),
        Source::Nothing => Ok(()),
    }
}

/// uv at work on one environment.
struct Uv<'a> {
    context: &'a BuildContext,
    program: PathBuf,
    venv: &'a Path,
}

impl<'a> Uv<'a> {
    fn of(context: &'a BuildContext, venv: &'a Path) -> Result<Self, PackError> {
        let uv = context.toolchain("uv", UV, Scheme::Pep440)?;
        output::line(&format!("uv {}", uv.version));
        context.kept(UV_CACHE)?;
        context.declare(UV_CACHE, CACHE, &UV_CACHE)?;
        Ok(Self { context, program: uv.path.join("bin/uv"), venv })
    }

    fn run(&self, args: &[&str]) -> Result<(), PackError> {
        Tool::new(&self.program, args, self.context.app.dir())
            .env("UV_CACHE_DIR", self.context.layer(UV_CACHE))
            .env("UV_PYTHON_DOWNLOADS", "never")
            .env("UV_NO_PROGRESS", "1")
            .env("UV_PROJECT_ENVIRONMENT", self.venv)
            .env("VIRTUAL_ENV", self.venv)
            .env("PYC_INVALIDATION_MODE", "UNCHECKED_HASH")
            .env("POETRY_VIRTUALENVS_CREATE", "false")
            .run(&KNOWN)
    }

    /// Poetry itself reads its lock, in an environment of its own; uv installs.
    fn export_poetry(&self, interpreter: &str, file: &str) -> Result<(), PackError> {
        let poetry = ["tool", "run", "--python", interpreter, "--from", "poetry>=2,<3"];
        let export = ["--with", "poetry-plugin-export", "poetry", "export", "--only", "main"];
        self.run(
            &[&poetry[..], &export, &["--format", "requirements.txt", "--output", file]].concat(),
        )
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
