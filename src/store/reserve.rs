//! A file of some megabytes that is given back when the disk is full. sled needs a little space
//! even to open, so without it a full disk could only be read after somebody had made room. When
//! the file can be made again, the disk has space again: that is when writes resume.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use super::journal::Fault;

/// Space kept for bad days.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(super) fn in_folder(dir: &Path) -> Self {
        Self { path: dir.join("reserve") }
    }

    /// Gives the space back. A file that is not there has been given back before.
    pub(super) fn release(&self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "reserve could not be released");
        }
    }

    /// Takes the space, unless it is taken.
    pub(super) fn hold(&self) -> Result<(), Fault> {
        if fs::metadata(&self.path).is_ok_and(|meta| meta.len() == SIZE) {
            return Ok(());
        }
        self.take().inspect_err(|_| self.release())?;
        Ok(())
    }

    fn take(&self) -> io::Result<()> {
        let file = File::create(&self.path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        match fallocate(&file, FallocateFlags::empty(), 0, SIZE) {
            // Not every file system knows how to reserve; all know how to write.
            Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(&file)?,
            other => other?,
        }
        file.sync_all()
    }
}

fn write_zeros(mut file: &File) -> io::Result<()> {
    let zeros = [0; 4 * 1024];
    for _ in 0..SIZE / 4 / 1024 {
        file.write_all(&zeros)?;
    }
    Ok(())
}

/// Several times what sled writes to open and to settle, in bytes.
const SIZE: u64 = 8 * 1024 * 1024;
