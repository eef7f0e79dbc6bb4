//! Segments: the numbered files of one app's log. Only whole lines count; what a crash tore off at
//! the end is cut away before anything is appended.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    len: u64,
}

impl Segment {
    /// Opens or makes it, and repairs its end.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
        let len = file.metadata()?.len();
        let whole = whole_lines(&read(path, len)?);
        if whole < len {
            file.set_len(whole)?;
        }
        Ok(Self { file, len: whole })
    }

    /// Appends whole lines: all of them, or, when the disk is full, none.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        match self.file.write_all(lines) {
            Ok(()) => {
                self.len += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // If this fails too, the torn line is repaired when the file is next opened.
                let _ = self.file.set_len(self.len);
                Err(error)
            }
        }
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }
}

/// The file of that number.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.log"))
}

/// The numbers of the segments in the folder and their lengths, oldest first.
pub(super) fn list(folder: &Path) -> io::Result<Vec<(u64, u64)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok());
        if let Some(number) = number {
            found.push((number, entry.metadata()?.len()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The first `len` bytes of a file; none if it is gone: the oldest segment may vanish while it is
/// being read.
pub(super) fn read(path: &Path, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => drop(other?.take(len).read_to_end(&mut bytes)?),
    }
    Ok(bytes)
}

/// Makes a folder that only the daemon's user may enter.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The length of the part that consists of whole lines.
fn whole_lines(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end as u64 + 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_torn_line_is_cut_away_and_the_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = path(&folder.path().join("shop"), 1);
        Segment::open(&file).unwrap().append(b"one\ntwo\nthr").unwrap();
        let mut again = Segment::open(&file).unwrap();
        assert_eq!(again.len(), 8);
        again.append(b"three\n").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"one\ntwo\nthree\n");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn segments_are_listed_by_number_and_strangers_are_not() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10.log", "9.log", "x.log", "9.txt"] {
            fs::write(folder.path().join(name), "x\n").unwrap();
        }
        assert_eq!(list(folder.path()).unwrap(), [(9, 2), (10, 2)]);
        assert_eq!(list(&folder.path().join("none")).unwrap(), []);
    }
}
