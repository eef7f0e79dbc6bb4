//! A blob on its way: a file that grows request by request, and gets its place when it is what was promised.
//!
//! The file is all that is known of it. Its length says how much came, so that an upload goes on after a
//! broken line and after the daemon's death alike; its digest is taken of what lies on the disk, once all of
//! it does. Invariant: one request at a time has it; the kernel lets go of those that died.

use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use sha2::{Digest, Sha256};

use super::shelf::{Shelf, ShelfError};
use crate::model::{BlobDigest, ByteSize};

/// Which upload: 32 hexadecimal digits that nobody guesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadId(String);

/// An upload, held.
#[derive(Debug)]
pub struct Arriving {
    file: File,
    path: PathBuf,
    received: u64,
}

impl UploadId {
    pub(super) fn new() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UploadId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(digit)).then(|| Self(text.to_owned())).ok_or(())
    }
}

impl Arriving {
    pub(super) fn begin(path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).open(path).map(drop)
    }

    /// Nothing if there is no such upload.
    pub(super) fn open(path: PathBuf) -> Result<Option<Self>, ShelfError> {
        let opened = OpenOptions::new().read(true).append(true).open(&path);
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ShelfError::Busy),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Whoever had it a moment ago may have given it its place: then this is a blob, and no upload.
        let (held, there) = (file.metadata()?, fs::metadata(&path));
        if !there.is_ok_and(|there| there.ino() == held.ino()) {
            return Ok(None);
        }
        Ok(Some(Self { received: held.len(), file, path }))
    }

    /// How many bytes are here.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Adds bytes to it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ShelfError> {
        let after = self.received.saturating_add(bytes.len() as u64);
        if after > MAX_BLOB.0 {
            return Err(ShelfError::TooLarge);
        }
        self.file.write_all(bytes)?;
        self.received = after;
        Ok(())
    }

    /// Gives it its place, if it is what its sender says; one that is not is gone. It blocks.
    pub fn keep(mut self, wanted: &BlobDigest, on: &Shelf) -> Result<(), ShelfError> {
        let found = self.digest()?;
        if found != *wanted {
            fs::remove_file(&self.path)?;
            return Err(ShelfError::Mismatch { found });
        }
        on.take(&self.file, &self.path, wanted)
    }

    /// Ends it; what came is gone.
    pub fn forget(self) -> io::Result<()> {
        fs::remove_file(self.path)
    }

    fn digest(&mut self) -> io::Result<BlobDigest> {
        self.file.rewind()?;
        let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE]);
        loop {
            match self.file.read(&mut piece)? {
                0 => break,
                count => hash.update(piece.get(..count).unwrap_or_default()),
            }
        }
        let text = format!("sha256:{}", hex::encode(hash.finalize()));
        Ok(text.parse().expect("64 hexadecimal digits are a digest"))
    }
}

/// The largest blob: a layer as it is sent.
pub const MAX_BLOB: ByteSize = ByteSize(10 << 30);
const PIECE: usize = 256 << 10;
