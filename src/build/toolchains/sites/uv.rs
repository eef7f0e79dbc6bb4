//! uv's own releases. There is no plain index of them, so only the latest is offered; every other
//! version comes from the Python index, where uv is published too.

use super::{Archive, Format, Layout, MACHINE, SiteError, Web, json, listed};
use crate::build::toolchains::number::Number;
use serde::Deserialize;

#[derive(Deserialize)]
struct Manifest {
    announcement_tag: String,
}

pub(super) fn versions(web: &Web, base: &str) -> Result<Vec<String>, SiteError> {
    let url = format!("{base}/latest/download/dist-manifest.json");
    let manifest: Manifest = json(&url, &web.page(&url)?)?;
    let latest = manifest.announcement_tag;
    Ok(Number::parse(&latest).map(|_| latest).into_iter().collect())
}

pub(super) fn archives(web: &Web, base: &str, version: &str) -> Result<Vec<Archive>, SiteError> {
    let file = format!("uv-{}.tar.gz", MACHINE.triple);
    let url = format!("{base}/download/{version}/{file}");
    let list = format!("{url}.sha256");
    let Some(checksum) = listed(&web.page(&list)?, &file) else {
        return Err(SiteError::NoChecksum { url: list, version: version.into() });
    };
    Ok(vec![Archive { url, checksum, format: Format::TarGz, layout: Layout::UvDist }])
}
