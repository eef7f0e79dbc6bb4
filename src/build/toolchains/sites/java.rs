//! Temurin's API: a list of all versions, and the archives of a line with their digests.
//!
//! Both come in pages; a page that is not full is the last one. A version is known by its first
//! three or four numbers: of two builds of the same the newer one is listed first, and taken.

use super::{Archive, Format, Layout, MACHINE, SiteError, Web, json, sha256, shown};
use crate::build::toolchains::number::Number;
use crate::build::toolchains::wire::Toolchain;
use serde::Deserialize;

#[derive(Deserialize)]
struct Versions {
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    major: u64,
    #[serde(default)]
    minor: u64,
    #[serde(default)]
    security: u64,
    #[serde(default)]
    patch: Option<u64>,
}

#[derive(Deserialize)]
struct Release {
    binaries: Vec<Binary>,
    version_data: Version,
}

#[derive(Deserialize)]
struct Binary {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    link: String,
    checksum: String,
}

/// How many entries a page of each list has.
const VERSIONS: usize = 50;
const RELEASES: usize = 20;
/// More pages than either list has for a long time.
const MOST_PAGES: usize = 12;

pub(super) fn versions(web: &Web, base: &str, of: Toolchain) -> Result<Vec<String>, SiteError> {
    let mut found = Vec::new();
    for page in 0..MOST_PAGES {
        let url = format!(
            "{base}/info/release_versions?{}&page={page}&page_size={VERSIONS}&release_type=ga\
             &sort_method=DEFAULT&sort_order=DESC",
            ours(of)
        );
        let list: Versions = json(&url, &web.page(&url)?)?;
        let full = list.versions.len() == VERSIONS;
        found.extend(list.versions.iter().map(Version::text));
        if !full {
            break;
        }
    }
    Ok(found)
}

pub(super) fn archives(
    web: &Web,
    base: &str,
    of: Toolchain,
    version: &str,
) -> Result<Vec<Archive>, SiteError> {
    let missing = || SiteError::NoVersion { url: shown(base), version: version.into() };
    let line = Number::parse(version).ok_or_else(missing)?.major();
    for page in 0..MOST_PAGES {
        let url = format!(
            "{base}/assets/feature_releases/{line}/ga?{}&page={page}&page_size={RELEASES}\
             &sort_method=DEFAULT&sort_order=DESC",
            ours(of)
        );
        let releases: Vec<Release> = json(&url, &web.page(&url)?)?;
        let full = releases.len() == RELEASES;
        let mut named = releases.into_iter().filter(|it| it.version_data.text() == version);
        if let Some(Package { link, checksum }) =
            named.find_map(|release| Some(release.binaries.into_iter().next()?.package))
        {
            let Some(checksum) = sha256(&checksum) else {
                return Err(SiteError::NoChecksum { url: shown(&link), version: version.into() });
            };
            let layout = Layout::Java;
            return Ok(vec![Archive { url: link, checksum, format: Format::TarGz, layout }]);
        }
        if !full {
            break;
        }
    }
    Err(missing())
}

/// The filter for what runs on this machine.
fn ours(of: Toolchain) -> String {
    format!(
        "architecture={}&heap_size=normal&image_type={}&jvm_impl=hotspot&os=linux&project=jdk\
         &vendor=eclipse",
        MACHINE.java,
        of.name()
    )
}

impl Version {
    fn text(&self) -> String {
        let Self { major, minor, security, patch } = self;
        match patch {
            Some(patch) if *patch > 0 => format!("{major}.{minor}.{security}.{patch}"),
            Some(_) | None => format!("{major}.{minor}.{security}"),
        }
    }
}
