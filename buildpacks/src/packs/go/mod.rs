//! Go: a toolchain, `go build` of the app's programs into a layer, a process for each.
//!
//! Caches are layers of the app, not shared: Go does not verify what it takes from its build cache
//! or from unpacked modules.

mod module;
mod programs;

use super::context::{CACHE, LAUNCH};
use super::tool::{Known, Tool};
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, output, procfile};
use crate::toolchain::Scheme;
use module::Module;

/// The buildpack `paas/go`.
#[derive(Debug)]
pub(crate) struct Go;

const KNOWN: [Known; 4] = [
    (
        "no required module provides package",
        "a module is missing from go.mod",
        "add it: go mod tidy && git add go.mod go.sum",
    ),
    (
        "missing go.sum entry",
        "go.sum does not match go.mod",
        "bring it up to date: go mod tidy && git add go.sum",
    ),
    (
        "updates to go.mod needed",
        "go.mod is not up to date",
        "bring it up to date: go mod tidy && git add go.mod go.sum",
    ),
    (
        "inconsistent vendoring",
        "vendor/ does not match go.mod",
        "bring it up to date: go mod vendor && git add vendor",
    ),
];

impl Buildpack for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        if !app.has("go.mod") {
            return Ok(Verdict::Unknown);
        }
        let vendored =
            if app.has("vendor/modules.txt") { ", with its modules in vendor/" } else { "" };
        Ok(Verdict::Recognised(format!("there is go.mod{vendored}")))
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        let app = &context.app;
        let module = Module::parse(&app.text("go.mod")?.unwrap_or_default())?;
        output::heading("Go");
        let go = context.toolchain("go", &module.version, Scheme::Minimum)?;
        output::line(&format!("version {} ({})", go.version, module.because));
        let programs = programs::find(app, &module)?;
        let bin = context.fresh("programs")?.join("bin");
        let (build_cache, modules) = (context.kept("build_cache")?, context.kept("modules")?);
        output::heading("Building");
        let mut words = vec!["build".to_owned(), "-trimpath".into(), "-buildvcs=false".into()];
        words.extend(["-o".to_owned(), format!("{}/", bin.display())]);
        words.extend(programs.iter().map(|program| program.package.clone()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        std::fs::create_dir_all(&bin).map_err(PackError::io(&bin))?;
        Tool::new(go.path.join("bin/go"), &words, app.dir())
            .path(go.path.join("bin"))
            .env("GOROOT", &go.path)
            .env("GOCACHE", &build_cache)
            .env("GOMODCACHE", &modules)
            .env("GOTOOLCHAIN", "local")
            .env("GOTELEMETRY", "off")
            // Symbols are for debuggers: panics name functions without them, and linking is faster.
            .env_default("GOFLAGS", "-modcacherw -ldflags=-s")
            .env_default("CGO_ENABLED", module.cgo())
            .run(&KNOWN)?;
        context.declare("programs", LAUNCH, &go.version)?;
        context.declare("build_cache", CACHE, &go.version)?;
        context.declare("modules", CACHE, &go.version)?;
        processes(app, &programs)
    }
}

/// A process for each program; the one that serves is `web`.
fn processes(app: &App, programs: &[programs::Program]) -> Result<Vec<Process>, PackError> {
    output::heading("Processes");
    let mut processes = Vec::new();
    let mut web = false;
    for program in programs {
        let kind = if program.is_web { "web" } else { program.name.as_str() };
        web |= program.is_web;
        output::line(&format!("{kind}: {} ({})", program.name, program.package));
        processes.push(Process::new(kind, &[program.name.as_str()]));
    }
    if web || procfile::defines(app, "web") || app.has("Procfile") {
        return Ok(processes);
    }
    let names: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
    Err(PackError::app(
        format!(
            "the app has several programs ({}), and none is called web or server",
            names.join(", ")
        ),
        format!(
            "say which one serves: echo 'web: {}' > Procfile",
            names.first().unwrap_or(&"NAME")
        ),
    ))
}
