//! PHP: Debian's interpreter with the extensions that are asked for, packages by Composer, php-fpm
//! behind nginx.

mod composer;
mod extensions;
mod prepare;
mod project;
mod site;
mod version;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use super::context::LAUNCH;
use super::packages::Packages;
use super::static_site::LAUNCHER;
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, nodejs, output, procfile};
use crate::php_server::OWN_CONFIG;
use composer::Source;
use project::Project;
use site::Site;

/// The buildpack `paas/php`.
#[derive(Debug)]
pub(crate) struct Php;

/// What every app runs with. The third is what php-fpm's package asks for, without systemd.
const RUN: [&str; 4] = ["nginx", "php8.4-cli", "systemd-standalone-tmpfiles", "php8.4-fpm"];

/// Our settings of PHP; the app's own `php.ini` comes after them. Files of an image never change, so
/// compiled ones are not compared with them.
const INI: &str = "\
expose_php = Off
display_errors = Off
variables_order = EGPCS
date.timezone = UTC
post_max_size = 100M
upload_max_filesize = 100M
realpath_cache_size = 4M
realpath_cache_ttl = 600
opcache.validate_timestamps = 0
opcache.max_accelerated_files = 30000
opcache.memory_consumption = 128
opcache.interned_strings_buffer = 16
";

impl Buildpack for Php {
    fn name(&self) -> &'static str {
        "php"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        Ok(sign(app)
            .map_or(Verdict::Unknown, |file| Verdict::Recognised(format!("there is {file}"))))
    }

    fn packages(&self, app: &App) -> Result<Packages, PackError> {
        let project = Project::of(app)?;
        let mut packages = Packages::new(RUN, ["php8.4-cli"]);
        let extensions = extensions::packages(&wanted(app, &project));
        packages.run.extend(extensions.iter().cloned());
        packages.build.extend(extensions);
        if Source::of(app, &project) == Source::Composer {
            packages.build.insert("composer".to_owned());
        }
        Ok(packages)
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        let app = &context.app;
        let project = Project::of(app)?;
        output::heading("PHP");
        version::choose(context, &project)?;
        let extensions = wanted(app, &project);
        extensions::check(&extensions)?;
        if !extensions.is_empty() {
            let names: Vec<_> = extensions.iter().map(String::as_str).collect();
            output::line(&format!("with {}, which the app asks for", names.join(", ")));
        }
        let framework = site::framework(app, &project).map(|(name, _)| name);
        prepare::folders(app, framework)?;
        let source = Source::of(app, &project);
        composer::install(context, &project, source, prepare::variables(framework))?;
        settings(context)?;
        output::heading("Web server");
        let site =
            if procfile::defines(app, "web") { None } else { Some(site::choose(app, &project)?) };
        serve(context)?;
        prepare::launch(context, framework)?;
        Ok(site.into_iter().map(|site| show(app, &site)).collect())
    }
}

/// Whether the app is one of PHP's, so that a package.json beside it is for its assets.
pub(super) fn owns(app: &App) -> bool {
    sign(app).is_some()
}

/// Whether there is a file that PHP apps begin with.
pub(super) fn has_index(app: &App) -> bool {
    site::index(app).is_some()
}

/// The file by which the app is PHP. Apps in other languages may have a composer.json, for tools.
fn sign(app: &App) -> Option<String> {
    let index = site::index(app);
    let composer = || app.has("composer.json").then(|| "composer.json".to_owned());
    let named = || {
        let text = app.text("Procfile").ok()??;
        let index = format!("{}/index.php", site::root_of_procfile(&text)?);
        app.has(&index).then_some(index)
    };
    let found = index.clone().and_then(|index| composer().or(Some(index))).or_else(named);
    found.or_else(composer).filter(|_| index.is_some() || !nodejs::starts(app))
}

/// The extensions that an app asks for, and those that one without a composer.json cannot.
fn wanted(app: &App, project: &Project) -> BTreeSet<String> {
    let mut wanted = project.extensions.clone();
    if site::framework(app, project).is_some_and(|(name, _)| name == "WordPress") {
        wanted.extend(["gd", "intl", "zip"].map(str::to_owned));
    }
    wanted
}

/// Where PHP reads settings after Debian's own.
fn settings(context: &BuildContext) -> Result<(), PackError> {
    let dir = context.fresh("settings")?;
    let write = |name: &str, text: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, text).map_err(PackError::io(path))
    };
    write("10-paas.ini", INI.as_bytes())?;
    if context.app.has("php.ini") {
        output::line("php.ini of the app changes the settings of PHP");
        write("20-app.ini", &context.app.bytes("php.ini")?)?;
    }
    context.declare("settings", LAUNCH, &"php.ini")?;
    // An empty part stands for the folder that PHP would read anyway.
    context.launch_default("PHP_INI_SCAN_DIR", &format!(":{}", dir.display()))
}

/// Puts the server where the app's processes find it, a Procfile's too.
fn serve(context: &BuildContext) -> Result<(), PackError> {
    let bin = context.fresh("server")?.join("bin");
    fs::create_dir_all(&bin).map_err(PackError::io(&bin))?;
    let link = bin.join("php-server");
    symlink(LAUNCHER, &link).map_err(PackError::io(&link))?;
    context.declare("server", LAUNCH, &"php-server")?;
    if context.app.has(OWN_CONFIG) {
        output::line(&format!(
            "nginx reads {OWN_CONFIG} of the app in place of the rules for paths"
        ));
    }
    Ok(())
}

fn show(app: &App, site: &Site) -> Process {
    let process = site.process();
    output::line(&format!("{} ({})", process.shown(), site.because));
    output::line(
        "nginx and php-fpm, as many processes as memory allows; to change: WEB_CONCURRENCY",
    );
    if !app.has("Procfile") {
        output::line("to change: echo 'web: php-server --root FOLDER' > Procfile");
    }
    process
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: Option<&str>) {
        let (app, _dir) = App::of(files);
        assert_eq!(sign(&app).as_deref(), expected, "{files:?}");
    }

    #[test]
    fn an_app_is_php_by_its_index_or_by_composer() {
        let (composer, index) = (("composer.json", "{}"), ("public/index.php", ""));
        let node = ("package.json", r#"{"scripts":{"start":"node server.js"}}"#);
        check(&[composer, index], Some("composer.json"));
        check(&[index], Some("public/index.php"));
        check(&[index, node], Some("public/index.php"));
        check(&[composer, node], None);
        check(&[composer], Some("composer.json"));
        check(
            &[("Procfile", "web: php-server --root src/pub"), ("src/pub/index.php", "")],
            Some("src/pub/index.php"),
        );
        check(&[("index.html", "")], None);
    }

    #[test]
    fn packages_are_those_of_the_extensions() {
        let (app, _dir) = App::of(&[("composer.json", r#"{"require":{"ext-gd":"*"}}"#)]);
        let packages = Php.packages(&app).unwrap();
        assert!(packages.run.contains("php8.4-gd") && packages.run.contains("nginx"));
        assert!(packages.build.contains("composer") && !packages.build.contains("nginx"));
        let (app, _dir) = App::of(&[("index.php", "")]);
        assert!(!Php.packages(&app).unwrap().build.contains("composer"));
    }
}
