//! Node.js: the runtime, the dependencies by the lock file's package manager, a build script, a
//! start command.

mod install;
mod manifest;
mod package_manager;
mod start;
mod version;

use super::context::LAUNCH_BUILD;
use super::tool::Tool;
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, output};
use crate::toolchain::Scheme;
use install::Installation;
use manifest::Manifest;
use package_manager::{Choice, Manager};

/// The buildpack `paas/nodejs`.
#[derive(Debug)]
pub(crate) struct Nodejs;

impl Buildpack for Nodejs {
    fn name(&self) -> &'static str {
        "nodejs"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        if !app.has("package.json") {
            let server = start::server_without_manifest(app)?;
            return Ok(server.map_or(Verdict::Unknown, |file| {
                Verdict::Recognised(format!("{file} starts a server and there is no package.json"))
            }));
        }
        // A package.json that only holds tools beside a plain site is no reason to run Node.
        let manifest = Manifest::read(app).unwrap_or_default();
        let plain = app.has("index.html") && manifest.scripts.is_empty() && manifest.main.is_none();
        if plain && start::server_file(app).is_none() {
            return Ok(Verdict::Unknown);
        }
        let lock = Choice::by_files(app).map_or("no lock file", |(file, _)| file);
        Ok(Verdict::Recognised(format!("there is package.json ({lock})")))
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        let app = &context.app;
        let manifest = Manifest::read(app)?;
        output::heading("Node.js");
        let wanted = version::wanted(app, &manifest)?;
        let node = context.toolchain("node", &wanted.range, Scheme::Npm)?;
        output::line(&format!("version {} ({})", node.version, wanted.because));
        if wanted.is_default {
            output::line(
                "to change: \"engines\": { \"node\": \"22.x\" } in package.json, or .nvmrc",
            );
        }
        let layer = context.link("node", LAUNCH_BUILD, &node)?;
        context.launch_default("NODE_ENV", "production")?;
        context.launch_default("NPM_CONFIG_UPDATE_NOTIFIER", "false")?;
        let mut folders = vec![layer.join("bin")];
        let mut choice = Choice::of(app, &manifest)?;
        if manifest.has_dependencies() {
            output::heading(&format!("Dependencies with {}", choice.manager.program()));
            output::line(&choice.because);
            if choice.manager != Manager::Npm {
                folders.insert(0, choice.provide(context)?);
            }
        }
        let installation = Installation {
            context,
            manifest: &manifest,
            choice: &choice,
            folders: &folders,
            node: &node.version,
        };
        let scripted = manifest.scripts.contains_key("build");
        if manifest.has_dependencies() {
            installation.for_build(scripted)?;
        }
        if scripted {
            output::heading("Build script");
            script(context, &installation, "build")?;
        }
        if manifest.has_dependencies() {
            installation.for_launch(scripted)?;
        }
        start::processes(context, &manifest)
    }
}

/// Runs one of the app's scripts as its author would.
fn script(
    context: &BuildContext,
    installation: &Installation<'_>,
    name: &str,
) -> Result<(), PackError> {
    const KNOWN: [super::tool::Known; 3] = [
        (
            "Cannot find module",
            "a module is missing",
            "add the module to \"dependencies\": npm install --save MODULE",
        ),
        (
            "command not found",
            "a program is missing",
            "add the package that has the program: npm install --save-dev PACKAGE",
        ),
        (
            "JavaScript heap out of memory",
            "Node ran out of memory",
            "give the build more: paas config set NODE_OPTIONS=--max-old-space-size=1024",
        ),
    ];
    let program = installation.choice.manager.program();
    let tool = Tool::new(program, &["run", name], context.app.dir());
    installation.dress(tool).env_default("NODE_ENV", "production").run(&KNOWN)
}
