//! Makes a build container like new between two jobs: whatever a build left in folders that live in
//! memory goes. What it left elsewhere the daemon sees, and it then ends the container.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use crate::lifecycle;

/// Empties the scratch folders. Outside of a container it does nothing: there they are everybody's.
pub(super) fn refresh(home: &OsStr) -> io::Result<()> {
    if rustix::process::getpid().is_init() {
        for folder in SCRATCH {
            empty(Path::new(folder))?;
        }
        fs::create_dir_all(home)?;
    }
    Ok(())
}

fn empty(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        lifecycle::remove(&entry?.path())?;
    }
    Ok(())
}

/// Everything in a container that is neither its image nor a mount of the daemon's.
const SCRATCH: [&str; 3] = ["/tmp", "/dev/shm", "/dev/mqueue"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_a_folder_goes_and_the_folder_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("locked/below")).unwrap();
        fs::write(folder.path().join(".hidden"), "").unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o500);
        fs::set_permissions(folder.path().join("locked"), mode).unwrap();
        empty(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        empty(&folder.path().join("missing")).unwrap();
    }
}
