//! The buildpacks that an app brings: out of its upload or its own folder onto the shelf that the
//! build container sees at `/buildpacks`.
//!
//! What `paas deploy --buildpack` names is uploaded below [`UPLOADED`], in order, and counts instead
//! of `[build] buildpacks`. A name with a [`BESIDE`] in it is a part of the one before it, which has
//! to be there without being chosen. Nothing here reads a `buildpack.toml`: that is done in the
//! container.
//! Invariant: the shelf holds only what this build was told to use, and no link was followed on the
//! way there.

mod buildpackage;

use std::{
    ffi::OsStr,
    fs,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
};

use buildpacks::agent::Chosen;
use rustix::fs::FileType;
use sha2::{Digest, Sha256};

pub use buildpackage::BuildpackageError;

use super::{
    folder::{Folder, Owner},
    unpack::discard,
    workspace::{self, Workspace},
};
use crate::model::BuildpackChoice;

/// Why a buildpack cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BroughtError {
    /// It is not where it was said to be.
    #[error("the buildpack {what} cannot be read")]
    Read {
        /// Which.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The file is no buildpackage.
    #[error("the buildpack {what} cannot be used: {source}")]
    Package {
        /// Which.
        what: String,
        /// Why.
        source: BuildpackageError,
    },
    /// The upload has a name that says nothing.
    #[error(transparent)]
    Name(#[from] crate::model::InvalidBuildpack),
    /// The server's own folder.
    #[error("the shelf of buildpacks cannot be written")]
    Shelf(#[source] io::Error),
}

/// One buildpack, where it is now.
enum Item {
    Folder(String),
    Archive(String),
    Named(Chosen),
}

impl Item {
    /// Whether it takes part by itself, and not only where another names it.
    fn is_chosen(&self) -> bool {
        match self {
            Self::Named(_) => true,
            Self::Folder(path) | Self::Archive(path) => !path
                .strip_prefix(UPLOADED)
                .is_some_and(|name| name.split(CALLED).next().unwrap_or(name).contains(BESIDE)),
        }
    }
}

/// Puts onto the app's shelf what it brings, and says what was chosen, in order.
pub(super) fn bring(
    source: &Path,
    configured: &[BuildpackChoice],
    workspace: &Workspace,
) -> Result<Vec<Chosen>, BroughtError> {
    let root = Folder::open(source).map_err(BroughtError::Shelf)?;
    let mut items = uploaded(&root)?;
    if items.is_empty() {
        items = configured.iter().map(|choice| item(&root, choice)).collect::<Result<_, _>>()?;
    }
    let stamp = stamp(&root, &items)?;
    let shelf = &workspace.buildpacks;
    let chosen = match kept(shelf, &stamp) {
        Some(chosen) => chosen,
        None => fill(&root, &items, workspace, &stamp)?,
    };
    for (number, item) in items.iter().enumerate() {
        let Item::Folder(path) = item else { continue };
        let place = shelf.join(FOLDERS).join(number.to_string());
        workspace::make(&place, Owner::APP).map_err(BroughtError::Shelf)?;
        let read = |error| BroughtError::Read { what: path.clone(), source: error };
        root.below(path.as_ref()).map_err(read)?;
        workspace::sync(&source.join(path), &place, Owner::APP).map_err(read)?;
    }
    Ok(chosen)
}

/// What came with the upload.
fn uploaded(root: &Folder) -> Result<Vec<Item>, BroughtError> {
    let Ok(folder) = root.below(UPLOADED.as_ref()) else { return Ok(Vec::new()) };
    let mut items = Vec::new();
    for name in folder.names().map_err(BroughtError::Shelf)? {
        let Some(name) = name.to_str() else { continue };
        let path = format!("{UPLOADED}/{name}");
        items.push(if name.ends_with(NAMED) {
            let read = |source| BroughtError::Read { what: path.clone(), source };
            let (file, _) = folder.file(name.as_ref()).map_err(read)?;
            let mut text = String::new();
            file.take(MAX_NAME).read_to_string(&mut text).map_err(read)?;
            item(root, &text.parse()?)?
        } else {
            at(root, path)?
        });
    }
    Ok(items)
}

fn item(root: &Folder, choice: &BuildpackChoice) -> Result<Item, BroughtError> {
    match choice {
        BuildpackChoice::Path(path) => at(root, path.clone()),
        BuildpackChoice::Named { id, version } => {
            Ok(Item::Named(Chosen::Named { id: id.clone(), version: version.clone() }))
        }
    }
}

/// A folder or a file of the source.
fn at(root: &Folder, path: String) -> Result<Item, BroughtError> {
    let (folder, name) = split(root, &path)?;
    let stat =
        folder.stat(name).map_err(|source| BroughtError::Read { what: path.clone(), source })?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Item::Folder(path),
        _ => Item::Archive(path),
    })
}

/// The folder that a path of the source is in, and its name there.
fn split<'a>(root: &Folder, path: &'a str) -> Result<(Folder, &'a OsStr), BroughtError> {
    let (above, name) = path.rsplit_once('/').unwrap_or((".", path));
    let folder = root
        .below(above.as_ref())
        .map_err(|source| BroughtError::Read { what: path.to_owned(), source })?;
    Ok((folder, name.as_ref()))
}

fn open(root: &Folder, path: &str) -> Result<fs::File, BroughtError> {
    let (folder, name) = split(root, path)?;
    let read = |source| BroughtError::Read { what: path.to_owned(), source };
    folder.file(name).map(|(file, _)| file).map_err(read)
}

/// What the shelf was filled from: equal stamps mean that the packages on it are the same.
fn stamp(root: &Folder, items: &[Item]) -> Result<String, BroughtError> {
    let mut hash = Sha256::new();
    for item in items {
        match item {
            Item::Folder(path) => hash.update(format!("folder {path}\n")),
            Item::Named(chosen) => hash.update(format!("{chosen:?}\n")),
            Item::Archive(path) => {
                let mut file = open(root, path)?;
                let mut contents = Sha256::new();
                let mut buffer = vec![0; BUFFER];
                loop {
                    let count = file
                        .read(&mut buffer)
                        .map_err(|source| BroughtError::Read { what: path.clone(), source })?;
                    if count == 0 {
                        break;
                    }
                    contents.update(buffer.get(..count).unwrap_or_default());
                }
                hash.update(contents.finalize());
            }
        }
    }
    Ok(hex::encode(hash.finalize()))
}

/// What was chosen, if the shelf is as the stamp says.
fn kept(shelf: &Path, stamp: &str) -> Option<Vec<Chosen>> {
    let text = fs::read_to_string(shelf.join(STAMP)).ok()?;
    let (written, chosen) = text.split_once('\n')?;
    if written == stamp { serde_json::from_str(chosen).ok() } else { None }
}

/// Empties the shelf and unpacks the packages onto it; the folders follow with every build.
fn fill(
    root: &Folder,
    items: &[Item],
    workspace: &Workspace,
    stamp: &str,
) -> Result<Vec<Chosen>, BroughtError> {
    let shelf = &workspace.buildpacks;
    discard(shelf);
    workspace::make(shelf, Owner::APP).map_err(BroughtError::Shelf)?;
    let mut chosen = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let one = match item {
            Item::Folder(_) => Chosen::Folder(format!("{FOLDERS}/{number}")),
            Item::Named(named) => named.clone(),
            Item::Archive(path) => {
                let mut file = open(root, path)?;
                file.rewind().map_err(BroughtError::Shelf)?;
                let rough = rough(workspace);
                let place = format!("{FOLDERS}/{number}");
                let outcome = buildpackage::unpack(file, &rough, shelf, &place);
                if rough.exists() {
                    discard(&rough);
                }
                let what = || shown(path).to_owned();
                outcome.map_err(|source| BroughtError::Package { what: what(), source })?
            }
        };
        if item.is_chosen() {
            chosen.push(one);
        }
    }
    let text = serde_json::to_string(&chosen).map_err(|e| BroughtError::Shelf(e.into()))?;
    fs::write(shelf.join(STAMP), format!("{stamp}\n{text}")).map_err(BroughtError::Shelf)?;
    Ok(chosen)
}

/// What a user calls the package at a path.
fn shown(path: &str) -> &str {
    let Some(name) = path.strip_prefix(UPLOADED) else { return path };
    name.split_once(CALLED).map_or(name.trim_start_matches('/'), |(_, name)| name)
}

/// Where a package is taken apart.
fn rough(workspace: &Workspace) -> PathBuf {
    workspace.buildpacks.with_extension("unpacking")
}

/// Where the command line puts buildpacks into an upload.
const UPLOADED: &str = ".paas/buildpacks";
/// In the names there, between a buildpack's number and that of one it depends on.
const BESIDE: char = '+';
/// In the names there, between a package's number and what it was called.
const CALLED: char = '=';
/// A file there that holds a buildpack's id.
const NAMED: &str = ".id";
/// The part of the shelf for folders; no id of a buildpack has this character.
const FOLDERS: &str = "=";
/// What the shelf was filled from.
const STAMP: &str = "=stamp";
const MAX_NAME: u64 = 512;
const BUFFER: usize = 256 << 10;

#[cfg(test)]
mod tests;
