//! Deno: the runtime, what the app imports, a build task, a start command.

mod config;
mod install;
mod start;
mod version;

use super::context::{BUILD, LAUNCH_BUILD};
use super::static_site::serve;
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, output};
use crate::toolchain::Scheme;
use config::Config;
use install::Installation;
use start::Start;

/// The buildpack `paas/deno`.
#[derive(Debug)]
pub(crate) struct Deno;

/// Lock files of Node's package managers.
const NODE_LOCKS: [&str; 6] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
];

impl Buildpack for Deno {
    fn name(&self) -> &'static str {
        "deno"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        let locked = app.has("deno.lock");
        let found = app.first(&["deno.json", "deno.jsonc"]);
        if app.has("package.json") && !locked {
            // Deno's files beside Node's may only be there for an editor or a formatter.
            let runs = Config::read(app).unwrap_or_default().has_tasks();
            if !runs || app.first(&NODE_LOCKS).is_some() {
                return Ok(Verdict::Unknown);
            }
        }
        let because = match (found, locked) {
            (Some(file), true) => format!("there is {file} (deno.lock)"),
            (Some(file), false) => format!("there is {file} (no deno.lock)"),
            (None, true) => "there is deno.lock".to_owned(),
            (None, false) => match start::server_by_text(app)? {
                Some(file) => format!("{file} calls Deno.serve"),
                None => return Ok(Verdict::Unknown),
            },
        };
        Ok(Verdict::Recognised(because))
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        let app = &context.app;
        let config = Config::read(app)?;
        output::heading("Deno");
        let wanted = version::wanted(app)?;
        let deno = context.toolchain("deno", &wanted.range, Scheme::Npm)?;
        output::line(&format!("version {} ({})", deno.version, wanted.because));
        if wanted.is_default {
            output::line("to change: echo 2.4 > .deno-version");
        }
        output::heading("Dependencies");
        let installation = Installation::begin(context, &config, &deno)?;
        installation.fetch()?;
        if config.task("build").is_some() {
            output::heading("Build task");
            installation.build()?;
            installation.fetch()?;
        }
        let start = start::choose(app, &config)?;
        start.show();
        if let Start::Pages { site, .. } = &start
            && !app.has("Procfile")
        {
            context.link("deno", BUILD, &deno)?;
            installation.set_aside()?;
            return Ok(vec![serve(context, site)?]);
        }
        context.link("deno", LAUNCH_BUILD, &deno)?;
        installation.finish()?;
        context.launch_default("DENO_NO_UPDATE_CHECK", "1")?;
        context.launch_default("DENO_NO_PROMPT", "1")?;
        context.launch_default("NODE_ENV", "production")?;
        Ok(match start {
            Start::Command { process, .. } => vec![process],
            Start::Pages { site, .. } => vec![serve(context, &site)?],
            Start::Procfile => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denos_files_beside_nodes_are_no_proof() {
        let check = |files: &[(&str, &str)], expected: Option<&str>| {
            let (app, _dir) = App::of(files);
            let seen = match Deno.detect(&app).unwrap() {
                Verdict::Recognised(because) => Some(because),
                Verdict::Unknown => None,
            };
            assert_eq!(seen.as_deref(), expected, "{files:?}");
        };
        let package = ("package.json", "{}");
        let tasks = ("deno.json", r#"{"tasks":{"start":"x"}}"#);
        check(&[("deno.json", "{}")], Some("there is deno.json (no deno.lock)"));
        check(&[("deno.json", r#"{"fmt":{}}"#), package], None);
        check(&[tasks, package], Some("there is deno.json (no deno.lock)"));
        check(&[tasks, package, ("package-lock.json", "{}")], None);
        check(
            &[tasks, package, ("package-lock.json", "{}"), ("deno.lock", "{}")],
            Some("there is deno.json (deno.lock)"),
        );
        check(&[("main.ts", "Deno.serve(f)")], Some("main.ts calls Deno.serve"));
        check(&[("main.ts", "console.log()")], None);
    }
}
