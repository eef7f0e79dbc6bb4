//! A folder as the place of backups: a disk of its own, or one of another machine that is mounted here.
//!
//! Invariant: what has its name is whole. The folder itself is never made: where a disk is not mounted,
//! backups would fill the one that they are to survive.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Draft {
    file: NamedTempFile,
    to: PathBuf,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn names(&self, under: &str) -> io::Result<Vec<String>> {
        self.there()?;
        let mut names = Vec::new();
        let folder = self.root.join(under);
        if folder.is_dir() {
            walk(&folder, under, DEEPEST, &mut names)?;
        }
        Ok(names)
    }

    pub(super) fn open(&self, name: &str) -> io::Result<File> {
        self.there()?;
        File::open(self.root.join(name))
    }

    pub(super) fn create(&self, name: &str) -> io::Result<Draft> {
        self.there()?;
        let to = self.root.join(name);
        let folder = to.parent().unwrap_or(&self.root);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // What a daemon that died left is nobody's any more: of a volume one backup is made at a time.
        for entry in fs::read_dir(folder)?.flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(PART.as_bytes()) {
                fs::remove_file(entry.path())?;
            }
        }
        let file = tempfile::Builder::new().prefix(PART).tempfile_in(folder)?;
        Ok(Draft { file, to })
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.root.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn there(&self) -> io::Result<()> {
        if self.root.is_dir() {
            return Ok(());
        }
        let text = format!("{} is not there; is its disk mounted?", self.root.display());
        Err(io::Error::new(io::ErrorKind::NotFound, text))
    }
}

impl Draft {
    /// Gives it its name, once all of it is on the disk.
    pub(super) fn finish(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.to)?;
        File::open(self.to.parent().unwrap_or(&self.to))?.sync_all()
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

fn walk(folder: &Path, name: &str, deep: u32, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(own) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if kind.is_file() {
            names.push(format!("{name}{own}"));
        } else if kind.is_dir() && deep > 0 {
            walk(&entry.path(), &format!("{name}{own}/"), deep - 1, names)?;
        }
    }
    Ok(())
}

/// What is being written begins with it.
const PART: &str = ".part-";
/// An app's folder, and a volume's in it.
const DEEPEST: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finished_is_not_there_and_goes_with_the_next() {
        let home = tempfile::tempdir().unwrap();
        let place = Folder::new(home.path());
        let mut cut = place.create("shop/data/b1.json").unwrap();
        cut.write_all(b"half").unwrap();
        // As after `kill -9`: nobody is there to remove it.
        let (_file, left) = cut.file.keep().unwrap();
        let mut whole = place.create("shop/data/b2.json").unwrap();
        assert!(!left.exists());
        whole.write_all(b"all").unwrap();
        assert!(!place.names("").unwrap().contains(&"shop/data/b2.json".to_owned()));
        whole.finish().unwrap();
        assert_eq!(place.names("").unwrap(), ["shop/data/b2.json"]);
        assert_eq!(place.names("shop/data/").unwrap(), ["shop/data/b2.json"]);
        assert_eq!(place.names("other/data/").unwrap(), Vec::<String>::new());
        place.remove("shop/data/b2.json").unwrap();
        place.remove("shop/data/b2.json").unwrap();
        assert_eq!(place.names("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_disk_that_is_not_mounted_is_not_made_up_for() {
        let home = tempfile::tempdir().unwrap();
        let place = Folder::new(&home.path().join("mnt"));
        for refused in [place.create("shop/data/b1.json").err(), place.names("").err()] {
            assert!(refused.unwrap().to_string().contains("is its disk mounted?"));
        }
        assert!(!home.path().join("mnt").exists());
    }
}
