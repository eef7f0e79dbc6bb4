//! `paas.toml`, and `paas.staging.toml` of an environment, as far as the command line needs them: the
//! app's name, and whether it is an image.
//!
//! The rest of the files is the server's to read and to judge.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::AppName;
use crate::failure::Failure;

/// The file's name.
pub(crate) const MANIFEST: &str = "paas.toml";

#[derive(Deserialize)]
struct Manifest {
    app: Option<String>,
    build: Option<toml::Value>,
    http: Option<toml::Value>,
}

/// The image that the manifest of `folder` says `app` is. What is wrong with a manifest is for the
/// server to say, which knows what serves on in spite of it.
pub(crate) fn image(folder: &Path, app: &AppName) -> Option<String> {
    let is_of_app = |file: &PathBuf| {
        let environment = environment_of(file);
        environment
            .is_some_and(|it| matches!(named(folder, it), Ok(Some((name, _))) if name == *app))
    };
    let overlay = files(folder).into_iter().find(is_of_app);
    let build = overlay.into_iter().chain([folder.join(MANIFEST)]);
    let mut build = build.filter_map(|file| parse(&file).ok()??.build);
    build.find_map(|build| build.get("image")?.as_str().map(str::to_owned))
}

/// The manifests of a folder: `paas.toml`, and one for each environment that differs.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| environment_of(file).is_some() || file.ends_with(MANIFEST));
    files.sort();
    files
}

/// The files of a folder that say something of its app, and are there.
pub(crate) fn declaring(folder: &Path) -> Vec<PathBuf> {
    let others = ["Procfile", "fly.toml", "app.json"].map(|name| folder.join(name));
    files(folder).into_iter().chain(others.into_iter().filter(|file| file.is_file())).collect()
}

/// `staging` of `paas.staging.toml`.
fn environment_of(file: &Path) -> Option<&str> {
    let name = file.file_name()?.to_str()?.strip_prefix("paas.")?.strip_suffix(".toml")?;
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!name.is_empty() && name.bytes().all(valid)).then_some(name)
}

/// The files that the manifests of `folder` name as pages of the edge.
pub(crate) fn pages(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for file in files(folder) {
        let http = parse(&file)?.and_then(|manifest| manifest.http);
        let pages = http.as_ref().and_then(|http| http.get("pages")?.as_table());
        let pages = pages.into_iter().flat_map(|pages| pages.values());
        found.extend(pages.filter_map(|page| page.as_str().map(PathBuf::from)));
    }
    Ok(found)
}

/// The app that the manifest of `folder`, or of a folder above it, names, and that file. A folder
/// with `.git` ends the search: what is above it is another project.
pub(crate) fn app(folder: &Path) -> Result<Option<(AppName, PathBuf)>, Failure> {
    for folder in folder.ancestors() {
        let file = folder.join(MANIFEST);
        if let Some(name) = read(&file)? {
            return Ok(Some((name, file)));
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Ok(None)
}

/// The app of an environment of `folder`, or of a folder above it, and the file that describes it:
/// the app that it names, or that of `paas.toml` with the environment behind a hyphen.
pub(crate) fn environment(
    folder: &Path,
    environment: &str,
) -> Result<Option<(AppName, PathBuf)>, Failure> {
    for folder in folder.ancestors() {
        if let Some(found) = named(folder, environment)? {
            return Ok(Some(found));
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Ok(None)
}

/// The apps of all environments of `folder`.
pub(crate) fn environments(folder: &Path) -> Result<Vec<AppName>, Failure> {
    let mut apps = Vec::new();
    for file in files(folder) {
        let Some(environment) = environment_of(&file) else { continue };
        apps.extend(named(folder, environment)?.map(|(name, _)| name));
    }
    Ok(apps)
}

fn named(folder: &Path, environment: &str) -> Result<Option<(AppName, PathBuf)>, Failure> {
    let file = folder.join(format!("paas.{environment}.toml"));
    if environment_of(&file).is_none() || !file.exists() {
        return Ok(None);
    }
    if let Some(name) = read(&file)? {
        return Ok(Some((name, file)));
    }
    let Some(base) = read(&folder.join(MANIFEST))? else { return Ok(None) };
    Ok(Some((base.with_suffix(environment), file)))
}

fn read(file: &Path) -> Result<Option<AppName>, Failure> {
    let Some(name) = parse(file)?.and_then(|manifest| manifest.app) else { return Ok(None) };
    let valid = name.parse().map_err(|fault| {
        Failure::local(format!("cannot use {}", file.display()))
            .because(format!("`app = {name:?}`: {fault}"))
    });
    valid.map(Some)
}

fn parse(file: &Path) -> Result<Option<Manifest>, Failure> {
    let cannot = || Failure::local(format!("cannot use {}", file.display()));
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot().because(error)),
    };
    let manifest = toml::from_str(&text).map_err(|fault| {
        let before = fault.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        cannot().because(format!("line {line}: {}", fault.message()))
    })?;
    Ok(Some(manifest))
}

/// Names `app` in the folder's manifest, in front of what already stands there.
pub(crate) fn write(folder: &Path, app: &AppName) -> Result<PathBuf, Failure> {
    let file = folder.join(MANIFEST);
    let cannot = |error: io::Error| {
        Failure::local(format!("cannot write {}", file.display())).because(error)
    };
    let before = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(cannot(error)),
    };
    // A key must stand before the first table, so the top is the only place that is always right.
    let text = format!("app = \"{app}\"\n{before}");
    let mut new = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(cannot)?;
    io::Write::write_all(&mut new, text.as_bytes()).map_err(cannot)?;
    new.as_file().sync_all().map_err(cannot)?;
    new.persist(&file).map_err(|fault| cannot(fault.error))?;
    Ok(file)
}
