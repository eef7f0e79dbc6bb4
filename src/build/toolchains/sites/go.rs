//! Go's own site: one JSON index with a digest for every archive.

use super::{Archive, Format, Layout, MACHINE, SiteError, Web, json, sha256};
use crate::build::toolchains::number::Number;
use serde::Deserialize;

#[derive(Deserialize)]
struct Release {
    version: String,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    os: String,
    arch: String,
    kind: String,
    sha256: String,
}

pub(super) fn versions(web: &Web, base: &str) -> Result<Vec<String>, SiteError> {
    let releases = index(web, base)?;
    let ours = releases.iter().filter(|release| release.files.iter().any(File::is_ours));
    let versions = ours.filter_map(|release| release.version.strip_prefix("go"));
    Ok(versions.filter(|version| Number::parse(version).is_some()).map(str::to_owned).collect())
}

pub(super) fn archives(web: &Web, base: &str, version: &str) -> Result<Vec<Archive>, SiteError> {
    let named = format!("go{version}");
    let release = index(web, base)?.into_iter().find(|release| release.version == named);
    let file = release.and_then(|release| release.files.into_iter().find(File::is_ours));
    let Some(file) = file.filter(|file| !file.filename.contains('/')) else {
        return Err(SiteError::NoVersion { url: base.into(), version: version.into() });
    };
    let Some(checksum) = sha256(&file.sha256) else {
        return Err(SiteError::NoChecksum { url: base.into(), version: version.into() });
    };
    let url = format!("{base}/{}", file.filename);
    Ok(vec![Archive { url, checksum, format: Format::TarGz, layout: Layout::Goroot }])
}

fn index(web: &Web, base: &str) -> Result<Vec<Release>, SiteError> {
    let url = format!("{base}/?mode=json&include=all");
    json(&url, &web.page(&url)?)
}

impl File {
    fn is_ours(&self) -> bool {
        self.os == "linux" && self.arch == MACHINE.go && self.kind == "archive"
    }
}
