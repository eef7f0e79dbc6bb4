//! `Gemfile` and `Gemfile.lock`, as far as a build needs them. Bundler itself reads them whole.
//!
//! A Gemfile is a program. What is read of it here is what people write by habit; where that is
//! not enough, the lock has the names.

use std::collections::{BTreeMap, BTreeSet};

use crate::packs::{App, PackError};

/// The gems of an app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bundle {
    /// Names, and the platforms that the lock has ready-made files for; empty text is the source.
    gems: BTreeMap<String, BTreeSet<String>>,
    /// Those that only development and tests need.
    apart: BTreeSet<String>,
    /// Whether there is a lock.
    pub(super) locked: bool,
    /// Whether there is a Gemfile.
    pub(super) exists: bool,
}

/// Groups whose gems stay out of the image.
const APART: [&str; 2] = ["development", "test"];

impl Bundle {
    /// The app's.
    pub(super) fn of(app: &App) -> Result<Self, PackError> {
        let Some(gemfile) = app.text("Gemfile")? else { return Ok(Self::default()) };
        let lock = app.text("Gemfile.lock")?;
        let (written, apart) = gemfile_gems(&gemfile);
        let gems = match &lock {
            Some(text) => locked_gems(text),
            None => written.into_iter().map(|name| (name, BTreeSet::new())).collect(),
        };
        Ok(Self { gems, apart, locked: lock.is_some(), exists: true })
    }

    /// Whether the running app has that gem.
    pub(super) fn has(&self, gem: &str) -> bool {
        self.gems.contains_key(gem) && !self.apart.contains(gem)
    }

    /// The first of `gems` that the running app has.
    pub(super) fn first(&self, gems: &[&'static str]) -> Option<&'static str> {
        gems.iter().copied().find(|gem| self.has(gem))
    }

    /// Whether a gem has to be compiled: the lock has nothing ready-made for Linux.
    pub(super) fn compiles(&self, gem: &str) -> bool {
        let ready = |platforms: &BTreeSet<String>| platforms.iter().any(|it| it.contains("linux"));
        self.has(gem) && !self.gems.get(gem).is_some_and(ready)
    }
}

/// Names and platforms: lines of four spaces below `specs:`.
fn locked_gems(lock: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut gems: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in lock.lines() {
        let Some(rest) = line.strip_prefix("    ").filter(|it| !it.starts_with(' ')) else {
            continue;
        };
        let Some((name, version)) = rest.split_once(" (") else { continue };
        let version = version.trim_end_matches(')');
        let platform = version.split_once('-').map_or("", |(_, platform)| platform);
        gems.entry(name.to_owned()).or_default().insert(platform.to_owned());
    }
    gems
}

/// The gems of a Gemfile, and those of them that only development and tests need.
fn gemfile_gems(gemfile: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut gems, mut apart) = (BTreeSet::new(), BTreeSet::new());
    let mut blocks: Vec<bool> = Vec::new();
    for line in gemfile.lines().map(code) {
        if line == "end" {
            blocks.pop();
        } else if line.ends_with(" do") {
            blocks.push(line.starts_with("group ") && only_apart(line));
        } else if let Some(rest) = line.strip_prefix("gem ").or(line.strip_prefix("gem(")) {
            let Some(name) = quoted(rest).next() else { continue };
            let grouped = rest.contains("group:") || rest.contains("groups:");
            let inline = grouped && only_apart(rest.split_once("group").map_or("", |it| it.1));
            if inline || blocks.contains(&true) {
                apart.insert(name.to_owned());
            }
            gems.insert(name.to_owned());
        }
    }
    (gems, apart)
}

/// Whether the groups that a line names are all for development and tests.
fn only_apart(line: &str) -> bool {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != ':' && c != '_');
    let named = words.filter_map(|word| word.strip_prefix(':'));
    let named: Vec<&str> = named.filter(|name| !name.is_empty()).collect();
    !named.is_empty() && named.iter().all(|name| APART.contains(name))
}

/// A line of Ruby without its comment.
pub(super) fn code(line: &str) -> &str {
    line.split(" #").next().filter(|it| !it.trim_start().starts_with('#')).unwrap_or("").trim()
}

/// The texts in quotes of a line.
pub(super) fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split(['"', '\'']).skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEMFILE: &str = "source 'https://gems.test'\nruby '3.3.8'\ngem \"rails\", '~> 8.0' # web\n\
        gem 'puma'\ngroup :development, :test do\n  gem 'sqlite3'\n  platforms :mri do\n    gem 'debug'\n  \
        end\nend\ngroup :production, :test do\n  gem 'pg'\nend\n# gem 'thin'\n\
        gem 'rspec', group: :test\ngem 'listen', groups: [:development, :test]\n";

    fn check(files: &[(&str, &str)], here: &[&str], not: &[&str]) {
        let (app, _dir) = App::of(files);
        let bundle = Bundle::of(&app).unwrap();
        for gem in here {
            assert!(bundle.has(gem), "{gem}");
        }
        for gem in not {
            assert!(!bundle.has(gem), "{gem}");
        }
    }

    #[test]
    fn gems_are_those_of_the_running_app() {
        let apart = ["sqlite3", "debug", "rspec", "listen", "thin", "rack"];
        check(&[("Gemfile", GEMFILE)], &["rails", "puma", "pg"], &apart);
        let lock = "GEM\n  remote: https://gems.test/\n  specs:\n    puma (6.6.0)\n      nio4r (~> 2.0)\n    \
            rack (3.1.8)\n    sqlite3 (2.5.0)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  puma\n";
        let locked = [("Gemfile", GEMFILE), ("Gemfile.lock", lock)];
        check(&locked, &["rack", "puma"], &["sqlite3", "pg", "nio4r", "ruby"]);
        check(&[], &[], &["rack"]);
    }

    #[test]
    fn a_ready_made_gem_is_not_compiled() {
        let lock = "GEM\n  specs:\n    nokogiri (1.18.3-aarch64-linux-gnu)\n    nokogiri (1.18.3-x86_64-linux-gnu)\n    \
            ffi (1.17.1-arm64-darwin)\n    pg (1.5.9)\n";
        let (app, _dir) = App::of(&[("Gemfile", ""), ("Gemfile.lock", lock)]);
        let bundle = Bundle::of(&app).unwrap();
        let compiled = ["nokogiri", "ffi", "pg", "puma"].map(|gem| bundle.compiles(gem));
        assert_eq!(compiled, [false, true, true, false]);
    }
}
