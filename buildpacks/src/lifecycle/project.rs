//! What a `project.toml` means for a build: files that stay out, variables, buildpacks.
//!
//! It runs inside the container, where the app's own links lead nowhere that matters. A buildpack
//! that lies in the app's folder is used from a copy, because a project often excludes it from the
//! app. Invariant: a variable that the user set for the app wins over the project's.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::catalog::Catalog;
use super::layers::remove;
use crate::agent::{Code, Failed, Phase};
use crate::environment::sorted_entries;
use crate::spec::{
    BuildpackId, Element, Inline, Pattern, Project, ProjectPack, ProjectToml, read_toml_or_default,
};
use launcher::Roots;

/// Reads the app's `project.toml`; without one, nothing.
pub(super) fn read(workspace: &Path) -> Result<Project, Failed> {
    let file: ProjectToml = read_toml_or_default(&workspace.join("project.toml"))
        .map_err(|error| wrong(error.to_string()))?;
    Project::of(file)
        .map_err(|error| wrong(error.to_string()).hint("keep one of the two lists in project.toml"))
}

/// Removes the files that do not take part, and writes the variables that nobody else set.
pub(super) fn apply(project: &Project, roots: &Roots) -> Result<(), Failed> {
    let text = |error: io::Error| wrong(format!("project.toml cannot be followed: {error}"));
    match &project.files {
        None => {}
        Some(Pattern::Exclude(lines)) => {
            let rules = rules(&roots.workspace, lines)?;
            exclude(&roots.workspace, &rules).map_err(text)?;
        }
        Some(Pattern::Include(lines)) => {
            let rules = rules(&roots.workspace, lines)?;
            include(&roots.workspace, &rules).map_err(text)?;
        }
    }
    let dir = roots.platform.join("env");
    fs::create_dir_all(&dir).map_err(text)?;
    for variable in &project.env {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if variable.name.is_empty() || !variable.name.chars().all(fits) {
            let reason = format!("project.toml: `{}` cannot be a variable's name", variable.name);
            return Err(wrong(reason).hint("letters, digits and `_` only"));
        }
        let path = dir.join(&variable.name);
        if !path.exists() {
            fs::write(path, &variable.value).map_err(text)?;
        }
    }
    Ok(())
}

/// The buildpacks that the project names, as places in a group.
pub(super) fn elements(
    roots: &Roots,
    catalog: &mut Catalog,
    packs: &[ProjectPack],
) -> Result<Vec<Element>, Failed> {
    packs.iter().map(|pack| element(roots, catalog, pack)).collect()
}

fn element(roots: &Roots, catalog: &mut Catalog, pack: &ProjectPack) -> Result<Element, Failed> {
    let broken = |reason: String| wrong(format!("project.toml names a broken buildpack: {reason}"));
    match (&pack.script, &pack.uri, &pack.id) {
        (Some(script), _, _) => {
            let dir =
                write_inline(roots, pack, script).map_err(|error| broken(error.to_string()))?;
            catalog.add(&dir).map_err(broken)
        }
        (None, Some(uri), _) => match builder_uri(uri) {
            Some(rest) => {
                let (id, version) =
                    rest.split_once('@').map_or((rest, None), |(id, version)| (id, Some(version)));
                let id = BuildpackId::parse(id).map_err(|error| wrong(error.to_string()))?;
                Ok(Element::new(id, version.map(str::to_owned)))
            }
            None => {
                let within = inside(uri)?;
                let dir = roots.platform.join("project").join(within);
                copy(&roots.workspace.join(within), &dir).map_err(|error| {
                    broken(format!("cannot read {}: {error}", within.display()))
                })?;
                catalog.add(&dir).map_err(broken)
            }
        },
        (None, None, Some(id)) => Ok(Element::new(id.clone(), pack.version.clone())),
        (None, None, None) => {
            Err(wrong("project.toml names a buildpack without `id`, `uri` or `script`".to_owned()))
        }
    }
}

fn builder_uri(uri: &str) -> Option<&str> {
    uri.strip_prefix("urn:cnb:builder:").or_else(|| uri.strip_prefix("from=builder:"))
}

/// A path of the project, which must not lead out of it.
fn inside(uri: &str) -> Result<&Path, Failed> {
    let path = Path::new(uri.strip_prefix("file://./").unwrap_or(uri));
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if uri.contains("://") && !uri.starts_with("file://./") || !path.components().all(plain) {
        let reason = format!("project.toml: the buildpack `{uri}` is not a folder of the app");
        return Err(wrong(reason).hint(
            "put the buildpack into the app's folder, or name it when deploying: \
             paas deploy --buildpack IMAGE",
        ));
    }
    Ok(path)
}

/// Makes a buildpack of a script.
fn write_inline(
    roots: &Roots,
    pack: &ProjectPack,
    script: &Inline,
) -> Result<std::path::PathBuf, Box<dyn std::error::Error>> {
    let inline = BuildpackId::parse("inline/script")?;
    let id = pack.id.clone().unwrap_or(inline);
    let version = pack.version.as_deref().unwrap_or("0.0.0");
    let api = script.api.as_deref().unwrap_or("0.10");
    let shell = script.shell.as_deref().unwrap_or("/bin/sh");
    let dir = roots.platform.join("inline").join(id.escaped());
    remove(&dir)?;
    fs::create_dir_all(dir.join("bin"))?;
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let descriptor = format!(
        "api = {}\n[buildpack]\nid = {}\nversion = {}\n",
        quoted(api),
        quoted(id.as_str()),
        quoted(version)
    );
    fs::write(dir.join("buildpack.toml"), descriptor)?;
    let build = format!("#!{shell}\n{}\n", script.text);
    for (name, text) in [("detect", "#!/bin/sh\nexit 0\n"), ("build", build.as_str())] {
        let path = dir.join("bin").join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(dir)
}

/// Copies a folder. What is neither file, folder nor link stays behind.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    remove(to)?;
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, kind, target) = (entry.path(), entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&path, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path)?, target)?;
        } else if kind.is_file() {
            fs::copy(&path, target)?;
        }
    }
    Ok(())
}

fn rules(root: &Path, lines: &[String]) -> Result<Gitignore, Failed> {
    let mut builder = GitignoreBuilder::new(root);
    for line in lines {
        builder.add_line(None, line).map_err(|error| {
            wrong(format!("project.toml: the pattern `{line}` cannot be read: {error}"))
        })?;
    }
    builder.build().map_err(|error| wrong(format!("project.toml: {error}")))
}

fn exclude(dir: &Path, rules: &Gitignore) -> io::Result<()> {
    for path in sorted_entries(dir)? {
        let is_dir = path.symlink_metadata()?.is_dir();
        if rules.matched(&path, is_dir).is_ignore() {
            remove(&path)?;
        } else if is_dir {
            exclude(&path, rules)?;
        }
    }
    Ok(())
}

/// Whether anything stays in `dir`.
fn include(dir: &Path, rules: &Gitignore) -> io::Result<bool> {
    let mut stays = false;
    for path in sorted_entries(dir)? {
        let is_dir = path.symlink_metadata()?.is_dir();
        let wanted = rules.matched_path_or_any_parents(&path, is_dir).is_ignore();
        if wanted && !is_dir || is_dir && include(&path, rules)? {
            stays = true;
        } else {
            remove(&path)?;
        }
    }
    Ok(stays)
}

fn wrong(reason: String) -> Failed {
    Failed::new(Code::Detect, Phase::Detect, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: Pattern, expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::under(dir.path());
        for name in ["a.md", "src/a.js", "src/b.md", "docs/deep/c.txt", "docs/d.md"] {
            let path = roots.workspace.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        symlink(dir.path(), roots.workspace.join("link")).unwrap();
        apply(&Project { files: Some(pattern), ..Project::default() }, &roots).unwrap();
        let mut left = Vec::new();
        list(&roots.workspace, &roots.workspace, &mut left);
        assert_eq!(left.join(" "), expected);
    }

    fn list(root: &Path, dir: &Path, left: &mut Vec<String>) {
        for path in sorted_entries(dir).unwrap() {
            if path.symlink_metadata().unwrap().is_dir() {
                list(root, &path, left);
            } else {
                left.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }

    #[test]
    fn project_descriptor_include_and_exclude() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        check(Pattern::Exclude(lines(&["*.md", "!a.md", "/docs/deep", "link"])), "a.md src/a.js");
        check(Pattern::Include(lines(&["src/", "docs/*.md"])), "docs/d.md src/a.js src/b.md");
        check(Pattern::Include(lines(&["*.js"])), "src/a.js");
    }
}
