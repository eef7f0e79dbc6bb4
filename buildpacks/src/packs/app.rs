//! The app's folder, as buildpacks look at it.

use std::io;
use std::path::{Path, PathBuf};

use super::PackError;
use crate::spec::{ReadError, read_small};

/// The folder with the app's source.
#[derive(Debug, Clone)]
pub(crate) struct App {
    dir: PathBuf,
}

impl App {
    /// The app in `dir`.
    pub(crate) fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }

    /// Whether there is a file of that name.
    pub(crate) fn has(&self, name: impl AsRef<Path>) -> bool {
        self.path(name).is_file()
    }

    /// The first of `names` that is a file.
    pub(crate) fn first<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.has(name))
    }

    /// The text of a file, or nothing if there is none.
    pub(crate) fn text(&self, name: impl AsRef<Path>) -> Result<Option<String>, PackError> {
        let path = self.path(&name);
        match read_small(&path) {
            Ok(text) => Ok(Some(text)),
            Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => {
                let name = name.as_ref().display();
                Err(PackError::app(
                    format!("{name} cannot be read: {error}"),
                    format!("make {name} a text file of at most 1 MiB"),
                ))
            }
        }
    }

    /// The first line of a file that is neither empty nor a comment.
    pub(crate) fn first_line(&self, name: &str) -> Result<Option<String>, PackError> {
        let text = self.text(name)?.unwrap_or_default();
        let line = text.lines().map(str::trim).find(|it| !it.is_empty() && !it.starts_with('#'));
        Ok(line.map(str::to_owned))
    }

    /// The bytes of a file, for a fingerprint; a lock file may be larger than what we parse.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, PackError> {
        let path = self.path(name);
        if !path.is_file() {
            return Ok(Vec::new());
        }
        std::fs::read(&path).map_err(PackError::io(path))
    }
}

#[cfg(test)]
impl App {
    /// An app of these files, by name and text; its folder goes with the other half.
    pub(crate) fn of(files: &[(&str, &str)]) -> (Self, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        (Self::new(dir.path()), dir)
    }
}
