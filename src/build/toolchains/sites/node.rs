//! Node's own site: `index.json`, and `SHASUMS256.txt` beside each release's archives.

use super::{Archive, Format, Layout, MACHINE, SiteError, Web, json, listed};
use crate::build::toolchains::number::Number;
use serde::Deserialize;

#[derive(Deserialize)]
struct Release {
    version: String,
    files: Vec<String>,
}

pub(super) fn versions(web: &Web, base: &str) -> Result<Vec<String>, SiteError> {
    let url = format!("{base}/index.json");
    let releases: Vec<Release> = json(&url, &web.page(&url)?)?;
    let ours = format!("linux-{}", MACHINE.node);
    let ours = releases.into_iter().filter(|release| release.files.contains(&ours));
    let versions = ours.filter_map(|release| {
        let version = release.version.strip_prefix('v')?.to_owned();
        Number::parse(&version).map(|_| version)
    });
    Ok(versions.collect())
}

pub(super) fn archives(web: &Web, base: &str, version: &str) -> Result<Vec<Archive>, SiteError> {
    let list = format!("{base}/v{version}/SHASUMS256.txt");
    let file = format!("node-v{version}-linux-{}.tar.gz", MACHINE.node);
    let Some(checksum) = listed(&web.page(&list)?, &file) else {
        return Err(SiteError::NoChecksum { url: list, version: version.into() });
    };
    let url = format!("{base}/v{version}/{file}");
    Ok(vec![Archive { url, checksum, format: Format::TarGz, layout: Layout::NodeDist }])
}
