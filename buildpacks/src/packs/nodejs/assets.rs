//! A `package.json` beside an app in another language: it makes the assets, and nothing of it is in
//! the image but what it made.

use super::install::Installation;
use super::manifest::Manifest;
use super::package_manager::Choice;
use super::{BuildScript, Runtimes, run_build_script, scripts, version, workspace};
use crate::packs::context::BUILD;
use crate::packs::{App, BuildContext, PackError, output, php, ruby};

/// Whose assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Ruby's buildpack comes after us: Rails makes its assets by Node.
    Ruby,
    /// PHP's buildpack came before us: assets may be made of its packages.
    Php,
}

impl Owner {
    /// The language that the app itself is written in, if it is another one.
    pub(super) fn of(app: &App) -> Option<Self> {
        let php = || php::owns(app).then_some(Self::Php);
        ruby::owns(app).then_some(Self::Ruby).or_else(php)
    }

    /// Whether Node takes part: without a build script, only Rails has a use for it.
    pub(super) fn employs(self, manifest: &Manifest) -> bool {
        scripts::build(manifest).is_some() || self == Self::Ruby && manifest.has_dependencies()
    }

    /// Why Node takes part.
    pub(super) fn because(self) -> &'static str {
        match self {
            Self::Ruby => "package.json makes the assets of an app in Ruby",
            Self::Php => "package.json makes the assets of an app in PHP",
        }
    }
}

/// Whether a package.json says how a server of its own is started.
pub(in crate::packs) fn starts(app: &App) -> bool {
    let manifest = Manifest::read(app).unwrap_or_default();
    let start = manifest.scripts.get("start");
    start.is_some_and(|script| !scripts::is_development(script, &manifest.scripts))
}

/// Installs everything and runs the build script, unless the owner does.
pub(super) fn build(context: &BuildContext, owner: Owner) -> Result<(), PackError> {
    let app = &context.app;
    let manifest = Manifest::read(app)?;
    let members = workspace::members(app, &manifest)?;
    let choice = Choice::of(app, &manifest)?;
    let wanted = version::wanted(app, &manifest)?;
    let runtimes = Runtimes::provide(context, &manifest, &choice, &wanted, !members.is_empty())?;
    let installation = runtimes.installation(context, &manifest, &members, &choice);
    if manifest.has_dependencies() || !members.is_empty() {
        installation.for_assets()?;
    }
    // The owner finds the package manager as it finds Node.
    if !choice.comes_with_node() {
        context.link("manager", BUILD, &choice.provide(context)?)?;
    }
    match owner {
        Owner::Ruby if ruby::runs_build_script(app) => {
            output::line("the build script is run by Rails, with its own assets");
            Ok(())
        }
        Owner::Ruby => scripted(context, &installation),
        Owner::Php => {
            scripted(context, &installation)?;
            installation.leave_out()
        }
    }
}

fn scripted(context: &BuildContext, installation: &Installation<'_>) -> Result<(), PackError> {
    let Some(name) = scripts::build(installation.manifest) else { return Ok(()) };
    output::heading("Build script");
    run_build_script(context, installation, BuildScript { dir: "", name })
}
