//! Where this host gets Debian from, as its own apt is configured.
//!
//! Reads apt's source lists in both their forms; writes nothing. Only Debian's own archive
//! counts: other people's repositories for Debian use the same suite names, so an entry is
//! believed only with component `main` and a suite of Debian's, and its signature is checked when
//! it is used.

use super::ensure::KEYRING;
use super::release::{OLDEST, Releases};
use crate::build::web::{Web, WebError};
use std::fs;
use std::path::Path;

/// The places of Debian's archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    /// The archive itself.
    pub(crate) main: String,
    /// The archive of security updates, where the host has one.
    pub(crate) security: Option<String>,
}

/// One suite at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    uri: String,
    suite: String,
    components: Vec<String>,
}

/// Reads `sources.list` and `sources.list.d` below `dir` (apt's `/etc/apt`).
pub(crate) fn mirror(dir: &Path) -> Option<Mirror> {
    let mut files = vec![dir.join("sources.list")];
    let parts = fs::read_dir(dir.join("sources.list.d")).into_iter().flatten().flatten();
    files.extend(parts.map(|entry| entry.path()));
    files.sort();
    let mut entries = Vec::new();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => entries.extend(lines(&text)),
            Some("sources") => entries.extend(stanzas(&text)),
            _ => {}
        }
    }
    choose(&entries).map(|mirror| Mirror {
        main: direct(&mirror.main),
        security: mirror.security.as_deref().map(direct),
    })
}

/// A source list for a container of a base image, from the mirror that apt's configuration in `dir`
/// names, and the newest date of what is there. No list where there is none; the error is the
/// mirror's address and why it cannot be used. It blocks.
pub(crate) fn container_sources(dir: &Path) -> Result<(Option<String>, i64), (String, WebError)> {
    let Some(mirror) = mirror(dir) else { return Ok((None, OLDEST)) };
    let releases = Releases::find(&Web::new(), &mirror).map_err(|error| (mirror.main, error))?;
    Ok((Some(releases.sources(KEYRING)), releases.epoch))
}

/// `deb [options] uri suite component…`
fn lines(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb ").map(str::trim_start) else { continue };
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
            None => rest,
        };
        let mut words = rest.split_whitespace().map(str::to_owned);
        if let (Some(uri), Some(suite)) = (words.next(), words.next()) {
            entries.push(Entry { uri, suite, components: words.collect() });
        }
    }
    entries
}

/// Stanzas of `Field: value`, with continuation lines.
fn stanzas(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for stanza in kept.split(|line| line.trim().is_empty()) {
        let values = |field: &str| -> Vec<String> {
            let mut words = Vec::new();
            let mut inside = false;
            for line in stanza {
                if !line.starts_with([' ', '\t']) {
                    let name = line.split_once(':').map_or("", |(name, _)| name);
                    inside = name.eq_ignore_ascii_case(field);
                }
                let value = match line.split_once(':') {
                    Some((_, value)) if !line.starts_with([' ', '\t']) => value,
                    _ => line,
                };
                if inside {
                    words.extend(value.split_whitespace().map(str::to_owned));
                }
            }
            words
        };
        let off = values("Enabled").iter().any(|value| value.eq_ignore_ascii_case("no"));
        if off || !values("Types").iter().any(|kind| kind == "deb") {
            continue;
        }
        for uri in values("URIs") {
            for suite in values("Suites") {
                let components = values("Components");
                entries.push(Entry { uri: uri.clone(), suite, components });
            }
        }
    }
    entries
}

fn choose(entries: &[Entry]) -> Option<Mirror> {
    let debian = |entry: &&Entry, ending: &str| {
        let name = entry.suite.strip_suffix(ending);
        let known = name.is_some_and(|name| RELEASES.contains(&name));
        known && entry.components.iter().any(|component| component == "main") && usable(&entry.uri)
    };
    let plain: Vec<&Entry> = entries.iter().filter(|entry| debian(entry, "")).collect();
    // Debian's archive is the one that has updates too; a foreign repository has none.
    let updated = |entry: &&&Entry| {
        entries.iter().any(|other| other.uri == entry.uri && debian(&other, "-updates"))
    };
    let named = |entry: &&&Entry| entry.uri.trim_end_matches('/').ends_with("/debian");
    let main = plain
        .iter()
        .find(updated)
        .or_else(|| plain.iter().find(named))
        .or_else(|| plain.first())?;
    let security = entries.iter().find(|entry| debian(entry, "-security"));
    Some(Mirror {
        main: main.uri.trim_end_matches('/').to_owned(),
        security: security.map(|entry| entry.uri.trim_end_matches('/').to_owned()),
    })
}

fn usable(uri: &str) -> bool {
    ["http://", "https://", "mirror+file:"].iter().any(|scheme| uri.starts_with(scheme))
}

/// Cloud images point at a file with the mirrors; its first web address is used.
fn direct(uri: &str) -> String {
    let Some(file) = uri.strip_prefix("mirror+file:") else { return uri.to_owned() };
    let path = format!("/{}", file.trim_start_matches('/'));
    let list = fs::read_to_string(path).unwrap_or_default();
    let first = list.split_whitespace().find(|word| word.starts_with("http"));
    first.unwrap_or(uri).trim_end_matches('/').to_owned()
}

/// Debian's release names, by which its archive is told from other distributions'.
const RELEASES: [&str; 12] = [
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[Entry], main: &str, security: Option<&str>) {
        let expected = Mirror { main: main.into(), security: security.map(Into::into) };
        assert_eq!(choose(entries), Some(expected));
    }

    #[test]
    fn one_line_lists() {
        let text = "# comment\n\
            deb https://download.test/linux/debian bookworm stable\n\
            deb [arch=amd64 signed-by=/k.gpg] http://foreign.test/repo bookworm main\n\
            deb http://mirror.test/debian/ bookworm main contrib # ours\n\
            deb-src http://mirror.test/debian bookworm main\n\
            deb http://mirror.test/debian/ bookworm-updates main\n\
            deb http://mirror.test/security bookworm-security main\n";
        check(&lines(text), "http://mirror.test/debian", Some("http://mirror.test/security"));
    }

    #[test]
    fn stanza_files() {
        let text = "Types: deb deb-src\n# a comment inside\nURIs: http://mirror.test/debian\n\
            Suites: trixie\n trixie-updates\nComponents: main\nSigned-By:\n -----BEGIN: x\n\n\
            Types: deb\nEnabled: no\nURIs: http://off.test/debian-security\n\
            Suites: trixie-security\nComponents: main\n";
        check(&stanzas(text), "http://mirror.test/debian", None);
    }

    #[test]
    fn ubuntu_has_no_debian() {
        assert_eq!(choose(&lines("deb http://archive.test/ubuntu noble main universe\n")), None);
        assert_eq!(choose(&lines("deb cdrom:[Debian]/ bookworm main\n")), None);
    }

    #[test]
    fn cloud_images_point_at_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "http://near.test/debian/ priority:1\n").unwrap();
        let uri = format!("mirror+file:{}", file.path().display());
        assert_eq!(direct(&uri), "http://near.test/debian");
    }
}
