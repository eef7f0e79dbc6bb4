//! The keys that backups are encrypted to: the server's own, made at first use, and those of other servers
//! that were taken over. The first one encrypts, all of them open.
//!
//! A file as `age -i` takes it, of mode 0600. It is no secret of the store's: an export, or a stolen
//! target, is worth nothing without it, and with it a backup needs no paas at all.

use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use zeroize::Zeroizing;

use super::age::{Identity, Recipient};

/// The keys of this server. Clones are the same.
#[derive(Clone)]
pub struct BackupKeys {
    file: PathBuf,
    /// Held while the file is made or changed.
    turn: Arc<Mutex<()>>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file.
    #[error("the keys of backups at {} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A text that should have been a key.
    #[error("line {line} is no key of age's: it begins with AGE-SECRET-KEY-1")]
    Format {
        /// Which.
        line: usize,
    },
    /// A text without one.
    #[error("there is no key in it")]
    Empty,
}

impl BackupKeys {
    /// Those in this file, which need not be there yet.
    pub fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), turn: Arc::default() }
    }

    /// The text of the file, which is made if it is missing.
    pub fn text(&self) -> Result<Zeroizing<String>, KeysError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.file.exists() {
            self.write(&lines(&Identity::generate()))?;
        }
        let text = fs::read_to_string(&self.file).map(Zeroizing::new);
        text.map_err(|source| KeysError::File { path: self.file.clone(), source })
    }

    /// Whether nobody was shown a key yet that could be kept elsewhere: there is none.
    pub fn are_unmade(&self) -> bool {
        !self.file.exists()
    }

    /// The public halves, the one that encrypts first.
    pub fn public(&self) -> Result<Vec<String>, KeysError> {
        Ok(self.identities()?.iter().map(|key| key.public().to_string()).collect())
    }

    /// Takes over the keys in a text that `age-keygen` or another server made. The public halves of those
    /// that are new.
    pub fn import(&self, text: &str) -> Result<Vec<String>, KeysError> {
        let given = parsed(text)?;
        if given.is_empty() {
            return Err(KeysError::Empty);
        }
        let mut all = if self.are_unmade() { Zeroizing::new(String::new()) } else { self.text()? };
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut added = Vec::new();
        for key in given {
            let public = key.public().to_string();
            if !parsed(&all)?.iter().any(|known| known.public().to_string() == public) {
                all.push_str(&lines(&key));
                added.push(public);
            }
        }
        self.write(&all)?;
        Ok(added)
    }

    pub(super) fn identities(&self) -> Result<Vec<Identity>, KeysError> {
        let keys = parsed(&self.text()?)?;
        if keys.is_empty() { Err(KeysError::Empty) } else { Ok(keys) }
    }

    pub(super) fn recipient(&self) -> Result<Recipient, KeysError> {
        Ok(self.identities()?.first().ok_or(KeysError::Empty)?.public())
    }

    /// A crash leaves the old file or the new one.
    fn write(&self, text: &str) -> Result<(), KeysError> {
        let write = || {
            let temporary = self.file.with_extension("new");
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &self.file)?;
            self.file.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
        };
        write().map_err(|source| KeysError::File { path: self.file.clone(), source })
    }
}

impl fmt::Debug for BackupKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupKeys({})", self.file.display())
    }
}

fn lines(key: &Identity) -> Zeroizing<String> {
    Zeroizing::new(format!("# public key: {}\n{}\n", key.public(), *key.text()))
}

fn parsed(text: &str) -> Result<Vec<Identity>, KeysError> {
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| line.parse().map_err(|_| KeysError::Format { line: index + 1 }))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_others_come_after_it() {
        let home = tempfile::tempdir().unwrap();
        let (ours, theirs) = (home.path().join("ours.key"), home.path().join("theirs.key"));
        let (ours, theirs) = (BackupKeys::new(&ours), BackupKeys::new(&theirs));
        assert!(ours.are_unmade());
        let first = ours.public().unwrap();
        assert_eq!((first.len(), ours.public().unwrap() == first), (1, true));
        let mode = fs::metadata(&ours.file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");

        let added = ours.import(&theirs.text().unwrap()).unwrap();
        assert_eq!(added, theirs.public().unwrap());
        assert_eq!(ours.public().unwrap(), [first, added].concat());
        assert_eq!(ours.import(&theirs.text().unwrap()).unwrap(), Vec::<String>::new());

        // Where there is none yet, the one that is taken over encrypts from then on.
        let new = BackupKeys::new(&home.path().join("new.key"));
        new.import(&theirs.text().unwrap()).unwrap();
        assert_eq!(new.public().unwrap(), theirs.public().unwrap());
    }

    #[test]
    fn what_is_no_key_is_refused_and_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let keys = BackupKeys::new(&home.path().join("backup.key"));
        assert!(matches!(keys.import("# nothing\n\n"), Err(KeysError::Empty)));
        assert!(matches!(keys.import("# a\nage1xyz\n"), Err(KeysError::Format { line: 2 })));
        assert!(keys.are_unmade());
    }
}
