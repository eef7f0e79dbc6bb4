//! A file that is set aside when it is full, and forgotten when there are enough of its kind.
//!
//! It knows nothing of what is in it. The invariant: at most `older + 1` files, none larger than
//! `largest` by more than what was appended at once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// Bytes of one file.
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;
/// Files kept besides the one that is written.
pub(super) const OLDER: u32 = 4;

/// A file and its predecessors: `name`, `name.1` (the youngest), `name.2`, …
#[derive(Debug)]
pub(super) struct Rotating {
    path: PathBuf,
    largest: u64,
    older: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    length: u64,
}

impl Rotating {
    /// Opens nothing yet.
    pub(super) fn new(path: PathBuf, largest: u64, older: u32) -> Self {
        Self { path, largest, older, open: None }
    }

    /// Appends whole lines. After an error the file is opened anew next time.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let appended = self.try_append(lines);
        if appended.is_err() {
            self.open = None;
        }
        appended
    }

    fn try_append(&mut self, lines: &[u8]) -> io::Result<()> {
        let more = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.opened()?,
        };
        if open.length > 0 && open.length.saturating_add(more) > self.largest {
            drop(open);
            self.set_aside()?;
            open = self.opened()?;
        }
        open.file.write_all(lines)?;
        open.length += more;
        self.open = Some(open);
        Ok(())
    }

    /// Visitors' addresses are nobody else's business: only the owner reads it.
    fn opened(&self) -> io::Result<Open> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        let length = file.metadata()?.len();
        Ok(Open { file, length })
    }

    fn set_aside(&self) -> io::Result<()> {
        for number in (0..self.older).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.older == 0 {
            fs::remove_file(&self.path)?;
        }
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(folder: &std::path::Path) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<_> = entries
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn full_files_are_set_aside_and_old_ones_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = Rotating::new(path.clone(), 8, 2);
        for line in ["1111\n", "2\n", "3333\n", "4444\n", "5555\n", "66666666666\n"] {
            file.append(line.as_bytes()).unwrap();
        }
        let found = contents(folder.path());
        let found: Vec<_> = found.iter().map(|(n, text)| (n.as_str(), text.as_str())).collect();
        assert_eq!(found, [("log", "66666666666\n"), ("log.1", "5555\n"), ("log.2", "4444\n")]);
        // The next process goes on where this one was.
        Rotating::new(path, 8, 2).append(b"7\n").unwrap();
        assert_eq!(contents(folder.path())[0], ("log".into(), "7\n".into()));
    }

    #[test]
    fn after_an_error_it_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("gone");
        let mut file = Rotating::new(inside.join("log"), 100, 2);
        assert!(file.append(b"1\n").is_err());
        fs::create_dir(&inside).unwrap();
        file.append(b"2\n").unwrap();
        assert_eq!(contents(&inside), [("log".into(), "2\n".into())]);
    }

    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        Rotating::new(path.clone(), 100, 2).append(b"1\n").unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
