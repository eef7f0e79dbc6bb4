//! Where volumes lie in the data folder: `volumes/APP/VOLUME/data`, `volumes/.arriving/…` for what comes from
//! another machine, and `volumes/.gone/…` for what is being removed.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::RwLock;

use crate::{
    engine::Disk,
    model::{AppName, Process, VolumeName},
};

/// The folders of all volumes. Clones are the same.
#[derive(Debug, Clone)]
pub struct VolumeFolders {
    root: PathBuf,
    turn: Arc<RwLock<()>>,
}

/// Why a folder of a volume is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("the volume's folder {} cannot be {operation}", path.display())]
pub struct FolderError {
    /// What was to be done.
    pub operation: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Why it was not.
    #[source]
    pub source: io::Error,
}

impl VolumeFolders {
    /// Those in this data folder.
    pub fn new(data: &Path) -> Self {
        Self { root: data.join("volumes"), turn: Arc::default() }
    }

    /// Held for reading by who starts somebody that has volumes, and for writing by who puts something
    /// else in the place of what is in one. Not a `watch`: both must be over before the other begins.
    pub fn turn(&self) -> &RwLock<()> {
        &self.turn
    }

    /// What containers see of a volume.
    pub fn data(&self, app: &AppName, volume: &VolumeName) -> PathBuf {
        self.of(app, volume).join(DATA)
    }

    /// Makes the folder of a volume, unless it is there.
    pub fn open(&self, app: &AppName, volume: &VolumeName) -> Result<PathBuf, FolderError> {
        let folder = self.data(app, volume);
        make(&folder).map_err(failed("made", &folder))?;
        Ok(folder)
    }

    /// The disks of a process, each with its folder, which is made unless it is there. One that is
    /// there is taken as it is, also if the records were lost meanwhile.
    pub fn ready(&self, app: &AppName, process: &Process) -> Result<Vec<Disk>, FolderError> {
        let ready = |(volume, mounting): (&VolumeName, &crate::model::volume::Mounting)| {
            let folder = self.open(app, volume)?;
            Ok(Disk { volume: volume.clone(), folder, path: mounting.path.clone() })
        };
        process.volumes.iter().map(ready).collect()
    }

    /// Takes a volume away, with all that belongs to it. Its bytes are removed by [`Self::sweep`].
    pub fn discard(&self, app: &AppName, volume: &VolumeName) -> Result<(), FolderError> {
        self.aside(&self.of(app, volume), &format!("{app}.{volume}"))
    }

    /// Takes all volumes of an app away; see [`Self::discard`].
    pub fn discard_all(&self, app: &AppName) -> Result<(), FolderError> {
        self.aside(&self.root.join(app.as_str()), app.as_str())
    }

    /// Removes what was taken away. That may take long.
    pub fn sweep(&self) -> Result<(), FolderError> {
        let gone = self.root.join(GONE);
        match fs::remove_dir_all(&gone) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(FolderError { operation: "removed", path: gone, source })
            }
            _ => Ok(()),
        }
    }

    /// Fills a folder that becomes a volume with all that belongs to it, once it is whole and on the disk; `fill` gets
    /// an empty one. What is there under that name is of another time, and goes. It blocks.
    pub fn arrive<E: From<FolderError>>(
        &self,
        app: &AppName,
        volume: &VolumeName,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let (whole, name) = (self.of(app, volume), format!("{app}.{volume}"));
        let part = self.root.join(ARRIVING).join(&name);
        self.aside(&part, &name)?;
        for folder in [part.parent(), whole.parent()].into_iter().flatten() {
            private().create(folder).map_err(failed("made", folder))?;
        }
        fs::create_dir(&part).map_err(failed("made", &part))?;
        if let Err(error) = fill(&part) {
            // If it stays where it is, the next one takes it away.
            self.aside(&part, &name).ok();
            return Err(error);
        }
        flush(&part)?;
        self.aside(&whole, &name)?;
        Ok(settle(&part, &whole).map_err(failed("given its name", &whole))?)
    }

    /// A volume with all that belongs to it.
    pub fn of(&self, app: &AppName, volume: &VolumeName) -> PathBuf {
        self.root.join(app.as_str()).join(volume.as_str())
    }

    /// Moves a folder to where nobody looks for it; one that is not there is fine.
    pub(super) fn aside(&self, folder: &Path, name: &str) -> Result<(), FolderError> {
        if !folder.exists() {
            return Ok(());
        }
        let gone = self.root.join(GONE);
        private().create(&gone).map_err(failed("made", &gone))?;
        // Names are given again, so that one that is being removed may be there still.
        let place = (0_u32..).map(|number| gone.join(format!("{name}.{number}")));
        let Some(place) = place.into_iter().find(|place| !place.exists()) else { return Ok(()) };
        fs::rename(folder, place).map_err(failed("taken away", folder))
    }
}

/// Anybody in a container that has the volume may write to it: who that is, and by which number, only
/// its image knows. On this machine nobody but root gets through the folders above.
///
/// It has its name when it is open: one that is there is never opened again, since an app may have closed
/// its own.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let new = folder.with_extension("new");
    private().create(&new)?;
    let named = fs::set_permissions(&new, Permissions::from_mode(0o777))
        .and_then(|()| fs::rename(&new, folder));
    // Somebody else may have been faster.
    named.or_else(|error| if folder.is_dir() { Ok(()) } else { Err(error) })
}

pub(super) fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
}

pub(super) fn failed(
    operation: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError { operation, path, source }
}

/// Waits until all of a folder is on the disk, which may take as long as copying it.
pub(super) fn flush(folder: &Path) -> Result<(), FolderError> {
    let synced = File::open(folder).and_then(|it| Ok(rustix::fs::syncfs(it)?));
    synced.map_err(failed("written", folder))
}

/// Renames, and is back when the disk has it.
pub(super) fn settle(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    for path in [from, to] {
        File::open(path.parent().unwrap_or(path))?.sync_all()?;
    }
    Ok(())
}

const DATA: &str = "data";
/// No app is called so, nor as the next.
const ARRIVING: &str = ".arriving";
const GONE: &str = ".gone";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_a_crash_left_half_made_is_open_in_the_end() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("data");
        private().create(folder.with_extension("new")).unwrap();
        make(&folder).unwrap();
        make(&folder).unwrap();
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o777, "{mode:o}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_arrives_is_there_when_it_is_whole_and_in_the_place_of_what_was() {
        let home = tempfile::tempdir().unwrap();
        let folders = VolumeFolders::new(home.path());
        let (app, volume) = ("shop".parse().unwrap(), "data".parse().unwrap());
        let old = folders.data(&app, &volume);
        fs::create_dir_all(&old).unwrap();
        let breaks = |part: &Path| {
            fs::write(part.join("half"), "x").unwrap();
            Err(failed("unpacked", part)(io::Error::other("the link is cut")))
        };
        folders.arrive::<FolderError>(&app, &volume, breaks).unwrap_err();
        assert!(old.is_dir(), "half of it changes nothing");
        // A crash left some of it.
        fs::create_dir_all(home.path().join("volumes/.arriving/shop.data/half")).unwrap();
        let fills = |part: &Path| {
            assert_eq!(fs::read_dir(part).unwrap().count(), 0);
            fs::create_dir(part.join("snapshots")).map_err(failed("made", part))
        };
        folders.arrive::<FolderError>(&app, &volume, fills).unwrap();
        assert!(!old.exists() && folders.of(&app, &volume).join("snapshots").is_dir());
        assert_eq!(fs::read_dir(home.path().join("volumes/.arriving")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_taken_away_is_gone_at_once_and_its_name_is_free_again() {
        let home = tempfile::tempdir().unwrap();
        let folders = VolumeFolders::new(home.path());
        let (app, volume) = ("shop".parse().unwrap(), "data".parse().unwrap());
        let mut process = Process::plain("web".parse().unwrap(), Vec::new(), String::new());
        let path = "/data".parse().unwrap();
        let mounting = crate::model::volume::Mounting::at(path);
        process.volumes = [(VolumeName::clone(&volume), mounting)].into();
        for _ in 0..2 {
            let disk = folders.ready(&app, &process).unwrap().remove(0);
            assert_eq!(fs::read_dir(&disk.folder).unwrap().count(), 0);
            let mode = fs::metadata(&disk.folder).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o777, "{mode:o}");
            fs::write(disk.folder.join("file"), "x").unwrap();
            folders.ready(&app, &process).unwrap();
            assert!(disk.folder.join("file").exists());
            folders.discard(&app, &volume).unwrap();
            assert!(!disk.folder.exists());
        }
        folders.ready(&app, &process).unwrap();
        folders.discard_all(&app).unwrap();
        folders.discard_all(&app).unwrap();
        assert_eq!(fs::read_dir(home.path().join("volumes/.gone")).unwrap().count(), 3);
        folders.sweep().unwrap();
        folders.sweep().unwrap();
        assert_eq!(fs::read_dir(home.path().join("volumes")).unwrap().count(), 0);
    }
}
