//! Validators from content, computed once for each file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// Remembered validators. Files of a container do not change, so they are never forgotten.
#[derive(Debug, Default)]
pub(super) struct Etags {
    known: Mutex<HashMap<PathBuf, String>>,
}

/// The most files that are remembered; the rest are computed each time.
const MAX_KNOWN: usize = 100_000;

impl Etags {
    /// The validator of a file. Blocks: it may read the whole file.
    pub(super) fn of(&self, path: &Path) -> io::Result<String> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(etag) = lock().get(path) {
            return Ok(etag.clone());
        }
        let etag = compute(path)?;
        let mut known = lock();
        if known.len() < MAX_KNOWN {
            known.insert(path.to_owned(), etag.clone());
        }
        Ok(etag)
    }
}

fn compute(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..count).filter(|it| !it.is_empty()) else { break };
        hash.update(read);
    }
    let digest = hash.finalize();
    // 128 bits: nobody guesses two files of one site that share them.
    Ok(format!("\"{}\"", hex::encode(digest.get(..16).unwrap_or(&digest))))
}
