//! Why packages could not be added to a base image, in words for people.

use std::{collections::BTreeSet, io, path::PathBuf};

use buildpacks::packages::Package;

use crate::{
    build::{export::ExportError, stack::Flavour},
    engine::RootError,
};

/// Why there is no variant.
#[derive(Debug, thiserror::Error)]
pub enum VariantError {
    /// There is no such package.
    #[error("Debian has no package `{package}`")]
    Unknown {
        /// What was asked for.
        package: String,
        /// What there is by nearly that name.
        nearest: Vec<String>,
    },
    /// There is the package, and not that version.
    #[error("Debian's archive does not have version {version} of the package `{package}`")]
    Version {
        /// What was asked for.
        package: String,
        /// In this version.
        version: String,
    },
    /// Neither this machine nor the base image knows where packages are.
    #[error("this server does not know a Debian mirror to install packages from")]
    NoMirror,
    /// The mirror does not have Debian 13, or does not answer.
    #[error("the Debian mirror {mirror} cannot be used: {because}")]
    Mirror {
        /// Its address.
        mirror: String,
        /// What it said.
        because: String,
    },
    /// apt or dpkg failed.
    #[error(
        "the Debian packages {} could not be installed into the {flavour} image: {last}",
        listed(packages)
    )]
    Install {
        /// Into which image.
        flavour: Flavour,
        /// Which.
        packages: BTreeSet<Package>,
        /// The last lines of apt.
        last: String,
    },
    /// The container could not be run.
    #[error("the container in which Debian packages are installed cannot be run")]
    Root(#[source] Box<RootError>),
    /// The folder of variants cannot be written.
    #[error("the folder of extended images {path} cannot be used")]
    Folder {
        /// Where it is.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Docker did not take it.
    #[error(transparent)]
    Load(#[from] ExportError),
}

impl VariantError {
    /// What a person can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { package, nearest } if nearest.is_empty() => {
                format!("see what there is: apt-cache search {package}")
            }
            Self::Unknown { nearest, .. } => format!("did you mean {}?", nearest.join(" or ")),
            Self::Version { package, .. } => {
                format!("take the version that Debian has, without `=`: {package}")
            }
            Self::NoMirror => "name one in /etc/apt/sources.list of the server, as in \
                               `deb http://MIRROR/debian trixie main`"
                .to_owned(),
            Self::Mirror { .. } => "check that apt can reach it: apt-get update".to_owned(),
            Self::Install { packages, .. } => {
                let names: Vec<_> = packages.iter().map(Package::as_str).collect();
                format!("see what apt says on Debian 13: apt-get install -s {}", names.join(" "))
            }
            Self::Root(_) | Self::Load(_) => "see that Docker runs: docker info".to_owned(),
            Self::Folder { .. } => "check space and permissions: df -h".to_owned(),
        }
    }

    /// What apt's complaints mean. `names` are all packages that there are.
    pub(super) fn of_apt(errors: &str, names: &str) -> Option<Self> {
        errors.lines().find_map(|line| {
            let line = line.strip_prefix("E: ")?;
            if let Some(package) = line.strip_prefix("Unable to locate package ") {
                let package = package.trim().to_owned();
                return Some(Self::Unknown { nearest: nearest(&package, names), package });
            }
            if let Some(rest) = line.strip_prefix("Package '") {
                let (package, rest) = rest.split_once('\'')?;
                let package = package.to_owned();
                return rest
                    .contains("no installation candidate")
                    .then(|| Self::Unknown { nearest: nearest(&package, names), package });
            }
            let (version, rest) = line.strip_prefix("Version '")?.split_once("' for '")?;
            let (package, version) = (rest.split('\'').next()?.to_owned(), version.to_owned());
            Some(Self::Version { package, version })
        })
    }
}

/// The names that differ least, the best first.
fn nearest(package: &str, names: &str) -> Vec<String> {
    let most = package.len() / 3;
    let near = names.lines().filter(|name| name.len().abs_diff(package.len()) <= most);
    let mut near: Vec<_> = near
        .map(|name| (strsim::damerau_levenshtein(name, package), name))
        .filter(|(distance, _)| (1..=most).contains(distance))
        .collect();
    near.sort_unstable();
    near.into_iter().take(SHOWN).map(|(_, name)| name.to_owned()).collect()
}

fn listed(packages: &BTreeSet<Package>) -> String {
    packages.iter().map(Package::as_str).collect::<Vec<_>>().join(", ")
}

/// More suggestions help nobody.
const SHOWN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(errors: &str, expected: &str) {
        let names = "figlet\njq\nlibfigc\nfiglets\ntoilet\n";
        let shown = VariantError::of_apt(errors, names)
            .map_or("nothing".to_owned(), |error| format!("{error}; {}", error.hint()));
        assert_eq!(shown, expected, "{errors}");
    }

    #[test]
    fn what_apt_complains_of() {
        check(
            "debconf: x\nE: Unable to locate package figlat\n",
            "Debian has no package `figlat`; did you mean figlet or figlets?",
        );
        check(
            "E: Unable to locate package zzzzzzzz",
            "Debian has no package `zzzzzzzz`; see what there is: apt-cache search zzzzzzzz",
        );
        check(
            "E: Package 'toilett' has no installation candidate",
            "Debian has no package `toilett`; did you mean toilet?",
        );
        check(
            "E: Version '9' for 'jq' was not found",
            "Debian's archive does not have version 9 of the package `jq`; \
             take the version that Debian has, without `=`: jq",
        );
        check("E: Sub-process /usr/bin/dpkg returned an error code (1)", "nothing");
    }
}
