//! Rust's distribution server: a list of all manifests, and one manifest for each version with the
//! archives of its parts and their digests.
//!
//! Mirrors often leave the list out. Then the newest version is known from its own manifest, and of
//! the older lines their first release, which always exists.

use super::{Archive, Format, Layout, MACHINE, SiteError, Web, sha256, shown};
use crate::build::toolchains::number::Number;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Manifest {
    pkg: BTreeMap<String, Package>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    version: String,
    #[serde(default)]
    target: BTreeMap<String, Target>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    url: String,
    #[serde(default)]
    hash: String,
}

/// What compiles and links programs; the rest of a release is for writing them.
const PARTS: [&str; 3] = ["rustc", "cargo", "rust-std"];

/// The oldest line that is offered where there is no list.
const OLDEST: u64 = 56;

pub(super) fn versions(web: &Web, base: &str) -> Result<Vec<String>, SiteError> {
    if let Some(list) = base.rsplit_once("/dist").map(|(root, _)| format!("{root}/manifests.txt"))
        && let Ok(text) = web.page(&list)
    {
        let named = text.lines().filter_map(|line| {
            let version = line.trim().rsplit_once("/channel-rust-")?.1.strip_suffix(".toml")?;
            let number = Number::parse(version)?;
            (number.len() == 3 && !number.is_preview()).then(|| version.to_owned())
        });
        return Ok(named.collect());
    }
    let manifest = manifest(web, base, "stable")?;
    let newest = manifest.pkg.get("rust").and_then(|it| it.version.split_whitespace().next());
    let newest = newest.unwrap_or_default().to_owned();
    let line = newest.split('.').nth(1).and_then(|it| it.parse().ok()).unwrap_or(OLDEST);
    Ok((OLDEST..line).map(|minor| format!("1.{minor}.0")).chain([newest]).collect())
}

pub(super) fn archives(web: &Web, base: &str, version: &str) -> Result<Vec<Archive>, SiteError> {
    let manifest = manifest(web, base, version)?;
    let part = |name: &&str| {
        let missing = || SiteError::NoVersion { url: shown(base), version: version.into() };
        let target = manifest.pkg.get(*name).and_then(|it| it.target.get(MACHINE.triple));
        let target = target.filter(|it| !it.url.is_empty()).ok_or_else(missing)?;
        // A mirror's manifest names the official host; the file is taken from the mirror.
        let path = target.url.split_once("/dist/").map(|(_, path)| path).ok_or_else(missing)?;
        let url = format!("{base}/{path}");
        let Some(checksum) = sha256(&target.hash) else {
            return Err(SiteError::NoChecksum { url, version: version.into() });
        };
        Ok(Archive { url, checksum, format: Format::TarGz, layout: Layout::Rust })
    };
    PARTS.iter().map(part).collect()
}

fn manifest(web: &Web, base: &str, version: &str) -> Result<Manifest, SiteError> {
    let url = format!("{base}/channel-rust-{version}.toml");
    let text = web.page(&url)?;
    toml::from_str(&text).map_err(|source| SiteError::Manifest { url: shown(&url), source })
}
