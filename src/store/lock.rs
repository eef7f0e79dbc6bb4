//! One daemon per data folder. The lock is the kernel's, so it goes with the process however
//! that ends; the number in the file is only for people.
//!
//! A process that was killed holds its files until the last of its threads is gone, which may be a
//! moment after it seems dead to whoever starts the next one. So a lock is waited for, briefly.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use thiserror::Error;

/// Holds the folder as long as it lives.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

/// Why the folder is not ours.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{} is in use by another paas server{}", dir.display(), process(*.pid))]
    Held { dir: PathBuf, pid: Option<u32> },
    /// The lock file cannot be made or written.
    #[error("cannot lock the data folder {}", dir.display())]
    Io { dir: PathBuf, source: io::Error },
}

impl DataDirLock {
    /// Takes the folder, which must exist, or says who has it. Blocks while the holder may be on its
    /// way out, for a second at most.
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { dir: dir.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(dir.join("lock")).map_err(failed)?;
        let patience = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < patience => sleep(LOOKS_AGAIN),
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { dir: dir.to_owned(), pid: holder(&mut file) });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        noted.map_err(failed)?;
        Ok(Self { _file: file })
    }
}

impl LockError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Held { pid: Some(pid), .. } => Some(format!("stop it with `kill {pid}`")),
            Self::Held { dir, pid: None } => {
                Some(format!("find it with `fuser {}/lock`", dir.display()))
            }
            Self::Io { dir, .. } => Some(format!("see `ls -ld {}`", dir.display())),
        }
    }
}

/// The number its holder wrote; none if it has not come to that yet.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// How long a killed process may take to be gone, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOKS_AGAIN: Duration = Duration::from_millis(10);
