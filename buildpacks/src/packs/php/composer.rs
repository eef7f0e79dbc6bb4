//! Packages, installed by Composer.
//!
//! They lie in a layer, where the app has a link to it; Composer is told the true place, so that
//! what it generates fits both. It runs in every build: what it generates depends on the app's own
//! classes. Packages that write into the app's folders are installed there, each time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::project::Project;
use crate::lifecycle::remove;
use crate::packs::context::{CACHE, LAUNCH_CACHE};
use crate::packs::tool::{Known, Tool};
use crate::packs::{App, BuildContext, PackError, output};

/// Where packages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// composer.json asks for none, or there is none.
    Nothing,
    /// They were uploaded with the app.
    Uploaded,
    /// Composer installs them.
    Composer,
}

/// The layer with the packages.
const LAYER: &str = "packages";
/// Composer does not verify all that it takes from its cache, so the app has one of its own.
const DOWNLOADS: &str = "composer_cache";

const KNOWN: [Known; 8] = [
    (
        "is missing from your system",
        "an extension of PHP is missing",
        "require it, so that it is installed: composer require ext-NAME:\"*\"",
    ),
    (
        "your php version",
        "a package wants another PHP",
        "bring the lock up to date with PHP 8.4: composer update && git add composer.lock",
    ),
    (
        "is not present in the lock file",
        "composer.lock does not match composer.json",
        "bring it up to date: composer update --lock && git add composer.lock",
    ),
    (
        "Could not authenticate",
        "a server of packages wants a password",
        "give it: COMPOSER_AUTH = '{\"http-basic\": …}' below [build.env] in paas.toml",
    ),
    (
        "curl error",
        "the server of the packages does not answer",
        "bring the packages along: composer install --no-dev && git add -f vendor",
    ),
    (
        "could not be downloaded",
        "the server of the packages does not answer",
        "bring the packages along: composer install --no-dev && git add -f vendor",
    ),
    (
        "blocked by your allow-plugins config",
        "a plugin of Composer is not allowed by composer.json",
        "allow it: composer config allow-plugins.VENDOR/NAME true",
    ),
    (
        "returned with error code",
        "a script of composer.json failed",
        "if it wants what a build does not have, set it below [build.env] in paas.toml",
    ),
];

impl Source {
    /// The app's.
    pub(super) fn of(app: &App, project: &Project) -> Self {
        if app.has("vendor/autoload.php") {
            return Self::Uploaded;
        }
        if project.exists { Self::Composer } else { Self::Nothing }
    }
}

/// Makes the packages be there.
pub(super) fn install(
    context: &BuildContext,
    project: &Project,
    source: Source,
    variables: &[(&str, &str)],
) -> Result<(), PackError> {
    match source {
        Source::Nothing => return Ok(()),
        Source::Uploaded => {
            output::heading("Packages");
            output::line("vendor/ was uploaded and is used as it is");
            output::line("to have Composer install them: echo /vendor/ >> .gitignore");
            return Ok(());
        }
        Source::Composer => {}
    }
    output::heading("Packages with Composer");
    output::line(if project.locked {
        "from composer.lock, without those for development"
    } else {
        "from composer.json; without a lock versions may differ from yours; to fix them: composer update"
    });
    let downloads = context.kept(DOWNLOADS)?;
    context.declare(DOWNLOADS, CACHE, &DOWNLOADS)?;
    let vendor = place(context, project)?;
    let words =
        ["install", "--no-dev", "--no-interaction", "--no-progress", "--optimize-autoloader"];
    let tool = Tool::new("composer", &words, context.app.dir())
        .env("COMPOSER_CACHE_DIR", downloads)
        .env("COMPOSER_HOME", "/tmp/composer")
        .env_default("COMPOSER_ROOT_VERSION", "1.0.0");
    let tool = vendor.iter().fold(tool, |tool, vendor| tool.env("COMPOSER_VENDOR_DIR", vendor));
    variables.iter().fold(tool, |tool, (name, value)| tool.env_default(name, value)).run(&KNOWN)
}

/// The folder of the packages in a layer, with the link to it; none if they belong in the app's.
fn place(context: &BuildContext, project: &Project) -> Result<Option<PathBuf>, PackError> {
    if let Some(why) = project.scattered {
        output::line(&format!("installing inside of the app's folder, because {why}"));
        return Ok(None);
    }
    let vendor = context.kept(LAYER)?.join("vendor");
    context.declare(LAYER, LAUNCH_CACHE, &LAYER)?;
    fs::create_dir_all(&vendor).map_err(PackError::io(&vendor))?;
    let link = context.app.path("vendor");
    remove(&link).map_err(PackError::io(&link))?;
    symlink(&vendor, &link).map_err(PackError::io(link))?;
    Ok(Some(vendor))
}
