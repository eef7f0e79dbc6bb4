//! Reads the small files of the contract, some of which hostile code wrote.
//!
//! Invariant: at most [`MAX_BYTES`] are read, and only from a regular file: a FIFO would block the
//! build for ever, a sparse file of a terabyte would fill the memory.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The most that a file of the contract may hold, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Why a file of the contract could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {path}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a regular file of at most {MAX_BYTES} bytes")]
    Unfit { path: PathBuf },
    #[error("{path} is not UTF-8 text")]
    NotText { path: PathBuf },
    #[error("{path}: {reason}")]
    Syntax { path: PathBuf, reason: String },
}

/// The text of a small regular file.
pub fn read_small(path: &Path) -> Result<String, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    // Without O_NONBLOCK, opening a FIFO waits for a writer that never comes.
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return Err(ReadError::Unfit { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(io)?;
    String::from_utf8(bytes).map_err(|_| ReadError::NotText { path: path.to_owned() })
}

/// Parses a TOML file of the contract.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ReadError> {
    let text = read_small(path)?;
    toml::from_str(&text).map_err(|error| ReadError::Syntax {
        path: path.to_owned(),
        reason: error.to_string().trim_end().to_owned(),
    })
}

/// As [`read_toml`], with the empty document where there is no file.
pub fn read_toml_or_default<T: DeserializeOwned + Default>(path: &Path) -> Result<T, ReadError> {
    if path.symlink_metadata().is_err() {
        return Ok(T::default());
    }
    read_toml(path)
}
