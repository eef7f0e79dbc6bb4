//! Rust: a toolchain, `cargo build --release`, a process for each program.
//!
//! The target folder and Cargo's own are layers of the app and never shared: nothing verifies what
//! is taken from them.

mod programs;
mod version;

use std::fs;

use super::context::{CACHE, LAUNCH};
use super::tool::{Known, Tool};
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, output, procfile};
use programs::Program;

/// The buildpack `paas/rust`.
#[derive(Debug)]
pub(crate) struct Rust;

const KNOWN: [Known; 5] = [
    (
        "needs to be updated but --locked was passed",
        "Cargo.lock does not match Cargo.toml",
        "bring it up to date: cargo update --workspace && git add Cargo.lock",
    ),
    (
        "cannot update the lock file",
        "Cargo.lock does not match Cargo.toml",
        "bring it up to date: cargo update --workspace && git add Cargo.lock",
    ),
    (
        "is not supported by the following package",
        "a package needs a newer Rust",
        "ask for one: printf '[toolchain]\\nchannel = \"stable\"\\n' > rust-toolchain.toml",
    ),
    (
        "no matching package named",
        "a package does not exist",
        "check the names below [dependencies] in Cargo.toml",
    ),
    (
        "could not compile",
        "the code does not compile for release",
        "see the errors above, or try it: cargo build --release",
    ),
];

impl Buildpack for Rust {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        if !app.has("Cargo.toml") {
            return Ok(Verdict::Unknown);
        }
        let lock = if app.has("Cargo.lock") { "Cargo.lock" } else { "no Cargo.lock" };
        Ok(Verdict::Recognised(format!("there is Cargo.toml ({lock})")))
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        let app = &context.app;
        output::heading("Rust");
        let wanted = version::wanted(app)?;
        let rust = context.toolchain("rust", &wanted.range, wanted.scheme)?;
        output::line(&format!("version {} ({})", rust.version, wanted.because));
        let (home, target) = (context.kept("cargo_home")?, context.kept("target")?);
        context.declare("cargo_home", CACHE, &rust.version)?;
        context.declare("target", CACHE, &rust.version)?;
        let dress = |tool: Tool| {
            tool.path(rust.path.join("bin"))
                .env("CARGO_HOME", &home)
                .env("CARGO_TARGET_DIR", &target)
                .env("CARGO_TERM_COLOR", "never")
                .env("CARGO_TERM_PROGRESS_WHEN", "never")
                .env("RUSTC", rust.path.join("bin/rustc"))
        };
        let mut locked = Vec::new();
        if app.has("Cargo.lock") {
            locked.push("--locked");
        } else {
            output::warning(
                "there is no Cargo.lock, so versions may differ from yours; to fix them: \
                 git add -f Cargo.lock",
            );
        }
        let cargo = rust.path.join("bin/cargo");
        let ask = ["metadata", "--no-deps", "--format-version=1"];
        let text = dress(Tool::new(&cargo, &ask, app.dir())).read(&KNOWN)?;
        let programs = programs::of_metadata(&text)?;
        output::heading("Building");
        let mut words = vec!["build", "--release"];
        words.extend(locked);
        for program in &programs {
            words.extend(["--package", program.package.as_str(), "--bin", program.name.as_str()]);
        }
        dress(Tool::new(&cargo, &words, app.dir())).run(&KNOWN)?;
        let bin = context.fresh("programs")?.join("bin");
        fs::create_dir_all(&bin).map_err(PackError::io(&bin))?;
        for program in &programs {
            let built = target.join("release").join(&program.name);
            fs::copy(&built, bin.join(&program.name)).map_err(PackError::io(built))?;
        }
        context.declare("programs", LAUNCH, &rust.version)?;
        processes(app, &programs)
    }
}

/// A process for each program; the one that serves is `web`.
fn processes(app: &App, programs: &[Program]) -> Result<Vec<Process>, PackError> {
    output::heading("Processes");
    let mut processes = Vec::new();
    for program in programs {
        let own = program.name.to_lowercase().replace('_', "-");
        let kind = if program.is_web { "web".to_owned() } else { own };
        output::line(&format!("{kind}: {} (package {})", program.name, program.package));
        processes.push(Process::new(kind, &[program.name.as_str()]));
    }
    if programs.iter().any(|it| it.is_web) || procfile::defines(app, "web") || app.has("Procfile") {
        return Ok(processes);
    }
    let names: Vec<&str> = programs.iter().map(|it| it.name.as_str()).collect();
    Err(PackError::app(
        format!(
            "the app has several programs ({}), and none is called web or server",
            names.join(", ")
        ),
        format!(
            "say which one serves: default-run = \"{0}\" below [package] in Cargo.toml, or \
             echo 'web: {0}' > Procfile",
            names.first().unwrap_or(&"NAME")
        ),
    ))
}
