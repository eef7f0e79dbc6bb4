//! Aptfiles: Debian packages that an app needs, one a line.
//!
//! It goes with every language, and with buildpacks of others. Only names are taken: a repository
//! or a file from elsewhere would be root's business, decided by whoever owns that address.

use std::collections::BTreeSet;

use super::{App, BuildContext, Buildpack, PackError, Packages, Process, Verdict, output};
use crate::packages::{MAX_PACKAGES, Package};

/// The buildpack `paas/aptfile`.
#[derive(Debug)]
pub(crate) struct Aptfile;

impl Buildpack for Aptfile {
    fn name(&self) -> &'static str {
        NAME
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        // A faulty one is recognised too, and fails the build: an optional buildpack that fails
        // its detection would only drop out.
        let Ok(packages) = packages(app) else {
            return Ok(Verdict::Recognised("there is an Aptfile".to_owned()));
        };
        if packages.is_empty() {
            return Ok(Verdict::Unknown);
        }
        Ok(Verdict::Recognised(format!("Aptfile names {}", listed(&packages))))
    }

    fn packages(&self, app: &App) -> Result<Packages, PackError> {
        let packages = packages(app).unwrap_or_default();
        let names = || packages.iter().map(Package::as_str);
        Ok(Packages::new(names(), names()))
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        output::heading("Packages from Aptfile");
        output::line(&listed(&packages(&context.app)?));
        Ok(Vec::new())
    }
}

/// The part of its id after `paas/`.
pub(super) const NAME: &str = "aptfile";

/// Fails if there is a faulty Aptfile.
pub(super) fn check(app: &App) -> Result<(), PackError> {
    packages(app).map(drop)
}

fn packages(app: &App) -> Result<BTreeSet<Package>, PackError> {
    parse(&app.text("Aptfile")?.unwrap_or_default())
}

fn parse(text: &str) -> Result<BTreeSet<Package>, PackError> {
    let mut packages = BTreeSet::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        // Heroku's takes several a line, too.
        for word in line.split('#').next().unwrap_or_default().split_whitespace() {
            let fault = |what: &str, hint: &str| {
                PackError::app(format!("Aptfile line {}: {what}", index + 1), hint)
            };
            if word.starts_with(":repo:") {
                return Err(fault(
                    "packages are taken from Debian's own archive only, and `:repo:` names another",
                    "delete the line, and see what Debian has: apt-cache search WORD",
                ));
            }
            if word.contains('/') || word.to_ascii_lowercase().ends_with(".deb") {
                return Err(fault(
                    &format!(
                        "`{word}` is a file; packages are taken from Debian's own archive only"
                    ),
                    "write the package's name, as in `libvips42t64`",
                ));
            }
            packages.insert(word.parse().map_err(|error: crate::packages::InvalidPackage| {
                fault(&error.to_string(), "write one package a line, as in `ffmpeg`")
            })?);
        }
    }
    if packages.len() > MAX_PACKAGES {
        let reason = format!("Aptfile names more than {MAX_PACKAGES} packages");
        return Err(PackError::app(reason, "packages bring what they need along: name only yours"));
    }
    Ok(packages)
}

fn listed(packages: &BTreeSet<Package>) -> String {
    packages.iter().map(Package::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match parse(text) {
            Ok(packages) => listed(&packages),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text:?}");
    }

    #[test]
    fn an_aptfile_names_packages_and_nothing_else() {
        check(
            "# what we need\njq\n\n  figlet=2.2.5-3+b2 # big letters\njq\r\n",
            "figlet=2.2.5-3+b2, jq",
        );
        check("\u{feff}jq ffmpeg", "ffmpeg, jq");
        check("", "");
        let own = "packages are taken from Debian's own archive only";
        check(
            "\n:repo:deb http://x y main",
            &format!("Aptfile line 2: {own}, and `:repo:` names another"),
        );
        check("http://x/y.deb", &format!("Aptfile line 1: `http://x/y.deb` is a file; {own}"));
        check("./a.deb", &format!("Aptfile line 1: `./a.deb` is a file; {own}"));
        check("jq\n--yes", "Aptfile line 2: `--yes` is not the name of a Debian package");
        check("a;b", "Aptfile line 1: `a;b` is not the name of a Debian package");
    }

    #[test]
    fn its_packages_go_into_both_images_and_a_faulty_one_is_not_overlooked() {
        let (app, _dir) = App::of(&[("Aptfile", "jq\n")]);
        assert_eq!(Aptfile.packages(&app).unwrap(), Packages::new(["jq"], ["jq"]));
        let (app, _dir) = App::of(&[("Aptfile", "-o")]);
        assert_ne!(Aptfile.detect(&app).unwrap(), Verdict::Unknown);
        assert!(super::check(&app).is_err());
    }
}
