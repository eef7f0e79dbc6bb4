//! The place of backups, whichever it is: objects by name, written once and whole.

use std::io::{self, Read, Write};

use super::{
    BackupError,
    folder::{Draft, Folder},
    s3::{Parts, S3},
};
use crate::model::BackupPlace;

/// Where backups are kept. Clones are the same.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Folder(Folder),
    S3(S3),
}

/// An object that is being written; one that is not finished does not come into being.
pub(super) enum Object {
    Draft(Draft),
    Parts(Parts),
}

impl Place {
    pub(super) fn open(at: &BackupPlace) -> Result<Self, BackupError> {
        match at {
            BackupPlace::Folder(folder) => Ok(Self::Folder(Folder::new(folder))),
            BackupPlace::S3(place) => Ok(Self::S3(S3::open(place)?)),
        }
    }

    /// The names of all objects that begin with `under`, which is empty or ends with a slash.
    pub(super) fn names(&self, under: &str) -> Result<Vec<String>, BackupError> {
        let names = match self {
            Self::Folder(folder) => folder.names(under),
            Self::S3(s3) => s3.names(under),
        };
        names.map_err(BackupError::place("listed", under))
    }

    /// A small object, whole.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, BackupError> {
        let mut bytes = Vec::new();
        let read = self.stream(name)?.take(SMALL).read_to_end(&mut bytes);
        read.map_err(BackupError::place("read", name))?;
        Ok(bytes)
    }

    /// An object's bytes as they come.
    pub(super) fn stream(&self, name: &str) -> Result<Box<dyn Read + Send>, BackupError> {
        let opened = match self {
            Self::Folder(folder) => {
                folder.open(name).map(|file| Box::new(file) as Box<dyn Read + Send>)
            }
            Self::S3(s3) => s3.get(name).map(|body| Box::new(body) as Box<dyn Read + Send>),
        };
        opened.map_err(BackupError::place("read", name))
    }

    /// Begins an object of at most about `expected` bytes.
    pub(super) fn create(&self, name: &str, expected: u64) -> Result<Object, BackupError> {
        let begun = match self {
            Self::Folder(folder) => folder.create(name).map(Object::Draft),
            Self::S3(s3) => Ok(Object::Parts(s3.create(name, expected))),
        };
        begun.map_err(BackupError::place("written", name))
    }

    /// Removes an object; one that is not there is fine.
    pub(super) fn remove(&self, name: &str) -> Result<(), BackupError> {
        let removed = match self {
            Self::Folder(folder) => folder.remove(name),
            Self::S3(s3) => s3.remove(name),
        };
        removed.map_err(BackupError::place("removed", name))
    }
}

impl Object {
    /// Has it come into being.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Draft(draft) => draft.finish(),
            Self::Parts(parts) => parts.finish(),
        }
    }
}

impl Write for Object {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Draft(draft) => draft.write(bytes),
            Self::Parts(parts) => parts.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Draft(draft) => draft.flush(),
            Self::Parts(parts) => parts.flush(),
        }
    }
}

/// Bytes of what is read whole: a description has five hundred.
const SMALL: u64 = 64 << 10;
