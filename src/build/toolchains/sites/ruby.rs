//! Portable Rubies: the releases of `jdx/ruby`, by the list that GitHub gives of them, which has a
//! digest for every file.
//!
//! Files are believed by their names, not by the releases' tags: a version may be released again.

use super::{Archive, Format, Layout, MACHINE, SiteError, Web, json, sha256};
use crate::build::toolchains::number::Number;
use serde::Deserialize;

#[derive(Deserialize)]
struct Release {
    assets: Vec<Asset>,
}

#[derive(Deserialize)]
struct Asset {
    name: String,
    browser_download_url: String,
    digest: Option<String>,
}

pub(super) fn versions(web: &Web, base: &str) -> Result<Vec<String>, SiteError> {
    Ok(assets(web, base)?.into_iter().filter_map(|asset| version(&asset.name)).collect())
}

pub(super) fn archives(web: &Web, base: &str, wanted: &str) -> Result<Vec<Archive>, SiteError> {
    // The newest release comes first.
    let mut assets = assets(web, base)?.into_iter();
    let asset = assets.find(|asset| version(&asset.name).as_deref() == Some(wanted));
    let Some(asset) = asset else {
        return Err(SiteError::NoVersion { url: base.into(), version: wanted.into() });
    };
    let url = asset.browser_download_url;
    let digest = asset.digest.as_deref().and_then(|it| it.strip_prefix("sha256:"));
    let Some(checksum) = digest.and_then(sha256) else {
        return Err(SiteError::NoChecksum { url, version: wanted.into() });
    };
    Ok(vec![Archive { url, checksum, format: Format::TarGz, layout: Layout::Ruby }])
}

fn assets(web: &Web, base: &str) -> Result<Vec<Asset>, SiteError> {
    let url = format!("{base}/releases?per_page=100");
    let releases: Vec<Release> = json(&url, &web.page(&url)?)?;
    Ok(releases.into_iter().flat_map(|release| release.assets).collect())
}

/// The version that a file for this machine is of.
fn version(file: &str) -> Option<String> {
    let name = file.strip_prefix("ruby-")?.strip_suffix(".tar.gz")?;
    let version = name.strip_suffix(MACHINE.ruby)?.strip_suffix('.')?;
    Number::parse(version).map(|_| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_for_other_machines_and_of_other_kinds_are_passed_over() {
        let ours = |name: &str| version(&name.replace("HERE", MACHINE.ruby));
        assert_eq!(ours("ruby-3.4.7.HERE.tar.gz").as_deref(), Some("3.4.7"));
        assert_eq!(ours("ruby-3.4.7.no_yjit.HERE.tar.gz"), None);
        assert_eq!(ours("ruby-3.4.7.macos.tar.gz"), None);
        assert_eq!(ours("ruby-3.4.7.HERE.tar.gz.sha256"), None);
    }
}
