//! The npm registry as a mirror of Node, and the home of npm, yarn, pnpm and Bun.
//!
//! Node comes as a package with the one binary; npm is laid beside it, of the major version that
//! this line of Node is shipped with. Integrity is npm's own sha512.

use super::{Archive, Checksum, Format, Layout, MACHINE, SiteError, Web, json, shown};
use crate::build::toolchains::number::Number;
use crate::build::toolchains::wire::Toolchain;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Package {
    versions: BTreeMap<String, Release>,
}

#[derive(Deserialize)]
struct Release {
    #[serde(default)]
    bin: Commands,
    #[serde(default)]
    engines: serde_json::Value,
    dist: Dist,
}

#[derive(Deserialize)]
struct Dist {
    tarball: String,
    #[serde(default)]
    integrity: String,
}

/// npm allows a table, or one file that takes the package's name.
#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Commands {
    Table(BTreeMap<String, String>),
    #[allow(dead_code, reason = "read only to tell that it is not a table")]
    One(String),
    #[default]
    None,
}

pub(super) fn versions(web: &Web, registry: &str, of: Toolchain) -> Result<Vec<String>, SiteError> {
    let mut versions = Vec::new();
    for name in packages(of) {
        let package = package(web, registry, &name)?;
        versions.extend(package.versions.into_keys().filter(|v| Number::parse(v).is_some()));
    }
    Ok(versions)
}

pub(super) fn archives(
    web: &Web,
    registry: &str,
    of: Toolchain,
    version: &str,
) -> Result<Vec<Archive>, SiteError> {
    let missing = || SiteError::NoVersion { url: shown(registry), version: version.into() };
    for name in packages(of) {
        let Some(release) = package(web, registry, &name)?.versions.remove(version) else {
            continue;
        };
        if of != Toolchain::Node {
            return Ok(vec![release.archive(registry, &name, of)?]);
        }
        let mut versions = package(web, registry, "npm")?.versions;
        let fitting = companion(version, &versions).ok_or_else(missing)?;
        let npm = versions.remove(&fitting).ok_or_else(missing)?;
        let npm = npm.archive(registry, "npm", Toolchain::Npm)?;
        return Ok(vec![release.archive(registry, &name, of)?, npm]);
    }
    Err(missing())
}

/// The packages that carry a toolchain; modern Yarn has one of its own.
fn packages(of: Toolchain) -> Vec<String> {
    match of {
        Toolchain::Node => vec![format!("node-linux-{}", MACHINE.node)],
        Toolchain::Yarn => vec!["yarn".into(), "@yarnpkg/cli-dist".into()],
        Toolchain::Bun => vec![bun().into()],
        other => vec![other.name().into()],
    }
}

/// Bun's program for this machine: the usual one needs a processor of 2013 or later.
fn bun() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx2") {
        return "@oven/bun-linux-x64-baseline";
    }
    if cfg!(target_arch = "aarch64") { "@oven/bun-linux-aarch64" } else { "@oven/bun-linux-x64" }
}

fn package(web: &Web, registry: &str, name: &str) -> Result<Package, SiteError> {
    let url = format!("{registry}{}", name.replace('/', "%2F"));
    json(&url, &web.page(&url)?)
}

/// The newest npm that is not newer than the one this Node is shipped with and that runs on it.
fn companion(node: &str, versions: &BTreeMap<String, Release>) -> Option<String> {
    let number = Number::parse(node)?;
    let node = nodejs_semver::Version::parse(node).ok()?;
    let most = match number.major() {
        ..=14 => 6,
        15..=17 => 8,
        18..=23 => 10,
        _ => u64::MAX,
    };
    let runs = |release: &Release| {
        let range = release.engines.get("node").and_then(serde_json::Value::as_str);
        range.is_none_or(|range| {
            nodejs_semver::Range::parse(range).is_ok_and(|range| range.satisfies(&node))
        })
    };
    let fitting =
        versions.iter().filter(|(_, release)| runs(release)).filter_map(|(version, _)| {
            let number = Number::parse(version)?;
            (number.major() <= most && !number.is_preview()).then_some((number, version))
        });
    fitting.max().map(|(_, version)| version.clone())
}

impl Release {
    fn archive(self, registry: &str, name: &str, of: Toolchain) -> Result<Archive, SiteError> {
        let url = at_registry(registry, name, &self.dist.tarball);
        let digest = self
            .dist
            .integrity
            .split_whitespace()
            .find_map(|one| BASE64_STANDARD.decode(one.strip_prefix("sha512-")?).ok());
        let Some(digest) = digest.filter(|digest| digest.len() == 64) else {
            return Err(SiteError::NoChecksum { url, version: name.into() });
        };
        let layout = match (of, self.bin) {
            (Toolchain::Node, _) => Layout::NodePackage,
            (Toolchain::Bun, _) => Layout::BunPackage,
            (_, Commands::Table(commands)) => Layout::Package { name: of.name(), commands },
            (_, Commands::One(_) | Commands::None) => {
                Layout::Package { name: of.name(), commands: BTreeMap::new() }
            }
        };
        Ok(Archive { url, checksum: Checksum::Sha512(digest), format: Format::TarGz, layout })
    }
}

/// A mirror's index may still name the upstream host; the file is taken from the mirror, as npm
/// itself does.
fn at_registry(registry: &str, name: &str, tarball: &str) -> String {
    if tarball.starts_with(registry) {
        return tarball.to_owned();
    }
    let file = tarball.rsplit('/').next().unwrap_or_default();
    format!("{registry}{name}/-/{file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_gets_the_npm_it_is_shipped_with() {
        let release = |range: &str| {
            let text = format!(r#"{{"engines":{{"node":"{range}"}},"dist":{{"tarball":""}}}}"#);
            serde_json::from_str::<Release>(&text).unwrap()
        };
        let table = [
            ("6.14.18", release("6 >=6.2.0 || 8 || >=9.3.0")),
            ("10.9.4", release("^18.17.0 || >=20.5.0")),
            ("11.6.0", release("^20.17.0 || >=22.9.0")),
            ("12.0.0-pre.1", release(">=22")),
        ];
        let versions: BTreeMap<_, _> = table.map(|(v, r)| (v.to_owned(), r)).into();
        let check = |node, npm: &str| assert_eq!(companion(node, &versions).as_deref(), Some(npm));
        check("20.20.2", "10.9.4");
        check("24.21.0", "11.6.0");
        check("14.21.3", "6.14.18");
        check("20.1.0", "6.14.18");
    }

    #[test]
    fn files_are_taken_from_the_mirror() {
        let ours =
            at_registry("http://m.test/npm/", "yarn", "https://up.test/yarn/-/yarn-1.0.0.tgz");
        assert_eq!(ours, "http://m.test/npm/yarn/-/yarn-1.0.0.tgz");
    }
}
