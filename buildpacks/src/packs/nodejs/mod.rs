//! Node.js: the runtime, the dependencies by the lock file's package manager, a build script, a
//! start command.

mod assets;
mod commands;
mod frameworks;
mod install;
mod manifest;
mod package_manager;
mod scripts;
mod start;
mod version;
mod workspace;

use std::path::PathBuf;

use super::context::{BUILD, LAUNCH, LAUNCH_BUILD};
use super::static_site::serve;
use super::tool::Tool;
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, output, procfile};
use crate::toolchain::{Scheme, Toolchain};
use assets::Owner;
pub(super) use assets::starts;
use commands::Extent;
use install::Installation;
use manifest::Manifest;
use package_manager::{Choice, Manager};
use start::{Clues, Start};
use workspace::Member;

/// The buildpack `paas/nodejs`.
#[derive(Debug)]
pub(crate) struct Nodejs;

impl Buildpack for Nodejs {
    fn name(&self) -> &'static str {
        "nodejs"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        if let Some(owner) = Owner::of(app) {
            let manifest = Manifest::read(app).unwrap_or_default();
            let because = owner.because().to_owned();
            let verdict = Verdict::Recognised(because);
            return Ok(if owner.employs(&manifest) { verdict } else { Verdict::Unknown });
        }
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
        let members = workspace::members(app, &manifest).unwrap_or_default();
        let packages = if members.is_empty() {
            String::new()
        } else {
            let dirs: Vec<_> = members.iter().map(|it| it.dir.as_str()).collect();
            format!(", a workspace of {}", dirs.join(", "))
        };
        Ok(Verdict::Recognised(format!("there is package.json ({lock}{packages})")))
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        let app = &context.app;
        if let Some(owner) = Owner::of(app) {
            assets::build(context, owner)?;
            return Ok(Vec::new());
        }
        let manifest = Manifest::read(app)?;
        let members = workspace::members(app, &manifest)?;
        let member = workspace::chosen(&manifest, &members)?;
        let choice = Choice::of(app, &manifest)?;
        let wanted = version::wanted(app, &manifest)?;
        let runtimes =
            Runtimes::provide(context, &manifest, &choice, &wanted, !members.is_empty())?;
        let launched = launched(app, member.map_or(&manifest, |it| &it.manifest));
        let installation = Installation {
            launched,
            ..runtimes.installation(context, &manifest, &members, &choice)
        };
        let depends = manifest.has_dependencies() || !members.is_empty();
        let script = build_script(&manifest, member);
        if depends {
            installation.for_build(script.is_some())?;
        }
        if let Some(script) = script {
            output::heading("Build script");
            run_build_script(context, &installation, script)?;
        }
        let inner = member.map(|it| App::new(app.path(&it.dir)));
        let start = start::choose(&Clues {
            app: inner.as_ref().unwrap_or(app),
            root: app,
            dir: member.map_or("", |it| it.dir.as_str()),
            manifest: member.map_or(&manifest, |it| &it.manifest),
            manager: choice.manager,
        })?;
        if let Start::Pages { site, .. } = &start
            && !app.has("Procfile")
        {
            if depends {
                installation.leave_out()?;
            }
            runtimes.keep(context, &start)?;
            start.show();
            return Ok(vec![serve(context, site)?]);
        }
        let is_whole = matches!(start, Start::Command { is_whole: true, .. });
        if depends && is_whole && !app.has("Procfile") {
            output::line("the dependencies stay out of the image: the server has its own");
            installation.leave_out()?;
        } else if depends {
            installation.for_launch(script.is_some())?;
        }
        runtimes.keep(context, &start)?;
        context.launch_default("NODE_ENV", "production")?;
        context.launch_default("HOST", "0.0.0.0")?;
        context.launch_default("NPM_CONFIG_UPDATE_NOTIFIER", "false")?;
        start.show();
        Ok(match start {
            Start::Command { process, .. } => vec![process],
            Start::Pages { site, .. } => vec![serve(context, &site)?],
            Start::Procfile => Vec::new(),
        })
    }
}

/// The programs of a build, of which the image gets what the app needs to run.
struct Runtimes {
    node: Option<Toolchain>,
    bun: Option<Toolchain>,
    /// What native modules are made for.
    version: String,
    /// Folders with programs, the package manager's first.
    folders: Vec<PathBuf>,
}

impl Runtimes {
    /// Gets Node, unless Bun alone will do, and the package manager.
    fn provide(
        context: &BuildContext,
        manifest: &Manifest,
        choice: &Choice,
        wanted: &version::Wanted,
        workspaces: bool,
    ) -> Result<Self, PackError> {
        let mut runtimes =
            Self { node: None, bun: None, version: String::new(), folders: Vec::new() };
        let bun = choice.manager == Manager::Bun;
        if !(bun && wanted.is_default && bun_alone(manifest)) {
            output::heading("Node.js");
            let node = context.toolchain("node", &wanted.range, Scheme::Npm)?;
            output::line(&format!("version {} ({})", node.version, wanted.because));
            if wanted.is_default {
                output::line(
                    "to change: \"engines\": { \"node\": \"22.x\" } in package.json, or .nvmrc",
                );
            }
            runtimes.folders.push(context.link("node", BUILD, &node)?.join("bin"));
            runtimes.version.clone_from(&node.version);
            runtimes.node = Some(node);
        }
        if manifest.has_dependencies() || workspaces || bun {
            output::heading(&format!("Dependencies with {}", choice.manager.program()));
            output::line(&choice.because);
            if !choice.comes_with_node() {
                let manager = choice.provide(context)?;
                runtimes.folders.insert(0, manager.path.join("bin"));
                runtimes.version = format!("{} {}", runtimes.version, manager.version);
                runtimes.bun = bun.then_some(manager);
            }
        }
        Ok(runtimes)
    }

    /// The installation of packages with these programs.
    fn installation<'a>(
        &'a self,
        context: &'a BuildContext,
        manifest: &'a Manifest,
        members: &'a [Member],
        choice: &'a Choice,
    ) -> Installation<'a> {
        let Self { folders, version: node, .. } = self;
        let launched = Extent::Production;
        Installation { context, manifest, members, choice, folders, node, launched }
    }

    /// Makes layers of what the running app needs.
    fn keep(&self, context: &BuildContext, start: &Start) -> Result<(), PackError> {
        let (pages, procfile) = (matches!(start, Start::Pages { .. }), context.app.has("Procfile"));
        if let Some(bun) = &self.bun
            && (start.uses("bun") || procfile)
        {
            context.link("bun", LAUNCH, bun)?;
        }
        match &self.node {
            Some(node) if !pages || procfile => context.link("node", LAUNCH_BUILD, node).map(drop),
            Some(_) | None => Ok(()),
        }
    }
}

/// Whether nothing of the app is made for Node: the start command is Bun's own, or there is no
/// script at all.
fn bun_alone(manifest: &Manifest) -> bool {
    match manifest.scripts.get("start") {
        Some(script) => script.starts_with("bun "),
        None => !manifest.scripts.contains_key("build") && manifest.main.is_none(),
    }
}

/// What of the dependencies the running app needs: a start script may run what is only installed for
/// development, as `tsx` often is.
fn launched(app: &App, manifest: &Manifest) -> Extent {
    let start = manifest.scripts.get("start").filter(|_| !procfile::defines(app, "web"));
    let serves = start.filter(|script| !scripts::is_development(script, &manifest.scripts));
    let needed = serves.and_then(|script| scripts::needs_dev(script, manifest));
    let Some(package) = needed else { return Extent::Production };
    output::line(&format!(
        "the development dependencies stay, because the start script runs {package}; \
         to leave them out: npm install --save-prod {package}"
    ));
    Extent::Everything
}

/// A script that builds, and the folder of its package.json.
#[derive(Debug, Clone, Copy)]
struct BuildScript<'a> {
    dir: &'a str,
    name: &'static str,
}

/// The build script that is to run: the root's knows the order of a workspace.
fn build_script<'a>(manifest: &Manifest, member: Option<&'a Member>) -> Option<BuildScript<'a>> {
    if let Some(name) = scripts::build(manifest) {
        return Some(BuildScript { dir: "", name });
    }
    let member = member?;
    Some(BuildScript { dir: &member.dir, name: scripts::build(&member.manifest)? })
}

/// Runs the build script in a folder of the app, as its author would.
fn run_build_script(
    context: &BuildContext,
    installation: &Installation<'_>,
    script: BuildScript<'_>,
) -> Result<(), PackError> {
    let program = installation.choice.manager.program();
    let tool = Tool::new(program, &["run", script.name], &context.app.path(script.dir));
    let tool = installation.dress(tool).env_default("NODE_ENV", "production");
    // SvelteKit's adapter-auto takes the adapter for Node where it finds itself in a container build
    // of Google's; it knows no plainer way to be told.
    let auto = installation.depends_on("@sveltejs/adapter-auto");
    let tool = if auto { tool.env_default("GCP_BUILDPACKS", "1") } else { tool };
    tool.run(&commands::BUILD_KNOWN)
}
