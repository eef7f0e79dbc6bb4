//! Portable Pythons: the latest release of python-build-standalone, which has the newest patch
//! of every supported line, and its `SHA256SUMS`.

use super::{Archive, Format, Layout, MACHINE, SiteError, Web, json, listed};
use crate::build::toolchains::number::Number;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
struct Latest {
    tag: String,
    asset_url_prefix: String,
}

pub(super) fn versions(web: &Web, base: &str) -> Result<Vec<String>, SiteError> {
    let (latest, sums) = release(web, base)?;
    let names = sums.lines().filter_map(|line| line.split_whitespace().nth(1));
    let versions = names.filter_map(|name| {
        let version = name.strip_prefix("cpython-")?.split_once('+')?.0;
        let ours = file(version, &latest.tag) == name.trim_start_matches('*');
        (ours && Number::parse(version).is_some()).then(|| version.to_owned())
    });
    Ok(versions.collect())
}

pub(super) fn archives(web: &Web, base: &str, version: &str) -> Result<Vec<Archive>, SiteError> {
    let (latest, sums) = release(web, base)?;
    let file = file(version, &latest.tag);
    let url = format!("{}/{}", latest.asset_url_prefix, file.replace('+', "%2B"));
    let Some(checksum) = listed(&sums, &file) else {
        return Err(SiteError::NoChecksum { url, version: version.into() });
    };
    Ok(vec![Archive { url, checksum, format: Format::TarGz, layout: Layout::Python }])
}

fn release(web: &Web, base: &str) -> Result<(Latest, Arc<str>), SiteError> {
    let url = format!("{base}/latest-release.json");
    let latest: Latest = json(&url, &web.page(&url)?)?;
    let sums = web.page(&format!("{}/SHA256SUMS", latest.asset_url_prefix))?;
    Ok((latest, sums))
}

fn file(version: &str, tag: &str) -> String {
    format!("cpython-{version}+{tag}-{}-install_only_stripped.tar.gz", MACHINE.triple)
}
