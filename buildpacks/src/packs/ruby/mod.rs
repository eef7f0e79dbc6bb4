//! Ruby: Debian's interpreter or a portable one, gems by Bundler, the assets of Rails, a web process.

mod bundle;
mod gems;
mod libraries;
mod rails;
mod start;
mod version;

use super::packages::Packages;
use super::static_site::{Missing, Site, serve};
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, nodejs, output, php};
use crate::lifecycle::remove;
use bundle::Bundle;
use gems::Gems;
use libraries::Image;
use start::Start;

/// The buildpack `paas/ruby`.
#[derive(Debug)]
pub(crate) struct Ruby;

impl Buildpack for Ruby {
    fn name(&self) -> &'static str {
        "ruby"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        Ok(sign(app)?.map_or(Verdict::Unknown, Verdict::Recognised))
    }

    fn packages(&self, app: &App) -> Result<Packages, PackError> {
        let bundle = Bundle::of(app)?;
        let image = match start::generator(app, &bundle) {
            Some(_) if !app.has("Procfile") => Image::Pages,
            Some(_) | None => Image::App,
        };
        let debian = version::is_of_the_stack(app)?;
        let whose = if debian { libraries::Ruby::Debian } else { libraries::Ruby::Portable };
        Ok(libraries::packages(&bundle, image, whose))
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        let app = &context.app;
        let bundle = Bundle::of(app)?;
        output::heading("Ruby");
        let start = start::choose(app, &bundle)?;
        let image = match start {
            Start::Pages(_) if !app.has("Procfile") => Image::Pages,
            Start::Pages(_) | Start::Command { .. } | Start::Procfile => Image::App,
        };
        let ruby = version::choose(context, image)?;
        if bundle.exists {
            let gems = Gems::install(context, &bundle, &ruby, image)?;
            if start::is_rails(app, &bundle) {
                rails::make_assets(context, &bundle, &gems)?;
                rails::prepare(context)?;
            }
            if let Start::Pages(generator) = &start {
                output::heading("Building");
                gems.exec(generator.words, &[])?;
            }
            gems.for_launch()?;
        }
        remove_modules(app)?;
        context.launch_default("RACK_ENV", "production")?;
        context.launch_default("LANG", "C.UTF-8")?;
        // Ruby's threads and glibc's arenas together hold on to memory without this.
        context.launch_default("MALLOC_ARENA_MAX", "2")?;
        start.show(app, &bundle);
        Ok(match start {
            Start::Command { process, .. } => vec![process],
            Start::Pages(generator) => {
                let root = generator.folder.to_owned();
                vec![serve(context, &Site { root, missing: Missing::NotFound })?]
            }
            Start::Procfile => Vec::new(),
        })
    }
}

/// Whether the app is one of Ruby's, so that a package.json beside it is for its assets.
pub(super) fn owns(app: &App) -> bool {
    sign(app).is_ok_and(|sign| sign.is_some())
}

/// Whether making the assets runs the build script of package.json.
pub(super) fn runs_build_script(app: &App) -> bool {
    Bundle::of(app)
        .is_ok_and(|bundle| start::is_rails(app, &bundle) && rails::runs_build_script(&bundle))
}

/// Why the app is one of Ruby's.
fn sign(app: &App) -> Result<Option<String>, PackError> {
    let bundle = Bundle::of(app)?;
    let program = match app.first(&["config.ru", "config/application.rb"]) {
        Some(file) => Some(file),
        None => start::program(app)?,
    };
    // Apps for telephones and sites in other languages have a Gemfile, too, for tools.
    let other = nodejs::starts(app) || php::has_index(app);
    if bundle.exists && (program.is_some() || !other) {
        let lock = if bundle.locked { "Gemfile.lock" } else { "no lock file" };
        return Ok(Some(format!("there is Gemfile ({lock})")));
    }
    Ok(program.filter(|_| !other).map(|file| format!("there is {file}")))
}

/// The assets are made, and the image has no Node that could load what made them.
fn remove_modules(app: &App) -> Result<(), PackError> {
    let modules = app.path("node_modules");
    remove(&modules).map_err(PackError::io(modules))
}
