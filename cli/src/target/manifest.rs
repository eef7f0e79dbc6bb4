//! `paas.toml`, as far as the command line needs it: the app's name, and whether it is an image.
//!
//! The rest of the file is the server's to read and to judge.

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

/// The image that the manifest of `folder` says the app is. What is wrong with a manifest is for the
/// server to say, which knows what serves on in spite of it.
pub(crate) fn image(folder: &Path) -> Option<String> {
    let build = parse(&folder.join(MANIFEST)).ok()??.build?;
    build.get("image")?.as_str().map(str::to_owned)
}

/// The files that the manifest of `folder` names as pages of the edge.
pub(crate) fn pages(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let http = parse(&folder.join(MANIFEST))?.and_then(|manifest| manifest.http);
    let pages = http.as_ref().and_then(|http| http.get("pages")?.as_table());
    let files = pages.into_iter().flat_map(|pages| pages.values());
    Ok(files.filter_map(|file| file.as_str().map(PathBuf::from)).collect())
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
