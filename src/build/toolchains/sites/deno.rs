//! Deno's own site: a list of all versions, and a digest beside each release's archive.

use super::{Archive, Format, Layout, MACHINE, SiteError, Web, json, listed};
use crate::build::toolchains::number::Number;
use serde::Deserialize;

#[derive(Deserialize)]
struct Versions {
    cli: Vec<String>,
}

pub(super) fn versions(web: &Web, list: &str) -> Result<Vec<String>, SiteError> {
    let versions: Versions = json(list, &web.page(list)?)?;
    let plain = versions.cli.iter().filter_map(|tag| tag.strip_prefix('v'));
    Ok(plain.filter(|version| Number::parse(version).is_some()).map(str::to_owned).collect())
}

pub(super) fn archives(web: &Web, base: &str, version: &str) -> Result<Vec<Archive>, SiteError> {
    let file = format!("deno-{}.zip", MACHINE.triple);
    let url = format!("{base}/release/v{version}/{file}");
    let list = format!("{url}.sha256sum");
    let Some(checksum) = listed(&web.page(&list)?, &file) else {
        return Err(SiteError::NoChecksum { url: list, version: version.into() });
    };
    Ok(vec![Archive { url, checksum, format: Format::Wheel, layout: Layout::Program("deno") }])
}
