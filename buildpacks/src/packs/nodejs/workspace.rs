//! Workspaces: several packages in one repository, and which of them is the app.
//!
//! The root is the app if it says how it starts. Else the only package that can be started is, or
//! the one that is called web. Nothing is guessed between two.

use std::path::Path;

use super::frameworks;
use super::manifest::Manifest;
use crate::environment::sorted_entries;
use crate::packs::{App, PackError};

/// A package of the repository.
#[derive(Debug)]
pub(super) struct Member {
    /// Its folder, relative to the app's.
    pub(super) dir: String,
    pub(super) manifest: Manifest,
}

/// How deep `**` looks.
const MAX_DEPTH: usize = 4;

/// All packages, in the order of their folders.
pub(super) fn members(app: &App, root: &Manifest) -> Result<Vec<Member>, PackError> {
    let mut patterns = root.workspaces();
    patterns.extend(pnpm(&app.text("pnpm-workspace.yaml")?.unwrap_or_default()));
    let (out, wanted): (Vec<_>, Vec<_>) = patterns.iter().partition(|it| it.starts_with('!'));
    let mut dirs = Vec::new();
    for pattern in wanted {
        let parts: Vec<&str> = pattern.trim_start_matches("./").split('/').collect();
        expand(app.dir(), "", &parts, 0, &mut dirs);
    }
    dirs.sort();
    dirs.dedup();
    let excluded = |dir: &String| out.iter().any(|it| it.trim_start_matches('!') == dir);
    dirs.retain(|dir| !excluded(dir) && app.has(format!("{dir}/package.json")));
    let member = |dir: String| {
        let manifest = Manifest::read(&App::new(app.path(&dir)))?;
        Ok(Member { dir, manifest })
    };
    dirs.into_iter().map(member).collect()
}

/// The package that is the app; none if it is the root.
pub(super) fn chosen<'a>(
    root: &Manifest,
    members: &'a [Member],
) -> Result<Option<&'a Member>, PackError> {
    if root.scripts.contains_key("start") || root.main.is_some() {
        return Ok(None);
    }
    let starts = |it: &&Member| {
        it.manifest.scripts.contains_key("start") || frameworks::makes_pages(&it.manifest)
    };
    let found: Vec<&Member> = members.iter().filter(starts).collect();
    let called_web = |it: &&&Member| it.dir.rsplit('/').next() == Some("web");
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => several.iter().copied().find(|it| called_web(&it)).map(Some).ok_or_else(|| {
            let dirs: Vec<_> = several.iter().map(|it| it.dir.as_str()).collect();
            PackError::app(
                format!(
                    "several packages of the workspace can be started ({}), and the root's \
                     package.json does not say which",
                    dirs.join(", ")
                ),
                format!(
                    "npm pkg set scripts.start=\"npm start --workspace={}\"",
                    dirs.first().unwrap_or(&"FOLDER")
                ),
            )
        }),
    }
}

/// The list below `packages:`; the file has no other shape in practice, so no YAML reader is needed.
fn pnpm(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| line.trim_end() != "packages:").skip(1);
    let items = lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let items = items.map_while(|line| line.strip_prefix("- "));
    let bare = |item: &str| item.split(" #").next().unwrap_or(item).trim().to_owned();
    items.map(|item| bare(item).trim_matches(['"', '\'']).to_owned()).collect()
}

fn expand(root: &Path, dir: &str, parts: &[&str], depth: usize, found: &mut Vec<String>) {
    let Some((first, rest)) = parts.split_first() else {
        found.push(dir.to_owned());
        return;
    };
    let below = |name: &str| if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") };
    match *first {
        "" | "." => expand(root, dir, rest, depth, found),
        ".." => {}
        "*" | "**" => {
            if *first == "**" {
                expand(root, dir, rest, depth, found);
            }
            if depth == MAX_DEPTH {
                return;
            }
            let entries = sorted_entries(&root.join(dir)).unwrap_or_default();
            for path in entries.iter().filter(|path| path.is_dir() && !path.is_symlink()) {
                let Some(name) = path.file_name().and_then(|it| it.to_str()) else { continue };
                if name == "node_modules" || name.starts_with('.') {
                    continue;
                }
                let rest = if *first == "**" { parts } else { rest };
                expand(root, &below(name), rest, depth + 1, found);
            }
        }
        name => expand(root, &below(name), rest, depth, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let (app, _dir) = App::of(files);
        let root = Manifest::read(&app).unwrap();
        let members = members(&app, &root).unwrap();
        let shown = match chosen(&root, &members) {
            Ok(one) => one.map_or("the root".to_owned(), |it| it.dir.clone()),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_package_that_is_the_app() {
        let start = r#"{"scripts":{"start":"node ."}}"#;
        let root = ("package.json", r#"{"workspaces":["apps/*","lib"]}"#);
        check(&[root, ("apps/api/package.json", start), ("lib/package.json", "{}")], "apps/api");
        check(&[("package.json", r#"{"workspaces":["a"],"scripts":{"start":"x"}}"#)], "the root");
        let vite = r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"7"}}"#;
        check(&[root, ("apps/shop/package.json", vite)], "apps/shop");
        check(
            &[root, ("apps/a/package.json", start), ("apps/web/package.json", start)],
            "apps/web",
        );
        check(
            &[root, ("apps/a/package.json", start), ("apps/b/package.json", start)],
            "several packages of the workspace can be started (apps/a, apps/b), and the root's \
             package.json does not say which",
        );
        let pnpm =
            ("pnpm-workspace.yaml", "packages:\n  # ours\n  - 'srv/**'\n  - \"lib\"\nx: 1\n");
        check(&[("package.json", "{}"), pnpm, ("srv/a/b/package.json", start)], "srv/a/b");
    }
}
